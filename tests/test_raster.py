"""Tests of triangles drawn into arrays."""

from __future__ import annotations

import numpy as np
import pytest

from memegen.mesh.raster import rasterise

SIZE = (40, 30)
TIGHT = 1 / 16  # pixels by which triangles are wider where their true edges matter


def mesh(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A grid of 11 x 9 corners that reaches beyond the picture, shaken: triangles (T, 3, 2) and values (T, 3, 2)."""
    dice = np.random.default_rng(seed)
    y, x = np.mgrid[-2:35:9j, -2:45:11j]
    corners = np.dstack([x, y]) + dice.uniform(-1.2, 1.2, (*x.shape, 2))
    numbers = np.arange(x.size).reshape(x.shape)
    a, b, c, d = numbers[:-1, :-1], numbers[:-1, 1:], numbers[1:, 1:], numbers[1:, :-1]
    triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    flat = corners.reshape(-1, 2).astype(np.float32)
    return flat[triangles], (flat @ [[2.0, 0.5], [-1.0, 0.25]] + 3).astype(np.float32)[triangles]


def test_a_mesh_without_gaps_covers_every_pixel_with_the_plane_it_spans() -> None:
    triangles, values = mesh()
    spread, covered = rasterise(triangles, values, size=SIZE, wider=TIGHT)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    assert covered.all()
    # All triangles lie in one plane, so that it does not matter which covers; thin ones are limited to their corners.
    wanted = np.dstack([x, y]) @ [[2.0, 0.5], [-1.0, 0.25]] + 3
    assert np.abs(spread - wanted).max() == pytest.approx(0, abs=0.5)
    assert np.abs(spread - wanted).mean() == pytest.approx(0, abs=1e-3)


def test_later_triangles_cover_earlier_ones_and_backs_are_left_out() -> None:
    triangle = np.array([[2, 2], [30, 2], [2, 25]], np.float32)
    flat = np.ones((3, 1), np.float32)
    both = np.stack([triangle, triangle + 4, triangle[::-1] + 2])
    spread, covered = rasterise(both, np.stack([flat, 2 * flat, 3 * flat]), size=SIZE, wider=TIGHT)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]

    def inside(corner: int) -> np.ndarray:
        return (x >= corner) & (y >= corner) & ((x - corner) / 28 + (y - corner) / 23 <= 1)

    assert (covered == inside(2) | inside(6)).mean() > 0.995  # pixels on an edge may belong to either side
    assert (spread[..., 0][inside(6)] == 2).all()
    assert set(np.unique(spread)) == {0, 1, 2}


def test_wider_triangles_reach_half_a_pixel_beyond_their_edges() -> None:
    sliver = np.array([[[5, 10.4], [30, 10.4], [30, 10.6]]], np.float32)  # between two rows of pixels
    values = np.ones((1, 3, 1), np.float32)
    assert not rasterise(sliver, values, size=SIZE, wider=TIGHT)[1].any()
    wide = rasterise(sliver, values, size=SIZE)[1]
    assert wide[10, 5:31].all()
    assert wide[11, 25:31].all()
    assert not wide[[9, 12]].any()


def test_nothing_is_drawn_of_triangles_beside_the_picture() -> None:
    away = np.array([[[-50, -50], [-10, -50], [-50, -10]], [[100, 5], [200, 5], [100, 20]]], np.float32)
    spread, covered = rasterise(away, np.ones((2, 3, 2), np.float32), size=SIZE)
    assert spread.shape == (30, 40, 2)
    assert not covered.any()
    assert not spread.any()
    none, nowhere = rasterise(away[:0], np.ones((0, 3, 2), np.float32), size=SIZE)
    assert not nowhere.any()
    assert not none.any()
