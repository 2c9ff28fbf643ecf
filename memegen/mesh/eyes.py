"""Eyes that look about: irises that glide under the lids, over a white that the photo shows only in part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.cropping import soft_mask, window
from memegen.face.topology import EYE_LIDS, IRISES
from memegen.mesh.filling import spread

LEAST = 1.5  # radius in pixels of an iris that can be seen to move
REACH = 2.5  # how far around an iris the white is looked at, over the iris's radius
LIMBUS = 1.2  # how far the dark edge of an iris reaches, over its radius
CONTRAST = 0.16  # by which part an iris is darker at its edge than the white beside it; less: a statue, dark glasses
WHITE = 0.2  # least area of the white that is seen, over the square of the iris's radius
STIR = 0.02  # movement of an iris, over its eye's width, from which it is painted; up to there the photo shows it
INSET = 0.03  # how far inside the lids' landmarks the lashes end, over the eye's width


class Eye(NamedTuple):
    """An eye of the photo, taken apart.

    Attributes:
        corner: (2,) pixels (x, y) of the layers' corner in the photo.
        white: uint8 (h, w, 4), the eye without its iris: its white also behind that, and where that was, as the fourth
            channel.
        iris: uint8 (h, w, 4), the whole iris, also behind the lids, and its outline.
    """

    corner: Floats
    white: Image
    iris: Image


def open_up(photo: Image, points: Floats, side: int) -> Eye | None:
    """Take an eye of a photo apart; None when it has no visible iris.

    Args:
        photo: uint8 RGB (H, W, 3).
        points: (478, 2) landmarks, pixels.
        side: 0 for the right eye, 1 for the left one.
    """
    centre, *edge = points[IRISES[side]]
    radius = float(np.linalg.norm(np.array(edge) - centre, axis=1).mean())
    part = window(centre[None], REACH * radius, photo)
    patch = photo[part].astype(np.float32)
    if radius < LEAST or min(patch.shape[:2]) < 3 * radius:
        return None
    corner, grey = np.array([part[1].start, part[0].start]), patch.mean(2)
    seen = between_lids(points - corner, side, grey.shape[::-1])
    centre, radius, contrast = _fit_circle(grey, seen, centre - corner, radius)
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    far = np.hypot(x - centre[0], y - centre[1]).astype(np.float32) / radius
    inner, outer = (seen > 0.5) & (far < 0.8), (seen > 0.5) & (far > LIMBUS)
    if contrast < CONTRAST or not inner.any() or outer.sum() < WHITE * radius**2:
        return None
    # Lashes, and what is left of an iris that is no circle, are not white.
    dark, bright = np.median(grey[inner]), np.percentile(grey[outer], 75)
    like_white = smoothstep(((grey - dark) / ((bright - dark) or 1) - 0.3) / 0.3)
    beyond = smoothstep((far - 1) / (LIMBUS - 1))
    white = spread(patch, seen * beyond * like_white, radius)
    iris = _completed(patch, seen * (far < LIMBUS), far)
    gone = 1 - smoothstep((far - LIMBUS) / 0.3)
    white = gone[..., None] * white + (1 - gone[..., None]) * patch
    layers = (np.dstack([colours, 255 * outline]) for colours, outline in ((white, gone), (iris, 1 - beyond)))
    return Eye(corner, *(np.clip(layer, 0, 255).astype(np.uint8) for layer in layers))


def _fit_circle(grey: Floats, seen: Floats, centre: Floats, radius: float) -> tuple[Floats, float, float]:
    """Move a circle to where the picture gets brightest across it, between the lids (Daugman 1993).

    Args:
        grey: (h, w) levels.
        seen: (h, w) 1 between the lids.
        centre: (2,) where the network sees it, pixels (x, y).
        radius: Pixels.

    Returns:
        The middle and the radius of the iris, pixels, and its contrast, 0 to 1.
    """
    grid = np.meshgrid(np.linspace(-0.3, 0.3, 7), np.linspace(-0.1, 0.1, 3), np.linspace(0.85, 1.2, 8))
    x, y, size = (part.ravel() for part in grid)
    # The sides only: above and below, lids and lashes have stronger edges.
    angles = np.concatenate([np.linspace(-0.9, 0.9, 15), np.linspace(-0.9, 0.9, 15) + np.pi])
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.08 * radius, 0.5))

    def around(picture: Floats, part: float) -> Floats:
        reach = radius * size[:, None] * part
        places = (centre[0] + radius * x, np.cos(angles)), (centre[1] + radius * y, np.sin(angles))
        maps = [(middle[:, None] + reach * ray).astype(np.float32) for middle, ray in places]
        return np.asarray(cv2.remap(picture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    weight = around(seen, LIMBUS) + 1e-6
    outside, inside = ((around(smooth, part) * weight).sum(1) / weight.sum(1) for part in (1.12, 0.88))
    # A circle far from where the network sees it must be much better.
    best = int(((outside - inside) * (1 - x**2 - y**2 - (size - 1) ** 2)).argmax())
    contrast = 1 - inside[best] / max(outside[best], 1.0)
    return centre + radius * np.array([x[best], y[best]]), radius * float(size[best]), float(contrast)


def _completed(patch: Floats, seen: Floats, far: Floats) -> Floats:
    """Complete an iris that lids cover in part: a hidden pixel has the mean colour at its distance from the middle.

    Args:
        patch: (h, w, 3) levels.
        seen: (h, w) 1 where the iris is seen.
        far: (h, w) distance from its middle, over its radius.
    """
    ring = np.minimum(far * 10, 15).astype(int).ravel()
    count = np.bincount(ring, seen.ravel(), 16)
    known = np.flatnonzero(count > 0)
    sums = [np.bincount(ring, (seen * channel).ravel(), 16)[known] for channel in np.moveaxis(patch, 2, 0)]
    means = np.stack([np.interp(far * 10 - 0.5, known, part / count[known]) for part in sums], 2)
    return np.asarray(seen[..., None] * patch + (1 - seen[..., None]) * means)


def between_lids(points: Floats, side: int, size: tuple[int, ...]) -> Floats:
    """Draw the opening between an eye's lashes, with a soft edge: (h, w) float32, 0 to 1."""
    upper, lower = EYE_LIDS[side]
    inset = max(INSET * float(np.linalg.norm(points[upper[0]] - points[upper[-1]])), 0.5)
    # The mask is a half on the edge: what is brighter lies inside.
    return np.clip(2 * soft_mask(points[[*upper, *lower[-2:0:-1]]], size, inset) - 1, 0, 1)


class Carried(NamedTuple):
    """Where the head alone carries an eye, whatever it does.

    Attributes:
        way: (2, 3) the affine map from the photo to the picture.
        iris: (2,) the middle of the iris, pixels.
        lid: (9, 2) the edge of the upper lid, pixels.
    """

    way: Floats
    iris: Floats
    lid: Floats


def carried(now: Floats, rest: Floats) -> list[Carried]:
    """Find where the head alone carries the right and the left eye: the points of an iris move as a disc.

    Args:
        now: (478, 2 or 3) moved landmarks, pixels.
        rest: (478, 2 or 3) the photo's own.

    Returns:
        Two, the right one first.
    """
    eyes = []
    for (upper, _), disc in zip(EYE_LIDS, IRISES, strict=True):
        points = [*disc[:3], *upper]
        before, after = rest[points, :2].astype(np.float32), now[points, :2].astype(np.float32)
        way = cv2.getAffineTransform(before[:3], after[:3])
        # The disc says how the eye turns and grows, its corners where it is.
        way[:, 2] = (after[3] + after[-1] - way[:, :2] @ (before[3] + before[-1])) / 2
        stay = before @ way[:, :2].T + way[:, 2]
        eyes.append(Carried(way, stay[0], stay[3:]))
    return eyes


def placed(layer: Image, way: Floats, source: Floats, target: Floats, patch: Image) -> Image:
    """Carry a layer to where a patch is.

    Args:
        layer: uint8 (h, w, C).
        way: (2, 3), see `Carried`.
        source: (2,) pixels (x, y) of the layer's corner in the photo.
        target: (2,) pixels of the patch's corner in the picture.
        patch: Of the wanted size.
    """
    way = way.copy()
    way[:, 2] += way[:, :2] @ source - target
    return np.asarray(cv2.warpAffine(layer, way, patch.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


def lit(layer: Image, light: Floats | float) -> Image:
    """Return a layer (h, w, 3) in another light: a factor, or one for each colour."""
    return layer if np.all(light == 1) else np.clip(layer * light, 0, 255).astype(np.uint8)


def turn_eyes(
    picture: Image,
    eyes: Sequence[Eye | None],
    now: Floats,
    stay: Sequence[Carried],
    *,
    light: Floats | float = 1.0,
    amount: float | None = None,
) -> None:
    """Paint the irises where they look, under the lids, in place.

    Args:
        picture: uint8 RGB (H, W, 3).
        eyes: The right and the left one, from `open_up`.
        now: (478, 2) moved landmarks, pixels.
        stay: From `carried`.
        light: Factors for the layers' colours.
        amount: How much is painted, 0 to 1; by how far an iris has moved when None.
    """
    for side, eye in enumerate(eyes):
        iris, (right, *_, left) = now[IRISES[side]], now[EYE_LIDS[side][0]]
        shift = iris[0] - stay[side].iris
        stirred = smoothstep(math.hypot(*shift) / (STIR * math.dist(right, left)))
        share = stirred if amount is None else amount
        part = window(np.stack([iris[0], stay[side].iris]), 0.75 * float(np.ptp(iris, axis=0).max()), picture)
        patch = picture[part]
        if eye is None or share <= 0 or not patch.size:
            continue
        corner = np.array([part[1].start, part[0].start])
        lids, looking = between_lids(now - corner, side, patch.shape[1::-1]) / 255, patch.copy()
        # First the white is put over the iris as the photo has it, then the iris where it looks.
        for layer, off in ((eye.white, 0), (eye.iris, shift)):
            shown = placed(layer, stay[side].way, eye.corner, corner - off, patch)
            # An eye that is painted in any case may have been shut in the picture: there is no white to keep.
            weight = lids * (shown[..., 3] if amount is None or layer is eye.iris else np.float32(255))
            colours = lit(cv2.cvtColor(shown, cv2.COLOR_RGBA2RGB), light)
            looking = cv2.blendLinear(colours, looking, weight, 1 - weight)
        patch[:] = cv2.addWeighted(looking, share, patch, 1 - share, 0)
