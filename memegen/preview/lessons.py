"""What the lessons begin with: a photo, networks, and every array on the way to a frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from memegen.base.arrays import Image
from memegen.base.downloads import asset
from memegen.fomm.checkpoint import cached_or_tiny, load_networks

if TYPE_CHECKING:
    from memegen.fomm.model import FommInternals, FommModel


def portrait() -> Path:
    """Return the path of the portrait that comes with memegen: Grace Hopper, 1984."""
    return asset("portrait.jpg")


def lesson_model(checkpoint: str = "vox") -> FommModel:
    """Load the First Order Motion Model without a download.

    Args:
        checkpoint: A published checkpoint. It is used if it was downloaded before; otherwise the model is "tiny",
            small networks that come with memegen. The model's `name` says which.

    Raises:
        InputError: There is no such checkpoint.
        UnavailableError: torch is not installed.
    """
    networks = load_networks(cached_or_tiny(checkpoint))
    from memegen.fomm.model import FommModel

    return FommModel(networks)


def explain_fomm(
    model: FommModel, source: Image, driving: Iterable[Image], *, relative: bool = True, best_frame: int = 0
) -> FommInternals:
    """Keep every array that the First Order Motion Model computes on the way to some frames.

    Args:
        model: As `lesson_model` gives it.
        source: The photo's crop, uint8 RGB (256, 256, 3).
        driving: The driver's crops, uint8 RGB (256, 256, 3); a few, as everything is held in memory.
        relative: Carry over the driver's movement since its best frame, or take its keypoints as they are.
        best_frame: The number of the driving frame from which movement counts.

    Raises:
        InputError: A crop is of the wrong kind, or the best frame lies beyond the end.
    """
    return model.look_inside(source, driving, relative=relative, best_frame=best_frame)
