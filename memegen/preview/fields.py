"""Motion fields and maps as colours and arrows."""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.preview.drawing import SUB, WHITE, YELLOW, enlarged, line_width, scaled
from memegen.preview.pages import tiles

# Where pure colours lie on a wheel of 55 steps, red at the right, clockwise, so that steps look even (Baker et al.,
# "A Database and Evaluation Methodology for Optical Flow", IJCV 2011).
WHEEL = np.array([0, 15, 21, 25, 36, 49, 55]) / 55
WHEEL_RGB = np.array([[1, 1, 0, 0, 0, 1, 1], [0, 1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0]])


def movement(deformation: Floats) -> Floats:
    """Turn a backward deformation into how the picture's content moves: where it is less where it is taken from.

    Args:
        deformation: (..., H, W, 2) x, y in [-1, 1].

    Returns:
        The same shape; x to the right and y down, the picture's width or height is 2.
    """
    height, width = deformation.shape[-3:-1]
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height)), -1)
    return np.asarray(grid - deformation)


def flow_to_rgb(flow: Floats, *, largest: float | None = None, side: int | None = None) -> Image:
    """Paint a motion field: the direction is the hue, the length the saturation (Baker et al., IJCV 2011).

    Args:
        flow: (H, W, 2) x, y in any unit; see `movement`.
        largest: The length that gets the full colour, in the same unit; the field's own 99th percentile if None.
        side: Height to enlarge the picture to, pixels; None leaves it.

    Returns:
        uint8 RGB (H, W, 3); white is still, red moves to the right, yellow down.
    """
    length = np.hypot(flow[..., 0], flow[..., 1])
    full = float(np.percentile(length, 99)) if largest is None else largest
    turn = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    hue = np.stack([np.interp(turn, WHEEL, channel) for channel in WHEEL_RGB], -1)
    strength = np.clip(length / max(full, 1e-9), 0, 1)[..., None]
    painted = np.asarray(np.round(255 * (1 - strength * (1 - hue))), np.uint8)
    return painted if side is None else scaled(painted, side)


def flow_wheel(side: int = 256) -> Image:
    """Paint the legend of `flow_to_rgb`: each colour lies where it points to from the middle."""
    line = np.linspace(-1.05, 1.05, side)
    flow = np.stack(np.meshgrid(line, line), -1)
    flow[np.hypot(flow[..., 0], flow[..., 1]) > 1] = 0
    return flow_to_rgb(flow, largest=1.0)


def draw_flow_arrows(image: Image, flow: Floats, *, count: int = 24) -> Image:
    """Draw where the picture's content moves as arrows from where it was to where it is.

    Args:
        image: uint8 RGB (H, W, 3).
        flow: (h, w, 2) as `movement` gives it, at any resolution.
        count: Arrows along the longer side.

    Returns:
        A copy, darkened a little, enlarged to 512 pixels if smaller.
    """
    drawn, _ = enlarged(image)
    drawn = np.asarray(drawn * 0.6, np.uint8)
    height, width = drawn.shape[:2]
    step = max(height, width) / count
    field = _spread(flow, width, height)
    line = line_width(drawn)
    for y in np.arange(step / 2, height, step):
        for x in np.arange(step / 2, width, step):
            end = np.array([x, y])
            start = end - field[int(y), int(x)] * [(width - 1) / 2, (height - 1) / 2]
            tail, head = (tuple(int(v) for v in np.round(p * 2**SUB)) for p in (start, end))
            if np.linalg.norm(end - start) < 1:
                cv2.circle(drawn, head, line << SUB - 1, WHITE, cv2.FILLED, cv2.LINE_AA, SUB)
            else:
                cv2.arrowedLine(drawn, tail, head, YELLOW, line, cv2.LINE_AA, SUB, 0.35)
    return drawn


def warp(image: Image, deformation: Floats) -> Image:
    """Move a picture by a backward deformation, as the networks move their features.

    Args:
        image: uint8 RGB (H, W, 3).
        deformation: (h, w, 2) x, y in [-1, 1], where in the picture each pixel is taken from; enlarged to the picture.

    Returns:
        uint8 RGB (H, W, 3); black where it is taken from outside.
    """
    height, width = image.shape[:2]
    places = (_spread(deformation, width, height) + 1) * np.array([width - 1, height - 1], np.float32) / 2
    return np.asarray(cv2.remap(image, places, None, cv2.INTER_LINEAR), np.uint8)


def heat_map(values: Floats, *, image: Image | None = None, low: float = 0.0, high: float = 1.0) -> Image:
    """Paint a map from dark (low) to bright yellow (high), over a picture if there is one.

    Args:
        values: (h, w) floating point.
        image: uint8 RGB (H, W, 3) to lay it over in grey; the map takes its size.
        low: What is painted darkest.
        high: What is painted brightest.

    Returns:
        uint8 RGB, of the picture's or the map's size.
    """
    level = np.clip((np.asarray(values, np.float32) - low) / max(high - low, 1e-9), 0, 1)
    if image is not None:
        level = _spread(level, image.shape[1], image.shape[0])
    painted = cv2.applyColorMap(np.asarray(level * 255, np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    if image is None:
        return np.ascontiguousarray(painted)
    grey = cv2.cvtColor(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(grey, 0.45, np.ascontiguousarray(painted), 0.65, 0), np.uint8)


def draw_masks(image: Image, masks: Floats, *, columns: int = 4, height: int = 200) -> Image:
    """Lay out the masks of one frame over a picture: bright is where that motion rules.

    Args:
        image: uint8 RGB (H, W, 3), the frame that is made.
        masks: (K + 1, h, w) in [0, 1], the background's first.
        columns: How many in a row.
        height: Of each, pixels.
    """
    painted = [heat_map(mask, image=image) for mask in masks]
    return tiles(painted, _names(len(masks)), columns=columns, height=height)


def draw_sparse_motions(image: Image, motions: Floats, *, columns: int = 4, height: int = 200) -> Image:
    """Lay out what a picture becomes by the sparse motions of one frame, each applied to all of it.

    Args:
        image: uint8 RGB (H, W, 3), the source.
        motions: (K + 1, h, w, 2) x, y in [-1, 1], the background's first.
        columns: How many in a row.
        height: Of each, pixels.
    """
    moved = [warp(image, motion) for motion in motions]
    return tiles(moved, _names(len(motions)), columns=columns, height=height)


def draw_features(
    features: Floats, *, like: Floats | None = None, count: int = 8, columns: int = 4, height: int = 200
) -> Image:
    """Lay out channels of a network's features in grey, those that vary most first.

    Args:
        features: (C, h, w) floating point.
        like: Features (C, h, w) that decide on the channels and the shades instead, to compare two.
        count: How many at most.
        columns: How many in a row.
        height: Of each, pixels.
    """
    model = features if like is None else like
    order = np.argsort(-model.std((1, 2)))[:count]
    low, high = np.percentile(model[order], [1, 99], axis=(1, 2))
    shades = [np.clip((features[c] - a) / max(b - a, 1e-9), 0, 1) for c, a, b in zip(order, low, high, strict=True)]
    grey = [np.repeat(np.asarray(shade * 255, np.uint8)[..., None], 3, 2) for shade in shades]
    return tiles(grey, [f"channel {c}" for c in order], columns=columns, height=height)


def _spread(values: Floats, width: int, height: int) -> Floats:
    """Enlarge (h, w) or (h, w, 2), the centres of the outermost cells becoming those of the outermost pixels."""
    across, down = (
        np.linspace(0, n - 1, size, dtype=np.float32)
        for n, size in zip(values.shape[1::-1], (width, height), strict=True)
    )
    return np.asarray(cv2.remap(np.asarray(values, np.float32), *np.meshgrid(across, down), cv2.INTER_LINEAR))


def _names(count: int) -> list[str]:
    return ["background", *(f"keypoint {number}" for number in range(count - 1))]
