"""Motion fields as arrays and as colours."""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image

# Where the pure colours lie on a wheel of 55 steps: red at the right, then clockwise. The steps look even to the eye
# (Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011).
WHEEL = np.array([0, 15, 21, 25, 36, 49, 55]) / 55
WHEEL_RGB = np.array([[1, 1, 0, 0, 0, 1, 1], [0, 1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0]])


def movement(deformation: Floats) -> Floats:
    """Turn a backward deformation into how the picture's content moves.

    Args:
        deformation: (..., H, W, 2) x, y in [-1, 1].

    Returns:
        The same shape; x to the right and y down, the picture's width or height is 2.
    """
    height, width = deformation.shape[-3:-1]
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height)), -1)
    # A deformation says where each pixel comes from, so its content moved by "here minus there".
    return np.asarray(grid - deformation)


def flow_to_rgb(flow: Floats, *, largest: float | None = None) -> Image:
    """Paint a motion field: the direction is the hue, the length is the saturation (Baker et al., IJCV 2011).

    Args:
        flow: (H, W, 2) x, y in any unit; see `movement`.
        largest: The length that gets the full colour, in the same unit; the field's own 99th percentile if None.

    Returns:
        uint8 RGB (H, W, 3). White does not move, red moves to the right, yellow down.
    """
    length = np.hypot(flow[..., 0], flow[..., 1])
    # A single wild pixel must not make all others pale: the longest 1 % saturate.
    full = float(np.percentile(length, 99)) if largest is None else largest
    # The angle as a share of a full turn, and between the two nearest pure colours a linear mix.
    turn = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    hue = np.stack([np.interp(turn, WHEEL, channel) for channel in WHEEL_RGB], -1)
    # From white (length 0) to the pure hue; 1e-9 keeps a field that stands still from dividing by 0.
    strength = np.clip(length / max(full, 1e-9), 0, 1)[..., None]
    return np.asarray(np.round(255 * (1 - strength * (1 - hue))), np.uint8)


def flow_wheel(side: int = 256) -> Image:
    """Paint the legend of `flow_to_rgb`: each colour lies where it points to from the middle."""
    line = np.linspace(-1.05, 1.05, side)  # a little white around the wheel
    flow = np.stack(np.meshgrid(line, line), -1)
    return flow_to_rgb(flow * (np.hypot(*flow.T) <= 1)[..., None], largest=1.0)


def warp(image: Image, deformation: Floats) -> Image:
    """Move a picture by a backward deformation, as the networks move their features.

    Args:
        image: uint8 RGB (H, W, 3).
        deformation: (h, w, 2) x, y in [-1, 1], where in the picture each pixel is taken from; enlarged to the picture.

    Returns:
        uint8 RGB (H, W, 3); black where it is taken from outside.
    """
    (height, width), (rows, columns) = image.shape[:2], deformation.shape[:2]
    # -1 and 1 are the centres of the outermost pixels (align_corners=True in torch), in the field as in the picture.
    cells = np.meshgrid(*(np.linspace(0, n - 1, size) for n, size in ((columns, width), (rows, height))))
    places = cv2.remap(deformation.astype(np.float32), *np.asarray(cells, np.float32), cv2.INTER_LINEAR)
    pixels = (places + 1) / 2 * np.array([width - 1, height - 1], np.float32)
    return np.asarray(cv2.remap(image, pixels, None, cv2.INTER_LINEAR), np.uint8)
