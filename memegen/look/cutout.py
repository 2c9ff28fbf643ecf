"""Cut the people out of the frames of a sticker: a white border goes around them, and the rest becomes transparent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.base.networks import run_network
from memegen.face.detection import detect_faces

BORDER = 0.016  # width of the white border, as a share of the frame's side: 8 pixels of 512, as WhatsApp advises
_SIDE = 256  # input of the person segmentation network, pixels
_CERTAIN = (0.25, 0.75)  # what the network says where the person surely ends, and where it surely is
_HOLD = 0.6  # how much of the matte before is kept: the network's edge trembles from frame to frame
_FACE = (0.38, 0.45)  # radii of the ellipse in a face's box that is the person's for sure, in the box's size


def cut_out(frames: Iterable[Image]) -> Iterator[Image]:
    """Make everything but the people transparent, frame by frame.

    The matte is that of MediaPipe's selfie segmentation, of which the package has a copy.

    Args:
        frames: uint8 RGB (H, W, 3), all of one size.

    Yields:
        uint8 RGBA (H, W, 4), new arrays, not multiplied by their opacity; a white border goes around each person.
    """
    before: Floats | None = None
    for frame in frames:
        matte = _person(frame)
        before = matte if before is None else _HOLD * before + (1 - _HOLD) * matte
        yield _bordered(frame, before)


def _person(frame: Image) -> Floats:
    """Segment the people: (256, 256) float32, 1 on a person."""
    small = cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    [found] = run_network("selfie_segmentation", [small])
    low, high = _CERTAIN
    matte = np.asarray(smoothstep((found.reshape(_SIDE, _SIDE) - low) / (high - low)), np.float32)
    # Whatever the network says of a statue or a cat, its face belongs to the sticker.
    for face in detect_faces(small):
        middle = (round((face.left + face.right) / 2), round((face.top + face.bottom) / 2))
        radii = (round(_FACE[0] * face.width), round(_FACE[1] * face.height))
        cv2.ellipse(matte, middle, radii, 0, 0, 360, 1.0, -1)
    return matte


def _bordered(frame: Image, matte: Floats) -> Image:
    """Put the person on a white border that is a little larger, and make the rest transparent."""
    height, width = frame.shape[:2]
    radius = BORDER * min(height, width)
    # Cubic enlargement and a steeper edge: a matte of 256 pixels would be blurred over several of the frame's.
    inside = smoothstep(2 * cv2.resize(matte, (width, height), interpolation=cv2.INTER_CUBIC) - 0.5)
    # The border is what lies within its width of the person: a distance gives round corners and a soft outer edge.
    away = cv2.distanceTransform((inside < 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    alpha = np.clip(radius + 0.5 - np.asarray(away), 0, 1)
    colours = 255 - (255 - frame) * inside[..., None]
    return np.dstack([colours, 255 * alpha]).round().astype(np.uint8)
