"""Lids that shut: the upper lid's edge glides down with its lashes, and draws skin over the eye behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.cropping import window
from memegen.face.topology import EYE_LIDS
from memegen.mesh.eyes import Carried, lit, placed
from memegen.mesh.filling import spread

# Lengths, over the eye's width
LASHES = 0.09  # of the lashes, above the lid's edge
BELOW, LEAST = 0.025, 1.1  # and below it; at least so many pixels, or in a small eye they would not be seen
OVERLAP = 0.08  # how far a shut lid goes beyond the lower one, where the white would still show
SKIN = 0.12, 0.35  # where the skin under the eye begins and ends, below the lower lid
FOLD = 0.15, 0.25  # and that over the eye, above the upper lid
LINES = 0.15  # up to how thick a dark line is taken off the skin: lashes, a fold, an outline
ROOM = 0.5  # how far around an eye's corners the skin of its lids is looked for
AROUND = 0.3  # and how far they reach
WIDER = 1.2  # how much wider the eye is than the line between its corners
STIR = 0.01  # movement of a lid from which it is painted
SOFT = 0.02  # of the soft edge between lid and eye
STEPS = np.linspace(0, 1, 64)  # places along an eye at which its lids are measured

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
        down: (2,) the direction in the picture, one pixel long.
        width: Of the eye, pixels.
        lids: (L, 64) heights of some lids' edges, at STEPS.
    """

    along: Floats
    height: Floats
    down: Floats
    width: float
    lids: Floats

    def spread(self, *measures: Floats) -> list[Floats]:
        """Return for each pixel (h, w) what is measured along the eye, at STEPS."""
        table = np.stack(measures, 1)[None].astype(np.float32)
        where = np.float32(len(STEPS) - 1) * self.along
        spread = cv2.remap(table, where, np.zeros_like(where), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return list(cv2.split(spread))


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
    top, floor = eye.spread(*eye.lids)
    over, under = (top - eye.height) / eye.width, (eye.height - floor) / eye.width
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
    start, end = sorted((line[0], line[-1]), key=lambda corner: float(corner[0]))
    width = max(math.dist(start, end), 1e-3)
    # Along the eye and across it, each one pixel long
    axes = np.array([end - start, [start[1] - end[1], end[0] - start[0]]]) / width
    places = (np.stack(lids) - start) @ axes.T
    # Edges are measured at even steps, as points of a lid may be anywhere along it.
    heights = [np.interp(width * STEPS, *edge[edge[:, 0].argsort()].T) for edge in places]
    # Both measures are planes over the patch: a row and a column make each.
    (along_x, along_y), (down_x, down_y) = (axes / [[WIDER * width], [1]]).astype(np.float32)
    x, y = (np.arange(n, dtype=np.float32) - np.float32(at) for n, at in zip(patch.shape[1::-1], start, strict=True))
    along = along_x * x + (along_y * y + np.float32(0.5 - 0.5 / WIDER))[:, None]
    return _Across(along, down_x * x + (down_y * y)[:, None], axes[1], width, np.array(heights))


def held_open(now: Floats, stay: Sequence[Carried]) -> Floats:
    """Return moved landmarks (478, 2 or 3) with the upper lids at least as far up as the photo has them.

    Args:
        now: (478, 2 or 3) moved landmarks, pixels.
        stay: From `carried`.
    """
    held = now.copy()
    for (upper, lower), eye in zip(EYE_LIDS, stay, strict=True):
        floor = now[lower, :2]
        opening, own = (((edge - floor) ** 2).sum(1) for edge in (now[upper, :2], eye.lid))
        held[upper, :2] = np.where((opening < own)[:, None], eye.lid, now[upper, :2])
    return held


def shut_lids(
    picture: Image,
    lids: Sequence[Lid | None],
    opened: Floats,
    now: Floats,
    stay: Sequence[Carried],
    *,
    light: Floats | float = 1.0,
) -> None:
    """Draw the upper lids down over the eyes, in place.

    Args:
        picture: uint8 RGB (H, W, 3), with the lids held open.
        lids: The right and the left one, from `skin_of_lids`.
        opened: (478, 2) from `held_open`, pixels.
        now: (478, 2) moved landmarks, pixels.
        stay: From `carried`, for the photo that the lids are from.
        light: See `turn_eyes`.
    """
    for side, lid in enumerate(lids):
        upper, lower = EYE_LIDS[side]
        before, edge, floor = opened[upper], now[upper], now[lower]
        width = math.dist(edge[0], edge[-1])
        part = window(before, AROUND * width, picture)
        patch = picture[part]
        if lid is None or not patch.size or abs(before - edge).max() < STIR * width:
            continue
        corner = np.array([part[1].start, part[0].start])
        skin = lit(placed(lid.skin, stay[side].way, lid.corner, corner, patch), light)
        _draw_lid(patch, skin, _across(patch, edge - corner, [points - corner for points in (before, edge, floor)]))


def _draw_lid(patch: Image, skin: Image, eye: _Across) -> None:
    """Draw one upper lid over an eye, in place.

    Args:
        patch: uint8 RGB (h, w, 3).
        skin: uint8 RGB (h, w, 3), the lid's, where the patch is.
        eye: With the edges of the upper lid where the photo has it and where it is, and of the lower lid.
    """
    before, edge, floor = eye.lids
    edge = edge + OVERLAP * eye.width * np.clip((edge - before) / np.maximum(floor - before, 1), 0, 1) ** 2
    shut, soft = edge - before, max(SOFT * eye.width, 0.5)
    lashes, below = max(LASHES * eye.width, 1.0), max(BELOW * eye.width, LEAST)
    middle = np.minimum(10 * np.minimum(STEPS, 1 - STEPS), 1)
    shut, edge, some = eye.spread(shut, edge, np.clip(shut / (2 * soft), 0, 1) * middle)
    # The lashes, as the photo has them, go with the edge; what is brighter than skin there is the eye.
    y, x = np.arange(patch.shape[0], dtype=np.float32)[:, None], np.arange(patch.shape[1], dtype=np.float32)
    down_x, down_y = eye.down.astype(np.float32)
    moved = cv2.remap(patch, x - down_x * shut, y - down_y * shut, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    fringe = cv2.min(moved, skin)
    # The skin covers the edge where it was, down to where it is; the lashes cover the skin.
    lower = eye.height - edge
    covered = np.clip(0.5 - lower / soft, 0, 1) * np.clip((lower + shut) / lashes + 2, 0, 1)
    fringed = np.clip(lower / (lashes / 2) + 2, 0, 1) * np.clip((below - lower) / soft + 0.5, 0, 1)
    for layer, share in ((skin, some * covered), (fringe, some * fringed)):
        patch[:] = cv2.blendLinear(layer, patch.copy(), share, 1 - share)
