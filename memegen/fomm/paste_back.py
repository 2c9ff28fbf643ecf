"""Put squares that a network drew back into the photo they were cut from, in the photo's full resolution.

A network's square is small, slightly blurred and slightly off in colour; the photo is not. So the movement is measured
on the squares, and the photo's own pixels make it. Only what the photo can't show (teeth, closed lids) comes from the
square. Towards the square's edge the movement fades out, so there is no seam and nothing appears twice.
"""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.cropping import FaceBox, crop_face

FEATHER = 0.16  # width of the fading at the edge, over the square's side
TINT = 1 / 24  # blur of the difference in colour between photo and network, over the square's side
NOISE = 0.25  # movement, in pixels of the square, below which there is none
SHARPEN = 1.5  # gain of the sharpening of what the photo can't show
NEAR, CHANGE = 1 / 24, (0.4, 1.2)  # grey levels of change around a pixel at which it begins to move, moves fully
UNLIKE = 14.0  # grey levels of difference from the moved photo at which the square's pixels are taken


class PasteBack:
    """Puts one face's squares back into the photo.

    Colours are matched once, with what the network draws when nothing moves, so that they can't flicker. For the same
    reason every square is compared with that picture, not with the square before.

    Args:
        photo: uint8 RGB (H, W, 3).
        box: Where the squares belong, from `whole_square`; it may reach beyond the photo.
        still: What the network draws when nothing moves, uint8 RGB (S, S, 3).
        part: (H, W) float32, how much of the photo belongs to this face, 0 to 1; all of it when None.
    """

    def __init__(self, photo: Image, box: FaceBox, still: Image, *, part: Floats | None = None) -> None:
        self._size = len(still)
        self._side = side = round(box.width)
        left, top = round(box.left), round(box.top)
        height, width = photo.shape[:2]
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
        self.window = np.s_[y0 : max(y1, y0), x0 : max(x1, x0)]
        self._cut = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        crop = crop_face(photo, box, margin=0, side=self._size)
        # The difference in colour between photo and network, blurred: colours without detail.
        self._tint = _blurred(crop.astype(np.float32) - still, self._size * TINT)
        self._still = still
        self._grey = cv2.cvtColor(still, cv2.COLOR_RGB2GRAY)
        mask = self._edges(left, top, width, height)
        if part is not None:
            mask *= _cropped(part, box, self._size)
        self._mask = cv2.merge([mask] * 3)
        self._patch = photo[self.window]
        rows, columns = (np.arange(span.start, span.stop, dtype=np.float32) for span in self.window)
        self._pixels = np.dstack(np.meshgrid(columns - x0, rows - y0))
        self._cells = np.dstack(np.meshgrid(*[np.arange(self._size, dtype=np.float32)] * 2))
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def onto(self, picture: Image, square: Image) -> None:
        """Put a square onto a picture of the photo's size, in place.

        Args:
            picture: uint8 RGB (H, W, 3): the photo, or the photo with other faces already in it.
            square: uint8 RGB (S, S, 3), what the network drew.
        """
        if not self._patch.size:
            return
        flow, moved, trust = self._movement(square)
        # Where the moved still explains the square (trust), add only their difference; elsewhere draw the square itself
        # in the photo's colours, sharpened, as it lacks the photo's detail.
        loose = cv2.merge([1 - trust] * 3)
        own = cv2.subtract(square, moved, dtype=cv2.CV_32F) + loose * (moved + self._tint)
        own += loose * cv2.subtract(_crisp(square), square, dtype=cv2.CV_32F)
        keep = cv2.subtract(1.0, self._mask * loose)
        # The photo's own pixels, moved by the flow at full resolution; the mask fades the movement towards the edge.
        path = self._pixels + self._up(flow * self._mask[..., :2] * np.float32(self._side / self._size))
        warped = cv2.remap(self._patch, path, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        warped = cv2.multiply(warped, self._up(keep), dtype=cv2.CV_32F)
        picture[self.window] = cv2.add(warped, self._up(self._mask * own), dtype=cv2.CV_8U)

    def _movement(self, square: Image) -> tuple[Floats, Image, Floats]:
        """Return where each pixel of a square comes from, the still picture moved so, and their likeness, 0 to 1."""
        # Backward flow: for each pixel of the square, where the still picture shows it.
        flow = self._flow.calc(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), self._grey, None)
        length = cv2.max(cv2.magnitude(flow[..., 0], flow[..., 1]), 1e-6)
        # Flow is noise where the square hardly changes: open a gate by the change, and subtract the noise's length.
        change = _grey_difference(square, self._still, self._size * NEAR)
        gate = np.clip((change - CHANGE[0]) / (CHANGE[1] - CHANGE[0]), 0, 1)
        flow *= (gate * np.maximum(length - NOISE, 0) / length)[..., None]
        moved = cv2.remap(self._still, self._cells + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # A Gaussian of the remaining difference: 1 where the moved still is right, 0 for teeth and closed lids.
        unlike = _grey_difference(square, moved, self._size / 128)
        return flow, np.asarray(moved), np.exp(-((unlike / UNLIKE) ** 2))

    def _up(self, array: Floats) -> Floats:
        """Scale an array from the square's size to the photo's, and cut off what lies outside the photo."""
        kind = cv2.INTER_CUBIC if self._side >= self._size else cv2.INTER_AREA
        return np.asarray(cv2.resize(array, (self._side, self._side), interpolation=kind)[self._cut])

    def _edges(self, left: int, top: int, width: int, height: int) -> Floats:
        """Return the mask, (S, S): 1 inside, fading to 0 at the square's edges, except at those beyond the photo."""
        place = (np.arange(self._size) + 0.5) / self._size

        def fade(low: bool, high: bool) -> Floats:
            near = smoothstep(place / FEATHER) if low else np.ones_like(place)
            return near * (smoothstep((1 - place) / FEATHER) if high else 1)

        across = fade(left > 0, left + self._side < width)
        down = fade(top > 0, top + self._side < height)
        return np.asarray(np.outer(down, across), np.float32)


def _cropped(part: Floats, box: FaceBox, size: int) -> Floats:
    """Cut a mask (H, W) as `crop_face` cuts a picture."""
    mask = crop_face(cv2.merge([np.asarray(part * 255, np.uint8)] * 3), box, margin=0, side=size)
    return np.asarray(mask[..., 0], np.float32) / 255


def _crisp(square: Image) -> Image:
    """Sharpen a square; no pixel leaves the range of its neighbours, which prevents halos."""
    sharp = cv2.addWeighted(square, 1 + SHARPEN, cv2.GaussianBlur(square, (0, 0), 1.5), -SHARPEN, 0)
    around = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.min(cv2.max(sharp, cv2.erode(square, around)), cv2.dilate(square, around)), np.uint8)


def _grey_difference(a: Image, b: Image, sigma: float) -> Floats:
    """Return how much two pictures differ around each pixel, in grey levels."""
    grey = cv2.cvtColor(cv2.absdiff(a, b), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma))


def _blurred(array: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(array, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)
