"""The inside of an opening mouth: the photo does not show it, so it comes from the driver, in the photo's light."""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.topology import CHIN, FOREHEAD, INNER_LIPS, LIPS, LOWER_FACE, MOUTH, eye_distance, face_model
from memegen.mesh.raster import rasterise

TUCK = 0.12  # how much of the driver's mouth is cut off at its lips, over the way to the middle
SOFT = 0.008  # blur of the mouth's edge, over the inter-ocular distance
PALE = 0.2  # how much colour is removed from the driver's mouth
OPEN = 0.025  # opening beyond the photo's own, over the inter-ocular distance, at which the driver's mouth covers it


def match_colours(photo: Image, landmarks: Floats, frame: Image, driving: Floats) -> Floats:
    """Measure how to show the driver's mouth in the photo's light, by comparing the skin of both lower faces.

    Args:
        photo: uint8 RGB (H, W, 3).
        landmarks: (468, 2 or 3) pixels in the photo.
        frame: uint8 RGB, a frame of the driver.
        driving: (468, 2 or 3) pixels in the frame.

    Returns:
        (3, 3) matrix for RGB colours: the ratio of the two skins, with less colour, because teeth are grey.
    """
    # The 8 keeps the ratio calm in the dark. Brightness and tint are limited separately.
    ratio = (_skin(photo, landmarks) + 8) / (_skin(frame, driving) + 8)
    light = float(np.clip(ratio.mean(), 0.4, 1.1))
    gains = light * np.clip(ratio / ratio.mean(), 0.5, 2.0)
    grey = np.full((3, 3), PALE / 3) + (1 - PALE) * np.eye(3)
    return grey @ np.diag(gains)


def paint_mouth(region: Image, lips: Floats, frame: Image, driving: Floats, *, tint: Floats, opacity: float) -> Image:
    """Paint the inside of the driver's mouth between the photo's moved lips.

    Args:
        region: uint8 RGB (h, w, 3), changed in place.
        lips: (468, 2 or 3) moved landmarks, pixels of the region.
        frame: uint8 RGB, the driving frame.
        driving: (468, 2 or 3) landmarks in it, pixels.
        tint: (3, 3) from `match_colours`.
        opacity: From 0, which leaves the photo's own mouth, to 1, which covers it.

    Returns:
        The region.
    """
    opening, theirs = lips[LIPS, :2], driving[LIPS, :2]
    soft = SOFT * float(eye_distance(lips[:, :2]))
    left, top = np.maximum(np.floor(opening.min(0) - 6 * soft), 0).astype(int)
    right, bottom = np.minimum(np.ceil(opening.max(0) + 6 * soft), region.shape[1::-1]).astype(int)
    if opacity <= 0 or right - left < 2 or bottom - top < 2:
        return region
    corner, size = np.array([left, top]), (int(right - left), int(bottom - top))
    # Warp the driver's mouth triangle by triangle. Its own lips are cut off, the photo's are widened for the soft edge.
    triangles = face_model().triangles[MOUTH]
    theirs = driving[:, :2] + TUCK * (driving[LIPS, :2].mean(0) - driving[:, :2])
    wide = _widen(lips[:, :2] - corner, 3 * soft)
    flow, covered = rasterise(wide[triangles], theirs[triangles], size=size)
    inside = cv2.remap(frame, flow, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    # A soft mask of the opening, drawn in 1/16 pixel
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.round((opening - corner) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    weight = cv2.GaussianBlur(mask, (0, 0), max(soft, 0.4)).astype(np.float32) * np.float32(opacity / 255)
    weight[~covered] = 0
    inside = cv2.transform(inside, tint)
    patch = region[top:bottom, left:right]
    patch[:] = cv2.blendLinear(inside, patch, weight, 1 - weight)
    return region


def _widen(lips: Floats, by: float) -> Floats:
    """Move the lips of landmarks (468, 2) apart by some pixels each, along the face, corners left out."""
    down = lips[CHIN] - lips[FOREHEAD]
    step = by * down / np.linalg.norm(down)
    wide = lips.copy()
    wide[INNER_LIPS[0][1:-1]] -= step
    wide[INNER_LIPS[1][1:-1]] += step
    return wide


def mouth_opacity(opening: float, own: float) -> float:
    """Return how much the driver's mouth covers: not at all up to the photo's own opening, then more, then fully.

    Args:
        opening: The mouth's opening now, over the inter-ocular distance.
        own: The photo's own.
    """
    return float(smoothstep((opening - own) / OPEN))


def _skin(image: Image, landmarks: Floats) -> Floats:
    """Mean colour (3,) of the lower face with the lips, but without the eyes and the inside of the mouth."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [landmarks[LOWER_FACE, :2].astype(np.int32)], 255)
    cv2.fillPoly(mask, [landmarks[LIPS, :2].astype(np.int32)], 0)
    return np.array(cv2.mean(image, mask)[:3])
