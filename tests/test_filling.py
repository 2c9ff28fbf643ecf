"""What a photo does not show: the background goes on behind its people."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from memegen.mesh.filling import SIDE, background, paint_out, put_behind, spread

RED = np.array([255, 0, 0], np.uint8)
TRACE = 5  # grey levels: the soft edge of the fill leaves at most two per cent of a person


def scene(height: int, width: int, texture: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grey wall with grain, without and with a red disc in front of it; and where that is."""
    wall = np.random.default_rng(0).normal(128, texture, (height, width, 1)).repeat(3, 2).clip(0, 255).astype(np.uint8)
    disc = np.zeros((height, width), np.uint8)
    cv2.circle(disc, (width // 2, height // 2), height // 4, 1, -1)
    return wall, np.where(disc[..., None] > 0, RED, wall), disc.astype(np.float32)


@pytest.mark.parametrize("size", [(150, 120), (450, 600)])
def test_the_wall_goes_on_behind_a_person_as_grainy_as_it_is(size: tuple[int, int]) -> None:
    wall, photo, disc = scene(*size, texture=12)
    filled = paint_out(photo, disc)
    edge = (disc - cv2.erode(disc, np.ones((9, 9)))) > 0
    assert not edge.all()
    assert edge.any()
    # Grey like the wall, with most of its grain; a blur would have next to none of it.
    assert abs(filled[edge].mean(0) - 128).max() < 4
    assert filled[edge].std() > 0.6 * wall[edge].std()


def test_nothing_of_the_person_is_left() -> None:
    _, photo, disc = scene(300, 300, texture=0)
    filled = paint_out(photo, disc).astype(int)
    assert np.ptp(filled, axis=2).max() <= TRACE  # all of it is grey


def test_what_is_far_from_the_person_stays_to_the_last_bit() -> None:
    _, photo, disc = scene(300, 300, texture=12)
    far = cv2.dilate(disc, np.ones((3, 3)), iterations=round(15 * 300 / SIDE)) == 0
    assert far.any()
    assert np.array_equal(paint_out(photo, disc)[far], photo[far])


def test_nobody_is_filled_with_somebody_else() -> None:
    _, photo, disc = scene(300, 300, texture=0)
    other = np.zeros_like(disc)
    other[:, 235:] = 1  # a neighbour, close beside the disc
    photo[:, 235:] = 0, 0, 255
    filled = put_behind(photo, *background(photo, disc, np.maximum(disc, other))).astype(int)
    assert np.ptp(filled[disc > 0], axis=1).max() <= TRACE


@pytest.mark.parametrize("size", [(2, 2), (1, 5), (3, 400)])
def test_tiny_regions_are_filled_too(size: tuple[int, int]) -> None:
    region = np.full((*size, 3), 90, np.uint8)
    assert np.array_equal(paint_out(region, np.zeros(size, np.float32)), region)
    assert paint_out(region, np.ones(size, np.float32)).shape == region.shape


def test_colours_spread_from_near() -> None:
    patch = np.zeros((40, 80, 3), np.float32)
    patch[:, :20], patch[:, 60:] = 100, 200
    known = np.zeros((40, 80), np.float32)
    known[:, :20] = known[:, 60:] = 1
    colours = spread(patch, known, reach=16)[20, :, 0]
    assert colours[22] == pytest.approx(100, abs=3)
    assert colours[57] == pytest.approx(200, abs=3)
    assert (np.diff(colours) > -1e-3).all()
