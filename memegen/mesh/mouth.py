"""The inside of an opening mouth: a photo does not show it, so it comes from the driver, in the photo's light."""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.topology import INNER_LIPS, LOWER_FACE, face_model
from memegen.mesh.warp import rasterise

LIPS = [*INNER_LIPS[0], *INNER_LIPS[1][-2:0:-1]]  # the loop around the opening
MOUTH = slice(-18, None)  # the triangles that close the mouth
TUCK = 0.12  # how far the driver's lips are cut off, in parts of the way to the middle
SOFT = 0.008  # blur of the mouth's edge over the inter-ocular distance
PALE = 0.2  # how much colour is taken out of the driver's mouth
CLOSED, OPEN = 0.0, 0.025  # extra opening over the inter-ocular distance at which the driver's mouth fades in, is in


def match_colours(photo: Image, landmarks: Floats, frame: Image, driving: Floats) -> Floats:
    """Measure how to show the driver's mouth in the photo's light, from the lower halves of both faces.

    Args:
        photo: uint8 RGB (H, W, 3).
        landmarks: (468, 2 or 3) pixels in the photo.
        frame: uint8 RGB, a frame of the driver.
        driving: (468, 2 or 3) pixels in the frame.

    Returns:
        (3, 3) matrix for RGB colours: the ratio of the two skins, with some of the colour taken out: teeth are grey.
    """
    ratio = (_skin(photo, landmarks) + 8) / (_skin(frame, driving) + 8)
    light = float(np.clip(ratio.mean(), 0.4, 1.1))
    gains = light * np.clip(ratio / ratio.mean(), 0.5, 2.0)
    grey = np.full((3, 3), PALE / 3) + (1 - PALE) * np.eye(3)
    return grey @ np.diag(gains)


def paint_mouth(region: Image, lips: Floats, frame: Image, driving: Floats, *, tint: Floats, opacity: float) -> Image:
    """Put the inside of the driver's mouth between the photo's moved lips.

    Args:
        region: uint8 RGB (h, w, 3), changed in place.
        lips: (468, 2 or 3) moved landmarks, pixels of the region.
        frame: uint8 RGB, the driving frame.
        driving: (468, 2 or 3) landmarks in it, pixels.
        tint: (3, 3) from `match_colours`.
        opacity: 0 leaves the photo's own mouth, 1 covers it.

    Returns:
        The region.
    """
    opening, theirs = lips[LIPS, :2], driving[LIPS, :2]
    soft = SOFT * float(np.linalg.norm(lips[33, :2] - lips[263, :2]))
    left, top = np.maximum(np.floor(opening.min(0) - 6 * soft), 0).astype(int)
    right, bottom = np.minimum(np.ceil(opening.max(0) + 6 * soft), region.shape[1::-1]).astype(int)
    if opacity <= 0 or right - left < 2 or bottom - top < 2:
        return region
    corner, size = np.array([left, top]), (int(right - left), int(bottom - top))
    triangles = face_model().triangles[MOUTH]
    theirs = driving[:, :2] + TUCK * (driving[LIPS, :2].mean(0) - driving[:, :2])
    wide = _widen(lips[:, :2] - corner, 3 * soft)
    flow, _ = rasterise(wide[triangles], theirs[triangles], size=size)
    inside = cv2.remap(frame, flow, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.round((opening - corner) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    weight = cv2.GaussianBlur(mask, (0, 0), max(soft, 0.4)).astype(np.float32) * np.float32(opacity / 255)
    inside = cv2.transform(inside, tint)
    patch = region[top:bottom, left:right]
    patch[:] = cv2.blendLinear(inside, patch, weight, 1 - weight)
    return region


def _widen(lips: Floats, by: float) -> Floats:
    """Move the lips (468, 2) apart by some pixels each, so that the driver's mouth reaches under their soft edge."""
    down = lips[152] - lips[10]
    step = by * down / np.linalg.norm(down)
    wide = lips.copy()
    wide[list(INNER_LIPS[0][1:-1])] -= step
    wide[list(INNER_LIPS[1][1:-1])] += step
    return wide


def mouth_opacity(opening: float, own: float) -> float:
    """Decide how much of the driver's mouth shows: none while the photo's own opening is enough, then all.

    Args:
        opening: The mouth's opening now, over the inter-ocular distance.
        own: The photo's own.
    """
    t = float(np.clip((opening - own - CLOSED) / (OPEN - CLOSED), 0, 1))
    return t * t * (3 - 2 * t)


def _skin(image: Image, landmarks: Floats) -> Floats:
    """Mean colour (3,) of the lower face, lips included, so that teeth and eyes do not count."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [landmarks[LOWER_FACE, :2].astype(np.int32)], 255)
    cv2.fillPoly(mask, [landmarks[LIPS, :2].astype(np.int32)], 0)
    return np.array(cv2.mean(image, mask)[:3])
