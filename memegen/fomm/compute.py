"""Where the networks run and in which precision, chosen once."""

from dataclasses import dataclass

import torch

from memegen.base.devices import Device, bfloat16_units, find_device
from memegen.fomm.options import FommOptions, Precision


@dataclass(frozen=True, kw_only=True)
class Compute:
    """How frames are computed; keypoints and motion are always in float32.

    Attributes:
        device: "cpu", "cuda" or "mps".
        dtype: of the generator's decoder, which does nearly all of the work.
        batch: frames whose keypoints and motion are computed at once.
        decode: frames that are decoded at once; few on a CPU, so that the large maps stay in its cache.
        winograd: whether the decoder's residual blocks use `speedups.Winograd`.
    """

    device: str
    dtype: torch.dtype
    batch: int
    decode: int
    winograd: bool = False


def choose_compute(*, device: Device = "auto", precision: Precision = "auto") -> Compute:
    """Return the fastest way to compute that this machine has, within the given limits.

    Nvidia GPUs use half precision, and CPUs that multiply bfloat16 in hardware use that; both stay within a grey level
    or two of float32, which runs everywhere else.

    Args:
        device: "auto" takes the GPU if there is one.
        precision: "float32" gives exact frames and takes longer.

    Raises:
        InputError: there is no such device or precision.
        UnavailableError: this machine does not have the device.
    """
    FommOptions(device=device, precision=precision)  # refuses other words
    chosen = find_device(device)
    exact = precision == "float32"
    if chosen == "cuda":
        return Compute(device="cuda", dtype=torch.float32 if exact else torch.float16, batch=16, decode=16)
    if chosen == "mps":
        return Compute(device="mps", dtype=torch.float32, batch=4, decode=4)
    units = bfloat16_units()
    if exact or units is None:
        return Compute(device="cpu", dtype=torch.float32, batch=8, decode=1, winograd=True)
    # AMX multiplies whole matrices, so that plain convolutions are faster there than Winograd's.
    return Compute(device="cpu", dtype=torch.bfloat16, batch=8, decode=2, winograd=units != "amx")
