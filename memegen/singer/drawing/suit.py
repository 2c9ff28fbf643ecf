"""The singer's Sunday best, drawn flat: jacket, collar, bow tie, and a daisy in the buttonhole."""

from typing import Any

import cv2
import numpy as np

from memegen.singer.drawing.stage import light, noise
from memegen.singer.drawing.surfaces import Array, linear, mix, ramp

CLOTH = linear(58, 66, 96)
SHIRT = linear(236, 233, 226)
TIE = linear(176, 54, 58)
TOP = 400  # nothing is drawn above this row of a 512-pixel picture


def suit(size: int) -> Array:
    """Jacket, shirt, bow tie and a daisy in the buttonhole, as one still picture (S, S, 4) with alpha."""
    k = size / 512
    y, x = (np.mgrid[round(TOP * k) : size, 0:size] / k).astype(np.float32)
    side = np.abs(x - 256)
    shoulder = 436 + 0.10 * np.clip(side - 60, 0, None) + 0.0021 * np.clip(side - 90, 0, None) ** 2
    shoulder = shoulder + 9 * np.exp(-((side / 90) ** 2))
    body = ramp(-0.7, 0.7, y - shoulder)
    height = 60 * np.sqrt(np.clip(1 - (side / 265) ** 2, 0.02, 1)) + 2.5 * noise(
        y.shape, seed=31, blur=(26 * k, 20 * k)
    )
    height = height + 34 * (1 - np.exp(-np.clip(y - shoulder, 0, None) / 18))
    vee = side - (462 + 46 - y) * 0.95
    lapel_edge = side - np.interp(y, [438, 468, 472, 520], [70, 108, 94, 8])
    lapel = ramp(0.8, -0.8, lapel_edge) * ramp(-0.8, 0.8, vee)
    height = height + 4.0 * lapel - 3.0 * np.exp(-((lapel_edge / 3) ** 2)) * (vee > 0)
    weave = 1 + 0.06 * noise(y.shape, seed=32, blur=(0.8 * k, 0.8 * k))
    colour = CLOTH * weave[..., None] * (1 + 0.10 * lapel[..., None])
    shirt = ramp(0.8, -0.8, vee)
    colour = mix(colour, SHIRT, shirt)
    paint = _shade2d(height.astype(np.float32), np.asarray(colour, np.float32), k)
    collar_shadow = 1 - 0.5 * np.exp(-((vee / 8) ** 2)) * (vee < 0)
    paint = paint * collar_shadow[..., None]
    picture = np.concatenate([paint * body[..., None], body[..., None]], axis=-1).astype(np.float32)
    for layer in (_collar(x, y, k), _bow(x, y, k), _daisy(x - 338, y - 484, k)):
        picture = layer + picture * (1 - layer[..., 3:])
    return np.asarray(np.pad(picture, ((size - len(picture), 0), (0, 0), (0, 0))), np.float32)


def _shade2d(height: Array, colour: Array, k: float, gloss: float = 0.02) -> Array:
    """Light a flat relief; heights in pixels of a 512-pixel picture."""
    gy, gx = np.gradient(cv2.GaussianBlur(height, (0, 0), 1.2 * k) * k)
    n = np.stack([-gx, gy, np.ones_like(gx)], axis=-1)
    n = (n / np.linalg.norm(n, axis=-1, keepdims=True)).astype(np.float32)
    full = np.ones(height.shape)
    return light(
        n, colour, turn=np.eye(3, dtype=np.float32), shade=full, gloss=full * gloss, wrap=np.full(3, 0.15, np.float32)
    )


def _layer(paint: Array, alpha: Any) -> Array:
    return np.concatenate([paint * alpha[..., None], alpha[..., None]], axis=-1).astype(np.float32)


def _collar(x: Any, y: Any, k: float) -> Array:
    """Two turned-down wings of a white collar."""
    side = np.abs(x - 256)
    top = 424 + 22 * np.clip(1 - side / 66, 0, 1) ** 1.3
    bottom = 442 + 36 * np.exp(-(((side - 30) / 17) ** 2)) + 2
    alpha = (
        ramp(-0.7, 0.7, y - top)
        * ramp(0.7, -0.7, y - bottom)
        * ramp(68, 66.6, side)
        * ramp(1.0, 3.0, side + 0.15 * (y - 440))
    )
    height = 7 * np.sqrt(np.clip(1 - (side / 72) ** 2, 0, 1)) * 6 + 2.5 * ramp(0, 8, bottom - y)
    return _layer(
        _shade2d(height.astype(np.float32), np.broadcast_to(SHIRT, (*x.shape, 3)).astype(np.float32), k), alpha
    )


def _bow(x: Any, y: Any, k: float) -> Array:
    """A red bow tie."""
    cx, cy = x - 256, y - 466
    side = np.abs(cx)
    half = 5.5 + 12.5 * ramp(4, 34, side) - 2.5 * np.exp(-(((side - 44) / 5) ** 2))
    wing = ramp(0.7, -0.7, np.abs(cy - 0.04 * cx) - half) * ramp(43.5, 42, side)
    knot = ramp(0.06, -0.06, ((cx / 9) ** 4 + (cy / 8.5) ** 4) ** 0.25 - 1)
    pleat = 3.0 * np.sin(cy * 0.55 + 0.8 * np.sign(cx)) * np.exp(-side / 22)
    height = 12 * np.sqrt(np.clip(1 - (cy / (half + 1)) ** 2, 0, 1)) * ramp(0, 14, side) + pleat
    height = height * (1 - knot) + knot * (12 + 7 * np.sqrt(np.clip(1 - (cx / 10) ** 2 - (cy / 10) ** 2, 0, 1)))
    dots = np.hypot((cx + 0.5 * cy) % 11 - 5.5, (cy - 0.3 * cx) % 10 - 5)
    colour = mix(np.broadcast_to(TIE, (*x.shape, 3)), linear(240, 226, 200), 0.85 * ramp(1.9, 1.2, dots) * (1 - knot))
    return _layer(_shade2d(height.astype(np.float32), np.asarray(colour, np.float32), k, 0.05), np.maximum(wing, knot))


def _daisy(x: Any, y: Any, k: float) -> Array:
    """A daisy about 40 pixels wide around the origin."""
    r, angle = np.hypot(x, y * 1.08), np.arctan2(y, x)
    petal = np.abs(np.sin(angle * 7 + 0.3)) ** 0.55
    reach = 12 + 8 * petal
    leaf = ramp(1.0, -1.0, np.hypot((x + 8) * 0.8 + (y - 18) * 0.6, ((y - 18) * 0.8 - (x + 8) * 0.6) * 2.4) - 15)
    flower = ramp(0.8, -0.8, r - reach)
    heart = ramp(0.8, -0.8, r - 6.6)
    height = 5 * petal * ramp(4, 12, r) * ramp(21, 15, r) + heart * 5 * np.sqrt(np.clip(1 - (r / 8) ** 2, 0, 1))
    colour = mix(np.broadcast_to(linear(70, 112, 62), (*x.shape, 3)), linear(250, 248, 240) * 0.95, flower)
    colour = mix(colour, linear(206, 200, 200), flower * 0.5 * ramp(0.55, 0.2, petal) * ramp(20, 10, r))
    colour = mix(
        colour, linear(240, 180, 40) * (1 + 0.2 * np.sin(x * 2.1)[..., None] * np.sin(y * 2.3)[..., None]), heart
    )
    return _layer(
        _shade2d(height.astype(np.float32), np.asarray(colour, np.float32), k), np.maximum(leaf * 0.95, flower)
    )
