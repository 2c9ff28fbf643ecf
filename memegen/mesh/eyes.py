"""Shutting eyes that the photo shows open: lids of skin instead of stretched lashes, and a dark line between them."""

from __future__ import annotations

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.topology import EYE_LIDS, eye_distance

SKIN = (0.45, 0.25)  # where the skin of the upper and lower lid begins, measured from its edge, over the eye's opening
LASHES = 0.5  # how much darker than the skin the line between the lids is
WIDTH = 0.022  # of that line, over the inter-ocular distance


def shut_part(now: Floats, rest: Floats) -> Floats:
    """Measure how far each eye is shut, compared with the photo: (2, 7, 1) for the pairs of lid points, 0 to 1.

    Args:
        now: (468, 2) moved landmarks, pixels.
        rest: (468, 2) the photo's own.
    """
    parts = []
    for upper, lower in EYE_LIDS:
        a, b = upper[1:-1], lower[1:-1]  # without the corners, which never part
        left, gap = (np.linalg.norm(points[b] - points[a], axis=1) for points in (now, rest))
        parts.append(np.clip(1 - left / np.maximum(gap, 1e-3), 0, 1)[:, None])
    return np.stack(parts)


def lids_of_skin(rest: Floats, shut: Floats) -> Floats:
    """Move the places that the lids' edges are taken from onto the skin beside them, as far as the eyes are shut.

    Args:
        rest: (468, 2) the photo's landmarks, pixels.
        shut: (2, 7, 1) from `shut_part`.

    Returns:
        (468, 2) pixels.
    """
    moved = rest.copy()
    for (upper, lower), part in zip(EYE_LIDS, shut, strict=True):
        a, b = upper[1:-1], lower[1:-1]
        gap = rest[b] - rest[a]
        moved[a] -= SKIN[0] * part * gap
        moved[b] += SKIN[1] * part * gap
    return moved


def paint_lashes(region: Image, now: Floats, shut: Floats) -> None:
    """Darken the line where shut lids meet, in place.

    Args:
        region: uint8 RGB (h, w, 3).
        now: (468, 2) moved landmarks, pixels of the region.
        shut: (2, 7, 1) from `shut_part`.
    """
    thick = WIDTH * float(eye_distance(now))
    for (_, lower), part in zip(EYE_LIDS, shut, strict=True):
        # The line appears when an eye is a third shut, and is complete before it is shut.
        strength = LASHES * float(np.clip(2 * part.mean() - 0.6, 0, 1))
        line = now[lower]
        left, top = np.maximum(np.floor(line.min(0) - 3 * thick), 0).astype(int)
        right, bottom = np.minimum(np.ceil(line.max(0) + 3 * thick), region.shape[1::-1]).astype(int)
        if strength <= 0 or right - left < 2 or bottom - top < 2:
            continue
        # Draw it in 1/16 pixel, blur it, and darken what is there.
        mask = np.zeros((bottom - top, right - left), np.uint8)
        points = np.round((line - [left, top]) * 16).astype(np.int32)
        cv2.polylines(mask, [points], False, 255, max(round(thick), 1), cv2.LINE_AA, 4)
        dark = 1 - strength / 255 * cv2.GaussianBlur(mask, (0, 0), max(thick / 2, 0.4)).astype(np.float32)
        patch = region[top:bottom, left:right]
        patch[:] = (patch * dark[..., None]).astype(np.uint8)
