"""The engines behind one protocol: a photo and a driving clip in, frames out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from memegen.errors import InputError
from memegen.faces import Image
from memegen.progress import Progress

if TYPE_CHECKING:
    from memegen.video import Video

ENGINES = ("mesh",)
GAINS = (0.0, 3.0)  # sensible range of `expression` and `motion`


class Animator(Protocol):
    """What every engine does. Animators are immutable: one serves any number of photos and clips."""

    def animate(self, photo: Image, driving: Video) -> Iterator[Image]:
        """Move the face in a photo as the face in a driving clip moves, frame by frame.

        Args:
            photo: uint8 RGB (H, W, 3).
            driving: The clip; its frames are decoded as they are needed.

        Yields:
            One uint8 RGB frame for each driving frame, all of one size.

        Raises:
            NoFaceError: The photo or the clip has no face.
        """
        ...


def load_animator(
    name: str | Path = "mesh",
    *,
    face: int | None = None,
    expression: float = 1.0,
    motion: float = 1.0,
    progress: Progress | None = None,
) -> Animator:
    """Load an engine.

    Args:
        name: "mesh", the engine that travels with the package: no download, no GPU.
        face: Which face of the photo, counted from 0 at the left; the largest when None.
        expression: Gain of mouth, brows and eyes, 0 to 3; 1 is the driver's own.
        motion: Gain of the head's turning, shifting and growing, 0 to 3; 1 is the driver's own.
        progress: Told how far the driver's analysis is.

    Raises:
        InputError: The name or a gain makes no sense.
    """
    for what, gain in (("expression", expression), ("motion", motion)):
        if not GAINS[0] <= gain <= GAINS[1]:
            raise InputError(
                f"The {what} is {gain:g}: give a number from {GAINS[0]:g} to {GAINS[1]:g}; 1 is as driven."
            )
    if str(name) == "mesh":
        from memegen.mesh.engine import MeshAnimator

        return MeshAnimator(face, expression, motion, progress)
    raise InputError(f"There is no engine {str(name)!r}: choose one of {', '.join(ENGINES)}.")
