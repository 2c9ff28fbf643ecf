"""The engines behind one protocol: a photo and a driving clip in, frames out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from memegen.base.arrays import Image
from memegen.base.errors import InputError
from memegen.base.progress import Progress
from memegen.face.detection import Which

if TYPE_CHECKING:
    from memegen.face.casting import Acting, Driving


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
    **fomm: Any,
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
    from memegen.face.casting import Acting

    acting = Acting(face=face, framing=framing, expression=expression, motion=motion)
    if str(name) == "mesh":
        from memegen.mesh.animator import MeshAnimator

        if fomm:
            raise InputError(f"The mesh engine takes no {', '.join(fomm)}: leave it out, or choose a checkpoint.")
        return MeshAnimator(acting, progress)
    return _load_fomm(name, acting, progress, **fomm)


def _load_fomm(
    name: str | Path, acting: Acting, progress: Progress | None, *, backend: str = "torch", **options: Any
) -> Animator:
    from memegen.fomm.checkpoint import check_installed, load_networks, locate
    from memegen.fomm.options import FommOptions

    chosen = FommOptions(**options)
    locate(name)
    check_installed("fomm")
    from memegen.fomm.animator import FommAnimator
    from memegen.fomm.compute import choose_compute
    from memegen.fomm.model import FommModel

    compute = choose_compute(device=chosen.device, precision=chosen.precision, backend=backend)  # type: ignore[arg-type]
    networks = load_networks(name, progress=progress is not None)
    return FommAnimator(FommModel(networks, compute=compute), acting, chosen, progress)
