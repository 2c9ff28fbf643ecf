"""A recital: what the singer does, frame by frame, made from a score or a sound; `drawing.figure` draws it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Controls(NamedTuple):
    """One instant of a performance. The defaults are the face at rest: a closed mouth with a slight smile.

    The head's turns are in degrees, its shifts in half head widths; everything else runs from 0 to 1, where 1 is the
    most that a lively singer does. A mouth that closes for m, b or p has `jaw`, `upper` and `lower` at 0 and `press`
    at 0.5 to 1.

    Attributes:
        yaw: Turn of the head to the picture's right; within 20 either way.
        pitch: Turn upwards; within 15.
        roll: Lean, clockwise in the picture; within 10.
        shift_x: Shift to the picture's right; within 0.15.
        shift_y: Shift upwards; within 0.1.
        blink: How far both lids are shut.
        brow: How far the brows are raised.
        smile: How far the corners of the mouth and the cheeks are raised; 0.3 to 0.6 when singing.
        jaw: How far the jaw drops: the main opening of the mouth. An "ah" has 0.9, an "ee" 0.2.
        upper: How far the upper lip is raised off the teeth; up to 0.5, in "f" 0.7.
        lower: How far the lower lip is lowered off the teeth; up to 0.6.
        wide: How far the corners are drawn apart, as in "ee"; may go to -0.2.
        round: How far the lips are rounded and pushed out, as in "oo" (1) and "aw" (0.6).
        press: How far the lips are pressed together, as in m, b and p.
        tuck: How far the lower lip lies under the upper teeth, as in f and v.
        tongue: How far the tip of the tongue is raised behind the teeth, as in l, n, d and t.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    blink: float = 0.0
    brow: float = 0.0
    smile: float = 0.3
    jaw: float = 0.0
    upper: float = 0.0
    lower: float = 0.0
    wide: float = 0.0
    round: float = 0.0
    press: float = 0.0
    tuck: float = 0.0
    tongue: float = 0.0


@dataclass(frozen=True)
class Recital:
    """The controls of every frame, as tracks by name.

    Whoever makes a performance should begin and end it near rest, and move nothing faster than a face can: a jaw opens
    in 60 ms or more. Frame k shows the time (k + 0.5) / fps.

    Attributes:
        fps: Frames a second.
        tracks: (N,) floats for each control that is not at rest throughout, by its name in `Controls`.
    """

    fps: Fraction
    tracks: Mapping[str, NDArray[np.float64]]

    def __init__(self, fps: Fraction | int, **tracks: ArrayLike) -> None:
        arrays = {name: np.asarray(track, np.float64) for name, track in tracks.items()}
        if unknown := arrays.keys() - set(Controls._fields):
            raise TypeError(f"The singer has no control {', '.join(sorted(unknown))}.")
        if len({track.shape for track in arrays.values()}) != 1 or next(iter(arrays.values())).ndim != 1:
            raise ValueError("The tracks of a performance need one value for each frame.")
        object.__setattr__(self, "fps", Fraction(fps))
        object.__setattr__(self, "tracks", arrays)

    def __len__(self) -> int:
        """How many frames it has."""
        return len(next(iter(self.tracks.values())))

    def __getitem__(self, frame: int) -> Controls:
        return Controls(**{name: float(track[frame]) for name, track in self.tracks.items()})

    def __iter__(self) -> Iterator[Controls]:
        return (self[frame] for frame in range(len(self)))
