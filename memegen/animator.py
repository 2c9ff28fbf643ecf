"""The engines behind one protocol: a photo and a driving clip in, frames out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from memegen.base.errors import InputError
from memegen.base.files import check_file
from memegen.base.options import sort_options, takes_options
from memegen.face.options import Acting
from memegen.fomm.options import FommOptions

if TYPE_CHECKING:
    from memegen.base.arrays import Image
    from memegen.base.progress import Progress
    from memegen.face.casting import Driving
    from memegen.media.video import Video


class Animator(Protocol):
    """What every engine does. Animators are immutable: one serves any number of photos and clips."""

    @property
    def name(self) -> str:
        """What the engine is called: "mesh", or the name of the checkpoint."""
        ...

    def animate(self, photo: Image | Video, driving: Driving) -> Iterator[Image]:
        """Move the face in a photo as the face in a driving clip moves, frame by frame.

        Args:
            photo: uint8 RGB (H, W, 3). Or a target video: its face gets the driver's expression.
            driving: The clip; its frames are decoded as they are needed. Or, for a duet, a mapping from a face's
                number to its own clip; the frames come at the first clip's rate, as long as the longest lasts.

        Yields:
            One uint8 RGB frame for each driving frame, all of one size; with a target video they come at its rate.

        Raises:
            NoFaceError: The photo or the clip has no face.
        """
        ...


@takes_options(Acting, FommOptions)
def load_animator(name: str | Path = "mesh", *, progress: Progress | None = None, **options: Any) -> Animator:
    """Load an engine.

    Args:
        name: "mesh", the bundled engine: no download, no GPU. Or a checkpoint of the First Order
            Motion Model: "vox", "vox-adv" and the like, downloaded at first use, or the path of such a file; "tiny" are
            small bundled networks for lessons.
        progress: Told how far a download and the driver's analysis are, see `Progress`.
        **options: See below; those after `motion` are for checkpoints only.

    Raises:
        InputError: The name, an option or a checkpoint's file can't be used.
        DownloadError: No mirror gave the checkpoint.
        UnavailableError: torch is not installed, or the machine lacks what was asked for.
    """
    acting, fomm = sort_options(options, Acting, FommOptions)
    if str(name) != "mesh":
        return _load_fomm(name, acting, fomm, progress)
    from memegen.mesh.animator import MeshAnimator

    if foreign := options.keys() & _names(FommOptions):
        names = " or ".join(sorted(foreign))
        raise InputError(f"The mesh engine has no {names}: leave it out, or choose a checkpoint.")
    return MeshAnimator(acting, progress)


def check_engine(name: str | Path) -> None:
    """Check that an engine can be loaded here, without loading or downloading it.

    Raises:
        InputError: There is no such engine or checkpoint's file.
        UnavailableError: torch is not installed.
    """
    if str(name) != "mesh":
        from memegen.fomm.checkpoint import check_installed, locate

        found = locate(name)
        if isinstance(found, Path) and not found.is_dir():  # `read_states` says what to do about a folder
            check_file(found, kind="checkpoint")
        check_installed()


def engine_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of some options that are for `load_animator`."""
    return {name: options[name] for name in options.keys() & (_names(Acting) | _names(FommOptions))}


def _names(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _load_fomm(name: str | Path, acting: Acting, options: FommOptions, progress: Progress | None) -> Animator:
    check_engine(name)
    from memegen.fomm.animator import FommAnimator
    from memegen.fomm.checkpoint import load_networks
    from memegen.fomm.compute import choose_compute
    from memegen.fomm.model import FommModel

    if options.landmarks == "face-alignment":
        from memegen.face.landmarks68 import obtain_weights

        obtain_weights(progress)
    compute = choose_compute(device=options.device, precision=options.precision)
    networks = load_networks(name, progress=progress)
    return FommAnimator(FommModel(networks, compute=compute), acting, options, progress)
