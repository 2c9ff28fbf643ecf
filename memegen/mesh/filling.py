"""What a photo does not show: the background behind its people, the white of an eye behind the iris."""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image

SIDE = 200  # long side of the small picture in which it is found out what is behind a person, pixels
LOOSE = 7  # width there of what belongs to the person around the matte: loose hair must not colour the background
EVEN = 8  # blur there of the outline in which the background is mirrored: a jagged mirror would tear it
REACH = 24  # how far inside it the mirror counts; further in, the colours around are blurred
BEYOND = 2  # how far outside the outline the mirror stands
ENOUGH = 3.0  # sigma in pixels of what a blur is made from
EVEN_AREA = 0.3, 0.7  # area that is mirrored, over its image's, below which nothing is taken and above which all is


def paint_out(region: Image, matte: Floats) -> Image:
    """Fill a person with the background around: as in a mirror at its outline, and as a blur further in.

    Args:
        region: uint8 RGB (h, w, 3).
        matte: (h, w) float32, 1 on the person.

    Returns:
        uint8 RGB (h, w, 3).
    """
    return put_behind(region, *background(region, matte, matte))


def put_behind(region: Image, fill: Image, share: Floats) -> Image:
    """Return a region (h, w, 3) with the background over its person, both from `background`."""
    return np.asarray(cv2.blendLinear(fill, region, share, 1 - share), np.uint8)


def background(region: Image, matte: Floats, people: Floats) -> tuple[Image, Floats]:
    """Make up what is behind a person.

    Args:
        region: uint8 RGB (h, w, 3).
        matte: (h, w) float32, 1 on the person.
        people: (h, w) float32, 1 on everybody: nobody is filled with somebody else.

    Returns:
        uint8 RGB (h, w, 3), and (h, w) float32, 1 where the person is or may be.
    """
    height, width = region.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    hole, unknown = (
        cv2.dilate((cv2.resize(part, size) > 0.02).astype(np.uint8), np.ones((LOOSE, LOOSE), np.uint8))
        for part in (matte, people)
    )
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred = np.clip(spread(small, 1 - unknown.astype(np.float32), REACH, times=6), 0, 255).astype(np.uint8)
    way, sure = _mirrored(unknown)
    # The small picture says where a pixel comes from; the pixel itself is the photo's, as sharp and as grainy.
    zoom = np.divide((width, height), size).astype(np.float32)
    way, sure, share = (
        cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
        for grid in ((way + np.float32(0.5)) * zoom - np.float32(0.5), sure, _softened(hole))
    )
    mirrored = cv2.remap(region, way, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    blurred = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.blendLinear(mirrored, blurred, sure, 1 - sure), np.uint8), share


def spread(patch: Floats, known: Floats, reach: float, *, times: int = 3) -> Floats:
    """Spread the colours of a patch (h, w, 3) from where `known` (h, w) is 1: from near, where that fails from far.

    Args:
        patch: Colours, float32.
        known: float32, 0 to 1.
        reach: Sigma in pixels of the widest blur.
        times: How many blurs there are, each half as wide as the one before.

    Returns:
        (h, w, 3) float32.
    """
    colours = np.full_like(patch, (known[..., None] * patch).sum((0, 1)) / max(known.sum(), 1e-3))
    for sigma in reach / 2.0 ** np.arange(times):
        near, sure = (_blurred(part, sigma) for part in (known[..., None] * patch, known))
        colours = (near + 0.02 * colours) / (sure[..., None] + 0.02)
    return colours


def _blurred(part: Floats, sigma: float) -> Floats:
    """Blur numbers (h, w) or (h, w, C); widely blurred ones need few pixels."""
    size = part.shape[1::-1]
    few = tuple(max(round(length * min(ENOUGH / sigma, 1)), 1) for length in size)
    small = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma * few[0] / size[0]), size))


def _mirrored(unknown: Image) -> tuple[Floats, Floats]:
    """Find what each pixel of a hole is the mirror image of, at the hole's outline.

    Args:
        unknown: uint8 (h, w), 1 in the hole.

    Returns:
        (h, w, 2) float32 places (x, y) in pixels, and (h, w) float32, how far they can be trusted, 0 to 1.
    """
    # How deep a pixel lies in the hole, less than 0 outside: its slope leads straight to the outline.
    inside, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (unknown, 1 - unknown))
    depth = cv2.GaussianBlur(np.clip(inside - outside, -SIDE, SIDE), (0, 0), EVEN)
    across, down = (cv2.Sobel(depth, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1)))
    depth = np.maximum(depth, 0) + BEYOND
    step = -2 * depth / np.maximum(cv2.magnitude(across, down), 0.3)  # amid the hole there is no slope
    y, x = np.mgrid[: len(unknown), : unknown.shape[1]].astype(np.float32)
    way = np.dstack([x + step * across, y + step * down])
    # Not where the mirror would show a person, or what is outside the picture.
    clear = _softened(1 - cv2.dilate(unknown, np.ones((3, 3), np.uint8)))
    seen = cv2.remap(clear, way, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    sure = np.clip(2 * seen - 1, 0, 1) * np.clip(1.5 - depth / REACH, 0, 1)
    # Nor where it enlarges a little to much, as a hollow mirror does: that would be streaks. A plain one's is as large.
    (x_down, x_across), (y_down, y_across) = (np.gradient(way[..., axis]) for axis in (0, 1))
    area = abs(x_across * y_down - x_down * y_across)
    sure *= np.clip((area - EVEN_AREA[0]) / (EVEN_AREA[1] - EVEN_AREA[0]), 0, 1)
    return way, _softened(sure) * np.clip(2 * sure, 0, 1)


def _softened(mask: Image | Floats) -> Floats:
    """Soften the edges of a mask (h, w) by a pixel or two."""
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5), np.float32)
