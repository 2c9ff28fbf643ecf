"""Where pictures go in a frame: formats, bars beside the picture, and the area that platforms leave clear."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from memegen.base.arrays import Image
from memegen.look.captions import Box
from memegen.look.options import Format, read_colour

Size = tuple[int, int]

SIZES: dict[str, Size] = {
    "square": (1080, 1080),
    "vertical": (1080, 1920),
    "horizontal": (1920, 1080),
    "sticker": (512, 512),
}
TALL = 1.5  # height over width from which a frame is for phones, whose apps lay buttons and texts over it
GAP = 0.01  # between driver and meme, as a share of the height
_DIM = 0.5  # brightness of blurred bars
_BLUR = 0.04  # standard deviation of their blur, as a share of the shorter side


@dataclass(frozen=True, eq=False)
class Canvas:
    """A frame to be filled.

    Attributes:
        background: uint8 RGB (H, W, 3), both sides even: what shows beside the pictures. Or RGBA (H, W, 4): then the
            filled frames are RGBA, too.
        meme: Left, top, right and bottom of the meme, in pixels.
        driver: The same for the driving clip, or None.
    """

    background: Image
    meme: Box
    driver: Box | None = None

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return self.background.shape[1], self.background.shape[0]

    def fill(self, frame: Image, driver: Image | None = None) -> Image:
        """Return a new frame with the pictures in it.

        Args:
            frame: The meme, uint8 RGB (H, W, 3) of any size, or RGBA (H, W, 4) if the background is.
            driver: The driving clip's picture.
        """
        whole = np.empty_like(self.background) if self.meme == (0, 0, *self.size) else self.background.copy()
        for picture, box in ((frame, self.meme), (driver, self.driver)):
            if picture is not None and box is not None:
                left, top, right, bottom = box
                picture = opaque(picture) if whole.shape[2] > picture.shape[2] else picture
                _put(picture, whole[top:bottom, left:right])
        return whole


def canvas_size(format: Format, content: Size, limit: Size | None = None) -> Size:
    """Return the even width and height of a format in pixels.

    Args:
        format: The shape; "original" keeps the size of the content.
        content: Width and height of the content.
        limit: Largest width and height; a larger canvas is scaled down.
    """
    width, height = SIZES.get(format, content)
    scale = min(1.0, limit[0] / width, limit[1] / height) if limit else 1.0
    return max(int(width * scale) // 2 * 2, 2), max(int(height * scale) // 2 * 2, 2)


def beside(meme: Size, driver: Size) -> Size:
    """Return width and height of a driver and a meme side by side, as high as the meme, with a thin gap."""
    height = meme[1]
    return meme[0] + round(height * GAP) + round(driver[0] * height / driver[1]), height


def opaque(picture: Image) -> Image:
    """Return an RGB picture as RGBA (H, W, 4) without transparent parts."""
    return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])


def lay_out(
    size: Size, meme: Size, photo: Image, *, bars: str = "blur", driver: Size | None = None, clear: bool = False
) -> Canvas:
    """Put a meme, or a driver and a meme, in the middle of a frame, as large as they fit.

    Args:
        size: Width and height of the frame, even.
        meme: Width and height of the meme.
        photo: uint8 RGB (H, W, 3), what blurred bars are made of.
        bars: "blur", or a colour in CSS notation: "black", "#ff8800".
        driver: Width and height of the driving clip, which goes on the left.
        clear: Whether what shows beside them is transparent instead.

    Raises:
        InputError: There is no such colour.
    """
    whole = beside(meme, driver) if driver else meme
    scale = min(size[0] / whole[0], size[1] / whole[1])
    left, top, right, bottom = _centred(size, whole, scale)
    background = np.zeros((size[1], size[0], 4), np.uint8) if clear else _background(size, photo, bars)
    if not driver:
        return Canvas(background, (left, top, right, bottom))
    split = left + round(driver[0] * meme[1] / driver[1] * scale)
    gap = max(round(meme[1] * GAP * scale), 1)
    return Canvas(background, (split + gap, top, right, bottom), (left, top, split, bottom))


def safe_area(size: Size) -> Box:
    """Return the part of a frame that platforms leave clear: left, top, right and bottom in pixels.

    On a tall frame the apps for short clips cover the edges with texts and buttons: the top 8 %, the bottom 20 % and
    the right 12 % are left to them. These are our own round figures, no platform's: layouts change, and a long
    description may reach higher. On other frames a margin of 3 % of the shorter side is left.
    """
    width, height = size
    margin = max(round(0.03 * min(size)), 1)
    if height < TALL * width:
        return margin, margin, width - margin, height - margin
    return margin, round(0.08 * height), round(0.88 * width), round(0.8 * height)


def _centred(size: Size, content: Size, scale: float) -> Box:
    """Centre content in a frame; bars thinner than two pixels are filled."""
    sides = []
    for length, inner in zip(size, content, strict=True):
        drawn = round(inner * scale)
        drawn = length if length - drawn < 4 else drawn
        begin = (length - drawn) // 2
        sides.append((begin, begin + drawn))
    (left, right), (top, bottom) = sides
    return left, top, right, bottom


def _put(picture: Image, part: Image) -> None:
    """Scale a picture to a part of a frame and write it there; one row or column too many is cut off instead."""
    (height, width), (rows, columns) = picture.shape[:2], part.shape[:2]
    if 0 <= width - columns <= 1 and 0 <= height - rows <= 1:
        part[:] = picture[:rows, :columns]
        return
    while width >= 2 * columns and height >= 2 * rows:  # halving is exact, and far faster than any other factor
        height, width = height // 2, width // 2
        picture = cv2.resize(picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    method = cv2.INTER_LINEAR if width * height > columns * rows else cv2.INTER_CUBIC
    cv2.resize(picture, (columns, rows), dst=part, interpolation=method)


def _background(size: Size, photo: Image, bars: str) -> Image:
    """Draw the bars: the photo, blurred and darkened, as large as the frame; or a colour."""
    width, height = size
    if bars != "blur":
        return np.full((height, width, 3), read_colour(bars), np.uint8)
    scale = max(width / photo.shape[1], height / photo.shape[0])
    cut_width, cut_height = min(round(width / scale), photo.shape[1]), min(round(height / scale), photo.shape[0])
    left, top = (photo.shape[1] - cut_width) // 2, (photo.shape[0] - cut_height) // 2
    cut = photo[top : top + max(cut_height, 1), left : left + max(cut_width, 1)]
    # Blurred at an eighth of the size: the blur hides the difference and takes a fraction of the time.
    small = cv2.resize(cut, (max(width // 8, 1), max(height // 8, 1)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small.astype(np.float32) * _DIM, (0, 0), max(min(small.shape[:2]) * _BLUR, 0.5))
    return np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_CUBIC)).round().clip(0, 255).astype(np.uint8)
