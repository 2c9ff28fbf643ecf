"""The mouth: outlines of the lips, and teeth and tongue behind them."""

from typing import Any, NamedTuple

import numpy as np

from memegen.singer.drawing.surfaces import Array, grid, linear, mix, ramp
from memegen.singer.recital import Controls

MOUTH_Y = -0.83
MOUTH_WIDTH = 0.35
JAW = 0.31  # how far the chin drops


def gap(pose: Controls) -> float:
    """Height of the opening between the lips at the middle, in head units."""
    return max(0.0, 0.40 * pose.jaw + 0.10 * pose.lower + 0.05 * pose.upper)


class Lips(NamedTuple):
    """Curves of the mouth at each x: the opening's upper and lower edge, and the outer borders of the lips.

    The mouth reaches to `half_width` on either side, where its corners lie at height `corner`.
    """

    top: Any
    bottom: Any
    above: Any
    below: Any
    half_width: float
    corner: float


def lips(x: Any, pose: Controls) -> Lips:
    """The mouth's outlines for one pose at the abscissae `x`."""
    half = MOUTH_WIDTH * (1 + 0.20 * pose.wide + 0.10 * pose.smile - 0.46 * pose.round - 0.10 * pose.jaw)
    s2 = np.clip((x / half) ** 2, 0, 1)
    opening = (1 - s2) ** (0.72 - 0.20 * max(pose.round, 0.6 * pose.jaw))
    corner = MOUTH_Y + 0.055 * pose.smile + 0.02 * pose.wide - 0.16 * pose.jaw
    corner -= pose.round * (0.42 * gap(pose) - 0.13 * pose.jaw)
    middle = MOUTH_Y + 0.05 * pose.upper - 0.01 * pose.press
    tubercle = 0.012 * np.exp(-((x / 0.06) ** 2)) * (1 - 0.5 * pose.round)
    top = corner + (middle - corner) * opening - tubercle
    bottom = np.minimum(top, corner + (middle - gap(pose) - corner) * opening)
    thin = 1 - 0.5 * pose.press - 0.12 * pose.wide - 0.1 * pose.jaw
    bow = 1 + 0.16 * np.exp(-(((np.abs(x) - 0.08) / 0.05) ** 2)) - 0.12 * np.exp(-((x / 0.035) ** 2))
    above = top + 0.092 * thin * bow * (1 - s2) ** 0.85 + 1e-3
    below = bottom - (0.118 * thin * (1 - 0.45 * pose.tuck) + 0.015 * pose.round) * (1 - s2) ** 0.7 - 1e-3
    return Lips(top, bottom, above, below, half, corner)


def mouth_inside(pose: Controls, detail: float = 1.0) -> tuple[Array, Array]:
    """Throat, tongue and teeth behind the lips: surface (H, W, 3) and paint (H, W, 4)."""
    y, x = grid(-0.66, -1.42, -0.46, 0.46, (256, 304), detail)
    z = 1.06 - 0.55 * x**2 - 0.12 * (MOUTH_Y - y)
    points = np.stack([x, y, z], axis=-1).astype(np.float32)
    outline = lips(x, pose)
    drop = JAW * pose.jaw
    depth = ramp(0.0, 0.42, np.hypot(x * 0.8, y + 0.93 + 0.4 * drop))
    colour = mix(np.broadcast_to(linear(38, 10, 11), (*x.shape, 3)), linear(112, 44, 42), depth * 0.8)
    rise = 0.13 * pose.tongue
    top = -0.905 - 0.66 * drop + rise - 0.9 * np.clip(np.abs(x) - 0.02, 0, 1) ** 2 - 0.012 * np.exp(-((x / 0.03) ** 2))
    dome = np.clip((top - y) / 0.16, 0, 1)
    groove = 0.25 * np.exp(-((x / 0.02) ** 2)) * dome
    flesh = linear(182, 88, 86) * (0.28 + 0.72 * np.sin(np.pi * np.clip(0.12 + 0.6 * dome, 0, 1)) - groove)[..., None]
    on_tongue = ramp(-0.012, 0.012, top - y) * ramp(0.30, 0.24, np.abs(x))
    colour = mix(colour, flesh, on_tongue)
    colour = teeth(colour, x, MOUTH_Y - y, edge=0.066, dim=1 - 0.55 * pose.round, upper=True)
    reach = y + 0.905 + 0.97 * drop + 0.03 * pose.lower
    colour = teeth(colour, x, reach, edge=0.0, dim=0.8 - 0.4 * pose.round, upper=False)
    under_lip = ramp(-0.03, 0.10, outline.top - y)
    sides = ramp(1.05, 0.45, np.abs(x) / outline.half_width)
    narrow = ramp(0.0, 0.05, outline.top - outline.bottom)
    shade = 0.92 * (0.46 + 0.54 * under_lip) * (0.30 + 0.70 * sides) * (0.12 + 0.88 * narrow)
    lit = colour * shade[..., None] ** np.array([0.86, 1.0, 1.06])  # light that gets in deeper comes back redder
    seen = (y < outline.above + 0.02) & (y > outline.below - 0.02) & (np.abs(x) < outline.half_width + 0.06)
    return points, np.concatenate([lit * seen[..., None], seen[..., None]], axis=-1).astype(np.float32)


def teeth(colour: Array, x: Any, reach: Any, *, edge: float, dim: float, upper: bool) -> Array:
    """A row of teeth over `colour`; `reach` is how far a point lies from the gum side towards the biting edge."""
    widths = np.array([0.118, 0.092, 0.098, 0.085, 0.08, 0.08]) * (1.0 if upper else 0.72)
    joints = np.concatenate([[0], np.cumsum(widths)])
    side = np.abs(x)
    tooth = np.clip(np.searchsorted(joints, side, side="right") - 1, 0, len(widths) - 1)
    across = (side - joints[tooth]) / widths[tooth]
    shorter = np.array([0.0, 0.012, 0.004, 0.016, 0.022, 0.03] if upper else [0.0, 0.0, -0.002, 0.006, 0.012, 0.02])
    tip = edge - shorter[tooth] - 0.10 * side**2 - 0.020 * np.abs(2 * across - 1) ** 4
    on = ramp(0.005, -0.005, reach - tip) * ramp(joints[-1], joints[-1] - 0.03, side)
    rounded = 0.84 + 0.16 * np.sin(np.pi * np.clip(across, 0, 1)) ** 0.6
    away = np.clip(1 - 0.9 * (side / 0.42) ** 2, 0.15, 1)
    gum = ramp(tip - 0.15, tip - 0.11, reach)
    bright = rounded * away * (0.80 + 0.16 * ramp(tip - 0.12, tip, reach))
    bone = linear(242, 224, 200) * bright[..., None] * dim ** np.array([0.8, 1.0, 1.15])
    bone = mix(linear(190, 96, 92) * away[..., None], bone, gum)
    return np.asarray(mix(colour, bone, on), np.float32)
