"""Names for the arrays that flow through the package, and the one curve that many stages share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture, uint8 RGB (H, W, 3)."""
Floats = NDArray[np.floating[Any]]
"""Floating-point numbers of any shape."""


def smoothstep(t: Any) -> Any:
    """Rise smoothly from 0 to 1 while t, a number or an array, goes from 0 to 1; flat at both ends (3t^2 - 2t^3)."""
    t = min(max(t, 0.0), 1.0) if isinstance(t, float) else np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
