"""Which devices torch can compute on here, and whether the packages are there that networks need."""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from memegen.base.errors import UnavailableError

Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES: dict[Device, str] = {"auto": "the fastest there is", "cpu": "CPU", "cuda": "Nvidia GPU", "mps": "Apple GPU"}


def check_torch(what: str, extra: str, *, remedy: dict[str, object] | None = None) -> None:
    """Check that torch and safetensors are installed.

    Args:
        what: What needs them, in the plural.
        extra: The extra of this package that installs them.
        remedy: What works without them, see `MemegenError`.

    Raises:
        UnavailableError: One is missing; the message says how to install it.
    """
    try:
        import_module("safetensors")
        import_module("torch")
    except ImportError as error:
        raise UnavailableError(
            f"{what} need {error.name or error}: pip install 'memegen-sings[{extra}]'.", remedy=remedy
        ) from error


def devices() -> list[str]:
    """Return this machine's devices, fastest first."""
    import torch

    found = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()), ("cpu", True)]
    return [name for name, there in found if there]


def find_device(device: Device = "auto") -> str:
    """Return the device to compute on: "cpu", "cuda" or "mps".

    Args:
        device: "auto" takes the fastest there is.

    Raises:
        UnavailableError: This machine does not have the device.
    """
    available = devices()
    chosen = available[0] if device == "auto" else device
    if chosen not in available:
        raise UnavailableError(
            f"This machine, or its torch, has no {chosen}: leave the device at auto.", remedy={"device": "cpu"}
        )
    return chosen


def bfloat16_units() -> Literal["amx", "avx512"] | None:
    """Return the CPU's units that multiply bfloat16, if any."""
    import torch

    # Private names of torch, which older and newer versions may lack: without them, float32 is used.
    if getattr(torch.cpu, "_is_amx_tile_supported", bool)():
        return "amx"
    return "avx512" if getattr(torch.cpu, "_is_avx512_bf16_supported", bool)() else None
