"""Draws smooth textured surfaces with numpy and OpenCV alone: the small renderer behind the singer."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from memegen.base.arrays import smoothstep

Array = npt.NDArray[np.float32]

STEP = 4  # texels to one drawn quad


def curve(knots: npt.ArrayLike, samples: npt.ArrayLike) -> Array:
    """A smooth (Catmull-Rom) curve through the rows of `knots` (K, D) at `samples` in [0, K - 1]."""
    points = np.asarray(knots, float)
    points = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    s = np.asarray(samples, float)
    i = np.clip(s.astype(int), 0, len(points) - 4)
    t = (s - i)[..., None]
    a, b, c, d = (points[i + k] for k in range(4))
    value = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.asarray(value, np.float32)


def grid(
    top: float, bottom: float, left: float, right: float, shape: tuple[int, int], detail: float
) -> tuple[Array, Array]:
    """Rows and columns of a surface's texels, (H, W) each, from `top` to `bottom` and from `left` to `right`."""
    rows, columns = (max(round(side * detail), 2) for side in shape)
    across = np.linspace(left, right, columns, dtype=np.float32)
    down, over = np.meshgrid(np.linspace(top, bottom, rows, dtype=np.float32), across, indexing="ij")
    return down, over


def ramp(low: float, high: float, x: Any) -> Any:
    """0 below `low`, 1 above `high`, smooth between; `low` may be the larger."""
    return smoothstep((x - low) / (high - low))


def bump(x: Any, y: Any, centre: tuple[float, float], size: tuple[float, float]) -> Any:
    """A Gaussian hill of height 1."""
    return np.exp(-(((x - centre[0]) / size[0]) ** 2) - ((y - centre[1]) / size[1]) ** 2)


def linear(*srgb: float) -> Array:
    """A colour given in 0-255 sRGB as linear light in [0, 1]."""
    return np.asarray((np.asarray(srgb) / 255) ** 2.2, np.float32)


def mix(a: Any, b: Any, weight: Any) -> Any:
    """Blend colour `a` into `b` by `weight` (H, W)."""
    w = np.asarray(weight, np.float32)[..., None]
    return a + (b - a) * w


def normals(points: Array) -> Array:
    """Unit normals (H, W, 3) of a surface grid, facing outwards when columns run right and rows run down."""
    x, y, z = np.moveaxis(points, -1, 0)
    (xd, xa), (yd, ya), (zd, za) = (np.gradient(axis) for axis in (x, y, z))
    n = np.stack([yd * za - zd * ya, zd * xa - xd * za, xd * ya - yd * xa], axis=-1)
    return np.asarray(n / (np.sqrt(np.einsum("hwc,hwc->hw", n, n))[..., None] + 1e-9), np.float32)


def cosines(n: Array, directions: npt.ArrayLike) -> Array:
    """Cosines (K, H, W) between unit normals (H, W, 3) and K unit directions."""
    return np.moveaxis(n @ np.asarray(directions, np.float32).T, -1, 0)


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Rotation matrix of degrees: positive yaw turns to the picture's right, pitch looks up, roll tilts clockwise."""
    y, p, r = np.radians([yaw, -pitch, -roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(tilt @ turn @ nod, np.float32)


def _coarse(length: int) -> npt.NDArray[np.int32]:
    return np.unique(np.r_[np.arange(0, length, STEP), length - 1]).astype(np.int32)


def draw_surface(canvas: Array, screen: Array, paint: Array) -> None:
    """Draw one surface over the canvas, far parts first.

    Args:
        canvas: (S, S, 3) linear light, changed in place.
        screen: (H, W, 3) where each texel lands: x and y in canvas pixels, and depth, larger is nearer.
        paint: (H, W, 4) linear light times alpha, and alpha.
    """
    rows, columns = _coarse(screen.shape[0]), _coarse(screen.shape[1])
    grid = screen[np.ix_(rows, columns)]
    # Only the part of the canvas in which the surface lies is looked at.
    left, top = np.clip(np.floor(grid[..., :2].min((0, 1))), 0, canvas.shape[0]).astype(int)
    right, bottom = np.clip(np.ceil(grid[..., :2].max((0, 1))) + 1, 0, canvas.shape[0]).astype(int)
    canvas, grid = canvas[top:bottom, left:right], grid - np.array([left, top, 0], np.float32)
    corners = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=2).reshape(-1, 4, 3)
    owner = _owners(corners, (canvas.shape[0], canvas.shape[1]))
    ys, xs = np.nonzero(owner)
    if not len(ys):
        return
    quad = owner[ys, xs] - 1
    inside = _insides(corners)[quad].T
    across = np.clip(inside[0] * xs + inside[1] * ys + inside[2], 0, 1)
    down = np.clip(inside[3] * xs + inside[4] * ys + inside[5], 0, 1)
    i, j = np.divmod(quad, len(columns) - 1)
    u = columns[j] + across * np.diff(columns)[j]
    v = rows[i] + down * np.diff(rows)[i]
    colour = sample(paint, u, v)
    canvas[ys, xs] = canvas[ys, xs] * (1 - colour[:, 3:]) + colour[:, :3]


def _owners(corners: Array, size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Which quad (counted from 1; 0 is none) is in front at each pixel (H, W); quads seen from behind are left out."""
    one, two = corners[:, 2, :2] - corners[:, 0, :2], corners[:, 3, :2] - corners[:, 1, :2]
    order = np.flatnonzero(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] > 0)
    order = order[np.argsort(corners[order, :, 2].sum(axis=1), kind="stable")]
    owner = np.zeros(size, np.int32)
    pixels = np.round(corners[order, :, :2] * 16).astype(np.int32)
    for k, quad in zip(order.tolist(), pixels, strict=True):
        cv2.fillConvexPoly(owner, quad, k + 1, cv2.LINE_8, 4)
    return owner


def _insides(corners: Array) -> Array:
    """Affine maps (Q, 6) from a pixel to where it lies in each quad, as fractions across and down, 0 to 1.

    A quad (Q, 4, 3) is taken as the parallelogram of its middle lines.
    """
    a, b, c, d = (corners[:, k, :2] for k in range(4))
    middle, across, down = (a + b + c + d) / 4, (b - a + c - d) / 2, (d - a + c - b) / 2
    area = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    area = np.where(np.abs(area) < 1e-3, 1e-3, area)
    maps = np.empty((len(corners), 6), np.float32)
    maps[:, 0], maps[:, 1] = down[:, 1] / area, -down[:, 0] / area
    maps[:, 3], maps[:, 4] = -across[:, 1] / area, across[:, 0] / area
    for k in (0, 3):
        maps[:, k + 2] = 0.5 - maps[:, k] * middle[:, 0] - maps[:, k + 1] * middle[:, 1]
    return maps


def sample(image: Array, u: Array, v: Array) -> Array:
    """Bilinear samples (N, C) of an image at N points."""
    width = 4096
    pad = -len(u) % width
    maps = [np.pad(m, (0, pad)).reshape(-1, width).astype(np.float32) for m in (u, v)]
    out = cv2.remap(np.ascontiguousarray(image), maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out.reshape(-1, image.shape[2])[: len(u)], np.float32)
