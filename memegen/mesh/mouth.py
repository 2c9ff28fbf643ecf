"""The inside of an opening mouth: the photo does not show it, so it is the driver's, made to look like the photo."""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.cropping import soft_mask, window
from memegen.face.topology import LIP_MIDDLES, LIPS, eye_distance
from memegen.mesh.palette import Palette

TUCK = 0.15  # how much of the driver's mouth is cut off at its lips, over the way to the middle
GRID = 40  # most cells, along a side, of the way from the photo's mouth to the driver's
SOFT = 0.008  # blur of the mouth's edge, over the inter-ocular distance
SHARP = 0.4  # least blur of both edges, pixels
SHADE = 0.025  # blur of the shadow that the lips throw into the mouth, over the inter-ocular distance
OPEN = 0.025  # opening beyond the photo's own, over the inter-ocular distance, at which the driver's mouth covers it
WIDE = 0.06  # opening, over the inter-ocular distance, up to which there is more than that shadow in it
SEEN = 0.05, 0.1  # the driver's opening up to which red is taken for lips, and from which for its tongue


def paint_mouth(
    region: Image, lips: Floats, frame: Image, driving: Floats, *, palette: Palette, opacity: float
) -> Image:
    """Paint the inside of the driver's mouth between the photo's moved lips.

    Args:
        region: uint8 RGB (h, w, 3), changed in place.
        lips: (478, 2 or 3) moved landmarks, pixels of the region.
        frame: uint8 RGB, the driving frame.
        driving: (478, 2 or 3) landmarks in it, pixels.
        palette: From `match_colours`.
        opacity: From 0, which leaves the photo's own mouth, to 1, which covers it.

    Returns:
        The region.
    """
    opening, unit = lips[LIPS, :2], float(eye_distance(lips[:, :2]))
    soft = SOFT * unit
    part = window(opening, 6 * soft, region)
    patch = region[part]
    if opacity <= 0 or min(patch.shape[:2]) < 2:
        return region
    corner, size = np.array([part[1].start, part[0].start]), (patch.shape[1], patch.shape[0])
    # The way to the driver's mouth and the lips' shadow are smooth: a coarse grid holds them.
    step = -(-max(size) // GRID)
    cells = -(-size[0] // step), -(-size[1] // step)
    coarse = (opening - corner + 0.5) / step - 0.5
    shade = np.clip(2 * soft_mask(coarse, cells, max(SHADE * unit / step, SHARP)) - 0.7, 0, 1)
    way, shade = (
        cv2.resize(grid, None, fx=step, fy=step)[: size[1], : size[0]]
        for grid in (_way(coarse, driving[LIPS, :2], cells), shade)
    )
    inside = cv2.remap(frame, way, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Near the lips, and where the driver's own lips are in the way, there is only the dark line.
    lit = shade * _seen(inside, driving, palette.red) * np.float32(smoothstep(_apart(lips) / WIDE))
    inside = palette.show(inside, unit)
    inside = cv2.blendLinear(inside, np.full_like(inside, palette.line), lit, 1 - lit)
    weight = soft_mask(opening - corner, size, max(soft, SHARP)) * np.float32(opacity)
    patch[:] = cv2.blendLinear(inside, patch, weight, 1 - weight)
    return region


def mouth_opacity(opening: float, own: float) -> float:
    """Return how much the driver's mouth covers: not at all up to the photo's own opening, then more, then fully.

    Args:
        opening: The mouth's opening now, over the inter-ocular distance.
        own: The photo's own.
    """
    return float(smoothstep((opening - own) / OPEN))


def _apart(landmarks: Floats) -> float:
    """Measure how far a mouth is open, over the inter-ocular distance."""
    return float(np.linalg.norm(np.subtract(*landmarks[LIP_MIDDLES, :2])) / eye_distance(landmarks[:, :2]))


def _way(own: Floats, theirs: Floats, size: tuple[int, int]) -> Floats:
    """Find for each pixel of a mouth the place in the driver's: (H, W, 2) float32, from both loops of lips (L, 2)."""
    # In the mouth's axes, along and across the lips, each about from -1 to 1
    middle, along = own.mean(0), (own[len(own) // 2] - own[0]) / 2
    axes = np.array([along, [-along[1], along[0]]]) / max(along @ along, 1e-6)
    axes[1] /= max(np.abs((own - middle) @ axes[1]).max(), 0.02)
    known = _bend(*(axes @ (own - middle).T))
    x, y = (np.arange(n) - at for n, at in zip(size, middle, strict=True))
    wanted = _bend(*(across * x + down * y[:, None] for across, down in axes))
    # Fit a smooth map through the lips, pulled to the simplest where they meet. The driver's own lips are cut off.
    theirs = theirs + TUCK * (theirs.mean(0) - theirs)
    fit = cv2.solve(known.T @ known + 1e-3 * np.eye(known.shape[1]), known.T @ theirs)[1]
    return np.asarray(wanted @ fit, np.float32)


def _bend(u: Floats, v: Floats) -> Floats:
    """List the terms (..., 8) of a map that is cubic along a mouth, u, and linear across it, v."""
    cubic = np.stack([np.ones_like(u), u, u * u, u * u * u], -1)
    return np.concatenate([cubic, cubic * v[..., None]], -1)


def _seen(inside: Image, driving: Floats, skin: float) -> Floats:
    """Tell what is the driver's mouth and not its lips, (h, w) from 0 to 1, by how red its `skin` is."""
    apart = _apart(driving)
    if apart >= SEEN[1]:
        return np.ones(inside.shape[:2], np.float32)
    # Lips have as much red as the skin or more; teeth have half of it or less, and the dark behind them has none.
    red = (inside[..., 0] - cv2.cvtColor(inside, cv2.COLOR_RGB2GRAY).astype(np.float32)) / np.float32(skin)
    open_enough = np.float32(smoothstep((apart - SEEN[0]) / (SEEN[1] - SEEN[0])))
    return np.asarray(np.maximum(np.clip(2 - 2 * red, 0, 1), open_enough))
