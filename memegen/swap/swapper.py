"""What a training has learned, ready to draw faces, and the file that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from memegen.base.arrays import Floats
from memegen.base.errors import InputError, OutputError
from memegen.base.files import check_file, reason_of
from memegen.base.tensors import read_tensors, write_tensors
from memegen.swap.capacity import Capacity, choose_capacity
from memegen.swap.networks import Autoencoders

if TYPE_CHECKING:
    from memegen.base.devices import Device

LEARNED = "learned."  # begins the names of the averaged weights in a file; the rest is for training


@dataclass(frozen=True)
class Swapper:
    """Networks that have learned two people's faces. Person 0 gives the face, person 1 is whom it goes onto.

    Attributes:
        networks: One encoder and two decoders.
        capacity: How they run.
        people: What tells the two sets of faces apart from others, see `FaceSet.key`.
        step: How many steps they were trained.
        seconds: How long that took.
    """

    networks: Autoencoders
    capacity: Capacity
    people: tuple[str, str]
    step: int = 0
    seconds: float = 0.0

    @property
    def side(self) -> int:
        """Side of the pictures, pixels."""
        return self.networks.side

    def encode(self, faces: NDArray[np.uint8]) -> Floats:
        """Read what faces do.

        Args:
            faces: uint8 RGB (N, side, side, 3), as `FaceSet.inner` gives them.

        Returns:
            (N, CODE) float32; the first numbers are the CUES.
        """
        pictures = torch.from_numpy(np.ascontiguousarray(faces)).to(self.capacity.device)
        with torch.inference_mode(), self.capacity.autocast():
            codes = self.networks.encoder(as_input(pictures))
        return np.asarray(codes.float().cpu().numpy())

    def draw(self, codes: Floats, who: int) -> NDArray[np.uint8]:
        """Draw what codes say with one person's face.

        Args:
            codes: (N, CODE) float32.
            who: 0 or 1.

        Returns:
            uint8 (N, side, side, 4): RGB, and where the face is.
        """
        wanted = torch.from_numpy(np.asarray(codes, np.float32)).to(self.capacity.device)
        with torch.inference_mode(), self.capacity.autocast():
            drawn = self.networks.draw(wanted, who)
        levels = (drawn.float().clamp(0, 1) * 255).round().to(torch.uint8)
        return np.asarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def as_input(pictures: torch.Tensor) -> torch.Tensor:
    """Turn uint8 RGB (N, H, W, 3) into what the encoder takes: (N, 3, H, W) in [0, 1], channels last in memory."""
    scaled = pictures.permute(0, 3, 1, 2).float() / 255
    return scaled.contiguous(memory_format=torch.channels_last)


def save_swapper(swapper: Swapper, file: Path, extra: Mapping[str, torch.Tensor] | None = None) -> None:
    """Write what was learned to a `.safetensors` file, which is replaced only when the new one is complete.

    Args:
        swapper: What was learned.
        file: Where to write.
        extra: What else is needed to go on with the training.

    Raises:
        OutputError: The disk is full, or the folder can't be written; an older file is kept.
    """
    tensors = {LEARNED + name: one.cpu().contiguous() for name, one in swapper.networks.state_dict().items()}
    words = {"step": str(swapper.step), "seconds": str(swapper.seconds), "people": " ".join(swapper.people)}
    try:
        write_tensors(file, tensors | {name: one.cpu().contiguous() for name, one in (extra or {}).items()}, words)
    except OSError as error:
        raise OutputError(
            f"What was learned can't be saved in {file} ({reason_of(error)}): make room there, or name another file. "
            "What was saved before is kept."
        ) from error


def load_swapper(path: str | Path, *, device: Device = "auto") -> Swapper:
    """Read what a training has learned.

    Args:
        path: A `.safetensors` file that a training wrote.
        device: Where the networks are to run.

    Raises:
        InputError: The file is missing, damaged, or of another kind.
        UnavailableError: torch is not installed, or the device is not there.
    """
    return load_training(path, device=device)[0]


def load_training(path: str | Path, *, device: Device = "auto") -> tuple[Swapper, dict[str, torch.Tensor]]:
    """Read a file as `load_swapper`, with what is needed to go on with the training."""
    capacity, file = choose_capacity(device), check_file(path, kind="swap")
    tensors, words = read_tensors(file)
    learned = {name.removeprefix(LEARNED): tensors.pop(name) for name in [*tensors] if name.startswith(LEARNED)}
    try:
        networks = Autoencoders.shaped_like(learned).to(capacity.device).eval()
        # Networks that were trained on another machine keep their size.
        capacity = replace(capacity, side=networks.side, width=networks.width)
        first, second = words["people"].split()
        return Swapper(networks, capacity, (first, second), int(words["step"]), float(words["seconds"])), tensors
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        raise InputError(f"{path} was not written by the training of a swap: give such a file.") from error
