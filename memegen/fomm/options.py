"""What a user can choose of the engine that runs checkpoints; free of torch, so that every interface can read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memegen.base.errors import InputError
from memegen.base.options import check_options, option
from memegen.face.cropping import FaceBox

Crop = Literal["face", "none"] | FaceBox
Detector = Literal["mesh", "face-alignment"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32"]

DETECTORS = {"mesh": "the bundled face mesh", "face-alignment": "face-alignment, for hard poses (slow without a GPU)"}
DEVICES = {"auto": "the fastest", "cpu": "the processor", "cuda": "an Nvidia GPU", "mps": "an Apple GPU"}
PRECISIONS = {"auto": "the fastest", "float32": "exact"}


@dataclass(frozen=True)
class FommOptions:
    """Options of the engine that runs checkpoints.

    Raises:
        InputError: A value is not among the choices.
    """

    crop: Crop = option(
        "face", "Crop", "face cuts photo and clip around the face, none takes the middle squares, a box cuts the photo"
    )
    relative: bool = option(True, "Relative motion", "carry over movements instead of the driver's absolute pose")
    best_frame: bool = option(True, "Best frame", "count from the driving frame that is most like the photo")
    landmarks: Detector = option("mesh", "Landmarks", "what finds the face in photo and clip", choices=DETECTORS)
    device: Device = option("auto", "Device", "where the networks run", choices=DEVICES)
    precision: Precision = option("auto", "Precision", "float32 gives exact frames, slowly", choices=PRECISIONS)

    def __post_init__(self) -> None:
        check_options(self)
        if self.crop not in ("face", "none") and not isinstance(self.crop, FaceBox):
            raise InputError(f"The crop is {self.crop!r}: choose face or none, or give a FaceBox in pixels.")
