"""The whole singer in front of the studio's backdrop: head, hair, ears, neck and suit put together."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import cv2
import numpy as np

from memegen.base.arrays import Image
from memegen.base.threads import in_parallel
from memegen.singer.drawing.hair import Hair
from memegen.singer.drawing.head import Head, draw_head
from memegen.singer.drawing.stage import SKIN, Camera, light, noise, occlusion
from memegen.singer.drawing.suit import suit
from memegen.singer.drawing.surfaces import Array, bump, draw_surface, grid, linear, mix, normals, ramp, rotation
from memegen.singer.recital import Controls

SIZE, SMALL = 512, 256  # pixels a side
COARSE = 0.35  # texels of the small picture over those of the large one
SUPERSAMPLE = 2


Wall = tuple[tuple[int, int, int], tuple[int, int, int]]
"""Two colours of a wall, sRGB from 0 to 255: at the edges, and where the light falls."""
STUDIO: Wall = ((74, 112, 122), (160, 190, 188))


class Figure:
    """The whole singer."""

    def __init__(
        self, size: int = SIZE, *, supersample: int = SUPERSAMPLE, detail: float = 1.0, wall: Wall = STUDIO
    ) -> None:
        self.size, self.supersample, self.detail = size, supersample, detail
        self.head = Head(detail)
        self.hair = Hair(detail)
        self.ear = _ear(detail)
        self.backdrop = _backdrop(size * supersample, wall)
        self.suit = suit(size * supersample)

    def draw(self, pose: Controls) -> Image:
        """Draw one frame as uint8 RGB (size, size, 3)."""
        canvas = self.backdrop.copy()
        camera = Camera(rotation(pose.yaw, pose.pitch, pose.roll), (pose.shift_x, pose.shift_y), canvas.shape[0])
        draw_surface(canvas, *neck(pose, camera, self.detail))
        self._dress(canvas, pose)
        for right in (False, True):
            self._draw_ear(canvas, camera, right=right)
        draw_head(canvas, self.head, pose, camera=camera)
        points, paint = self.hair.paint(camera.turn)
        draw_surface(canvas, camera(points), paint)
        small = cv2.resize(canvas, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return np.asarray(np.round(255 * tone(small) ** (1 / 2.2)), np.uint8)

    def _dress(self, canvas: Array, pose: Controls) -> None:
        """Lay the suit over the canvas; the shoulders follow the head a little."""
        k = self.size * self.supersample / 512
        tilt = cv2.getRotationMatrix2D((256 * k, 520 * k), -0.22 * pose.roll, 1)
        tilt[:, 2] += [30 * k * pose.shift_x, -30 * k * pose.shift_y]
        size = canvas.shape[:2]
        dressed = cv2.warpAffine(self.suit, tilt, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        canvas *= 1 - dressed[..., 3:]
        canvas += dressed[..., :3]

    def _draw_ear(self, canvas: Array, camera: Camera, *, right: bool) -> None:
        points, albedo, shade = self.ear
        sign = 1.0 if right else -1.0
        points = points * np.array([sign, 1, 1], np.float32)
        n = normals(points) * sign
        lit = light(n, albedo, turn=camera.turn, shade=shade, gloss=np.full(shade.shape, 0.08))
        y, x = np.mgrid[-1 : 1 : shade.shape[0] * 1j, -1 : 1 : shade.shape[1] * 1j]
        alpha = ramp(1.0, 0.93, np.hypot(x, y))[..., None]
        paint = np.concatenate([lit * alpha, alpha], axis=-1).astype(np.float32)
        if not right:
            points, paint = points[:, ::-1], paint[:, ::-1]
        draw_surface(canvas, camera(points), np.ascontiguousarray(paint))


def tone(light_: Any) -> Any:
    """Linear light as a print would show it, in [0, 1]: straight up to the middle, then a soft shoulder."""
    x = np.clip(light_, 0, None) * 1.22
    return np.where(x < 0.5, x, 0.5 + 0.5 * (1 - np.exp(-(x - 0.5) / 0.5)))


@cache
def _figure(large: bool, wall: Wall) -> Figure:
    return Figure(wall=wall) if large else Figure(SMALL, supersample=1, detail=COARSE, wall=wall)


def draw_singer(recital: Iterable[Controls], *, large: bool = False, wall: Wall = STUDIO) -> Iterator[Image]:
    """Draw a recital frame by frame, as uint8 RGB.

    Args:
        recital: The controls of each frame.
        large: Whether a frame has 512 x 512 pixels and takes half a second, or 256 x 256 and about 30 ms.
        wall: The colours behind the singer.
    """
    return in_parallel(_figure(large, wall).draw, recital)


def _ear(detail: float) -> tuple[Array, Array, Array]:
    """The right-hand ear's surface, colour and openness."""
    v, u = grid(1, -1, -1, 1, (120, 90), detail)
    r = np.hypot(u, v)
    rim = np.exp(-(((r - 0.82) / 0.13) ** 2)) * ramp(-0.95, -0.3, v)
    fold = np.exp(-(((np.hypot(u + 0.10, (v - 0.05) * 0.9) - 0.48) / 0.12) ** 2)) * ramp(-0.6, 0.2, u + 0.4)
    lobe = bump(u, v, (-0.2, -0.75), (0.4, 0.25))
    bowl = bump(u, v, (-0.2, -0.08), (0.28, 0.36))
    height = (0.07 * rim + 0.05 * fold + 0.04 * lobe - 0.08 * bowl).astype(np.float32)
    width = 0.17 * (1 - 0.22 * ramp(0.2, -1, v))
    x = 0.985 + 0.72 * width * (u + 0.35) + 0.25 * height
    y = -0.16 + 0.34 * v + 0.02 * u
    z = -0.02 - 0.55 * width * (u + 0.35) + height - 0.06 * v
    shade = occlusion(height * 1.6, detail)
    flesh = mix(np.broadcast_to(SKIN, (*r.shape, 3)), linear(214, 120, 104), 0.35 + 0.25 * rim)
    return np.stack([x, y, z], axis=-1).astype(np.float32), np.asarray(flesh, np.float32), np.asarray(shade, np.float32)


def neck(pose: Controls, camera: Camera, detail: float = 1.0) -> tuple[Array, Array]:
    """The neck between the moving jaw and the still collar: canvas positions (H, W, 3) and paint (H, W, 4)."""
    t, degrees = grid(0, 1, -95, 95, (200, 240), detail)
    a = np.radians(degrees)
    radius = 0.56 + 0.05 * np.abs(2 * t - 1) ** 2
    x = radius * np.sin(a)
    z = -0.22 + 0.62 * radius / 0.56 * np.cos(a) + 0.10 * t
    y = -0.85 - 1.25 * t
    points = np.stack([x, y, z], axis=-1).astype(np.float32)
    still = Camera(np.eye(3, dtype=np.float32), (0.25 * pose.shift_x, 0.25 * pose.shift_y), camera.size)
    hold = ramp(0.1, 0.95, t)[..., None]
    screen = camera(points) * (1 - hold) + still(points) * hold
    muscle = 0.03 * np.exp(-(((np.abs(np.sin(a)) - 0.62 + 0.45 * t) / 0.12) ** 2))
    muscle = muscle + 0.03 * bump(np.sin(a), t, (0, 0.55), (0.16, 0.16))
    n = normals(points + np.stack([0 * a, 0 * a, muscle], axis=-1).astype(np.float32))
    under = ramp(0.30, 0.82, t - 0.10 * np.sin(a) - 0.1 * pose.jaw)
    shade = (0.22 + 0.78 * under) * (0.75 + 0.25 * ramp(1.0, 0.85, t))
    flesh = mix(np.broadcast_to(SKIN, (*t.shape, 3)), linear(196, 126, 104), 0.35)
    lit = light(
        n, np.asarray(flesh, np.float32), turn=np.eye(3, dtype=np.float32), shade=shade, gloss=np.full(t.shape, 0.04)
    )
    return screen.astype(np.float32), np.concatenate([lit, np.ones((*t.shape, 1))], axis=-1).astype(np.float32)


def _backdrop(size: int, wall: Wall) -> Array:
    """A soft painted studio wall."""
    y, x = np.mgrid[0:1:128j, 0:1:128j]
    glow = np.exp(-(((x - 0.42) / 0.55) ** 2) - ((y - 0.36) / 0.55) ** 2)
    dark, light_ = (linear(*colour) for colour in wall)
    paint = mix(np.broadcast_to(dark, (128, 128, 3)), light_, glow)
    mottle = noise((128, 128), seed=21, blur=(14, 14)) * 0.03 + noise((128, 128), seed=22, blur=(5, 5)) * 0.01
    paint = (paint * (1 + mottle[..., None]) * 0.60).astype(np.float32)
    return np.asarray(cv2.resize(paint, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)
