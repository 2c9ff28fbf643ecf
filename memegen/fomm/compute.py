"""Where the networks run and in which precision, chosen once."""

from dataclasses import dataclass
from typing import Literal

import torch

from memegen.base.errors import UnavailableError
from memegen.fomm.options import Device, Precision


@dataclass(frozen=True)
class Compute:
    """How frames are computed; keypoints and motion are always in float32.

    Attributes:
        device: "cpu", "cuda" or "mps".
        dtype: Of the generator's decoder, which does nearly all of the work.
        batch: Frames whose keypoints and motion are computed at once.
        decode: Frames that are decoded at once; few on a CPU, so that the large maps stay in its cache.
        winograd: Whether the decoder's residual blocks use `speedups.Winograd`.
    """

    device: str
    dtype: torch.dtype
    batch: int
    decode: int
    winograd: bool = False


def choose_compute(*, device: Device = "auto", precision: Precision = "auto") -> Compute:
    """Return the fastest way this machine offers, or the one asked for.

    Nvidia GPUs use half precision, and CPUs that multiply bfloat16 in hardware use that; both stay within a grey level
    or two of float32, which runs everywhere else.

    Args:
        device: "auto" takes the GPU if there is one.
        precision: "float32" gives exact frames and is slower.

    Raises:
        UnavailableError: This machine does not have the device.
    """
    available = _devices()
    if device not in ("auto", *available):
        raise UnavailableError(f"This machine, or its torch, has no {device}.", remedy={"device": "auto"})
    chosen = available[0] if device == "auto" else device
    exact = precision == "float32"
    if chosen == "cuda":
        return Compute("cuda", torch.float32 if exact else torch.float16, batch=16, decode=16)
    if chosen == "mps":
        return Compute("mps", torch.float32, batch=4, decode=4)
    units = _bfloat16_units()
    if exact or units is None:
        return Compute("cpu", torch.float32, batch=8, decode=1, winograd=True)
    return Compute("cpu", torch.bfloat16, batch=8, decode=2, winograd=units != "amx")


def _devices() -> list[str]:
    """List the devices of this machine, fastest first."""
    found = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()), ("cpu", True)]
    return [name for name, there in found if there]


def _bfloat16_units() -> Literal["amx", "avx512"] | None:
    """Return the CPU's units that multiply bfloat16; with AMX, plain convolutions are faster than Winograd's."""
    if getattr(torch.cpu, "_is_amx_tile_supported", bool)():
        return "amx"
    return "avx512" if getattr(torch.cpu, "_is_avx512_bf16_supported", bool)() else None
