"""Faces, landmarks and keypoints, drawn on the picture they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.base.errors import InputError
from memegen.face.cropping import FaceBox
from memegen.face.topology import EYE_LIDS, FACE_OVAL, INNER_LIPS, Landmarks
from memegen.fomm.keypoints import Keypoints
from memegen.preview.drawing import (
    BLACK,
    CYAN,
    SUB,
    WHITE,
    YELLOW,
    colour_of,
    draw_line,
    draw_tag,
    enlarged,
    line_width,
)


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
    line = line_width(image)
    order = sorted(range(len(faces)), key=lambda number: number == chosen)  # the chosen one lies on top
    for number in order:
        colour, width = (YELLOW, 2 * line) if number == chosen else (WHITE, line)
        box = faces[number]
        corners = np.array([[box.left, box.top], [box.right, box.top], [box.right, box.bottom], [box.left, box.bottom]])
        draw_line(drawn, corners, BLACK, width + max(line, 2), closed=True)
        draw_line(drawn, corners, colour, width, closed=True)
        tall = float(np.clip(0.28 * box.height, 9 * line, 18 * line))
        draw_tag(drawn, str(number), (box.left, box.top), colour, tall)
    return drawn


def draw_landmarks(image: Image, landmarks: Landmarks) -> Image:
    """Draw landmarks as dots; of the 468-point mesh also the face's oval, the lids and the lips as lines.

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: (K, 2 or 3) pixels.

    Returns:
        A copy, enlarged to 512 pixels if smaller.
    """
    drawn, scale = enlarged(image)
    points = (np.asarray(landmarks, np.float64)[:, :2] + 0.5) * scale - 0.5
    line = line_width(drawn)
    for x, y in np.round(points * 2**SUB).astype(int):
        cv2.circle(drawn, (int(x), int(y)), round(0.7 * line * 2**SUB), CYAN, cv2.FILLED, cv2.LINE_AA, SUB)
    if len(points) == 468:
        draw_line(drawn, points[list(FACE_OVAL)], WHITE, line, closed=True)
        for upper, lower in (*EYE_LIDS, INNER_LIPS):
            draw_line(drawn, points[[*upper, *lower[-2:0:-1]]], YELLOW, line, closed=True)
    return drawn


def draw_keypoints(image: Image, keypoints: Keypoints[Floats], *, frame: int = 0) -> Image:
    """Draw keypoints with their numbers, and what each jacobian makes of a small circle and its two radii.

    Only the jacobians' relative sizes mean something, so the circle is chosen to suit the picture.

    Args:
        image: uint8 RGB (H, W, 3).
        keypoints: Of N frames, as in `Keypoints`.
        frame: Which of them to draw.

    Returns:
        A copy, enlarged to 512 pixels if smaller.
    """
    drawn, _ = enlarged(image)
    half = (np.array(drawn.shape[1::-1]) - 1) / 2
    value, jacobian = keypoints.value[frame], keypoints.jacobian[frame]
    size = float(np.sqrt(np.median(np.abs(np.linalg.det(jacobian)))))
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = 0.11 / max(size, 1e-6) * np.stack([np.cos(angles), np.sin(angles)])
    line = line_width(drawn)
    for number, (point, local) in enumerate(zip(value, jacobian, strict=True)):
        colour = colour_of(number, len(value))
        ring = (point[:, None] + local @ circle + 1).T * half
        middle = (point + 1) * half
        draw_line(drawn, ring, BLACK, line + 2, closed=True)
        draw_line(drawn, ring, colour, line, closed=True)
        draw_line(drawn, np.stack([middle, ring[0]]), colour, line)
        draw_line(drawn, np.stack([middle, ring[12]]), WHITE, line)
    for number, point in enumerate((value + 1) * half):
        draw_tag(
            drawn, str(number), (point[0] - 5 * line, point[1] - 5 * line), colour_of(number, len(value)), 11 * line
        )
    return drawn
