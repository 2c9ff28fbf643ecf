"""What the training of a swap shows, faces as they are drawn now and a curve of the errors, and what it leaves."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import ipywidgets
import numpy as np

from memegen.base.arrays import Image
from memegen.swap.cues import measure, missing
from memegen.swap.faces import FaceSet
from memegen.swap.lesson import Snapshot, redrawn, widest
from memegen.widgets import elements

if TYPE_CHECKING:
    from memegen.swap.swapper import Swapper
    from memegen.swap.training import TrainingState

RENEWED = 2.0  # seconds between two pictures
FIRST = 20  # step of the second moment that is kept; the others are each at twice the step before
WIDTH, HEIGHT = 600, 150  # of the curve, which grows and shrinks with the page
COLOURS = "#7c3aed", "#d55e00"  # of both people's errors


class Learned(NamedTuple):
    """What a class looks at after a training.

    Attributes:
        swapper: The networks.
        seen: The faces of both people that they were trained on.
        unseen: The last tenth of each, which they never saw.
        moments: How one of the unseen faces came out on the way.
    """

    swapper: Swapper
    seen: tuple[FaceSet, FaceSet]
    unseen: tuple[FaceSet, FaceSet]
    moments: list[Snapshot]


class LearningView:
    """The pictures and the curve of one training; also keeps how one face came out at doubling steps."""

    def __init__(self) -> None:
        self.moments: list[Snapshot] = []
        self._grids = [ipywidgets.HTML(), ipywidgets.HTML()]
        self._curve, self._missing = ipywidgets.HTML(), ipywidgets.HTML()
        self._errors: list[tuple[int, float, float]] = []
        self._names: Sequence[str] = ()
        self._one: FaceSet | None = None
        self._shown = -math.inf
        grids = elements.row(*(elements.column(grid) for grid in self._grids), style="meme-pair")
        self.panel = elements.column(self._missing, grids, self._curve)

    def begin(self, seen: tuple[FaceSet, FaceSet], unseen: FaceSet, *, new: bool) -> None:
        """Make ready for a training, and say what the first person's faces do not show.

        Args:
            seen: The faces of both people.
            unseen: Faces of person 0 that it does not see; the one with the widest mouth is watched.
            new: Whether it begins anew.
        """
        self._one, self._names, self._shown = widest(unseen), [one.name for one in seen], -math.inf
        short = ", ".join(missing(*(measure(one.landmarks) for one in seen)))
        never = f"{self._names[0]} never shows, as far as {self._names[1]} does: {short}. That will be blurred."
        self._missing.value = elements.small(f"{never} More pictures of it would help." if short else "")
        if new:
            self.moments, self._errors = [], []

    def show(self, state: TrainingState) -> None:
        """Show a state of the training, if the last was shown a while ago."""
        step = state.swapper.step
        if math.isfinite(state.losses[0]):
            self._errors.append((step, *state.losses))
        last = self.moments[-1].step if self.moments else -1
        if self._one is not None and step > last and (state.ended or step in (0, FIRST) or step >= 2 * last > 0):
            self.moments.append(Snapshot(step, redrawn(state.swapper, self._one, 0)))
        now = time.monotonic()
        if state.ended or now - self._shown > RENEWED:
            self._shown = now
            for grid, rows, who in zip(self._grids, np.vsplit(state.preview(), 2), (0, 1), strict=True):
                grid.value = self._figure(rows, who)
            self._curve.value = error_curve(self._errors)

    def _figure(self, rows: Image, who: int) -> str:
        name = self._names[who]
        words = f"{name[:1].upper()}{name[1:]}: the picture, drawn again, and with the other face."
        return elements.figure(elements.picture(rows, alt=f"Faces of {name} as they are drawn now"), words)


def said_of(state: TrainingState) -> str:
    """Describe a state of the training in a few words."""
    first, second = state.losses
    errors = f", errors {100 * first:.1f} and {100 * second:.1f} %" if math.isfinite(first) else ""
    return f"Training, step {state.swapper.step}{errors}"


def error_curve(errors: Sequence[tuple[int, float, float]]) -> str:
    """Draw the errors of both people over the steps, as HTML; nothing before there are two points.

    Args:
        errors: Step and mean error of each person's colours, 0 to 1.
    """
    if len(errors) < 2:
        return ""
    steps, *both = np.array(errors).T
    top = max(one.max() for one in both)
    lines = ""
    for one, colour in zip(both, COLOURS, strict=True):
        x, y = WIDTH * steps / steps[-1], HEIGHT * (1 - one / top)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        lines += f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="3"/>'
    words = f"Errors from {100 * top:.1f} % (top) to 0 (bottom), over {steps[-1]:.0f} steps."
    frame = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="gray"/>'
    size = f'viewBox="-2 -2 {WIDTH + 4} {HEIGHT + 4}" style="width: 100%; height: auto; display: block"'
    drawing = f'<svg role="img" aria-label="{words}" {size}>{frame}{lines}</svg>'
    legend = f"{words} Violet: the face above left; orange: the other."
    return elements.figure(drawing, legend)
