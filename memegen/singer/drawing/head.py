"""The singer's face: a skull surface with features, painted and lit anew for each pose and mouth shape."""

from typing import Any

import numpy as np

from memegen.singer.drawing.eyes import EYE_X, eye, lid_edges
from memegen.singer.drawing.mouth import JAW, lips, mouth_inside
from memegen.singer.drawing.stage import HAIR, SKIN, Camera, light, noise, occlusion
from memegen.singer.drawing.surfaces import Array, bump, curve, draw_surface, linear, mix, normals, ramp
from memegen.singer.recital import Controls

# y, half width, front z, depth of the cross-section, from the crown to under the chin
PROFILE = [
    (1.40, 0.03, -0.12, 0.08),
    (1.36, 0.32, 0.15, 0.36),
    (1.21, 0.62, 0.52, 0.74),
    (0.98, 0.82, 0.82, 1.02),
    (0.70, 0.925, 0.99, 1.18),
    (0.40, 0.960, 1.06, 1.24),
    (0.10, 0.965, 1.04, 1.20),
    (-0.20, 0.945, 1.03, 1.15),
    (-0.50, 0.90, 1.05, 1.12),
    (-0.80, 0.805, 1.06, 1.10),
    (-1.00, 0.710, 1.05, 1.06),
    (-1.18, 0.575, 1.02, 0.96),
    (-1.30, 0.430, 0.95, 0.84),
    (-1.36, 0.300, 0.84, 0.70),
    (-1.36, 0.24, 0.62, 0.50),
    (-1.32, 0.22, 0.35, 0.30),
]
NOSE = [
    (0.22, 0.0),
    (0.06, 0.045),
    (-0.10, 0.12),
    (-0.28, 0.215),
    (-0.42, 0.285),
    (-0.50, 0.31),
    (-0.555, 0.26),
    (-0.60, 0.13),
    (-0.65, 0.02),
    (-0.75, 0.0),
]

BLUSH = linear(226, 128, 112)
LIP = linear(188, 100, 92)


class Head:
    """Face, eyes and inside of the mouth; builds its still parts once."""

    def __init__(self, detail: float = 1.0) -> None:
        rows, columns = round(620 * detail), round(520 * detail)
        self.detail = detail
        profile = curve(PROFILE, np.linspace(0, len(PROFILE) - 1.001, rows))
        angle = np.radians(np.linspace(-104, 104, columns)).astype(np.float32)
        self.y0, self.width, self.front, self.depth = (profile[:, k : k + 1] for k in range(4))
        # rows of the surface in which there are brows and eyes, and lips however wide the mouth is
        self.eyes, self.mouth = (self._rows(high, low) for high, low in ((0.52, -0.25), (-0.45, -1.28)))
        self.sin, self.cos = np.sin(angle)[None], np.cos(angle)[None]
        grain, spots, hairs = ((blur * detail, 0.9 * blur * detail) for blur in (1.3, 9.0, 1.0))
        self.pores = noise((rows, columns), seed=1, blur=grain) * 0.5 + noise((rows, columns), seed=2, blur=spots)
        self.brow_hair = noise((rows, columns), seed=4, blur=hairs)

    def _rows(self, high: float, low: float) -> slice:
        inside = np.flatnonzero((self.y0[:, 0] < high) & (self.y0[:, 0] > low))
        return slice(inside[0], inside[-1] + 1)

    def base(self, pose: Controls) -> Array:
        """The skull's surface (H, W, 3) with the jaw lowered."""
        drop = JAW * pose.jaw * ramp(-0.55, -1.15, self.y0) * (0.6 + 0.4 * np.clip(self.cos, 0, 1) ** 2)
        hollow = 1 - 0.05 * max(pose.jaw, pose.round) * bump(self.y0, 0, (-0.8, 0), (0.35, 1))
        x = self.width * hollow * self.sin
        y = self.y0 - drop
        z = self.front - self.depth + self.depth * self.cos - 0.25 * drop
        return np.stack([x, y, z], axis=-1).astype(np.float32)

    def relief(self, x: Any, y: Any, pose: Controls) -> Any:
        """Height of the features over the skull at face coordinates."""
        side = np.abs(x)
        chin = JAW * pose.jaw
        knots = np.array(NOSE)
        ridge = curve(knots[:, 1:], np.interp(-y, -knots[:, 0], np.arange(len(knots))))[..., 0]
        broad = 0.080 + 0.050 * ramp(-0.1, -0.45, y)
        h = ridge * np.exp(-(np.abs(x / broad) ** 2))
        h += 0.105 * bump(side, y, (0.135, -0.518), (0.078, 0.068)) - 0.015 * bump(side, y, (0.25, -0.54), (0.05, 0.09))
        h -= 0.11 * bump(side, y, (0.40, 0.03), (0.24, 0.15)) + 0.05 * bump(side, y, (0.185, 0.04), (0.08, 0.10))
        h += 0.105 * np.exp(-(np.hypot((side - EYE_X) / 0.215, (y - 0.015) / (0.155 + 0.03 * pose.blink)) ** 3))
        h += 0.045 * bump(side, y, (0.38, 0.29 + 0.06 * pose.brow), (0.28, 0.10))
        lift = 0.05 * pose.smile + 0.03 * pose.wide
        h += (0.06 + lift) * bump(side, y, (0.54, -0.34 + lift), (0.24, 0.20))
        fold = np.exp(-(((side - 0.25 - 0.42 * (-0.55 - y)) / 0.05) ** 2))
        fold *= ramp(-0.52, -0.62, y) * ramp(-0.95, -0.8, y)
        h -= (0.014 + 0.022 * pose.smile + 0.02 * pose.wide) * fold
        h += 0.05 * bump(x, y, (0, -0.80 - 0.5 * chin), (0.30, 0.24 + 0.5 * chin))
        h += (0.10 * pose.round) * bump(x, y, (0, -0.82 - 0.5 * chin), (0.24, 0.22 + 0.5 * chin))
        h += 0.085 * bump(x, y, (0, -1.24 - chin), (0.19, 0.15)) - 0.045 * bump(x, y, (0, -1.04 - chin), (0.22, 0.06))
        h += 0.010 * bump(side, y, (0.055, -0.69), (0.022, 0.07)) - 0.014 * bump(x, y, (0, -0.69), (0.03, 0.08))
        h[self.mouth] += self.lip_relief(x[self.mouth], y[self.mouth], pose)
        return h

    def lip_relief(self, x: Any, y: Any, pose: Controls) -> Any:
        """Height of the lips alone."""
        mouth = lips(x, pose)
        inside = np.abs(x) < mouth.half_width
        up = np.clip((y - mouth.top) / (mouth.above - mouth.top), 0, 1.6)
        down = np.clip((mouth.bottom - y) / (mouth.bottom - mouth.below), 0, 1.8)
        full = np.sqrt(np.clip(1 - (x / mouth.half_width) ** 2, 0, 1)) * inside
        roll = 1 - 0.5 * pose.press
        top = 0.058 * roll * np.sin(np.pi * np.clip(0.16 + up * 0.72, 0, 1)) * (y >= mouth.top)
        low = (0.075 * roll - 0.05 * pose.tuck) * np.sin(np.pi * np.clip(0.16 + down * 0.62, 0, 1))
        dimple = bump(np.abs(x), y, (mouth.half_width + 0.015, mouth.corner), (0.035, 0.05))
        return (top + low * (y <= mouth.bottom)) * full - 0.03 * dimple

    def skin(self, x: Any, y: Any, pose: Controls) -> tuple[Array, Array]:
        """Albedo (H, W, 3) and gloss (H, W) of the face's skin, brows, lashes and lips."""
        side = np.abs(x)
        cheek, nose = bump(side, y, (0.56, -0.36), (0.24, 0.20)), bump(x, y, (0, -0.47), (0.17, 0.13))
        chin = bump(x, y, (0, -1.25 - JAW * pose.jaw), (0.2, 0.12))
        tone = mix(np.broadcast_to(SKIN, (*y.shape, 3)), BLUSH, 0.42 * cheek + 0.30 * nose + 0.18 * chin + 0.02)
        tone = mix(tone, linear(206, 164, 128), 0.35 * ramp(0.3, 0.8, y))
        tone = mix(tone, linear(186, 120, 104), 0.42 * bump(side, y, (0.42, 0.04), (0.25, 0.13)))
        tone = tone * (1 + 0.018 * self.pores[..., None])
        gloss = 0.10 + 0.12 * nose + 0.05 * bump(x, y, (0, 0.6), (0.4, 0.3)) - 0.05 * ramp(0.6, 0.9, side)
        nostril = bump(side, y, (0.088, -0.582 + 0.12 * (side - 0.088)), (0.052, 0.021))
        tone = mix(tone, linear(58, 22, 18), np.clip(1.25 * nostril, 0, 0.92))
        tone[self.eyes] = self._brows(tone[self.eyes], side[self.eyes], y[self.eyes], pose)
        tone[self.eyes] = self._lids(tone[self.eyes], side[self.eyes], y[self.eyes], pose)
        lips = self.mouth
        tone[lips], gloss[lips] = self._lips(tone[lips], gloss[lips], x[lips], y[lips], pose)
        return tone, gloss

    def _brows(self, tone: Array, side: Any, y: Any, pose: Controls) -> Array:
        s = np.clip((side - 0.16) / 0.52, 0, 1)
        middle = 0.268 + 0.085 * np.sin(np.pi * np.clip(s * 0.75, 0, 1)) - 0.03 * s + pose.brow * (0.10 - 0.03 * s)
        thick = 0.066 * (1 - s) ** 0.5 * (0.75 + 0.25 * np.sin(np.pi * s)) + 0.004
        body = np.exp(-(np.abs((y - middle) / thick) ** 2.4))
        body *= ramp(0.13, 0.22, side) * ramp(0.70, 0.62, side)
        return np.asarray(
            mix(tone, HAIR * 0.55, np.clip(body * (0.80 + 0.09 * self.brow_hair[self.eyes]), 0, 1)), np.float32
        )

    def _lids(self, tone: Array, side: Any, y: Any, pose: Controls) -> Array:
        x = side - EYE_X
        high, low = lid_edges(x, pose.blink)
        across = ramp(0.225, 0.17, np.abs(x))
        crease = lid_edges(x, 0.25 * pose.blink)[0] + 0.048 * (1 - 0.3 * np.abs(x) / 0.2)
        crease = (1 - 0.7 * pose.blink) * across * np.exp(-(((y - crease) / 0.014) ** 2))
        tone = mix(tone, linear(130, 74, 62), 0.55 * crease)
        lash = across * np.exp(-(((y - high - 0.006) / (0.014 + 0.004 * x / 0.2 + 0.008 * pose.blink)) ** 2))
        wing = np.exp(-(((y - high - 0.012 - 0.3 * np.clip(x - 0.15, 0, 1)) / 0.010) ** 2))
        wing *= ramp(0.10, 0.17, x) * ramp(0.225, 0.20, x)
        tone = mix(tone, linear(34, 20, 16), np.clip(0.93 * lash + 0.6 * wing, 0, 0.95))
        rim = across * np.exp(-(((y - low + 0.012) / 0.011) ** 2))
        tone = mix(tone, linear(206, 140, 122), (0.6 - 0.4 * pose.blink) * rim)
        under = ramp(0.2, 0.1, np.abs(x)) * np.exp(-(((y - low + 0.085) / 0.03) ** 2))
        return np.asarray(mix(tone, linear(178, 112, 98), 0.22 * under), np.float32)

    def _lips(self, tone: Array, gloss: Any, x: Any, y: Any, pose: Controls) -> tuple[Array, Array]:
        mouth = lips(x, pose)
        soft, middle = 0.012, (mouth.top + mouth.bottom) / 2
        inside = ramp(mouth.half_width + 0.01, mouth.half_width - 0.02, np.abs(x))
        upper = ramp(mouth.above + soft, mouth.above - soft, y) * (y > middle)
        lower = ramp(mouth.below - soft * 1.5, mouth.below + soft * 1.5, y) * (y <= middle)
        vermilion = np.clip((upper + lower) * inside, 0, 1)
        lines = 1 + 0.05 * np.sin(x * 190 + 2 * np.sin(x * 31))
        colour = LIP * (0.92 * upper + 1.08 * lower)[..., None] * lines[..., None]
        tone = tone * (1 - vermilion[..., None]) + colour * vermilion[..., None]
        edge = np.minimum(np.abs(y - mouth.top), np.abs(y - mouth.bottom))
        wet = ramp(0.03, 0.0, edge) * inside
        tone = mix(tone, linear(120, 42, 44), 0.6 * wet)
        tone = mix(tone, linear(62, 18, 20), 0.85 * inside * np.exp(-((edge / 0.007) ** 2)))
        crease = bump(np.abs(x), y, (mouth.half_width, mouth.corner), (0.035, 0.018))
        tone = mix(tone, linear(110, 52, 46), 0.6 * crease)
        return np.asarray(tone, np.float32), np.asarray(gloss + 0.22 * vermilion, np.float32)

    def holes(self, x: Any, y: Any, z: Any, pose: Controls) -> Any:
        """Opacity of the face: 0 in the mouth and between the lids."""
        texel = 0.005 / self.detail
        solid = np.ones_like(z)
        over, down = x[self.mouth], y[self.mouth]
        mouth = lips(over, pose)
        inner = np.minimum(mouth.top - down, down - mouth.bottom)
        solid[self.mouth] -= (np.abs(over) < mouth.half_width) * np.clip(inner / texel + 0.2, 0, 1)
        over, down = np.abs(x[self.eyes]) - EYE_X, y[self.eyes]
        high, low = lid_edges(over, pose.blink)
        inner = np.minimum(high - down, down - low)
        solid[self.eyes] -= (np.abs(over) < 0.188) * np.clip(inner / texel + 0.2, 0, 1)
        return np.where(z > 0.3, solid, 1)

    def face(self, pose: Controls, turn: Array) -> tuple[Array, Array]:
        """The face's surface (H, W, 3) and its lit paint (H, W, 4)."""
        points = self.base(pose)
        x, y = points[..., 0], points[..., 1]
        front = ramp(0.0, 0.35, self.cos)
        outward = normals(points)
        height = self.relief(x, y, pose) * front
        points = points + outward * np.array([0.35, 0.25, 1.0], np.float32) * height[..., None]
        x, y = points[..., 0], points[..., 1]
        albedo, gloss = self.skin(x, y, pose)
        shade = occlusion(height, self.detail) * (1 - 0.45 * ramp(-1.25, -1.45, y + JAW * pose.jaw))
        shade = shade * (1 - 0.30 * ramp(0.72, 0.98, np.abs(x)))
        shade = shade * (1 - 0.34 * ramp(-0.20, 0.02, y - np.minimum(0.82 - 0.32 * x, 1.0 + 0.5 * x)))
        alpha = self.holes(x, y, points[..., 2], pose)
        lit = light(normals(points), albedo, turn=turn, shade=shade, gloss=gloss)
        paint = np.concatenate([lit * alpha[..., None], alpha[..., None]], axis=-1)
        return points, paint.astype(np.float32)


def draw_head(canvas: Array, head: Head, pose: Controls, *, camera: Camera) -> None:
    """Draw eyes, mouth and face over a canvas."""
    for part in (
        *(eye(pose, camera.turn, right=right, detail=head.detail) for right in (False, True)),
        mouth_inside(pose, head.detail),
    ):
        draw_surface(canvas, camera(part[0]), part[1])
    points, paint = head.face(pose, camera.turn)
    draw_surface(canvas, camera(points), paint)
