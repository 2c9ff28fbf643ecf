"""Triangles drawn into arrays of numbers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats

SLIVER = 0.4  # twice the area over the square of the longest side, below which a triangle is thin


def rasterise(triangles: Floats, values: Floats, *, size: tuple[int, int]) -> tuple[Floats, NDArray[np.bool_]]:
    """Spread values from the corners of triangles linearly over the pixels they cover; later ones cover earlier ones.

    Triangles that show their back (counter-clockwise in the picture) or have no area are left out.

    Args:
        triangles: (T, 3, 2) float32 corners in pixels.
        values: (T, 3, C) at the corners.
        size: Width and height of the result.

    Returns:
        (H, W, C) float32, 0 where nothing covers, and (H, W) whether something does.
    """
    # The cross product of two sides is twice the area, and negative from behind.
    (x1, y1), (x2, y2) = (triangles[:, 1:] - triangles[:, :1]).astype(np.float64).transpose(1, 2, 0)
    seen = np.flatnonzero(x1 * y2 - y1 * x2 > 1e-3)
    count, x1, y1, x2, y2 = len(seen), x1[seen], y1[seen], x2[seen], y2[seen]
    # OpenCV draws each triangle's number, in 1/16 pixel: so each pixel knows the last triangle that covers it.
    labels = np.full(size[::-1], count, np.int32)
    for number, corners in enumerate(np.round(triangles[seen] * 16).astype(np.int32)):
        cv2.fillConvexPoly(labels, corners, number, cv2.LINE_8, 4)
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
    a, b, spread, low, high = planes.take(labels.ravel(), axis=2)
    row, column = np.mgrid[: size[1], : size[0]].astype(np.float32).reshape(2, -1)
    spread += a * column + b * row
    np.clip(spread, low, high, out=spread)
    return np.ascontiguousarray(spread.T).reshape(*labels.shape, -1), labels < count
