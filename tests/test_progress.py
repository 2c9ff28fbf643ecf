"""Bars on the terminal: a line for each stage that ends whole, however fast its frames come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tqdm.std

from memegen.base.progress import ProgressBars, counted


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that bars go by: it stands still unless a test moves it, so that all frames come at once."""
    time = [1000.0]
    monkeypatch.setattr(tqdm.std, "time", lambda: time[0])
    return time


def rows(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is left on the terminal, line by line: a bar is drawn over what stood there before."""
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "" or said.err.endswith("\n")
    return [line.rpartition("\r")[2] for line in said.err.split("\n")[:-1]]


def test_a_stage_whose_frames_all_come_at_once_ends_in_a_whole_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBars() as bars:
        for stage, total in (("Watching the singer", 10), ("Singing", 4), ("Signing", 1)):
            for done in range(1, total + 1):
                bars(stage, done, total)
    first, second, third = rows(capsys)
    for row, stage, count in ((first, "Watching the singer", 10), (second, "Singing", 4), (third, "Signing", 1)):
        assert row.startswith(f"{stage}: 100%|")
        assert f"| {count}/{count} [" in row


def test_slow_frames_end_in_the_same_bar(capsys: pytest.CaptureFixture[str], now: list[float]) -> None:
    with ProgressBars() as bars:
        for done in range(1, 4):
            now[0] += 2.0
            bars("Singing", done, 3)
    [row] = rows(capsys)
    assert row.startswith("Singing: 100%|")
    assert "| 3/3 [00:04<00:00" in row  # from the first frame on


def test_bars_that_were_never_called_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBars():
        pass
    bars = ProgressBars()
    assert list(counted(iter("ab"), stage="Singing", total=2, progress=None)) == ["a", "b"]
    assert list(counted(iter(""), stage="Singing", total=2, progress=bars)) == []
    bars.__exit__()
    assert rows(capsys) == []


def test_a_stage_that_breaks_off_ends_its_line_where_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> None:
        with ProgressBars() as bars:
            bars("Singing", 1, 4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    [row] = rows(capsys)
    assert row.startswith("Singing:  25%|")
    assert "| 1/4 [" in row


def test_a_stage_told_twice_has_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with ProgressBars() as bars:
            bars("Singing", 2, 2)
    assert [row.partition("|")[0] for row in rows(capsys)] == ["Singing: 100%"] * 2


def test_frames_are_closed_when_progress_fails() -> None:
    closed = []

    def frames() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            closed.append(True)

    def fail(stage: str, done: int, total: int) -> None:
        raise RuntimeError(stage)

    with pytest.raises(RuntimeError) as kept:
        list(counted(frames(), stage="Singing", total=3, progress=fail))
    assert closed == [True]
    assert kept.value.__traceback__ is not None  # it holds the frames that were not passed on


@pytest.mark.parametrize("estimate", [1, 3, 9])
def test_a_wrong_estimate_ends_in_a_whole_bar_too(capsys: pytest.CaptureFixture[str], estimate: int) -> None:
    told: list[tuple[int, int]] = []
    with ProgressBars() as bars:

        def tell(stage: str, done: int, total: int) -> None:
            told.append((done, total))
            bars(stage, done, total)

        assert list(counted("abc", stage="Singing", total=estimate, progress=tell)) == ["a", "b", "c"]
    assert told == [(done, estimate) for done in range(1, 4) if done < estimate] + [(3, 3)]
    [row] = rows(capsys)
    assert row.startswith("Singing: 100%|")
    assert "| 3/3 [" in row
