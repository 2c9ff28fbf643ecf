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
    sides = triangles[:, 1:] - triangles[:, :1]
    area = sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]
    seen = area > 1e-3
    longest = ((triangles - np.roll(triangles, 1, axis=1)) ** 2).sum(2).max(1)
    thin = area[seen] < SLIVER * longest[seen]
    triangles, values = triangles[seen], values[seen]
    # OpenCV draws each triangle's number, in 1/16 pixel: so each pixel knows the last triangle that covers it.
    labels = np.full(size[::-1], -1, np.int32)
    for number, corners in enumerate(np.round(triangles * 16).astype(np.int32)):
        cv2.fillConvexPoly(labels, corners, number, lineType=cv2.LINE_8, shift=4)
    # In each triangle a value is a plane, a x + b y + c: three corners give three equations.
    square = np.concatenate([triangles, np.ones((len(triangles), 3, 1), np.float32)], 2)
    along_x, along_y, start = np.linalg.solve(square.astype(np.float64), values).astype(np.float32).transpose(1, 0, 2)
    covered = labels >= 0
    cells = np.flatnonzero(covered)
    owner = labels.ravel()[cells]
    row, column = np.divmod(cells.astype(np.int32), np.int32(size[0]))
    plane = along_x[owner] * column[:, None] + along_y[owner] * row[:, None] + start[owner]
    # A thin triangle's plane is steep: outside its corners, at a pixel's middle, it would shoot over.
    steep = thin[owner]
    inside = owner[steep]
    plane[steep] = np.clip(plane[steep], values.min(1)[inside], values.max(1)[inside])
    spread = np.zeros((covered.size, values.shape[2]), np.float32)
    spread[cells] = plane
    return spread.reshape(*covered.shape, -1), covered
