"""Tests of drawing several pictures at once in copies of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from memegen.base import copies
from memegen.base.copies import in_copies

HERE = os.getpid()
TWO_CORES = sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1
copied = pytest.mark.skipif(not TWO_CORES, reason="Only Linux with two cores copies processes.")


def square(number: int) -> np.ndarray:
    return np.full((4, 5, 3), number**2 % 256, np.uint8)


def numbers(count: int) -> Iterator[tuple[int]]:
    yield from zip(range(count), strict=True)


def drawn_by(number: int) -> np.ndarray:
    """A picture that says which process drew it."""
    return np.frombuffer(np.array([number, os.getpid()], "<i4").tobytes(), np.uint8).reshape(2, 4, 1).copy()


def who(picture: np.ndarray) -> int:
    return int(picture.ravel().view("<i4")[1])


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("count", [0, 1, 2, 5, 23])
def test_pictures_come_in_order(count: int) -> None:
    made = list(in_copies(square, numbers(count)))
    assert [int(picture[0, 0, 0]) for picture in made] == [number**2 % 256 for number in range(count)]
    assert all(picture.flags.writeable and picture.base is None for picture in made[1:])


@copied
def test_two_copies_draw_and_are_gone_afterwards() -> None:
    drawers = [who(picture) for picture in in_copies(drawn_by, numbers(9))]
    assert drawers[0] == HERE
    assert HERE not in drawers[1:]
    assert len({*drawers[1:]}) == 2
    assert not any(map(alive, drawers[1:]))


@copied
def test_copies_end_with_a_reader_that_leaves() -> None:
    stream = in_copies(drawn_by, numbers(99))
    drawers = [who(next(stream)) for _ in range(3)]
    stream.close()  # type: ignore[attr-defined]
    assert not any(map(alive, drawers[1:]))


@pytest.mark.parametrize("hindrance", ["another system", "one core", "no memory"])
def test_threads_do_it_where_a_process_is_not_copied(hindrance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError

    if hindrance == "another system":
        monkeypatch.setattr(sys, "platform", "win32")
    elif hindrance == "one core":
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    else:
        monkeypatch.setattr(os, "fork", full, raising=False)
    seen: list[int] = []

    def work(number: int) -> np.ndarray:
        seen.append(threading.get_ident())
        return drawn_by(number)

    assert {who(picture) for picture in in_copies(work, numbers(9))} == {HERE}
    assert len({*seen}) > 1


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    threading.Event().wait()


def fail() -> None:
    raise ValueError


@copied
@pytest.mark.parametrize("mishap", [die, hang, fail])
def test_what_a_copy_leaves_undone_is_done_here(mishap: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "PATIENCE", 0.5)

    def work(number: int) -> np.ndarray:
        if number >= 4 and os.getpid() != HERE:
            mishap()
        return drawn_by(number)

    made = list(in_copies(work, numbers(12)))
    assert [int(picture.ravel().view("<i4")[0]) for picture in made] == list(range(12))
    assert HERE not in [who(picture) for picture in made[1:4]]
    assert {who(picture) for picture in made[4:]} == {HERE}


def test_an_error_is_raised_here_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_copies(lambda number: square(1 // (number - 5)), numbers(9)))


def test_an_error_of_the_items_is_raised_after_what_was_asked_for() -> None:
    def items() -> Iterator[tuple[int]]:
        yield from numbers(3)
        raise LookupError

    with pytest.raises(LookupError):
        list(in_copies(square, items()))


def test_pictures_of_any_layout_arrive() -> None:
    dice = np.random.default_rng(0)

    def work(number: int, large: np.ndarray, small: np.ndarray) -> np.ndarray:
        return large[:50] + small[0, 0] + np.uint8(number)

    larges = [dice.integers(0, 200, (60, 80, 3), dtype=np.uint8)[:, ::-1] for _ in range(7)]
    items = [(number, large, np.full((5, 5), number, np.uint8)) for number, large in enumerate(larges)]
    for number, (large, picture) in enumerate(zip(larges, in_copies(work, items), strict=True)):
        assert np.array_equal(picture, large[:50] + np.uint8(2 * number))


def test_a_large_item_after_a_small_one_is_drawn_too() -> None:
    items = [(np.full((rows, 100), rows % 256, np.uint8),) for rows in (1, 2, 900, 3)]
    assert [int(picture.max()) for picture in in_copies(lambda item: item[:1, :9].copy(), items)] == [1, 2, 132, 3]


@copied
def test_copies_keep_no_pipe_of_others_open() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        stream = in_copies(drawn_by, numbers(9))
        assert {who(next(stream)) for _ in range(3)} - {HERE}
        assert cat.communicate(timeout=30) == (b"", None)  # it ends, while the copies are there
        stream.close()  # type: ignore[attr-defined]


def test_opencv_has_its_threads_back() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        usual = cv2.getNumThreads()
        assert len(list(in_copies(lambda number: square(cv2.getNumThreads()), numbers(5)))) == 5
        assert cv2.getNumThreads() == usual
    finally:
        cv2.setNumThreads(before)
