"""Where the networks run and in which precision, chosen once."""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from memegen.base.errors import InputError, UnavailableError
from memegen.fomm.checkpoint import check_installed

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32"]
Backend = Literal["torch", "openvino"]


@dataclass(frozen=True)
class Compute:
    """How frames are computed; keypoints and motion are always in float32.

    Attributes:
        device: "cpu", "cuda" or "mps".
        dtype: of the generator's decoder, where nearly all of the work is.
        batch: frames whose keypoints and motion are computed at once.
        decode: frames that are decoded at once; on a CPU few, so that the large maps stay in its cache.
        winograd: whether the decoder's residual blocks use `fuse.Winograd`.
        backend: what computes the decoder; torch computes the rest.
    """

    device: str
    dtype: torch.dtype
    batch: int
    decode: int
    winograd: bool = False
    backend: Backend = "torch"


def choose_compute(*, device: Device = "auto", precision: Precision = "auto", backend: Backend = "torch") -> Compute:
    """The fastest way this machine offers, or the one asked for.

    Half precision runs on GPUs of Nvidia and bfloat16 on CPUs that multiply it in hardware, to within a grey level or
    two of float32, which runs everywhere else.

    Args:
        device: "auto" takes the GPU if there is one.
        precision: "float32" for exact frames, at the price of speed.
        backend: "openvino", only for CPUs, is faster a frame but takes seconds and 2 GB of memory to start.

    Raises:
        InputError: there is no such device, precision or backend, or they don't go together.
        UnavailableError: this machine does not have the device or the backend asked for.
    """
    if backend == "openvino":
        return _openvino_compute(device, precision)
    if backend != "torch":
        raise InputError(f"There is no backend {backend!r}: give torch or openvino.")
    if precision not in ("auto", "float32"):
        raise InputError(f"There is no precision {precision!r}: give auto or float32.")
    available = _devices()
    if device != "auto" and device not in ("cpu", "cuda", "mps"):
        raise InputError(f"There is no device {device!r}: give auto, cpu, cuda or mps.")
    if device != "auto" and device not in available:
        raise UnavailableError(f"This machine, or its torch, has no {device}: leave the device at auto, or give cpu.")
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


def _openvino_compute(device: Device, precision: Precision) -> Compute:
    if device not in ("auto", "cpu"):
        raise InputError(f"The openvino backend is for CPUs, not {device}: leave out one of the two.")
    check_installed("openvino")
    return replace(choose_compute(device="cpu", precision=precision), decode=1, backend="openvino")


def _devices() -> list[str]:
    """Devices of this machine, fastest first."""
    found = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()), ("cpu", True)]
    return [name for name, there in found if there]


def _bfloat16_units() -> Literal["amx", "avx512"] | None:
    """The CPU's units that multiply bfloat16; with AMX, plain convolutions are faster than Winograd's."""
    if getattr(torch.cpu, "_is_amx_tile_supported", bool)():
        return "amx"
    return "avx512" if getattr(torch.cpu, "_is_avx512_bf16_supported", bool)() else None
