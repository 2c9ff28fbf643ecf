"""Lids that shut: the upper lid's edge glides down with its lashes, and draws skin over the eye behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.cropping import window
from memegen.face.topology import EYE_LIDS
from memegen.mesh.eyes import carried, lit, placed, spread

# Lengths, over the eye's width
LASHES = 0.09  # of the lashes, above the lid's edge
BELOW = 0.025  # and below it
OVERLAP = 0.08  # how far a shut lid goes beyond the lower one, where the white would still show
SKIN = 0.12, 0.35  # where the skin under the eye begins and ends, below the lower lid
FOLD = 0.15, 0.25  # and that over the eye, above the upper lid
LINES = 0.15  # up to how thick a dark line is taken off the skin: lashes, a fold, an outline
ROOM = 0.5  # how far around an eye's corners the skin of its lids is looked for
AROUND = 0.3  # and how far they reach
WIDER = 1.2  # how much wider the eye is than the line between its corners
STIR = 0.01  # movement of a lid from which it is painted
SOFT = 0.02  # of the soft edge between lid and eye

SHADOW = 0.1  # how much the skin over the eye counts, which may lie in the shadow of the brow
BULGE = 1.03, 0.08  # light on a shut lid: in its middle, and less towards the corners
GRAIN = 0.8  # spread of the skin's grain, over the median size of what a blur of a pixel takes away


class Lid(NamedTuple):
    """The skin of an eye's lids.

    Attributes:
        corner: (2,) pixels (x, y) of the skin's corner in the photo.
        skin: uint8 RGB (h, w, 3), smooth.
    """

    corner: Floats
    skin: Image


class _Across(NamedTuple):
    """Each pixel of a patch as seen from an eye: pixels below the line between its corners, all (h, w) float32.

    Attributes:
        along: From the left end of the eye, 0, to the right one, 1.
        height: Of the pixel itself.
        lids: Of some lids' edges, above or below it.
        down: (2,) the direction in the picture, one pixel long.
        width: Of the eye, pixels.
    """

    along: Floats
    height: Floats
    lids: list[Floats]
    down: Floats
    width: float


def skin_of_lids(photo: Image, points: Floats, side: int) -> Lid | None:
    """Make the skin of an eye's lids from what is beside and under the eye; None when the eye is outside the photo.

    Args:
        photo: uint8 RGB (H, W, 3).
        points: (478, 2) landmarks, pixels.
        side: 0 for the right eye, 1 for the left one.
    """
    upper, lower = (points[lid] for lid in EYE_LIDS[side])
    part = window(upper, ROOM * float(np.linalg.norm(upper[0] - upper[-1])), photo)
    patch = photo[part].astype(np.float32)
    if min(patch.shape[:2]) < 2:
        return None
    corner = np.array([part[1].start, part[0].start])
    eye = _across(patch, upper - corner, [upper - corner, lower - corner])
    over, under = (eye.lids[0] - eye.height) / eye.width, (eye.height - eye.lids[1]) / eye.width
    below, above = (under > SKIN[0]) & (under < SKIN[1]), (over > FOLD[0]) & (over < FOLD[1])
    known = ((below + SHADOW * above) * (abs(eye.along - 0.5) < 0.6)).astype(np.float32)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(LINES / 2 * eye.width) + 1,) * 2)
    bare = cv2.morphologyEx(patch, cv2.MORPH_CLOSE, disc)
    # A lid lies on a ball: it is darker towards the corners. It has the grain of the skin below.
    ball = BULGE[0] - BULGE[1] * (2 * eye.along - 1) ** 2
    fine = (patch - cv2.GaussianBlur(patch, (0, 0), 1.0)).mean(2)[known > 0]
    grain = GRAIN * np.median(abs(fine)) if fine.size else 0
    noise = np.random.default_rng(0).normal(0, grain, patch.shape[:2])
    skin = spread(bare, known, 0.3 * eye.width) * ball[..., None] + noise[..., None]
    return Lid(corner, np.clip(skin, 0, 255).astype(np.uint8))


def _across(patch: Image | Floats, line: Floats, lids: Sequence[Floats]) -> _Across:
    """Look at a patch from an eye with these lids, whose corners are the ends of the line; pixels of the patch."""
    line, *lids = (points.astype(np.float32) for points in (line, *lids))
    start, end = sorted((line[0], line[-1]), key=lambda corner: float(corner[0]))
    width = max(float(np.linalg.norm(end - start)), 1e-3)
    way = (end - start) / width
    down = np.array([-way[1], way[0]])
    y, x = np.arange(patch.shape[0], dtype=np.float32)[:, None], np.arange(patch.shape[1], dtype=np.float32)
    along = ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / width
    along = (along - 0.5) / WIDER + 0.5
    heights = []
    for lid in lids:
        places = np.array(sorted(np.column_stack([(lid - start) @ way / width, (lid - start) @ down]).tolist()))
        heights.append(np.interp(along, places[:, 0], places[:, 1]).astype(np.float32))
    return _Across(along, (x - start[0]) * down[0] + (y - start[1]) * down[1], heights, down, width)


def held_open(now: Floats, rest: Floats) -> Floats:
    """Return moved landmarks (478, 2 or 3) with the upper lids at least as far up as the photo has them."""
    held = now.copy()
    for side, (upper, lower) in enumerate(EYE_LIDS):
        matrix = carried(now[:, :2], rest[:, :2], side)
        stay = rest[upper, :2] @ matrix[:, :2].T + matrix[:, 2]
        shut = np.linalg.norm(now[upper, :2] - now[lower, :2], axis=1) < np.linalg.norm(stay - now[lower, :2], axis=1)
        held[np.array(upper)[shut], :2] = stay[shut]
    return held


def shut_lids(
    picture: Image,
    lids: Sequence[Lid | None],
    opened: Floats,
    now: Floats,
    rest: Floats,
    *,
    light: Floats | float = 1.0,
) -> None:
    """Draw the upper lids down over the eyes, in place.

    Args:
        picture: uint8 RGB (H, W, 3), with the lids held open.
        lids: The right and the left one, from `skin_of_lids`.
        opened: (478, 2) from `held_open`, pixels.
        now: (478, 2) moved landmarks, pixels.
        rest: (478, 2) those of the photo that the lids are from.
        light: See `turn_eyes`.
    """
    for side, lid in enumerate(lids):
        upper, lower = EYE_LIDS[side]
        width = float(np.linalg.norm(now[upper[0]] - now[upper[-1]]))
        part = window(opened[upper], AROUND * width, picture)
        patch = picture[part]
        if lid is None or not patch.size or abs(opened[upper] - now[upper]).max() < STIR * width:
            continue
        corner = np.array([part[1].start, part[0].start])
        eye = _across(patch, now[upper] - corner, [edge - corner for edge in (opened[upper], now[upper], now[lower])])
        skin = lit(placed(lid.skin, carried(now, rest, side), lid.corner, corner, patch), light)
        _draw_lid(patch, skin, eye)


def _draw_lid(patch: Image, skin: Image, eye: _Across) -> None:
    """Draw one upper lid over an eye, in place.

    Args:
        patch: uint8 RGB (h, w, 3).
        skin: uint8 RGB (h, w, 3), the lid's, where the patch is.
        eye: With the edges of the upper lid where the photo has it and where it is, and of the lower lid.
    """
    before, edge, floor = eye.lids
    edge = edge + OVERLAP * eye.width * np.clip((edge - before) / np.maximum(floor - before, 1), 0, 1) ** 2
    shut, soft, lashes = edge - before, max(SOFT * eye.width, 0.5), max(LASHES * eye.width, 1.0)
    some = np.clip(shut / (2 * soft), 0, 1) * np.clip(10 * np.minimum(eye.along, 1 - eye.along), 0, 1)
    # The lashes, as the photo has them, go with the edge; what is brighter than skin there is the eye.
    y, x = np.arange(patch.shape[0], dtype=np.float32)[:, None], np.arange(patch.shape[1], dtype=np.float32)
    along_x, along_y = ((place - shut * step).astype(np.float32) for place, step in zip((x, y), eye.down, strict=True))
    fringe = cv2.min(cv2.remap(patch, along_x, along_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), skin)
    # The skin covers the edge where it was, down to where it is; the lashes cover the skin.
    covered = np.clip((edge - eye.height) / soft + 0.5, 0, 1) * np.clip((eye.height - before) / lashes + 2, 0, 1)
    fringed = np.clip((eye.height - edge) / (lashes / 2) + 2, 0, 1)
    fringed *= np.clip((edge + BELOW * eye.width - eye.height) / soft + 0.5, 0, 1)
    for layer, share in ((skin, some * covered), (fringe, some * fringed)):
        weight = share.astype(np.float32)
        patch[:] = cv2.blendLinear(layer, patch.copy(), weight, 1 - weight)
