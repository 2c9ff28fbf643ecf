"""Where the faces of a picture are: boxes, 468 mesh landmarks, and square crops around them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.downloads import asset
from memegen.errors import InputError, NoFaceError

Image = NDArray[np.uint8]
Landmarks = NDArray[np.floating[Any]]
Which = int | Literal["all"] | None
"""Which face of a photo: counted from 0 at the left, all of them, or the largest."""

MESH_SIDE = 192  # input of the landmark network, pixels
MESH_MARGIN = 1.5  # its crop over the landmarks' box
EYE_SIDE = 64  # input of the eye network, pixels
EYE_MARGIN = 2.3  # its crop over the distance of an eye's corners
DETECTION_SIDES = (640, 320, 1280)  # long sides tried in turn: usual, faces that fill the picture, faces in a crowd
PANORAMA = 2.2  # long over short side from which a picture is searched square by square
SAME = 0.4  # overlap over the smaller box from which two boxes are one face
LEAST = 10.0  # width in pixels of a face that is asked to sing when "all" are
BORDER = 0.25  # how soft the border between two people is, in face sizes
RIGHT_EYE, LEFT_EYE = 33, 263  # outer corners; right and left are the person's own
# Upper and lower lid from the outer to the inner corner, paired point by point.
RIGHT_LIDS = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133))
LEFT_LIDS = ((263, 466, 388, 387, 386, 385, 384, 398, 362), (263, 249, 390, 373, 374, 380, 381, 382, 362))

_nets = threading.local()  # OpenCV's networks keep their input: each thread has its own


@dataclass(frozen=True)
class FaceBox:
    """A face in a picture.

    Attributes:
        left: Pixels from the picture's left edge; `top`, `right` and `bottom` likewise. Floats, may lie outside.
        roll: How far the line between the eyes is turned clockwise, radians.
        score: The detector's confidence, 0 to 1.
        points: Right eye, left eye, nose tip, right and left mouth corner as (x, y) pixels; empty for a box by hand.
    """

    left: float
    top: float
    right: float
    bottom: float
    roll: float = 0.0
    score: float = 1.0
    points: tuple[tuple[float, float], ...] = ()

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """The middle as (x, y) pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def scaled(self, factor: float) -> FaceBox:
        """Return the box grown or shrunk about its middle, each side times `factor`."""
        (x, y), w, h = self.centre, self.width * factor / 2, self.height * factor / 2
        return replace(self, left=x - w, top=y - h, right=x + w, bottom=y + h)

    def square(self, margin: float = 0.0) -> FaceBox:
        """Return the square about the same middle whose side is the longer one plus `margin` of it on each side."""
        (x, y), half = self.centre, max(self.width, self.height) * (0.5 + margin)
        return replace(self, left=x - half, top=y - half, right=x + half, bottom=y + half)

    def union(self, other: FaceBox) -> FaceBox:
        """Return the smallest box around both."""
        return replace(
            self,
            left=min(self.left, other.left),
            top=min(self.top, other.top),
            right=max(self.right, other.right),
            bottom=max(self.bottom, other.bottom),
        )

    def clip(self, width: float, height: float) -> FaceBox:
        """Return the part that lies inside a picture of `width` by `height` pixels."""
        left, right = (min(max(x, 0.0), width) for x in (self.left, self.right))
        top, bottom = (min(max(y, 0.0), height) for y in (self.top, self.bottom))
        return replace(self, left=left, top=top, right=right, bottom=bottom)

    def moved(self, x: float, y: float) -> FaceBox:
        """Return the box and its points shifted by some pixels."""
        points = tuple((px + x, py + y) for px, py in self.points)
        left, right, top, bottom = self.left + x, self.right + x, self.top + y, self.bottom + y
        return replace(self, left=left, top=top, right=right, bottom=bottom, points=points)

    def overlap(self, other: FaceBox) -> float:
        """Return the area shared with another box over that of the smaller of the two."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        smaller = min(self.width * self.height, other.width * other.height)
        return max(width, 0.0) * max(height, 0.0) / max(smaller, 1e-6)

    def inside(self, width: float, height: float) -> FaceBox:
        """Return the square shrunk and shifted until it lies inside a picture of `width` by `height` pixels."""
        side = min(max(self.width, self.height), width, height)
        (x, y), half = self.centre, side / 2
        x, y = min(max(x, half), width - half), min(max(y, half), height - half)
        return replace(self, left=x - half, top=y - half, right=x + half, bottom=y + half)


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


def choose_face(image: Image, index: int | None = None, *, name: str = "the photo") -> FaceBox:
    """Pick one face of a picture.

    Args:
        image: uint8 RGB (H, W, 3).
        index: Which face, counted from 0 at the left; the largest when None.
        name: What to call the picture in an error.

    Raises:
        NoFaceError: There is no face.
        InputError: There are fewer faces than `index` asks for.
    """
    return pick_face(detect_faces(image), index, name=name)


def pick_face(faces: Sequence[FaceBox], index: int | None = None, *, name: str = "the photo") -> FaceBox:
    """Pick one of the faces a detector found, given left to right; see `choose_face`."""
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


def choose_faces(image: Image, which: Which = None, *, name: str = "the photo") -> list[int]:
    """Pick the faces that are to move: one, or all that look like faces to the landmark network too.

    Where several are found, "all" leaves out those narrower than 10 pixels and those that the landmark network, a
    second opinion, holds for no face: prints on shirts, patterns, heads seen from behind. They keep their numbers.

    Args:
        image: uint8 RGB (H, W, 3).
        which: See `Which`.
        name: What to call the picture in an error.

    Returns:
        Numbers into what `detect_faces` gives, ascending.

    Raises:
        NoFaceError: There is no face.
        InputError: There are fewer faces than `which` asks for.
    """
    return choose_among(image, detect_faces(image), which, name=name)


def choose_among(image: Image, faces: Sequence[FaceBox], which: Which, *, name: str = "the photo") -> list[int]:
    """As `choose_faces`, for faces that are known."""
    if which != "all":
        return [faces.index(pick_face(faces, which, name=name))]
    largest = faces.index(pick_face(faces, name=name))
    if len(faces) == 1:
        return [largest]
    wide = [number for number, face in enumerate(faces) if face.width >= LEAST]
    return [number for number in wide if _mesh_in(image, _box_crop(faces[number]))[1] > 0] or [largest]


def territory(
    box: FaceBox, others: Sequence[FaceBox], size: tuple[int, int], *, corner: tuple[float, float] = (0, 0)
) -> NDArray[np.float32]:
    """Share a picture between people: to whom a pixel belongs, by the distance to their faces over the faces' sizes.

    Args:
        box: The face whose part is asked for.
        others: The other faces.
        size: Width and height of the result, pixels.
        corner: Where its left top lies, pixels of the picture.

    Returns:
        (height, width) float32: 1 in the face's part, 0 in that of others, a soft border between.
    """
    width, height = size
    part = np.ones((-(-height // 4), -(-width // 4)), np.float32)
    y, x = (4.0 * axis + 1.5 for axis in np.mgrid[: part.shape[0], : part.shape[1]])

    def distance(face: FaceBox) -> NDArray[np.float64]:
        across, down = face.centre
        return np.asarray(np.hypot(x + corner[0] - across, y + corner[1] - down) / max(face.width, face.height))

    own = distance(box)
    for other in others:
        part = np.minimum(part, np.clip((distance(other) - own) / BORDER + 0.5, 0, 1)).astype(np.float32)
    full = cv2.resize(part, (part.shape[1] * 4, part.shape[0] * 4), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[:height, :width])


def face_mesh(image: Image, box: FaceBox) -> Landmarks:
    """Find the 468 landmarks of the face in a box (Kartynnik et al., 2019, "Real-time Facial Surface Geometry").

    Args:
        image: uint8 RGB (H, W, 3).
        box: Where the face is, as `detect_faces` gives it.

    Returns:
        (468, 3) float32: x and y in pixels of `image`; z in the same unit, 0 near the head's middle, smaller is nearer.

    Raises:
        InputError: The box is empty.
    """
    _refuse_empty(box)
    rough, _ = _mesh_in(image, _box_crop(box))
    landmarks, _ = _mesh_in(image, _landmark_crop(rough))
    return refine_lids(image, landmarks)


def refind_face(image: Image, landmarks: Landmarks | None) -> Landmarks | None:
    """Find a face near where it was in the frame before, or the largest anywhere when that fails.

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: (468, 3) pixels of the frame before; None when there is none.

    Returns:
        (468, 3) float32 as `face_mesh`, before `refine_lids`; None when there is no face.
    """
    if landmarks is not None:
        near, flag = _mesh_in(image, _landmark_crop(landmarks))
        if flag > 0:
            return near
    faces = detect_faces(image)
    if not faces:
        return None
    rough, _ = _mesh_in(image, _box_crop(max(faces, key=lambda face: face.width * face.height)))
    found, flag = _mesh_in(image, _landmark_crop(rough))
    return found if flag > 0 else None


def refine_lids(image: Image, landmarks: Landmarks) -> Landmarks:
    """Move the lids to where the eye network sees them (Ablavatski et al., 2020): the mesh hardly notices a blink.

    Args:
        image: uint8 RGB (H, W, 3).
        landmarks: (468, 3) pixels.

    Returns:
        A copy whose 32 lid points lie where the eye network puts them.
    """
    eyes, backs = [], []
    for (outer, *_, inner), mirrored in ((RIGHT_LIDS[0], False), (LEFT_LIDS[0], True)):
        a, b = landmarks[outer, :2].astype(float), landmarks[inner, :2].astype(float)
        first, second = (b, a) if mirrored else (a, b)
        middle = (a + b) / 2
        crop = _Crop(
            float(middle[0]),
            float(middle[1]),
            EYE_MARGIN * max(float(np.linalg.norm(a - b)), 1.0),
            _roll(first, second),
        )
        pixels, back = _cut(image, crop, EYE_SIDE)
        eyes.append(np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels)
        backs.append(back @ [[-1, 0, EYE_SIDE - 1], [0, 1, 0], [0, 0, 1]] if mirrored else back)
    contours = next(output for output in _run("iris_landmark", eyes) if output.shape[1] == 71 * 3)
    refined = landmarks.copy()
    for (upper, lower), contour, back in zip((RIGHT_LIDS, LEFT_LIDS), contours.reshape(2, 71, 3), backs, strict=True):
        xy = contour[:16, :2] @ back[:, :2].T + back[:, 2]
        refined[[*lower, *upper[1:-1]], :2] = xy
    return refined


def points_box(points: NDArray[np.floating[Any]]) -> FaceBox:
    """Return the upright box around points (K, 2 or 3) in pixels."""
    (left, top), (right, bottom) = points[:, :2].min(0).tolist(), points[:, :2].max(0).tolist()
    return FaceBox(left, top, right, bottom)


def mesh_box(landmarks: Landmarks) -> FaceBox:
    """Return the box around mesh landmarks (468, 2 or 3) in pixels, with the roll of the eyes."""
    return replace(points_box(landmarks), roll=_roll(landmarks[RIGHT_EYE], landmarks[LEFT_EYE]))


def crop_face(image: Image, box: FaceBox, *, margin: float = 0.4, side: int = 256) -> Image:
    """Cut an upright square around a face and scale it.

    Args:
        image: uint8 RGB (H, W, 3).
        box: The face in pixels.
        margin: Room on each side as a part of the box's longer side.
        side: Pixels of the result's side.

    Returns:
        uint8 RGB (side, side, 3); what lies outside the picture repeats its edge.

    Raises:
        InputError: The box is empty.
    """
    _refuse_empty(box)
    square = box.square(margin)
    scale = side / square.width
    centres = scale / 2 - 0.5  # pixel centres stay pixel centres
    matrix = np.array([[scale, 0, centres - scale * square.left], [0, scale, centres - scale * square.top]])
    if scale < 1:  # warpAffine has no area filter: blur first so that nothing aliases
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _refuse_empty(box: FaceBox) -> None:
    if not (box.width > 0 and box.height > 0):
        raise InputError(f"The face box {box} is empty: give left < right and top < bottom in pixels.")


class _Crop(NamedTuple):
    """A turned square: centre (x, y) and side in pixels, roll in radians."""

    x: float
    y: float
    side: float
    roll: float


def _roll(right_eye: Sequence[float] | Landmarks, left_eye: Sequence[float] | Landmarks) -> float:
    return math.atan2(float(left_eye[1]) - float(right_eye[1]), float(left_eye[0]) - float(right_eye[0]))


def own_network(name: str, load: Callable[[], Any]) -> Any:
    """Give the calling thread a network of its own, loaded once: two threads in one network break it."""
    nets = vars(_nets)
    if name not in nets:
        nets[name] = load()
    return nets[name]


def _load_detector(threshold: float) -> Any:
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns of targets nobody set
    try:
        return cv2.FaceDetectorYN.create(str(asset("models/face_detection_yunet.onnx")), "", (320, 320), threshold)
    finally:
        cv2.utils.logging.setLogLevel(level)


def _load_net(name: str) -> Any:
    path = str(asset(f"models/{name}.tflite"))
    classic = getattr(cv2.dnn, "ENGINE_CLASSIC", None)  # OpenCV 5's new engine drops all outputs but one
    return cv2.dnn.readNetFromTFLite(path) if classic is None else cv2.dnn.readNetFromTFLite(path, classic)


def _run(name: str, pictures: Sequence[Image]) -> list[NDArray[np.float32]]:
    """Run a network on square pictures of its size; its outputs, flat but for the pictures."""
    net = own_network(name, lambda: _load_net(name))
    net.setInput(cv2.dnn.blobFromImages(pictures, 1 / 255))
    outputs = net.forward(net.getUnconnectedOutLayersNames())
    return [np.array(output).reshape(len(pictures), -1) for output in outputs]


def _detect_at(image: Image, side: int, threshold: float) -> list[FaceBox]:
    """Detect on the picture scaled down to a long side of `side` pixels (never up)."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    detector = own_network(f"detector {threshold}", lambda: _load_detector(threshold))
    detector.setInputSize(size)
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


def _box_crop(box: FaceBox) -> _Crop:
    return _Crop(*box.centre, MESH_MARGIN * max(box.width, box.height), box.roll)


def _landmark_crop(landmarks: Landmarks) -> _Crop:
    return _box_crop(mesh_box(landmarks))


def _mesh_in(image: Image, crop: _Crop) -> tuple[Landmarks, float]:
    """Run the landmark network on a turned square; also returns the log-odds that a face is in it."""
    pixels, back = _cut(image, crop, MESH_SIDE)
    outputs = _run("face_landmark", [pixels])
    points = next(output for output in outputs if output.size == 468 * 3).reshape(468, 3)
    flag = next(float(output[0, 0]) for output in outputs if output.size == 1)
    xy = points[:, :2] @ back[:, :2].T + back[:, 2]
    return np.column_stack([xy, points[:, 2] * (crop.side / MESH_SIDE)]).astype(np.float32), flag


def _cut(image: Image, crop: _Crop, side: int) -> tuple[Image, NDArray[np.float64]]:
    """Cut out a turned square, `side` pixels wide, and give the (2, 3) matrix back to the picture."""
    matrix = cv2.getRotationMatrix2D((crop.x, crop.y), math.degrees(crop.roll), side / crop.side)
    matrix[:, 2] += np.array([side / 2 - crop.x, side / 2 - crop.y])
    return cv2.warpAffine(image, matrix, (side, side)), cv2.invertAffineTransform(matrix)
