"""Lines, tags and sizes: what all pictures are drawn with."""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image

Colour = tuple[int, int, int]

YELLOW: Colour = (255, 214, 10)
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (20, 20, 20)
CYAN: Colour = (0, 230, 255)
FONT = cv2.FONT_HERSHEY_DUPLEX
SUB = 4  # binary places of the coordinates given to OpenCV: shapes move smoothly
READABLE = 512  # long side in pixels to which small pictures are enlarged before something is written on them


def line_width(image: Image) -> int:
    """Pixels of a thin line that can be seen when the picture is shown at the width of a page."""
    return max(1, round(float(max(image.shape[:2])) / 320))


def draw_line(image: Image, points: Floats, colour: Colour, width: int, *, closed: bool = False) -> None:
    """Draw a line through points (P, 2) in pixels, in place."""
    fixed = np.round(np.asarray(points, np.float64) * 2**SUB).astype(np.int32)
    cv2.polylines(image, [fixed], closed, colour, width, cv2.LINE_AA, SUB)


def draw_tag(image: Image, text: str, corner: tuple[float, float], colour: Colour, tall: float) -> None:
    """Write black text on a patch of colour whose top left corner lies in the picture, in place; `tall` in pixels."""
    stroke = max(1, round(tall / 11))
    scale = cv2.getFontScaleFromHeight(FONT, max(1, round(tall * 0.62)), stroke)
    (width, height), _ = cv2.getTextSize(text, FONT, scale, stroke)
    pad = tall * 0.25
    w, h = round(width + 2 * pad), round(height + 2 * pad)
    left, top = (
        round(min(max(v, 0), max(0, room - size)))
        for v, room, size in zip(corner, image.shape[1::-1], (w, h), strict=True)
    )
    cv2.rectangle(image, (left, top), (left + w, top + h), colour, cv2.FILLED)
    cv2.putText(image, text, (left + round(pad), top + h - round(pad)), FONT, scale, BLACK, stroke, cv2.LINE_AA)


def scaled(image: Image, height: int) -> Image:
    """Scale a picture to a height in pixels."""
    if len(image) == height:
        return image
    width = max(1, round(image.shape[1] * height / len(image)))
    way = cv2.INTER_AREA if height < len(image) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)


def enlarged(image: Image) -> tuple[Image, float]:
    """Copy a picture, enlarged until its long side is READABLE; also the factor."""
    scale = max(1.0, READABLE / max(image.shape[:2]))
    if scale == 1:
        return np.ascontiguousarray(image).copy(), 1.0
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8), scale


def colour_of(number: int, count: int) -> Colour:
    """One of `count` hues that differ."""
    hue = np.array([[[180 * number / count, 190, 255]]]).astype(np.uint8)
    red, green, blue = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue
