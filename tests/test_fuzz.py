"""Damaged files are refused in our own words, and the program that checks this can fail."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import pytest
from fuzz_media import LIMITS, READERS, SHARES, Limits, Seed, Tally, damaged, fuzz

from memegen.base.errors import InputError, OutputError

COUNT = 90  # files, which take about 20 seconds
SEED = 7  # its first three files are a fine one, a bad one and a fine one
FINE = [Seed(kind, ".bin", b"a file of some bytes" * 9) for kind in ("fine", "bad")]


@pytest.mark.xdist_group("fuzz")
def test_damaged_files_are_refused_in_our_own_words(tmp_path: Path) -> None:
    tally = fuzz(range(COUNT), seed=20, kept=tmp_path, limits=Limits(seconds=120))  # a busy machine is no finding
    assert not tally.findings, tally.summary()
    assert tally.kinds.keys() >= READERS.keys() - {"checkpoint"}
    assert min(tally.states["read"], tally.states["refused"]) > COUNT // 5


def fine(path: Path) -> object:
    assert path.is_file()
    return None


def refuses(path: Path) -> object:
    raise InputError(f"{path} is damaged: get it again.")


def raises(path: Path) -> object:
    raise ValueError("a byte is missing")


def speaks_as_ffmpeg(path: Path) -> object:
    raise InputError(f"{path} can't be read: moov atom not found.")


def blames_the_output(path: Path) -> object:
    raise OutputError(f"{path} can't be written.")


def warns(path: Path) -> object:
    warnings.warn("Corrupt EXIF data", stacklevel=1)
    return None


def dies(path: Path) -> object:
    os.abort()


def hangs(path: Path) -> object:
    time.sleep(60)
    return None


def is_large(path: Path) -> object:
    return b"x" * (150 << 20)


def tried(folder: Path, bad: object, limits: Limits = LIMITS) -> Tally:
    return fuzz(range(3), seed=SEED, kept=folder, readers={"fine": fine, "bad": bad}, seeds=FINE, limits=limits)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("bad", "state"),
    [
        (raises, "raised ValueError"),
        (speaks_as_ffmpeg, "foreign words 'moov atom'"),
        (blames_the_output, "raised OutputError"),
        (warns, "warned UserWarning"),
        (dies, "died"),
        (is_large, "large"),
    ],
)
def test_what_is_not_refused_is_found_and_kept(tmp_path: Path, bad: object, state: str) -> None:
    tally = tried(tmp_path, bad, Limits(memory=100 << 20))
    assert tally.findings.keys() == {("bad", state)}
    first = tally.findings["bad", state][0]
    assert (tmp_path / first).is_file()
    assert (tmp_path / f"{first}.txt").read_text().startswith(state)
    assert first in tally.summary()


def test_what_hangs_is_found_and_the_next_file_is_read(tmp_path: Path) -> None:
    tally = tried(tmp_path, hangs, Limits(seconds=4.0))
    assert tally.findings.keys() == {("bad", "slow")}
    assert tally.states["read"] == tally.kinds["fine"] > 0


def test_what_is_refused_in_our_words_is_no_finding(tmp_path: Path) -> None:
    tally = tried(tmp_path, refuses)
    assert not tally.findings
    assert tally.states["refused"] == tally.kinds["bad"] > 0


def test_the_same_seed_makes_the_same_damages() -> None:
    seeds = [Seed(kind, ".bin", bytes(range(256)) * 4) for kind in SHARES]
    made = [damaged(seeds, number, seed=3) for number in range(200)]
    assert made == [damaged(seeds, number, seed=3) for number in range(200)]
    assert made != [damaged(seeds, number, seed=4) for number in range(200)]
    assert len({one.data for one in made}) > 190
