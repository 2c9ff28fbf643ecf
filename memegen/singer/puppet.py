"""Draws the singer fast, for whole songs: pictures of mouths and eyes are blended, and turned by their depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache, partial
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.base.threads import in_parallel
from memegen.singer.drawing.figure import SMALL, STUDIO, Wall, draw_singer
from memegen.singer.drawing.stage import Camera
from memegen.singer.drawing.surfaces import ramp, rotation
from memegen.singer.recital import Controls

JAWS = np.linspace(0, 0.9, 10)  # how far the jaw drops in the pictures of the mouth
# From a smile to rounded lips: (wide, round) in the pictures of each jaw
SHAPES = ((0.8, 0.0), (0.1, 0.0), (0.0, 0.5), (-0.1, 1.0))
LIPS = np.array([[0.5, 0.45], [0.35, 0.25], [0.2, 0.15], [0.15, 0.1]])  # how far upper and lower lip show teeth there
BLINKS, BROWS = np.linspace(0, 1, 4), np.linspace(0, 1, 3)
SEAM = 0.53  # the height of the nose, over that of the picture: eyes and mouth are blended about it


class Pictures(NamedTuple):
    """The singer at rest but for the mouth or the eyes, as float32 (S, S, 3).

    Attributes:
        mouths: (jaws, shapes, S, S, 3).
        eyes: (blinks, brows, S, S, 3).
        pressed: The lips pressed together.
    """

    mouths: Floats
    eyes: Floats
    pressed: Floats


def draw_puppet(recital: Iterable[Controls], *, wall: Wall = STUDIO) -> Iterator[Image]:
    """Draw a recital frame by frame, as uint8 RGB (256, 256, 3); a frame takes a few milliseconds.

    Of the mouth it shows `jaw`, `wide`, `round` and `press`; the lips part with the jaw.

    Args:
        recital: The controls of each frame.
        wall: The colours behind the singer.
    """
    return in_parallel(partial(_pose, draw_pictures(wall)), recital)


@lru_cache(maxsize=2)
def draw_pictures(wall: Wall) -> Pictures:
    """Draw what the puppet is made of, once for each run: in about two seconds."""
    mouths = [_mouth(jaw, shape) for jaw, shape in product(JAWS, range(len(SHAPES)))]
    eyes = [Controls(smile=0.45, blink=blink, brow=brow) for blink, brow in product(BLINKS, BROWS)]
    drawn = np.stack([*draw_singer([*mouths, *eyes, Controls(smile=0.45, press=0.9)], wall=wall)]).astype(np.float32)
    size = drawn.shape[1:]
    return Pictures(
        mouths=drawn[: len(mouths)].reshape(len(JAWS), len(SHAPES), *size),
        eyes=drawn[len(mouths) : -1].reshape(len(BLINKS), len(BROWS), *size),
        pressed=drawn[-1],
    )


def _mouth(jaw: float, shape: int) -> Controls:
    """Pose one mouth; the lips part as soon as the jaw drops."""
    upper, lower = LIPS[shape] * min(1.0, jaw / 0.2)
    wide, rounded = SHAPES[shape]
    return Controls(smile=0.45, jaw=jaw, upper=upper, lower=lower, wide=wide, round=rounded)


def _pose(kept: Pictures, controls: Controls) -> Image:
    """Draw one frame."""
    # Pictures of neighbouring mouths differ by a pixel or two, so that a blend of two looks like the one between.
    shape = np.interp(controls.round - max(controls.wide, 0), (-0.8, -0.1, 0.5, 1.0), range(len(SHAPES)))
    face = _between(kept.mouths, controls.jaw / (JAWS[1] - JAWS[0]), float(shape))
    if controls.press > 0:
        face = face + min(controls.press / 0.9, 1.0) * (kept.pressed - face)
    if controls.blink > 0 or controls.brow > 0:
        eyes = _between(kept.eyes, controls.blink * (len(BLINKS) - 1), controls.brow * (len(BROWS) - 1))
        face = face + _above_seam() * (eyes - face)
    return np.asarray(np.clip(np.round(_turned(face, controls)), 0, 255), np.uint8)


def _between(pictures: Floats, row: float, column: float) -> Floats:
    """Blend the four pictures around a place in a table of pictures."""
    rows, columns = (_neighbours(place, count) for place, count in zip((row, column), pictures.shape, strict=False))
    return np.asarray(sum(a * b * pictures[i, j] for (i, a), (j, b) in product(rows, columns)), np.float32)


def _neighbours(place: float, count: int) -> list[tuple[int, np.float32]]:
    """Return the two pictures around a place, each with its weight, or one that it is nearly at."""
    place = min(max(place, 0.0), count - 1.0)
    low, part = int(place), place % 1
    both = [(low, np.float32(1 - part)), (min(low + 1, count - 1), np.float32(part))]
    return [one for one in both if one[1] > 0.02] if min(part, 1 - part) > 0.02 else [both[round(part)]]


@cache
def _above_seam() -> Floats:
    rows = np.arange(SMALL, dtype=np.float32)[:, None, None] / SMALL
    return np.asarray(ramp(SEAM + 0.03, SEAM - 0.03, rows), np.float32)


class _Relief(NamedTuple):
    """The head behind the pixels (S, S, ...).

    Attributes:
        points: (3) in head units.
        still: (2) where they are when the head is not turned, pixels.
        follows: (1) how far each follows a turn.
        places: (2) the pixels themselves, x and y.
    """

    points: Floats
    still: Floats
    follows: Floats
    places: Floats


@cache
def _relief() -> _Relief:
    """Model the head by an ellipsoid with a nose: enough for turns by a few degrees."""
    camera = Camera(np.eye(3, dtype=np.float32), (0.0, 0.0), SMALL)
    scale = SMALL / 512 * 113
    rows, columns = np.mgrid[:SMALL, :SMALL].astype(np.float32)
    x, y = (columns - SMALL * 0.5) / scale, (SMALL * 0.455 - rows) / scale
    for _ in range(3):  # nearer points are drawn larger, so depth and place depend on each other
        round_ = (x / 1.02) ** 2 + ((y - 0.05) / 1.42) ** 2
        z = 1.06 * np.sqrt(np.clip(1 - round_, 0, 1)) + 0.25 * np.exp(-((x / 0.15) ** 2) - ((y + 0.42) / 0.2) ** 2)
        seen = camera(np.stack([x, y, z], axis=-1))
        x, y = x + (columns - seen[..., 0]) / scale, y - (rows - seen[..., 1]) / scale
    # Hair and ears follow fully, the backdrop beside them less and less; the neck does so towards the collar.
    follows = ramp(1.9, 1.15, np.sqrt(round_)) * ramp(-2.1, -1.35, y)
    points = np.stack([x, y, z], axis=-1).astype(np.float32)
    places = np.stack([columns, rows], axis=-1)
    return _Relief(points, camera(points)[..., :2], follows[..., None].astype(np.float32), places)


def _turned(face: Floats, controls: Controls) -> Floats:
    """Turn and shift the head in a picture."""
    relief = _relief()
    turn, place = rotation(controls.yaw, controls.pitch, controls.roll), (controls.shift_x, controls.shift_y)
    moved = Camera(turn, place, SMALL)(relief.points)[..., :2]
    # The shift of a pixel is about that of the one it comes from: small and smooth.
    source = relief.places - cv2.blur((moved - relief.still) * relief.follows, (9, 9))
    return np.asarray(cv2.remap(face, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
