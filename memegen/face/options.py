"""Options for every engine: which face moves, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memegen.base.errors import InputError
from memegen.base.options import check_options, option

Which = int | Literal["all"] | None
"""Which face of a photo: counted from 0 at the left, all of them, or the largest."""

Framing = Literal["photo", "face"]
FRAMINGS: dict[Framing, str] = {"photo": "the whole photo", "face": "only the face (classic)"}


@dataclass(frozen=True)
class Acting:
    """Which face of the photo moves, and how much.

    Raises:
        InputError: A value can't be used.
    """

    face: Which = option(
        None, "Who sings", "Which face of the photo, counted from 0 at the left, or all; the largest when left out."
    )
    framing: Framing = option(
        "photo", "Show", "Show the whole photo, or only a square around the face.", choices=FRAMINGS
    )
    expression: float = option(
        1.0, "Expression", "Gain of mouth, brows, eyelids and gaze; 1 is as driven, try 1.2.",
        low=0.0, high=3.0, unit="times the driver's own",
    )  # fmt: skip
    motion: float = option(
        1.0, "Head", "Gain of the head's rotation, movement and size; 1 is as driven, try 0.8.",
        low=0.0, high=3.0, unit="times the driver's own",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_options(self)
        if not (self.face is None or self.face == "all" or isinstance(self.face, int)):
            raise InputError(f"The face is {self.face!r}: give a number, counted from 0 at the left, or all.")
