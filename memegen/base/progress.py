"""Progress of long work: one callback for the whole package, and a progress bar for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")
Progress = Callable[[str, int, int], object]
"""Called with a stage, how much of it is done and how much there is in all; the last call of a stage has both equal.

The stage is a string; where something else than frames is counted it is a `Stage`, which says what.
"""


class Stage(str):
    """The name of a stage, such as "Downloading song.mp4", with the unit that its progress is counted in.

    A note beside it may change from call to call, as the errors of a training do.
    """

    __slots__ = ("note", "unit")
    unit: str
    note: str

    def __new__(cls, name: str, unit: str = "frames", note: str = "") -> Self:
        """Name a stage whose progress is counted in `unit`."""
        stage = super().__new__(cls, name)
        stage.unit, stage.note = unit, note
        return stage

    @staticmethod
    def unit_of(stage: str) -> str:
        """Say what the progress of a stage is counted in; frames, where it does not say itself."""
        return stage.unit if isinstance(stage, Stage) else "frames"


class ProgressBars:
    """Draws a bar for each stage on stderr, with frames per second and the time left; use it as a context manager.

    Args:
        drawn: Whether anything is drawn; a log has no use for bars.
    """

    def __init__(self, *, drawn: bool = True) -> None:
        self._drawn = drawn
        self._bar: tqdm[None] | None = None
        self._stage = ""

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the bar that is drawn; the next stage begins a new one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage to `done` of `total`; the total may change on the way."""
        if not self._drawn:
            return
        if self._bar is None or stage != self._stage:
            from tqdm import tqdm

            self.close()
            # Without a delay tqdm draws inside its own constructor, and Ctrl-C at that moment prints a second error.
            # Afterwards the delay is removed: otherwise a stage shorter than the delay would never draw its bar.
            self._bar = tqdm(
                desc=stage, total=total, unit=f" {Stage.unit_of(stage)}", file=sys.stderr, leave=True, delay=1e-6
            )
            self._bar.delay = 0
            self._stage = stage
        self._bar.total = total
        if isinstance(stage, Stage) and stage.note:
            self._bar.set_postfix_str(stage.note, refresh=False)
        self._bar.update(done - self._bar.n)


def counted(
    frames: Iterable[Item], *, stage: str, total: int, progress: Progress | None
) -> Generator[Item, None, None]:
    """Pass frames on and report each; the total is corrected at the end if it was only an estimate.

    A generator of frames is closed at the end, also after an error: an error that is kept must hold no decoder.
    """
    done = 0
    with closing(frames) if isinstance(frames, Generator) else nullcontext():
        for frame in frames:
            yield frame
            done += 1
            if progress is not None and done < total:
                progress(stage, done, total)
    if progress is not None and done:
        progress(stage, done, done)
