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
    seen = np.flatnonzero(x1 * y2 - y1 * x2 > 1e-3)
    count, x1, y1, x2, y2 = len(seen), x1[seen], y1[seen], x2[seen], y2[seen]
    labels = _labels(triangles[seen].astype(np.float64), size, wider)
    # In each triangle a value is a plane, a x + b y + c, whose slopes follow from two sides (Cramer's rule).
    first, second, third = values[seen].astype(np.float64).transpose(1, 2, 0)
    area = x1 * y2 - y1 * x2
    one, two = (second - first) / area, (third - first) / area
    a, b = one * y2 - two * y1, two * x1 - one * x2
    # A thin triangle's plane is steep: outside its corners, at a pixel's middle, it would shoot over.
    thin = area < SLIVER * np.maximum(np.maximum(x1**2 + y1**2, x2**2 + y2**2), (x2 - x1) ** 2 + (y2 - y1) ** 2)
    low = np.where(thin, np.minimum(np.minimum(first, second), third), -np.inf)
    high = np.where(thin, np.maximum(np.maximum(first, second), third), np.inf)
    # Every pixel takes its triangle's numbers; the last ones, all 0, are for pixels that nothing covers.
    planes = np.zeros((5, values.shape[2], count + 1), np.float32)
    planes[..., :count] = a, b, first - a * triangles[seen, 0, 0] - b * triangles[seen, 0, 1], low, high
    a, b, spread, low, high = planes.take(labels, axis=2)
    spread += a * np.arange(size[0], dtype=np.float32) + b * np.arange(size[1], dtype=np.float32)[:, None]
    np.clip(spread, low, high, out=spread)
    return np.stack([*spread], 2), labels < count


def _labels(triangles: NDArray[np.float64], size: tuple[int, int], wider: float) -> NDArray[np.int64]:
    """Return the number of the last triangle that covers each pixel, T where none does: (H, W).

    Args:
        triangles: (T, 3, 2) corners in pixels, clockwise in the picture.
        size: Width and height of the result.
        wider: Pixels by which each is wider.
    """
    (width, height), count = size, len(triangles)
    x, y = np.ascontiguousarray(triangles.transpose(2, 1, 0))
    # All rows of all triangles, one after another: whose each is, and where it lies
    top = np.clip(np.ceil(y.min(0) - wider), 0, height).astype(np.int64)
    rows = np.clip(np.floor(y.max(0) + wider).astype(np.int64) + 1 - top, 0, height - top)
    owner = np.repeat(np.arange(count), rows)
    row = np.arange(len(owner)) + np.repeat(top + rows - rows.cumsum(), rows)
    # Clockwise, a side that leads up bounds a row on the left, one that leads down on the right.
    dx, dy = (np.roll(axis, -1, axis=0) - axis for axis in (x, y))
    slope = np.divide(dx, dy, out=np.zeros_like(dx), where=dy != 0)
    start, reach = x - slope * y, wider * np.maximum(np.abs(slope), 1)
    left = np.where(dy < 0, start - reach, -np.inf), np.where(dy < 0, slope, 0)
    right = np.where(dy > 0, start + reach, np.inf), np.where(dy > 0, slope, 0)
    ends = [at.take(owner, axis=1) + lean.take(owner, axis=1) * row for at, lean in (left, right)]
    lowest, highest = (x.min(0) - wider).take(owner), (x.max(0) + wider).take(owner)
    first = np.clip(np.ceil(np.maximum(ends[0].max(0), lowest)), 0, width).astype(np.int64)
    last = np.clip(np.floor(np.minimum(ends[1].min(0), highest)), -1, width - 1).astype(np.int64)
    length = np.maximum(last + 1 - first, 0)
    # Number all pixels of all rows; where several triangles cover one, the last is written last.
    labels = np.full(width * height, count)
    pixels = np.arange(length.sum()) + np.repeat(row * width + first + length - length.cumsum(), length)
    labels[pixels] = np.repeat(owner, length)
    return labels.reshape(height, width)
