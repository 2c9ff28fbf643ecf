"""The singer's hair: a combed shell over the skull."""

from typing import Any

import cv2
import numpy as np

from memegen.singer.drawing.stage import HAIR, light, noise
from memegen.singer.drawing.surfaces import Array, grid, normals, ramp


class Hair:
    """A combed shell over the skull: every strand sweeps away from a side parting."""

    def __init__(self, detail: float = 1.0) -> None:
        t, degrees = grid(0, 1, -115, 115, (420, 640), detail)
        a = np.radians(degrees)
        self.points, inside = _hair_shape(t, a)
        self.strands, self.locks = _strands(self.points)
        ragged = inside + 0.024 * self.locks + 0.014 * self.strands
        self.alpha = ramp(-0.02, 0.05, ragged).astype(np.float32)
        self.edge = ramp(0.0, 0.25, ragged)
        relief = (0.016 * self.locks + 0.004 * self.strands).astype(np.float32)
        self.normals = normals(self.points + normals(self.points) * relief[..., None])

    def paint(self, turn: Array) -> tuple[Array, Array]:
        """Surface (H, W, 3) and lit paint (H, W, 4)."""
        tint = (1 + 0.34 * self.strands + 0.20 * self.locks)[..., None]
        albedo = np.clip(HAIR * tint, 0.004, 1) * np.array([1.0, 0.97, 0.92])
        shade = 0.62 + 0.38 * self.edge
        lit = light(
            self.normals, albedo, turn=turn, shade=shade, gloss=np.zeros(shade.shape), wrap=np.full(3, 0.2, np.float32)
        )
        m = self.normals @ turn.T
        band = np.exp(-(((m[..., 1] - 0.55 - 0.10 * self.locks) / 0.24) ** 2)) * np.clip(0.75 - 0.6 * m[..., 0], 0, 1)
        sheen = band * np.clip(0.55 + 0.45 * self.strands, 0, 2) * shade
        lit = lit + sheen[..., None] * np.array([0.15, 0.105, 0.07])
        alpha = self.alpha[..., None]
        return self.points, np.concatenate([lit * alpha, alpha], axis=-1).astype(np.float32)


def _strands(points: Array) -> tuple[Array, Array]:
    """Fine hairs and broad locks (H, W), of unit spread, running away from the parting."""
    pole = np.array([-0.50, 0.80, 0.10])
    pole /= np.linalg.norm(pole)
    right = np.cross(pole, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    d = points - np.array([0, 0.15, -0.1], np.float32)
    d = d / np.linalg.norm(d, axis=-1, keepdims=True)
    away = np.arccos(np.clip(d @ pole, -1, 1))
    around = np.arctan2(d @ np.cross(right, pole), d @ right) + 0.45 * np.sin(1.6 * away)
    u = (around / (2 * np.pi) % 1 * 2047).astype(np.float32)
    v = (away / np.pi * 255).astype(np.float32)
    layers = []
    for seed, grain in ((11, 2.6), (12, 8.0), (13, 26.0)):
        ring = noise((256, 2048), seed=seed, blur=(grain, 26))
        ring[:, -64:] += (ring[:, :1] - ring[:, -1:]) * np.linspace(0, 1, 64, dtype=np.float32)
        layer = cv2.remap(ring, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        layers.append(layer * ramp(0.05, 0.45, away))
    fine, middle, broad = layers
    return (0.75 * fine + 0.65 * middle).astype(np.float32), (0.45 * middle + 0.85 * broad).astype(np.float32)


def _hair_shape(t: Any, a: Any) -> tuple[Array, Any]:
    """The shell's points (H, W, 3), and how far each lies inside the hairline."""
    polar, degrees = t * 1.97, np.degrees(a)
    ring = np.clip(np.sin(polar), 0, 1) ** 0.80
    quiff = np.exp(-(((degrees - 14) / 42) ** 2)) * np.exp(-(((t - 0.42) / 0.20) ** 2))
    part = np.exp(-(((degrees + 36 - 30 * (0.5 - t)) / 4.0) ** 2)) * ramp(0.06, 0.2, t) * ramp(0.62, 0.45, t)
    swell = 0.080 + 0.13 * quiff + 0.05 * np.exp(-((t / 0.4) ** 2)) - 0.045 * part
    swell = swell + 0.030 * np.exp(-(((np.abs(degrees) - 70) / 20) ** 2)) * ramp(0.75, 0.5, t)
    line = np.interp(degrees, LINE[:, 0], LINE[:, 1])
    side = ramp(40, 60, np.abs(degrees))
    swell = swell * (1 - side * ramp(0.35, 0.0, 0.20 + 1.20 * np.cos(polar) - line))
    x = (0.962 + 0.62 * swell) * ring * np.sin(a)
    y = 0.20 + (1.20 + swell) * np.cos(polar)
    z = -0.16 + (1.17 + 1.0 * swell) * ring * np.cos(a)
    return np.stack([x, y, z], axis=-1).astype(np.float32), y - line


# hairline: degrees from the nose, height
LINE = np.array(
    [
        (-115, 0.45),
        (-100, 0.20),
        (-92, 0.0),
        (-84, -0.04),
        (-78, -0.10),
        (-71, -0.08),
        (-64, 0.20),
        (-56, 0.46),
        (-48, 0.66),
        (-40, 0.82),
        (-32, 0.92),
        (-24, 0.93),
        (-12, 0.88),
        (2, 0.80),
        (16, 0.73),
        (28, 0.67),
        (40, 0.58),
        (50, 0.46),
        (58, 0.28),
        (65, 0.08),
        (71, -0.08),
        (78, -0.10),
        (84, -0.04),
        (92, 0.0),
        (100, 0.20),
        (115, 0.45),
    ]
)
