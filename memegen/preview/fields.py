"""Motion fields and feature maps as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.preview.pages import page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Where the pure colours lie on a wheel of 55 steps: red at the right, then clockwise. The steps look even to the eye
# (Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011).
WHEEL = np.array([0, 15, 21, 25, 36, 49, 55]) / 55
WHEEL_RGB = np.array([[1, 1, 0, 0, 0, 1, 1], [0, 1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0]])
ARROWS = 20  # along the longer side of a picture


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
    flow[np.hypot(flow[..., 0], flow[..., 1]) > 1] = 0
    return flow_to_rgb(flow, largest=1.0)


def warp(image: Image, deformation: Floats) -> Image:
    """Move a picture by a backward deformation, as the networks move their features.

    Args:
        image: uint8 RGB (H, W, 3).
        deformation: (h, w, 2) x, y in [-1, 1], where in the picture each pixel is taken from; enlarged to the picture.

    Returns:
        uint8 RGB (H, W, 3); black where it is taken from outside.
    """
    height, width = image.shape[:2]
    # -1 and 1 are the centres of the outermost pixels (align_corners=True in torch): pixel = (x + 1) (width - 1) / 2.
    places = (_spread(deformation, width, height) + 1) * np.array([width - 1, height - 1], np.float32) / 2
    return np.asarray(cv2.remap(image, places, None, cv2.INTER_LINEAR), np.uint8)


def draw_deformation(image: Image, deformation: Floats) -> Figure:
    """Draw how a picture is moved: as arrows, as colours with their legend, and what it makes of the picture.

    Args:
        image: uint8 RGB (H, W, 3).
        deformation: (h, w, 2) x, y in [-1, 1], as in `warp`.
    """
    dark, flow = np.asarray(image * 0.6, np.uint8), movement(deformation)
    pictures = dark, flow_to_rgb(flow), flow_wheel(), warp(image, deformation)
    figure = page(pictures, ["arrows", "colours", "legend of the colours", "moved"], columns=2)
    axes = figure.axes[0]
    # In coordinates of the picture that is drawn, which may be smaller than `image`: half a width is 1 in the field.
    height, width = axes.images[0].get_size()
    step = max(height, width) / ARROWS
    x, y = np.meshgrid(np.arange(step / 2, width, step), np.arange(step / 2, height, step))
    u, v = np.moveaxis(_spread(flow, width, height)[y.astype(int), x.astype(int)], -1, 0)
    u, v = u * (width - 1) / 2, v * (height - 1) / 2
    # The arrow's tip is where the content is now; its other end is where it was.
    axes.quiver(x, y, u, v, angles="xy", scale_units="xy", scale=1, pivot="tip", color="#ffd60a", width=0.006)
    return figure


def draw_masks(image: Image, masks: Floats) -> Figure:
    """Lay the masks of one frame over a picture: bright is where that motion counts.

    Args:
        image: uint8 RGB (H, W, 3), the frame that is made.
        masks: (K + 1, h, w) in [0, 1], the background's first.
    """
    grey = np.repeat(image.mean(2, keepdims=True).astype(np.uint8), 3, 2)
    figure = page([grey] * len(masks), _names(len(masks)), columns=4)
    for axes, mask in zip(figure.axes, masks, strict=False):
        over = axes.images[0].get_extent()
        veil = 0.25 + 0.5 * mask  # thin where the mask is 0, so that the picture can be seen
        axes.imshow(mask, cmap="inferno", vmin=0, vmax=1, alpha=veil, extent=over, interpolation="bilinear")
    return figure


def draw_sparse_motions(image: Image, motions: Floats) -> Figure:
    """Lay out what a picture becomes by the sparse motions of one frame, each applied to all of it.

    Args:
        image: uint8 RGB (H, W, 3), the source.
        motions: (K + 1, h, w, 2) x, y in [-1, 1], the background's first.
    """
    return page([warp(image, motion) for motion in motions], _names(len(motions)), columns=4)


def draw_features(features: Floats, moved: Floats, *, count: int = 4) -> Figure:
    """Lay out channels of a network's features, those that vary most first, and below each the same channel moved.

    Args:
        features: (C, h, w) floating point. They decide on the channels and on their shades of grey.
        moved: (C, h, w), the same after warping and fading.
        count: How many channels at most.
    """
    order = np.argsort(-features.std((1, 2)))[:count]
    # Without the darkest and brightest 1 %, so that a single wild value does not make the rest grey.
    low, high = np.percentile(features[order], [1, 99], axis=(1, 2))[..., None, None]
    grey = [np.clip((maps[order] - low) / np.maximum(high - low, 1e-9), 0, 1) for maps in (features, moved)]
    labels = [f"channel {channel}" for channel in order] + [f"{channel}, moved" for channel in order]
    return page([np.dstack([shade] * 3) for shade in np.concatenate(grey)], labels, columns=len(order))


def _spread(values: Floats, width: int, height: int) -> Floats:
    """Enlarge (h, w) or (h, w, 2), the centres of the outermost cells becoming those of the outermost pixels."""
    across, down = (
        np.linspace(0, n - 1, size, dtype=np.float32)
        for n, size in zip(values.shape[1::-1], (width, height), strict=True)
    )
    return np.asarray(cv2.remap(np.asarray(values, np.float32), *np.meshgrid(across, down), cv2.INTER_LINEAR))


def _names(count: int) -> list[str]:
    return ["background", *(f"keypoint {number}" for number in range(count - 1))]
