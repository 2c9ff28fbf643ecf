"""Options for checkpoints of the First Order Motion Model: how they crop, count motion and compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memegen.base.devices import DEVICES, Device
from memegen.base.errors import InputError
from memegen.base.options import check_options, option

if TYPE_CHECKING:
    from memegen.face.cropping import FaceBox

Crop = Literal["face", "none"]
Detector = Literal["mesh", "face-alignment"]
Precision = Literal["auto", "float32"]

DETECTORS: dict[Detector, str] = {"mesh": "the mesh's own", "face-alignment": "face-alignment"}
PRECISIONS: dict[Precision, str] = {"auto": "as fast as possible", "float32": "exact"}


@dataclass(frozen=True)
class FommOptions:
    """How the photo is cropped, how motion is counted, and where the networks run.

    Raises:
        InputError: A value can't be used.
    """

    crop: Crop | FaceBox = option(
        "face",
        "Crop",
        "Where the subject is in the photo, in pixels, if no face is found; none takes the middle squares.",
    )
    relative: bool = option(
        True, "Relative motion", "Transfer the driver's movement since its best frame, not its shape and position."
    )
    best_frame: bool = option(
        True, "Best frame", "Count movement from the driving frame that is most like the photo, not from the first."
    )
    landmarks: Detector = option(
        "mesh",
        "Landmarks",
        "What finds the face; face-alignment (memegen-sings[landmarks]) is for hard poses, and slow without a GPU.",
        choices=DETECTORS,
    )
    device: Device = option("auto", "Device", "Where the networks run.", choices=DEVICES)
    precision: Precision = option(
        "auto", "Precision", "auto is the fastest the device has, float32 gives exact frames.", choices=PRECISIONS
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.crop not in ("face", "none") and not hasattr(self.crop, "square"):
            raise InputError(f"The crop is {self.crop!r}: choose face or none, or give a FaceBox in pixels.")
