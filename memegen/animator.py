"""The engines behind one protocol: a photo and a driving clip in, frames out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, Unpack

from memegen.base.arrays import Image
from memegen.base.errors import InputError
from memegen.base.progress import Progress
from memegen.face.cropping import FaceBox
from memegen.face.detection import Which

if TYPE_CHECKING:
    from memegen.face.casting import Driving

GAINS = (0.0, 3.0)  # sensible range of `expression` and `motion`


class FommOptions(TypedDict, total=False):
    """Options of the engine that runs checkpoints.

    Attributes:
        crop: "face" (default), "none" for the middle squares, or a FaceBox around the subject in the photo, pixels.
        relative: Carry over the driver's movement since its best frame (default), or its keypoints as they are.
        best_frame: Count from the driving frame that is most like the photo (default), or from the first.
        landmarks: "mesh" (default), or "face-alignment" for hard poses: slow, needs memegen[landmarks].
        device: "auto" (default), "cpu", "cuda" or "mps".
        precision: "auto" (default), or "float32" for exact frames.
        backend: "torch" (default), or "openvino", for long clips on CPUs: frames come faster, the first one later.
    """

    crop: Literal["face", "none"] | FaceBox
    relative: bool
    best_frame: bool
    landmarks: Literal["mesh", "face-alignment"]
    device: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "float32"]
    backend: Literal["torch", "openvino"]


class Animator(Protocol):
    """What every engine does. Animators are immutable: one serves any number of photos and clips.

    Attributes:
        name: "mesh", or that of the checkpoint.
    """

    @property
    def name(self) -> str:
        """What the engine is called."""
        ...

    def animate(self, photo: Image, driving: Driving) -> Iterator[Image]:
        """Move the face in a photo as the face in a driving clip moves, frame by frame.

        Args:
            photo: uint8 RGB (H, W, 3).
            driving: The clip; its frames are decoded as they are needed. Or, for a duet, a mapping from a face's
                number to its own clip; the frames come at the first clip's rate, as long as the longest lasts.

        Yields:
            One uint8 RGB frame for each driving frame, all of one size.

        Raises:
            NoFaceError: The photo or the clip has no face.
        """
        ...


def load_animator(
    name: str | Path = "mesh",
    *,
    face: Which = None,
    framing: Literal["photo", "face"] = "photo",
    expression: float = 1.0,
    motion: float = 1.0,
    progress: Progress | None = None,
    **fomm: Unpack[FommOptions],
) -> Animator:
    """Load an engine.

    Args:
        name: "mesh", the engine that travels with the package: no download, no GPU. Or a checkpoint of the First Order
            Motion Model: "vox", "vox-adv" and the like, fetched at first use, or the path of such a file; "tiny" are
            small bundled networks for lessons.
        face: Which face of the photo, counted from 0 at the left; the largest when None; "all" moves everybody.
        framing: "photo" gives the whole photo, "face" a square around the face.
        expression: Gain of mouth, brows and eyes, 0 to 3; 1 is the driver's own.
        motion: Gain of the head's turning, shifting and growing, 0 to 3; 1 is the driver's own.
        progress: Told how far the driver's analysis is.
        **fomm: Only for checkpoints, see FommOptions.

    Raises:
        InputError: The name, a gain or a checkpoint's file makes no sense.
        DownloadError: No mirror gave the checkpoint.
        UnavailableError: torch, or the backend, is not installed.
    """
    if not (face is None or face == "all" or isinstance(face, int)):
        raise InputError(f"The face is {face!r}: give a number, counted from 0 at the left, or all.")
    if framing not in ("photo", "face"):
        raise InputError(f"The framing is {framing!r}: give photo or face.")
    for what, gain in (("expression", expression), ("motion", motion)):
        if not GAINS[0] <= gain <= GAINS[1]:
            raise InputError(
                f"The {what} is {gain:g}: give a number from {GAINS[0]:g} to {GAINS[1]:g}; 1 is as driven."
            )
    if str(name) == "mesh":
        from memegen.mesh.animator import MeshAnimator

        if fomm:
            raise InputError(f"The mesh engine takes no {', '.join(fomm)}: leave it out, or choose a checkpoint.")
        return MeshAnimator(face, expression, motion, progress, framing)
    return _load_fomm(name, face=face, framing=framing, expression=expression, motion=motion, progress=progress, **fomm)


def _load_fomm(
    name: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    backend: str = "torch",
    **options: Any,
) -> Animator:
    from memegen.fomm.checkpoint import check_installed, load_networks, locate

    locate(name)
    check_installed("fomm")
    from memegen.fomm.animator import FommAnimator
    from memegen.fomm.compute import choose_compute
    from memegen.fomm.model import FommModel

    compute = choose_compute(device=device, precision=precision, backend=backend)  # type: ignore[arg-type]
    networks = load_networks(name, progress=options["progress"] is not None)
    return FommAnimator(FommModel(networks, compute=compute), **options)
