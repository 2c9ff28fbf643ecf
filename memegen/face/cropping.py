"""Boxes around faces, the squares that are cut out around them, and soft outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError


@dataclass(frozen=True)
class FaceBox:
    """A face in a picture.

    Attributes:
        left: Pixels from the picture's left edge; `top`, `right` and `bottom` likewise. Floats, may lie outside.
        roll: How far the line between the eyes is turned clockwise, radians.
        score: The detector's confidence, 0 to 1.
        points: Right eye, left eye, nose tip, right and left mouth corner as (x, y) pixels; empty for a box by hand.
    """

    left: float
    top: float
    right: float
    bottom: float
    roll: float = 0.0
    score: float = 1.0
    points: tuple[tuple[float, float], ...] = ()

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """The middle as (x, y) pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def scaled(self, factor: float) -> FaceBox:
        """Return the box grown or shrunk about its middle, each side times `factor`."""
        (x, y), w, h = self.centre, self.width * factor / 2, self.height * factor / 2
        return replace(self, left=x - w, top=y - h, right=x + w, bottom=y + h)

    def square(self, margin: float = 0.0) -> FaceBox:
        """Return the square about the same middle whose side is the longer one plus `margin` of it on each side."""
        (x, y), half = self.centre, max(self.width, self.height) * (0.5 + margin)
        return replace(self, left=x - half, top=y - half, right=x + half, bottom=y + half)

    def union(self, other: FaceBox) -> FaceBox:
        """Return the smallest box around both."""
        return replace(
            self,
            left=min(self.left, other.left),
            top=min(self.top, other.top),
            right=max(self.right, other.right),
            bottom=max(self.bottom, other.bottom),
        )

    def clip(self, width: float, height: float) -> FaceBox:
        """Return the part that lies inside a picture of `width` by `height` pixels."""
        left, right = (min(max(x, 0.0), width) for x in (self.left, self.right))
        top, bottom = (min(max(y, 0.0), height) for y in (self.top, self.bottom))
        return replace(self, left=left, top=top, right=right, bottom=bottom)

    def moved(self, x: float, y: float) -> FaceBox:
        """Return the box and its points shifted by some pixels."""
        points = tuple((px + x, py + y) for px, py in self.points)
        left, right, top, bottom = self.left + x, self.right + x, self.top + y, self.bottom + y
        return replace(self, left=left, top=top, right=right, bottom=bottom, points=points)

    def overlap(self, other: FaceBox) -> float:
        """Return the area shared with another box over that of the smaller of the two."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        smaller = min(self.width * self.height, other.width * other.height)
        return max(width, 0.0) * max(height, 0.0) / max(smaller, 1e-6)

    def inside(self, width: float, height: float) -> FaceBox:
        """Return the square shrunk and shifted until it lies inside a picture of `width` by `height` pixels."""
        side = min(max(self.width, self.height), width, height)
        (x, y), half = self.centre, side / 2
        x, y = min(max(x, half), width - half), min(max(y, half), height - half)
        return replace(self, left=x - half, top=y - half, right=x + half, bottom=y + half)


def points_box(points: Floats) -> FaceBox:
    """Return the upright box around points (K, 2 or 3) in pixels."""
    (left, top), (right, bottom) = points[:, :2].min(0).tolist(), points[:, :2].max(0).tolist()
    return FaceBox(left, top, right, bottom)


def window(points: Floats, margin: float, picture: Image) -> tuple[slice, slice]:
    """Return rows and columns around points (P, 2) with a margin in pixels, as an index; empty outside the picture."""
    starts, stops = points.min(0).tolist(), points.max(0).tolist()
    columns, rows = (
        slice(min(max(math.floor(start - margin), 0), end), min(max(math.ceil(stop + margin) + 1, 0), end))
        for start, stop, end in zip(starts, stops, picture.shape[1::-1], strict=True)
    )
    return rows, columns


def soft_mask(outline: Floats, size: tuple[int, ...], blur: float) -> Floats:
    """Draw a mask with a soft edge: (H, W) float32, 1 inside and half on the edge.

    Args:
        outline: (P, 2) pixels.
        size: Width and height of the result.
        blur: Sigma of the edge, pixels.
    """
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)  # in 1/16 pixel
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur))


def crop_face(image: Image, box: FaceBox, *, margin: float = 0.4, side: int = 256) -> Image:
    """Cut an upright square around a face and scale it.

    Args:
        image: uint8 RGB (H, W, 3).
        box: The face in pixels.
        margin: Room on each side as a part of the box's longer side.
        side: Pixels of the result's side.

    Returns:
        uint8 RGB (side, side, 3); what lies outside the picture repeats its edge.

    Raises:
        InputError: The box is empty.
    """
    refuse_empty(box)
    square = box.square(margin)
    scale = side / square.width
    centres = scale / 2 - 0.5  # pixel centres stay pixel centres
    matrix = np.array([[scale, 0, centres - scale * square.left], [0, scale, centres - scale * square.top]])
    if scale < 1:  # warpAffine has no area filter: blur first so that nothing aliases
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def refuse_empty(box: FaceBox) -> None:
    """Raise InputError for a box without area."""
    if not (box.width > 0 and box.height > 0):
        raise InputError(f"The face box {box} is empty: give left < right and top < bottom in pixels.")


def whole_square(box: FaceBox) -> FaceBox:
    """Round a box to the square of whole pixels about the same middle."""
    side = max(round(max(box.width, box.height)), 2)
    (x, y) = box.centre
    left, top = round(x - side / 2), round(y - side / 2)
    return FaceBox(left, top, left + side, top + side)
