"""Checkpoints of the First Order Motion Model: the published ones, their downloads, and networks built from them."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from memegen.base.devices import check_torch
from memegen.base.downloads import Mirror, asset, cache_file, fetch
from memegen.base.errors import DownloadError, InputError, OutputError
from memegen.base.files import expanded
from memegen.base.options import did_you_mean
from memegen.base.progress import Progress
from memegen.base.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from memegen.fomm.generator import Generator
    from memegen.fomm.keypoint_detector import KeypointDetector

PARTS = ("generator", "kp_detector")
FOLDER = "checkpoints"
TINY = "tiny"  # the name of the small bundled networks, for lessons
RELEASE = "https://github.com/graphemecluster/first-order-model-demo/releases/download/checkpoints"

_log = logging.getLogger(__name__)

States = dict[str, dict[str, "Tensor"]]
"""State dicts of the two networks, by the names in `PARTS`."""


@dataclass(frozen=True)
class Published:
    """A checkpoint that its authors published.

    Attributes:
        name: what the user types.
        subject: what its photos and drivers show.
        file: its name, here and at its mirrors.
        mirrors: where to get it, best first.
        size: of the file in bytes, where known; of the others it is about the same.
    """

    name: str
    subject: str
    file: str
    mirrors: tuple[Mirror, ...]
    size: int | None = None

    @property
    def original(self) -> Path:
        """Where the published file is kept once downloaded; it may not exist."""
        return cache_file(FOLDER, self.file)

    @property
    def slim(self) -> Path:
        """Where its slim copy is kept once made; it may not exist."""
        return cache_file(FOLDER, f"{self.name}.safetensors")

    @property
    def cached_bytes(self) -> int:
        """How much of the disk its files take."""
        return sum(path.stat().st_size for path in (self.original, self.slim) if path.is_file())


def _published(
    name: str, subject: str, *others: str, file: str | None = None, sha256: str | None = None, size: int | None = None
) -> Published:
    file = file or f"{name}-cpk.pth.tar"
    return Published(name, subject, file, tuple(Mirror(url, sha256) for url in (f"{RELEASE}/{file}", *others)), size)


CHECKPOINTS: tuple[Published, ...] = (
    _published(
        "vox",
        "faces",
        "https://qaihub-public-assets.s3.us-west-2.amazonaws.com/qai-hub-models/models/fomm/v1/vox-cpk.pth.tar",
        "https://huggingface.co/MCMLXXXVII/thinplatesv1/resolve/main/vox-cpk.pth.tar",
        "1_v_xW1V52gZCZnXgh1Ap_gwA9YVIzUnS",
        "1jmcn19-c3p8mf39aYNXUhdMqzqDYZhQ_",
        sha256="abb41ab1f279f26326c0d6e4d20702de6658364665aa1313daa7a63e89ea2b23",
        size=728_766_691,
    ),
    _published(
        "vox-adv",
        "faces, sharper (trained further with a discriminator)",
        "https://huggingface.co/spaces/abhishek/first-order-motion-model/resolve/main/weights/vox-adv-cpk.pth.tar",
        "1L8P-hpBhZi8Q_1vP2KlQ4N6dvlzpYBvZ",
        sha256="6792d6810d7f46e3c5c487a1cfec916b96fad8912c3c6cc81baa1fc300c820d3",
        size=750_926_934,
    ),
    _published("taichi", "whole people moving"),
    _published("taichi-adv", "whole people moving, sharper"),
    _published("fashion", "people showing clothes", file="fashion.pth.tar"),
    _published("mgif", "walking cartoon animals"),
    _published("nemo", "smiling faces"),
    _published("bair", "a robot arm"),
)


class Networks(NamedTuple):
    """The two networks of one checkpoint, in float32 and evaluation mode.

    Attributes:
        detector: finds keypoints.
        generator: renders frames.
        name: of the checkpoint, or its file's path, for messages.
    """

    detector: KeypointDetector
    generator: Generator
    name: str


def find_checkpoint(name: str) -> Published:
    """Return the published checkpoint of that name.

    Raises:
        InputError: there is none; the message lists the names.
    """
    known = {checkpoint.name: checkpoint for checkpoint in CHECKPOINTS}
    if name in known:
        return known[name]
    engines = ["mesh", *known, TINY]
    raise InputError(
        f"There is no engine or file {name!r}. {did_you_mean(name, engines)}Known engines: {', '.join(engines)}; "
        "the path of a checkpoint works too.",
        remedy={"engine": "mesh"},
    )


def locate(checkpoint: str | Path) -> Published | Path:
    """Return the published checkpoint or the file that a user means; a file goes before a checkpoint of its name.

    Raises:
        InputError: it looks like a name, and no checkpoint has that name.
        UnavailableError: the installation lacks the tiny networks.
    """
    path = expanded(checkpoint)
    with suppress(OSError, ValueError):  # a name that no file can have
        if path.suffixes or path.name != str(checkpoint) or path.is_file():
            return path
    if checkpoint == TINY:
        return asset("models/tiny_vox.safetensors")
    return find_checkpoint(str(checkpoint))


def cached_or_tiny(name: str = "vox") -> str:
    """Return the name of a published checkpoint if it is cached, otherwise `TINY`: for lessons, without a download.

    Raises:
        InputError: there is no such checkpoint.
    """
    published = find_checkpoint(name)
    return name if published.slim.is_file() or published.original.is_file() else TINY


def load_networks(checkpoint: str | Path, *, align_corners: bool = True, progress: Progress | None = None) -> Networks:
    """Build the networks of a published checkpoint, downloaded at its first use, or of the user's own file.

    Args:
        checkpoint: a name of `CHECKPOINTS`, `TINY`, or the path of a `.pth.tar` or `.safetensors` file, slim or not.
        align_corners: the convention of warps, see `Generator`.
        progress: told how far the download is, see `Progress`.

    Raises:
        InputError: no such name or file, or the file can't be used; the message says why.
        DownloadError: no mirror gave the file.
        OutputError: the slim copy could not be written.
        UnavailableError: torch is not installed.
    """
    states = read_states(obtain(checkpoint, progress=progress))
    return build_networks(states, name=str(checkpoint), align_corners=align_corners)


def check_installed() -> None:
    """Check that the packages which run checkpoints are installed.

    Raises:
        UnavailableError: One is missing; the message says how to install it.
    """
    check_torch("Checkpoints", "fomm", remedy={"engine": "mesh"})


def obtain(checkpoint: str | Path, *, progress: Progress | None = None) -> Path:
    """Return the file of a checkpoint: the user's own, or a slim copy, downloaded and made if it is not there yet.

    A published file stays beside its slim copy until `drop_originals`.

    Args:
        checkpoint: as in `load_networks`.
        progress: told how far the download is, see `Progress`.

    Raises:
        InputError: no such name, or the downloaded file can't be used.
        DownloadError: no mirror gave the file.
        OutputError: the slim copy could not be written.
        UnavailableError: torch is not installed.
    """
    found = locate(checkpoint)
    check_installed()
    if isinstance(found, Path):
        return found
    if not found.slim.is_file():
        try:
            fetch(found.original, found.mirrors, progress=progress)
        except DownloadError as error:
            raise DownloadError(error.message, remedy={"engine": "mesh"}) from error
        slim_copy(read_states(found.original), found.slim)
        size = found.original.stat().st_size / 1e6
        _log.warning("%s (%.0f MB) can be deleted: its slim copy %s is enough.", found.original, size, found.slim.name)
    return found.slim


def drop_originals() -> int:
    """Delete the published files whose slim copies are there; returns the bytes this freed."""
    droppable = [c.original for c in CHECKPOINTS if c.slim.is_file() and c.original.is_file()]
    freed = sum(path.stat().st_size for path in droppable)
    for path in droppable:
        path.unlink()
    return freed


def build_networks(states: Mapping[str, Mapping[str, Tensor]], *, name: str, align_corners: bool = True) -> Networks:
    """Build the networks of two state dicts, named as in `PARTS`.

    Raises:
        InputError: they belong to another model.
    """
    from memegen.fomm.generator import Generator
    from memegen.fomm.keypoint_detector import KeypointDetector

    try:
        detector = KeypointDetector.from_state(states["kp_detector"])
        generator = Generator.from_state(states["generator"], align_corners=align_corners)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{name} is a checkpoint of another model: the First Order Motion Model's networks don't fit it "
            f"({_first_line(error)}). Give one of its own checkpoints."
        ) from error
    return Networks(detector, generator, name)


def read_states(path: Path) -> States:
    """Read the networks' state dicts from a file, whichever of the known forms it has.

    Raises:
        InputError: the file is missing, cut short, of another kind, or would run code when opened.
    """
    if path.is_dir():
        raise InputError(
            f"{path} is a folder. A .pth.tar checkpoint is a single file and not an archive to unpack: "
            "give the file as it was downloaded."
        )
    if not path.is_file():
        raise InputError(f"There is no file {path}: check the checkpoint's path.")
    content = read_tensors(path)[0] if _head(path)[8:9] == b"{" else _read_torch(path)
    states = _split(content) if isinstance(content, Mapping) else {}
    missing = [part for part in PARTS if not states.get(part)]
    if missing:
        raise InputError(
            f"{path} holds no {' and no '.join(missing)}: it is not a First Order Motion Model checkpoint."
        )
    return states


def slim_copy(states: States, target: Path) -> Path:
    """Write what animation needs of a checkpoint, a sixth of its size; the file appears only when it is complete.

    Filters are stored in half precision; biases and batch norms, 1 % of the numbers but of any magnitude, stay exact.

    Args:
        states: as `read_states` gives them.
        target: a `.safetensors` file, replaced if there.

    Raises:
        OutputError: the disk is full or the folder can't be written.
    """
    tensors = {f"{part}.{key}": _slim(tensor) for part in PARTS for key, tensor in states[part].items()}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(target, tensors)
    except OSError as error:
        raise OutputError(
            f"The slim copy {target} could not be written ({_first_line(error)}): "
            "make room there, or set MEMEGEN_CACHE to another folder."
        ) from error
    return target


def _slim(tensor: Tensor) -> Tensor:
    if tensor.dim() < 2 or not tensor.is_floating_point():
        return tensor.contiguous()
    half = tensor.half()
    return half.contiguous() if half.isfinite().all() else tensor.contiguous()


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _read_torch(path: Path) -> Any:
    """Return what a file saved by torch holds, if that is only numbers and plain containers."""
    import torch

    if not _head(path).startswith((b"PK\x03\x04", b"\x80")):
        raise InputError(
            f"{path} is not a checkpoint: those are .pth.tar or .safetensors files. If it was downloaded, "
            "a web page may have come in its place."
        )
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} was not opened: it holds more than numbers and could run code. "
            "Get the checkpoint from its authors."
        ) from error
    except Exception as error:  # torch's reader of pickles does not foresee damage: IndexError, struct.error and more
        raise InputError(f"{path} is damaged or incomplete: get it again.") from error


def _split(content: Mapping[str, Any]) -> States:
    """Return the state dict of each part, from nested dicts or from one flat dict with the parts as prefixes."""
    states: States = {}
    for part in PARTS:
        nested = content.get(part)
        flat = {key.removeprefix(f"{part}."): value for key, value in content.items() if key.startswith(f"{part}.")}
        found = nested if isinstance(nested, Mapping) else flat
        states[part] = {str(key).removeprefix("module."): value for key, value in found.items()}
    return states


def _first_line(error: BaseException) -> str:
    """Return the line of an error that says what is wrong; torch puts it second."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[min(1, len(lines) - 1)].strip()[:160]
