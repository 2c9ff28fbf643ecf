"""How far a clip has come: one callback for the package, and the bar on the terminal that uses it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Progress = Callable[[str, int, int], object]
"""Called with a stage in words, the frames done and the frames in all; the last call of a stage has both equal."""


class ProgressBars:
    """Draws a bar for each stage on stderr, with frames per second and the time left; use it as a context manager."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._stage = ""

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage to `done` of `total` frames; the total may change on the way."""
        if self._bar is None or stage != self._stage:
            self.__exit__()
            # Without a delay tqdm draws before it is whole, and Ctrl-C at that moment makes it complain. Whole, it
            # needs none: a bar still waiting is never drawn at all where a stage takes less than a tenth of a second.
            self._bar = tqdm(desc=stage, total=total, unit=" frames", file=sys.stderr, leave=True, delay=1e-6)
            self._bar.delay = 0
            self._stage = stage
        self._bar.total = total
        self._bar.update(done - self._bar.n)


def counted(frames: Iterable[Item], *, stage: str, total: int, progress: Progress | None) -> Iterator[Item]:
    """Pass frames on and report each; the total is corrected at the end if it was only an estimate."""
    done = 0
    for frame in frames:
        yield frame
        done += 1
        if progress is not None and done < total:
            progress(stage, done, total)
    if progress is not None and done:
        progress(stage, done, done)
