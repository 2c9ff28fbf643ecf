"""Faces and landmarks, drawn into the picture they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError
from memegen.face.cropping import FaceBox
from memegen.face.topology import EYE_LIDS, FACE_OVAL, INNER_LIPS, Landmarks

Colour = tuple[int, int, int]

YELLOW: Colour = (255, 214, 10)
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (20, 20, 20)
CYAN: Colour = (0, 230, 255)
FONT = cv2.FONT_HERSHEY_DUPLEX
SUB = 4  # OpenCV's coordinates are in 1/16 pixel (4 binary places), so that shapes move smoothly from frame to frame
READABLE = 512  # pixels: smaller pictures are enlarged before something is drawn into them


def draw_faces(image: Image, faces: Sequence[FaceBox], *, chosen: int | None = None) -> Image:
    """Draw the faces of a picture as boxes, each with its number.

    Args:
        image: uint8 RGB (H, W, 3).
        faces: Boxes in pixels, left to right as `detect_faces` gives them; they are numbered from 0, as `face=` counts.
        chosen: The number of the face to mark; None marks none.

    Returns:
        A copy of the picture, uint8 RGB (H, W, 3); lines and digits grow with it.

    Raises:
        InputError: There is no face of the number `chosen`.
    """
    if chosen is not None and not 0 <= chosen < len(faces):
        raise InputError(f"Face {chosen} can't be marked: there are {len(faces)}, counted from 0 at the left.")
    drawn = np.ascontiguousarray(image).copy()
    line = _line_width(image)
    order = sorted(range(len(faces)), key=lambda number: number == chosen)  # the chosen one lies on top
    for number in order:
        colour, width = (YELLOW, 2 * line) if number == chosen else (WHITE, line)
        box = faces[number]
        corners = np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]])
        _draw_line(drawn, corners, BLACK, width + max(line, 2))  # a dark edge, to be seen on bright pictures
        _draw_line(drawn, corners, colour, width)
        tall = float(np.clip(0.28 * box.height, 9 * line, 18 * line))
        _draw_tag(drawn, str(number), (box.left, box.top), colour, tall)
    return drawn


def draw_landmarks(image: Image, landmarks: Landmarks) -> Image:
    """Draw landmarks as dots; of the 468-point mesh also the face's oval, the lids and the lips as lines.

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: (K, 2 or 3) pixels.

    Returns:
        A copy, enlarged to 512 pixels if smaller.
    """
    drawn = _enlarged(image)
    # Pixel (0, 0) is a square around that point: its corner, not its centre, stays in place when it grows.
    points = (np.asarray(landmarks, np.float64)[:, :2] + 0.5) * len(drawn) / len(image) - 0.5
    line = _line_width(drawn)
    for x, y in np.round(points * 2**SUB).astype(int):
        cv2.circle(drawn, (int(x), int(y)), round(0.7 * line * 2**SUB), CYAN, cv2.FILLED, cv2.LINE_AA, SUB)
    if len(points) == 468:
        _draw_line(drawn, points[list(FACE_OVAL)], WHITE, line)
        for upper, lower in (*EYE_LIDS, INNER_LIPS):
            _draw_line(drawn, points[[*upper, *lower[-2:0:-1]]], YELLOW, line)
    return drawn


def _line_width(image: Image) -> int:
    """Pixels of a thin line that can be seen when the picture is shown at the width of a page."""
    return max(1, round(float(max(image.shape[:2])) / 320))


def _draw_line(image: Image, points: Floats, colour: Colour, width: int) -> None:
    """Draw a closed line through points (P, 2) in pixels, in place."""
    fixed = np.round(np.asarray(points, np.float64) * 2**SUB).astype(np.int32)
    cv2.polylines(image, [fixed], True, colour, width, cv2.LINE_AA, SUB)


def _draw_tag(image: Image, text: str, corner: tuple[float, float], colour: Colour, tall: float) -> None:
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


def _enlarged(image: Image) -> Image:
    """Copy a picture, enlarged until its long side is READABLE."""
    scale = max(1.0, READABLE / max(image.shape[:2]))
    return np.array(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
