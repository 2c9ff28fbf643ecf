"""Faces and landmarks, drawn into a copy of the picture they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from memegen.base.arrays import Image
from memegen.base.errors import InputError
from memegen.face.cropping import FaceBox
from memegen.face.topology import EYE_LIDS, FACE_OVAL, INNER_LIPS, POINTS, Landmarks

YELLOW, WHITE, BLACK, CYAN = (255, 214, 10), (255, 255, 255), (20, 20, 20), (0, 230, 255)
FONT = cv2.FONT_HERSHEY_DUPLEX
SUB = 4  # OpenCV's coordinates are in 1/16 pixel (4 binary places), so that shapes move smoothly from frame to frame
READABLE = 512  # pixels: smaller pictures are enlarged before landmarks are drawn into them


def draw_faces(image: Image, faces: Sequence[FaceBox], *, chosen: int | None = None, first: int | None = 0) -> Image:
    """Draw the faces of a picture as boxes, each with its number.

    Args:
        image: uint8 RGB (H, W, 3).
        faces: Boxes in pixels, left to right as `detect_faces` gives them.
        chosen: The face to mark, counted from 0; None marks none.
        first: The number of the leftmost: 0, as `face=` counts. None draws no numbers.

    Returns:
        A copy of the picture, uint8 RGB (H, W, 3); lines and digits grow with it.

    Raises:
        InputError: There is no such face to mark.
    """
    if chosen is not None and not 0 <= chosen < len(faces):
        raise InputError(f"Face {chosen} can't be marked: there are {len(faces)}, counted from 0 at the left.")
    drawn, line = np.array(image, order="C"), _line_width(image)
    for number in sorted(range(len(faces)), key=lambda number: number == chosen):  # the chosen one lies on top
        box = faces[number]
        colour, width = (YELLOW, 2 * line) if number == chosen else (WHITE, line)
        corners = (round(box.left), round(box.top)), (round(box.right), round(box.bottom))
        cv2.rectangle(drawn, *corners, BLACK, width + max(line, 2))  # a dark edge, to be seen on bright pictures
        cv2.rectangle(drawn, *corners, colour, width)
        tall = float(np.clip(0.28 * box.height, 9 * line, 18 * line))
        if first is not None:
            _draw_tag(drawn, str(first + number), corners[0], colour, tall)
    return drawn


def draw_landmarks(image: Image, landmarks: Landmarks) -> Image:
    """Draw landmarks as dots; of the face mesh also the face's oval, the lids and the lips as lines.

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: (K, 2 or 3) pixels.

    Returns:
        A copy, enlarged to 512 pixels if smaller.
    """
    scale = max(1.0, READABLE / max(image.shape[:2]))
    drawn = np.array(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
    # Pixel (0, 0) is a square around that point: its corner, not its centre, stays in place when it grows.
    points = (np.asarray(landmarks, np.float64)[:, :2] + 0.5) * scale - 0.5
    points, line = np.round(points * 2**SUB).astype(np.int32), _line_width(drawn)
    for x, y in points.tolist():
        cv2.circle(drawn, (x, y), round(0.7 * line * 2**SUB), CYAN, cv2.FILLED, cv2.LINE_AA, SUB)
    if len(points) == POINTS:
        rings = [[*upper, *lower[-2:0:-1]] for upper, lower in (*EYE_LIDS, INNER_LIPS)]
        cv2.polylines(drawn, [points[list(FACE_OVAL)]], True, WHITE, line, cv2.LINE_AA, SUB)
        cv2.polylines(drawn, [points[ring] for ring in rings], True, YELLOW, line, cv2.LINE_AA, SUB)
    return drawn


def _line_width(image: Image) -> int:
    """Pixels of a thin line that can be seen when the picture is shown at the width of a page."""
    return max(1, round(float(max(image.shape[:2])) / 320))


def _draw_tag(image: Image, text: str, corner: tuple[int, int], colour: tuple[int, int, int], tall: float) -> None:
    """Write black text on a patch of colour, about `tall` pixels high, in place; the patch stays inside the picture."""
    stroke, pad = max(1, round(tall / 11)), round(tall / 4)
    scale = cv2.getFontScaleFromHeight(FONT, max(1, round(tall * 0.62)), stroke)
    size = np.array(cv2.getTextSize(text, FONT, scale, stroke)[0]) + 2 * pad
    left, top = np.clip(corner, 0, np.maximum(image.shape[1::-1] - size, 0)).tolist()
    right, bottom = left + int(size[0]), top + int(size[1])
    cv2.rectangle(image, (left, top), (right, bottom), colour, cv2.FILLED)
    cv2.putText(image, text, (left + pad, bottom - pad), FONT, scale, BLACK, stroke, cv2.LINE_AA)
