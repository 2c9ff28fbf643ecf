"""Triangles drawn into arrays of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats

SLIVER = 0.4  # twice the area over the square of the longest side, below which a triangle is thin
WIDER = 0.5  # pixels by which every triangle is wider on all sides: no gap is left between two, and thin ones count


def rasterise(
    triangles: Floats, values: Floats, *, size: tuple[int, int], wider: float = WIDER
) -> tuple[Floats, NDArray[np.bool_]]:
    """Spread values from the corners of triangles linearly over the pixels they cover; later ones cover earlier ones.

    Triangles that show their back (counter-clockwise in the picture) or have no area are left out.

    Args:
        triangles: (T, 3, 2) float32 corners in pixels.
        values: (T, 3, C) at the corners.
        size: Width and height of the result.
        wider: Pixels by which each is wider on all sides.

    Returns:
        (H, W, C) float32, 0 where nothing covers, and (H, W) whether something does.
    """
    # The cross product of two sides is twice the area, and negative from behind.
    (x1, y1), (x2, y2) = (triangles[:, 1:] - triangles[:, :1]).astype(np.float64).transpose(1, 2, 0)
    area = x1 * y2 - y1 * x2
    seen = np.flatnonzero(area > 1e-3)
    count, x1, y1, x2, y2, area = len(seen), *(every.take(seen) for every in (x1, y1, x2, y2, area))
    x, y = np.ascontiguousarray(triangles.take(seen, axis=0).transpose(2, 1, 0), np.float64)
    labels = _labels(x, y, size, wider)
    # In each triangle a value is a plane, a x + b y + c, whose slopes follow from two sides (Cramer's rule).
    corners = np.ascontiguousarray(values.take(seen, axis=0).transpose(1, 2, 0), np.float64)
    one, two = (corners[1:] - corners[0]) / area
    a, b = one * y2 - two * y1, two * x1 - one * x2
    # A thin triangle's plane is steep: outside its corners, at a pixel's middle, it would shoot over.
    thin = area < SLIVER * np.maximum(np.maximum(x1**2 + y1**2, x2**2 + y2**2), (x2 - x1) ** 2 + (y2 - y1) ** 2)
    low, high = np.where(thin, corners.min(0), -np.inf), np.where(thin, corners.max(0), np.inf)
    # Every pixel takes its triangle's numbers; the last ones, all 0, are for pixels that nothing covers.
    planes = np.zeros((5, values.shape[2], count + 1), np.float32)
    for plane, numbers in zip(planes, (a, b, corners[0] - a * x[0] - b * y[0], low, high), strict=True):
        plane[:, :count] = numbers
    a, b, spread, low, high = planes.take(labels, axis=2)
    a *= np.arange(size[0], dtype=np.float32)
    b *= np.arange(size[1], dtype=np.float32)[:, None]
    spread += a
    spread += b
    np.clip(spread, low, high, out=spread)
    return np.stack([*spread], 2), labels < count


def _labels(x: Floats, y: Floats, size: tuple[int, int], wider: float) -> NDArray[np.int32]:
    """Return the number of the last triangle that covers each pixel, T where none does: (H, W).

    Args:
        x: (3, T) corners in pixels, clockwise in the picture.
        y: (3, T)
        size: Width and height of the result.
        wider: Pixels by which each is wider.
    """
    # Short numbers: what is computed here for every row and pixel goes through memory many times.
    (width, height), count, short = size, x.shape[1], np.int32
    # All rows of all triangles, one after another: whose each is, and where it lies
    top = np.clip(np.ceil(y.min(0) - wider), 0, height).astype(short)
    rows = np.clip(np.floor(y.max(0) + wider).astype(short) + 1 - top, 0, height - top)
    owner = np.repeat(np.arange(count, dtype=short), rows)
    row = np.arange(len(owner), dtype=short) + np.repeat(top + rows - rows.cumsum(dtype=short), rows)
    # Clockwise, a side that leads up bounds a row on the left, one that leads down on the right.
    dx, dy = (axis[[1, 2, 0]] - axis for axis in (x, y))
    slope = np.divide(dx, dy, out=np.zeros_like(dx), where=dy != 0)
    start, reach = x - slope * y, wider * np.maximum(np.abs(slope), 1)
    at = np.concatenate([np.where(dy < 0, start - reach, -np.inf), np.where(dy > 0, start + reach, np.inf)])
    lean = np.concatenate([np.where(dy < 0, slope, 0), np.where(dy > 0, slope, 0)])
    ends = lean.take(owner, axis=1)
    ends *= row
    ends += at.take(owner, axis=1)
    lowest, highest = (x.min(0) - wider).take(owner), (x.max(0) + wider).take(owner)
    first = np.clip(np.ceil(np.maximum(ends[:3].max(0), lowest)), 0, width).astype(short)
    last = np.clip(np.floor(np.minimum(ends[3:].min(0), highest)), -1, width - 1).astype(short)
    length = np.maximum(last + 1 - first, 0)
    # Number all pixels of all rows; where several triangles cover one, the last is written last.
    labels = np.full(width * height, count, short)
    pixels = np.repeat(row * width + first + length - length.cumsum(dtype=short), length)
    pixels += np.arange(len(pixels), dtype=short)
    labels[pixels] = np.repeat(owner, length)
    return labels.reshape(height, width)
