"""Puts the squares that a network drew back into the photo they were cut from, in the photo's full resolution.

A network's square is small, a little blurred, and a little off in colour; the photo is not. So the photo's own pixels
make the movement that is measured in the squares, and only what the photo can't show (teeth, shut lids) comes from the
square. The movement fades out towards the square's edge: nothing is drawn twice, and no seam is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.casting import territory
from memegen.face.cropping import FaceBox, crop_face, soft_mask
from memegen.face.options import Region
from memegen.face.topology import FACE_OVAL, LOWER_FACE, Landmarks

FEATHER = 0.16  # width of the fading at the edge, over the square's side
TINT = 1 / 24  # blur of the difference in colour between photo and network, over the square's side
NOISE = 0.25  # pixels of the square: a shorter movement counts as none
SHARPEN = 1.5  # how much what the photo can't show is sharpened
NEAR = 1 / 24  # how far around a pixel changes count for it, over the square's side
CHANGE = (0.4, 1.2)  # grey levels of change at which a pixel begins to move, and moves fully
ALIKE = 1 / 128  # blur of the difference between square and moved photo, over the square's side
UNLIKE = 14.0  # grey levels by which a pixel must differ from the moved photo to come from the square
JAW = [point for point in LOWER_FACE if point not in (116, 345)]  # without the corners beside the eyes
PARTS: dict[Region, list[int]] = {"mouth": JAW, "face": FACE_OVAL}  # outlines of what may follow alone
AROUND = 1.2  # size of what is pasted, over that outline: a chin needs room to go down
SOFT = 1 / 40  # blur of its edge, over the square's side


def part_mask(landmarks: Landmarks, box: FaceBox, part: Region, side: int) -> Floats:
    """Return how much of a square follows the driver, (side, side) float32, 0 to 1; all of it with "head".

    Args:
        landmarks: (478, 2 or 3) of the face, pixels.
        box: The square, in the same pixels.
        part: What follows.
        side: Pixels of the result's side.
    """
    if part == "head":
        return np.ones((side, side), np.float32)
    outline = (landmarks[PARTS[part], :2] - [box.left, box.top]) * (side / box.width)
    middle = outline.mean(0)
    return soft_mask(middle + AROUND * (outline - middle), (side, side), SOFT * side)


def share_square(box: FaceBox, face: FaceBox, others: Sequence[FaceBox], side: int) -> Floats:
    """Return how much of a square belongs to a face and not to others, (side, side) float32, see `territory`."""
    whole = round(box.width)
    own = territory(face, others, (whole, whole), corner=(box.left, box.top))
    return np.asarray(cv2.resize(own, (side, side), interpolation=cv2.INTER_AREA))


class PasteBack:
    """Puts one face's squares back into the photo.

    The colours are matched once, against what the network makes of the photo when nothing moves, so that they can't
    flicker. For the same reason movement is measured against that picture and not from square to square.

    Args:
        photo: uint8 RGB (H, W, 3).
        box: Where the squares belong, from `whole_square`; may reach beyond the photo.
        still: What the network makes of the crop when nothing moves, uint8 RGB (S, S, 3).
        part: float32, as square as the box and of any resolution: how much of it belongs to this face, 0 to 1; all of
            it when None.
    """

    def __init__(self, photo: Image, box: FaceBox, still: Image, *, part: Floats | None = None) -> None:
        self._size = len(still)
        self._side = side = round(box.width)
        left, top = round(box.left), round(box.top)
        height, width = photo.shape[:2]
        # The part of the square that lies within the photo: `window` in the photo's pixels, `_cut` in the square's.
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
        self.window = np.s_[y0 : max(y1, y0), x0 : max(x1, x0)]
        self._cut = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        # Only the broad difference in colour: fine differences are the network's blur, which stays out of the photo.
        crop = crop_face(photo, box, margin=0, side=self._size)
        tint, blur = crop.astype(np.float32) - still, self._size * TINT
        self._tint = cv2.GaussianBlur(tint, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        self._still = still
        self._grey = cv2.cvtColor(still, cv2.COLOR_RGB2GRAY)
        mask = self._edges(left, top, width, height)
        if part is not None:
            mask *= cv2.resize(part, (self._size, self._size), interpolation=cv2.INTER_AREA)
        self._mask = cv2.merge([mask] * 3)
        # Coordinates for `remap`, of the photo's window and of the square.
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
        patch = picture[self.window]
        if not patch.size:
            return
        flow, moved, trust = self._movement(square)
        loose = cv2.merge([1 - trust] * 3)
        # What is new, in the photo's colours and sharpened; where the moved photo is like the square, only their
        # difference, which is small and keeps the square's shading.
        own = cv2.subtract(square, moved, dtype=cv2.CV_32F) + loose * (moved + self._tint)
        own += loose * cv2.subtract(_crisp(square), square, dtype=cv2.CV_32F)
        keep = cv2.subtract(1.0, self._mask * loose)
        # The photo's pixels make the movement, scaled from the square's pixels to the photo's and faded at the edge.
        path = self._pixels + self._up(flow * self._mask[..., :2] * np.float32(self._side / self._size))
        warped = cv2.remap(patch, path, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        warped = cv2.multiply(warped, self._up(keep), dtype=cv2.CV_32F)
        picture[self.window] = cv2.add(warped, self._up(self._mask * own), dtype=cv2.CV_8U)

    def _movement(self, square: Image) -> tuple[Floats, Image, Floats]:
        """Return where a square's pixels come from, the still picture so moved, and how alike both are, 0 to 1."""
        flow = self._flow.calc(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), self._grey, None)
        length = cv2.max(cv2.magnitude(flow[..., 0], flow[..., 1]), 1e-6)
        # Where nothing changes, and below the noise, flow is a guess that would make still skin tremble.
        change = _grey_difference(square, self._still, self._size * NEAR)
        gate = np.clip((change - CHANGE[0]) / (CHANGE[1] - CHANGE[0]), 0, 1)
        flow *= (gate * np.maximum(length - NOISE, 0) / length)[..., None]
        moved = cv2.remap(self._still, self._cells + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        unlike = _grey_difference(square, moved, self._size * ALIKE)
        return flow, np.asarray(moved), np.exp(-((unlike / UNLIKE) ** 2))

    def _up(self, array: Floats) -> Floats:
        """Bring an array from the square's size to the photo's, and cut off what lies outside the photo."""
        kind = cv2.INTER_CUBIC if self._side >= self._size else cv2.INTER_AREA
        return np.asarray(cv2.resize(array, (self._side, self._side), interpolation=kind)[self._cut])

    def _edges(self, left: int, top: int, width: int, height: int) -> Floats:
        """Return the mask (S, S): 1 inside, fading to 0 at the square's edges, but not at edges beyond the photo's."""
        place = (np.arange(self._size) + 0.5) / self._size
        near, far, full = smoothstep(place / FEATHER), smoothstep((1 - place) / FEATHER), np.ones_like(place)
        across = (near if left > 0 else full) * (far if left + self._side < width else full)
        down = (near if top > 0 else full) * (far if top + self._side < height else full)
        return np.asarray(np.outer(down, across), np.float32)


def _crisp(square: Image) -> Image:
    """Sharpen a square, no pixel beyond the brightest and darkest around it: no halos."""
    sharp = cv2.addWeighted(square, 1 + SHARPEN, cv2.GaussianBlur(square, (0, 0), 1.5), -SHARPEN, 0)
    around = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.min(cv2.max(sharp, cv2.erode(square, around)), cv2.dilate(square, around)), np.uint8)


def _grey_difference(a: Image, b: Image, sigma: float) -> Floats:
    """Return how much two pictures differ around each pixel, grey levels."""
    grey = cv2.cvtColor(cv2.absdiff(a, b), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma))
