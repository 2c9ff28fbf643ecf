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
Region = Literal["mouth", "face", "head"]
REGIONS: dict[Region, str] = {
    "mouth": "the mouth only",
    "face": "the whole face",
    "head": "the face and the head's turns",
}
Ending = Literal["loop", "freeze", "cut"]
ENDINGS: dict[Ending, str] = {
    "loop": "plays back and forth",
    "freeze": "stands still",
    "cut": "ends the clip",
}


@dataclass(frozen=True)
class Acting:
    """Which face of the photo or of the target video moves, and how much.

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
    part: Region | None = option(
        None, "What moves", "What follows the driver; in a video the face, in a photo the head when left out.",
        choices=REGIONS,
    )  # fmt: skip
    ending: Ending = option(
        "loop", "After its end, your video", "What a video that is made to sing does when the song is longer: "
        "loop plays it back and forth, freeze keeps its last picture, cut ends the clip.",
        choices=ENDINGS,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_options(self)
        if not (self.face is None or self.face == "all" or isinstance(self.face, int)):
            raise InputError(f"The face is {self.face!r}: give a number, counted from 0 at the left, or all.")
