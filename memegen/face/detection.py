"""Where the faces of a picture are: boxes, and the landmarks of the face mesh and the irises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image
from memegen.base.downloads import asset
from memegen.base.errors import InputError, NoFaceError
from memegen.base.networks import lent, run_network
from memegen.face.cropping import FaceBox, points_box, refuse_empty
from memegen.face.topology import EYE_LIDS, IRISES, LEFT_EYE, LEFT_LIDS, MESH, POINTS, RIGHT_EYE, RIGHT_LIDS, Landmarks

MESH_SIDE = 192  # input of the landmark network, pixels
MESH_MARGIN = 1.5  # its crop over the landmarks' box
EYE_SIDE = 64  # input of the eye network, pixels
EYE_MARGIN = 2.3  # its crop over the distance of an eye's corners
DETECTION_SIDES = (640, 320, 1280)  # long sides tried in turn: usual, faces that fill the picture, faces in a crowd
LEAST_INPUT = 64  # least sides of the detector's input, pixels: two of its largest strides
PANORAMA = 2.2  # long over short side from which a picture is searched square by square
SAME = 0.4  # overlap over the smaller box from which two boxes are one face
ERRORS = 2  # OpenCV's number for the log level at which only errors are shown
LEAST = 10.0  # width in pixels of a face that is asked to sing when "all" are


def detect_faces(image: Image, *, threshold: float = 0.6) -> list[FaceBox]:
    """Find the faces of a picture with YuNet (Wu et al., 2023), left to right.

    Args:
        image: uint8 RGB (H, W, 3).
        threshold: Least confidence, 0 to 1.

    Returns:
        The boxes in pixels of `image`, sorted by their left edge; empty when there is no face. A panorama is searched
        square by square; otherwise faces from about a sixtieth of the long side on are found, smaller ones only where
        there is no larger one, down to ten pixels or a hundredth of the long side.
    """
    if max(image.shape[:2]) >= PANORAMA * min(image.shape[:2]):
        return sorted(_detect_in_tiles(image, threshold), key=lambda face: face.left)
    for side in DETECTION_SIDES:
        faces = _detect_at(image, side, threshold)
        if faces:
            return sorted(faces, key=lambda face: face.left)
    return []


def pick_face(faces: Sequence[FaceBox], index: int | None = None, *, name: str = "the photo") -> FaceBox:
    """Pick one of the faces a detector found.

    Args:
        faces: Left to right, as `detect_faces` gives them.
        index: Which face, counted from 0 at the left; the largest when None.
        name: What to call the picture in an error.

    Raises:
        NoFaceError: There is no face.
        InputError: There are fewer faces than `index` asks for.
    """
    if not faces:
        raise NoFaceError(
            f"No face was found in {name}: try one where a single face looks at the camera, is well lit and not tiny."
        )
    if index is None:
        return max(faces, key=lambda face: face.width * face.height)
    if not 0 <= index < len(faces):
        raise InputError(
            f"Face {index} was asked for, but {name} has {len(faces)}: "
            f"count from 0 at the left, so give 0 to {len(faces) - 1}."
        )
    return faces[index]


def face_mesh(image: Image, box: FaceBox) -> Landmarks:
    """Find the 478 landmarks of the face in a box (Kartynnik et al., 2019, "Real-time Facial Surface Geometry").

    Args:
        image: uint8 RGB (H, W, 3).
        box: Where the face is, as `detect_faces` gives it.

    Returns:
        (478, 3) float32: x and y in pixels of `image`; z in the same unit, 0 near the head's middle, smaller is nearer.
            The last ten are the irises, see `IRISES`.

    Raises:
        InputError: The box is empty.
    """
    refuse_empty(box)
    rough, _ = _mesh_in(image, box)
    landmarks, _ = _mesh_in(image, mesh_box(rough))
    return refine_eyes(image, landmarks, passes=3)


def shows_face(image: Image, box: FaceBox) -> bool:
    """Ask the landmark network, as a second opinion, whether a face is in a box."""
    return _mesh_in(image, box)[1] > 0


def refind_face(image: Image, landmarks: Landmarks | None) -> Landmarks | None:
    """Find a face near where it was in the frame before, or the largest anywhere when that fails.

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: (468 or 478, 3) pixels of the frame before; None when there is none.

    Returns:
        (468, 3) float32 as `face_mesh`, before `refine_eyes`; None when there is no face.
    """
    near = None if landmarks is None else mesh_near(image, mesh_box(landmarks))
    if near is not None:
        return near
    faces = detect_faces(image)
    return mesh_near(image, pick_face(faces), passes=2) if faces else None


def mesh_near(image: Image, box: FaceBox, passes: int = 1) -> Landmarks | None:
    """Find a face in a box or near it.

    Args:
        image: uint8 RGB (H, W, 3).
        box: Where it should be.
        passes: How often to look, each time around the landmarks found before.

    Returns:
        (468, 3) float32 as `face_mesh`, before `refine_eyes`; None when there is no face.
    """
    for _ in range(passes):
        mesh, flag = _mesh_in(image, box)
        box = mesh_box(mesh)
    return mesh if flag > 0 else None


def refine_eyes(image: Image, landmarks: Landmarks, passes: int = 1) -> Landmarks:
    """Find the irises, and move the lids to where the eye network sees them: the mesh hardly notices a blink.

    The network is that of Ablavatski et al. (2020), "Real-time Pupil Tracking from Monocular Video".

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: (468, 3) pixels.
        passes: How often to look, each time with the eyes found before in the middle.

    Returns:
        (478, 3) float32: with the 32 lid points where the eye network puts them, and five points for each iris.
    """
    refined = np.concatenate([landmarks, np.zeros((POINTS - MESH, 3), np.float32)])
    views = []
    for (outer, *_, inner), mirrored in ((RIGHT_LIDS[0], False), (LEFT_LIDS[0], True)):
        a, b = landmarks[outer, :2].astype(float), landmarks[inner, :2].astype(float)
        side, roll = EYE_MARGIN * max(float(np.linalg.norm(a - b)), 1.0), _roll(*((b, a) if mirrored else (a, b)))
        views.append(((outer, inner), mirrored, side, roll))
    for _ in range(passes):
        eyes, backs = [], []
        for corners, mirrored, side, roll in views:
            pixels, back = _cut(image, refined[list(corners), :2].mean(0), side, roll=roll, pixels=EYE_SIDE)
            # The network knows right eyes only: show it the left one in a mirror.
            eyes.append(np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels)
            backs.append(back @ [[-1, 0, EYE_SIDE - 1], [0, 1, 0], [0, 0, 1]] if mirrored else back)
        # Of its 71 points on the lids and brow and 5 on the iris, (x, y, depth), the last are the smaller output.
        irises, contours = sorted(run_network("iris_landmark", eyes), key=np.size)
        for eye, back in enumerate(backs):
            (upper, lower), iris = EYE_LIDS[eye], IRISES[eye]
            # The first 16 are the lids: the lower one with both corners, then the upper one without.
            lids = [*lower, *upper[1:-1]]
            found = np.concatenate([contours[eye].reshape(-1, 3)[:16, :2], irises[eye].reshape(-1, 3)[:, :2]])
            refined[[*lids, *iris], :2] = found @ back[:, :2].T + back[:, 2]
            refined[iris, 2] = refined[lids, 2].mean()  # its depth is not on the mesh's scale
    return refined


def mesh_box(landmarks: Landmarks) -> FaceBox:
    """Return the box around mesh landmarks (468 or 478, 2 or 3) in pixels, with the roll of the eyes."""
    return replace(points_box(landmarks), roll=_roll(landmarks[RIGHT_EYE], landmarks[LEFT_EYE]))


def _roll(right_eye: Sequence[float] | Landmarks, left_eye: Sequence[float] | Landmarks) -> float:
    return math.atan2(float(left_eye[1]) - float(right_eye[1]), float(left_eye[0]) - float(right_eye[0]))


def _load_detector(threshold: float) -> Any:
    log = getattr(cv2.utils, "logging", cv2)  # OpenCV 4 has these two functions at its top
    level = log.getLogLevel()
    log.setLogLevel(ERRORS)  # OpenCV 5 warns of targets nobody set
    try:
        return cv2.FaceDetectorYN.create(str(asset("models/face_detection_yunet.onnx")), "", (320, 320), threshold)
    finally:
        log.setLogLevel(level)


def _detect_at(image: Image, side: int, threshold: float) -> list[FaceBox]:
    """Detect on the picture scaled down to a long side of `side` pixels (never up)."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    # In a smaller input OpenCV 4.12 finds faces at random.
    right, below = (max(0, LEAST_INPUT - length) for length in size)
    small = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT)
    with lent(f"detector {threshold}", lambda: _load_detector(threshold)) as detector:
        detector.setInputSize((size[0] + right, size[1] + below))
        rows = detector.detect(np.ascontiguousarray(small[..., ::-1]))[1]
    zoom = np.array([width / size[0], height / size[1]])
    return [] if rows is None else [_box_of(row[:14].reshape(7, 2) * zoom, float(row[14])) for row in rows]


def _detect_in_tiles(image: Image, threshold: float) -> list[FaceBox]:
    """Detect in squares that overlap by half, and in the whole; of boxes on one face the surest stays."""
    height, width = image.shape[:2]
    short, long = min(height, width), max(height, width)
    starts = np.linspace(0, long - short, math.ceil(2 * (long - short) / max(short, 1)) + 1).round().astype(int)
    found = _detect_at(image, DETECTION_SIDES[0], threshold)
    for start in starts.tolist() if short >= LEAST else []:
        left, top = (start, 0) if width > height else (0, start)
        tile = np.ascontiguousarray(image[top : top + short, left : left + short])
        found += [face.moved(left, top) for face in _detect_at(tile, DETECTION_SIDES[0], threshold)]
    kept: list[FaceBox] = []
    for face in sorted(found, key=lambda face: -face.score):
        if not any(face.overlap(other) > SAME for other in kept):
            kept.append(face)
    return kept


def _box_of(pairs: NDArray[np.float64], score: float) -> FaceBox:
    """Turn one detection, (7, 2): corner, size and five points, into a box."""
    (left, top), (width, height) = pairs[:2].tolist()
    points = tuple((float(x), float(y)) for x, y in pairs[2:])
    return FaceBox(left, top, left + width, top + height, _roll(points[0], points[1]), score, points)


def _mesh_in(image: Image, box: FaceBox) -> tuple[Landmarks, float]:
    """Run the landmark network around a box, turned upright; also returns the log-odds that a face is in it."""
    side = MESH_MARGIN * max(box.width, box.height)
    pixels, back = _cut(image, box.centre, side, roll=box.roll, pixels=MESH_SIDE)
    outputs = run_network("face_landmark", [pixels])
    points = next(output for output in outputs if output.size == MESH * 3).reshape(MESH, 3)
    flag = next(float(output[0, 0]) for output in outputs if output.size == 1)
    xy = points[:, :2] @ back[:, :2].T + back[:, 2]
    return np.column_stack([xy, points[:, 2] * (side / MESH_SIDE)]).astype(np.float32), flag


def _cut(
    image: Image, centre: Sequence[float] | Floats, side: float, *, roll: float, pixels: int
) -> tuple[Image, NDArray[np.float64]]:
    """Cut out a turned square, and give the (2, 3) matrix back to the picture.

    Args:
        image: uint8 RGB (H, W, 3).
        centre: Of the square, (x, y) pixels.
        side: Of the square, pixels of the picture.
        roll: How far it is turned clockwise, radians.
        pixels: Of the result's side.
    """
    x, y = float(centre[0]), float(centre[1])
    matrix = cv2.getRotationMatrix2D((x, y), math.degrees(roll), pixels / side)
    matrix[:, 2] += np.array([pixels / 2 - x, pixels / 2 - y])
    return cv2.warpAffine(image, matrix, (pixels, pixels)), cv2.invertAffineTransform(matrix)
