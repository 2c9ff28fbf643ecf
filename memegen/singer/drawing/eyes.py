"""The eyes: edges of the lids, and eyeballs behind them."""

from typing import Any

import numpy as np

from memegen.singer.drawing.surfaces import Array, grid, linear, mix, ramp
from memegen.singer.recital import Controls

EYE_X = 0.425


def lid_edges(x: Any, blink: float) -> tuple[Any, Any]:
    """Upper and lower edge of the right-hand eye's opening at `x` measured from the eye's middle towards the temple."""
    s = np.clip(x / 0.188, -1, 1)
    arch = (1 - s**2) ** 0.72
    tilt = 0.012 * s
    low = -0.058 * (1 - s**2) ** 0.85 * (1 + 0.25 * s) + tilt
    high = 0.098 * arch * (1 - 0.12 * s) + tilt
    shut = 0.75 * low
    return high + (shut - 0.004 - high) * blink, low + (shut - low) * blink


def eye(pose: Controls, turn: Array, *, right: bool, detail: float = 1.0) -> tuple[Array, Array]:
    """One eyeball (the picture's right or left one): surface (H, W, 3) and paint (H, W, 4)."""
    sign = 1.0 if right else -1.0
    y, x = grid(0.16, -0.16, -0.24, 0.24, (128, 192), detail)
    ball = 0.30
    z = np.sqrt(np.clip(ball**2 - x**2 - y**2, 0.02, None)) - ball + 1.005 - 0.16 * (x * sign + 0.10)
    points = np.stack([x + sign * EYE_X, y, z], axis=-1).astype(np.float32)
    gaze_x, gaze_y = -0.0035 * pose.yaw - 0.012 * sign, 0.012 - 0.003 * pose.pitch
    dx, dy = x - gaze_x, y - gaze_y
    r, around = np.hypot(dx, dy), np.arctan2(dy, dx)
    white = np.broadcast_to(linear(232, 226, 220), (*x.shape, 3))
    white = mix(white, linear(214, 150, 140), 0.6 * ramp(0.10, 0.21, np.abs(x)))
    fibres = 1 + 0.16 * np.sin(around * 41 + 3 * np.sin(around * 7)) + 0.10 * np.sin(around * 17)
    glow = 0.75 + 3.5 * np.clip(0.085 - r, 0, 1) + 0.45 * np.clip(-dy / 0.1, -1, 1)
    iris = linear(96, 128, 140) * (fibres * glow)[..., None]
    iris = mix(iris, linear(150, 108, 56), 0.55 * ramp(0.065, 0.045, r))
    iris = mix(iris, linear(28, 34, 40), 0.85 * ramp(0.084, 0.104, r))
    colour = mix(white, iris, ramp(0.108, 0.098, r))
    colour = mix(colour, linear(8, 7, 8), ramp(0.047, 0.040, r))
    high, low = lid_edges(x * sign, pose.blink)
    shadow = ramp(-0.005, 0.055, high - y) * ramp(-0.01, 0.025, y - low) * ramp(0.20, 0.10, np.abs(x))
    lit = colour * (0.28 + 0.62 * shadow)[..., None]
    glint = 0.85 * ramp(0.026, 0.016, np.hypot(dx + 0.034, dy - 0.034))
    glint = glint + 0.20 * ramp(0.02, 0.01, np.hypot(dx - 0.03, dy + 0.035))
    wet = np.exp(-(((y - low - 0.008) / 0.006) ** 2)) * ramp(0.19, 0.14, np.abs(x))
    lit = lit + (glint + 0.16 * wet)[..., None]
    return points, np.concatenate([lit, np.ones((*x.shape, 1))], axis=-1).astype(np.float32)
