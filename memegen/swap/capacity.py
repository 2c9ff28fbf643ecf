"""How large the networks of a swap are and where they run, chosen once: a GPU makes them larger, not different."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from memegen.base.devices import Device, bfloat16_units, find_device


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a machine trains in minutes.

    Attributes:
        device: "cpu", "cuda" or "mps".
        side: Of the pictures, pixels; a multiple of 16.
        width: Channels of the largest maps.
        batch: Faces of each person in a step.
        dtype: Of the convolutions.
    """

    device: str
    side: int
    width: int
    batch: int
    dtype: torch.dtype = torch.float32

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which networks run."""
        return torch.autocast(self.device, self.dtype, enabled=self.dtype is not torch.float32)


def choose_capacity(device: Device = "auto") -> Capacity:
    """Return what a device trains in minutes.

    Raises:
        UnavailableError: This machine does not have the device.
    """
    found = find_device(device)
    if found == "cuda":
        return Capacity(device=found, side=128, width=48, batch=32, dtype=torch.float16)
    half = found == "cpu" and bfloat16_units() is not None
    return Capacity(device=found, side=96, width=16, batch=16, dtype=torch.bfloat16 if half else torch.float32)
