"""What every part of the picture shares: the camera, the lights, and textures.

Units: 1 is half a head's width (75 mm). x runs to the picture's right, y up, z towards the viewer; eyes lie at y = 0.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np

from memegen.singer.drawing.surfaces import Array, cosines, linear

SKIN = linear(228, 176, 146)
HAIR = linear(96, 54, 30)
KEY, KEY_COLOUR = np.array([-0.42, 0.50, 0.76], np.float32), np.array([1.12, 1.05, 0.95], np.float32)
FILL, FILL_COLOUR = np.array([0.80, 0.10, 0.60], np.float32), np.array([0.24, 0.26, 0.30], np.float32)
SKY, GROUND = (0.20, 0.21, 0.23), (0.12, 0.11, 0.105)
BOUNCE = (0.75, 1.0, 1.05)
WRAP = np.array([0.40, 0.24, 0.18], np.float32)


class Camera(NamedTuple):
    """How one part of the singer lands on the canvas."""

    turn: Array
    shift: tuple[float, float]
    size: int

    def __call__(self, points: Array) -> Array:
        """Canvas x, y and depth of points (..., 3)."""
        pivot = np.array([0, -1.15, -0.15], np.float32)
        p = (points - pivot) @ self.turn.T + pivot
        scale = self.size / 512 * 113 * (1 + 0.055 * p[..., 2])
        x = self.size * 0.5 + scale * (p[..., 0] + self.shift[0])
        y = self.size * 0.455 - scale * (p[..., 1] + self.shift[1])
        return np.stack([x, y, p[..., 2]], axis=-1).astype(np.float32)


def light(n: Array, albedo: Array, *, turn: Array, shade: Any, gloss: Any, wrap: Array = WRAP) -> Array:
    """Linear light leaving a surface: soft key, fill, sky and rim light with a broad highlight.

    Args:
        n: (H, W, 3) unit normals before the turn.
        albedo: (H, W, 3) linear colour.
        turn: (3, 3) rotation of the part.
        shade: (H, W) ambient occlusion, 1 where open.
        gloss: (H, W) strength of the highlight.
        wrap: (3,) how far light bleeds round the edge in red, green and blue.
    """
    # One product gives, for every normal, its cosines with the key, the fill, the highlight, and its own x, y and z.
    key, fill = KEY / np.linalg.norm(KEY), FILL / np.linalg.norm(FILL)
    half = key + np.array([0, 0, 1], np.float32)
    k, f, high, right, up, front = cosines(n, np.stack([key, fill, half / np.linalg.norm(half), *np.eye(3)]) @ turn)
    shade = np.asarray(shade, np.float32)
    high = np.clip(high, 0, 1)
    sharp = high**18
    spec = gloss * (0.5 * sharp + 0.5 * sharp * sharp * sharp * high**6) * shade
    rim = (1 - np.clip(front, 0, 1)) ** 3 * np.clip(right * 0.6 + 0.35, 0, 1) * 0.25
    lit = np.empty_like(n)
    for c in range(3):  # each colour alone: arrays of one number a texel are twice as fast as of three
        near = np.clip(k + wrap[c], 0, None) * (0.80 * KEY_COLOUR[c] / (1 + wrap[c]))
        far = np.clip(f + wrap[c], 0, None) * (FILL_COLOUR[c] / (1 + wrap[c]))
        sky = (0.5 + 0.5 * up) * SKY[c] + GROUND[c]
        # light that comes out of a hollow has been reflected there: it is redder
        lit[..., c] = albedo[..., c] * ((near + far + sky) * shade ** BOUNCE[c] + rim) + spec
    return lit


def occlusion(height: Array, detail: float = 1.0) -> Any:
    """How open each point of a relief is to the sky: 1 on plains and hills, less in hollows."""
    total = np.zeros_like(height, dtype=np.float32)
    for sigma, weight in ((4, 2.5), (12, 2.4), (36, 1.6)):
        around = cv2.GaussianBlur(height.astype(np.float32), (0, 0), sigma * detail)
        total += weight * np.clip(around - height, 0, None)
    return np.exp(-total * 2.2)


def noise(shape: tuple[int, ...], *, seed: int, blur: tuple[float, float]) -> Array:
    """Smooth random texture of unit spread; `blur` is the grain's size across and down in texels."""
    raw = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    soft = cv2.GaussianBlur(raw, (0, 0), blur[0], sigmaY=blur[1], borderType=cv2.BORDER_REFLECT)
    return np.asarray((soft - soft.mean()) / soft.std(), np.float32)
