"""A second landmark detector, for hard poses: the package face-alignment, whose s3fd finds faces and 2DFAN4 68 points.

The points are those of the usual 68-point scheme (Bulat and Tzimiropoulos, 2017, "How far are we from solving the 2D
and 3D face alignment problem?"): jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, lips 48-67.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from memegen.base.arrays import Image
from memegen.base.downloads import Mirror, fetch
from memegen.base.errors import DownloadError, UnavailableError
from memegen.base.progress import Progress
from memegen.face.cropping import FaceBox, points_box
from memegen.face.detection import pick_face
from memegen.face.topology import Landmarks
from memegen.face.tracking import FaceTrack, bridged

SITE = "https://www.adrianbulat.com/downloads/python-fan"
WEIGHTS = {  # and their SHA-256
    "s3fd-619a316812.pth": "619a31681264d3f7f7fc7a16a42cbbe8b23f31a256f75a366e5a1bcd59b33543",
    "2DFAN4-11f355bf06.pth.tar": "11f355bf0693120222f5955ce3f9dc8fb5763ebb30a47d7906e509490d32e4aa",
}
DETECTION_SIDE = 640  # long side of what s3fd sees: it takes seconds and gigabytes on a whole photo
FOLLOWED = 0.9  # mean peak of the heatmaps, up to about 2, from which on the detector need not confirm the face
SMALLEST = 8.0  # width and height together, pixels, of a box that can still be followed
RIGHT_EYE, LEFT_EYE = 36, 45  # outer corners; right and left are the person's own


def align_face(image: Image, index: int | None = None, *, name: str = "the photo") -> Landmarks:
    """Find the 68 landmarks of one face of a picture.

    Args:
        image: uint8 RGB (H, W, 3).
        index: Which face, counted from 0 at the left; the largest when None.
        name: What to call the picture in an error.

    Returns:
        (68, 2) float32, x and y in whole pixels of `image`.

    Raises:
        NoFaceError: There is no face.
        InputError: There are fewer faces than `index` asks for.
        UnavailableError: The package face-alignment is not installed.
        DownloadError: Its weights could not be had.
    """
    return _align(image, pick_face(_detect(image), index, name=name))[0]


def align_clip(
    frames: Iterable[Image], *, fps: float = 25.0, start: float = 0.0, name: str = "the driving clip"
) -> FaceTrack:
    """Follow one face through a clip: the largest at first, then the one where it was in the frame before.

    Frames without a face borrow from those before and after, in proportion. Nothing is smoothed.

    Args:
        frames: uint8 RGB (H, W, 3), all of one size; consumed one by one.
        fps: Frames per second.
        start: The clip's own time of its first frame, seconds, to name times in an error.
        name: What to call the clip in an error.

    Returns:
        The track, with landmarks as those of `align_face`.

    Raises:
        NoFaceError: The face is in less than half of the frames; the message names the time span.
        UnavailableError: The package face-alignment is not installed.
        DownloadError: Its weights could not be had.
    """
    sightings: list[Landmarks | None] = []
    landmarks = None
    for frame in frames:
        landmarks = _refind(frame, landmarks)
        sightings.append(landmarks)
    return FaceTrack(*bridged(sightings, fps=fps, start=start, name=name))


def alignment_box(landmarks: Landmarks) -> FaceBox:
    """Return the box around landmarks (68, 2) in pixels, with the roll of the eyes."""
    x, y = (landmarks[LEFT_EYE] - landmarks[RIGHT_EYE]).tolist()
    return replace(points_box(landmarks), roll=float(np.arctan2(y, x)))


def _detect(image: Image) -> list[FaceBox]:
    """Find the faces with s3fd, left to right, on the picture scaled down (never up)."""
    height, width = image.shape[:2]
    scale = min(1.0, DETECTION_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    zoom = np.array([width / size[0], height / size[1]] * 2)
    faces = []
    for *corners, score in _aligner().face_detector.detect_from_image(small):
        left, top, right, bottom = (np.asarray(corners, np.float64) * zoom).tolist()
        faces.append(FaceBox(left, top, right, bottom, score=float(score)))
    return sorted(faces, key=lambda face: face.left)


def _refind(image: Image, landmarks: Landmarks | None) -> Landmarks | None:
    """Find a face near where it was in the frame before, or the largest anywhere when that is in doubt."""
    if landmarks is not None and _followable(box := alignment_box(landmarks), image):
        near, score = _align(image, box)
        if score >= FOLLOWED:
            return near
    faces = _detect(image)
    return _align(image, pick_face(faces))[0] if faces else None


def _followable(box: FaceBox, image: Image) -> bool:
    """Whether a crop around the box shows something."""
    (x, y), (height, width) = box.centre, image.shape[:2]
    return box.width + box.height >= SMALLEST and 0 <= x < width and 0 <= y < height


def _align(image: Image, box: FaceBox) -> tuple[Landmarks, float]:
    """Find the landmarks in a box with 2DFAN4, which was trained on boxes around landmarks; also their mean score."""
    points, scores, _ = _aligner().get_landmarks_from_image(
        image,
        detected_faces=[[box.left, box.top, box.right, box.bottom, box.score]],
        return_landmark_score=True,
    )
    return np.asarray(points[0], np.float32), float(np.mean(scores[0]))


def obtain_weights(progress: Progress | None = None) -> Path:
    """Download the weights of both networks to where face-alignment looks for them, unless they are there.

    Args:
        progress: Told how far a download is, see `Progress`.

    Returns:
        The folder that holds them.

    Raises:
        UnavailableError: The package face-alignment is not installed.
        DownloadError: A file could not be downloaded.
    """
    try:
        import face_alignment  # noqa: F401
        import torch
    except ImportError as error:
        raise UnavailableError(
            f'face-alignment is not available ({error}): run pip install "memegen-sings[landmarks]".',
            remedy={"landmarks": "mesh"},
        ) from error
    folder = Path(torch.hub.get_dir(), "checkpoints")
    for name, sha256 in WEIGHTS.items():
        try:
            fetch(folder / name, [Mirror(f"{SITE}/{name}", sha256)], progress=progress)
        except DownloadError as error:
            raise DownloadError(error.message, remedy={"landmarks": "mesh"}) from error
    return folder


@lru_cache(maxsize=1)
def _aligner() -> Any:
    """Load both networks, on the GPU if there is one."""
    folder = obtain_weights()
    import face_alignment
    import torch

    try:
        return face_alignment.FaceAlignment(
            face_alignment.LandmarksType.TWO_D,
            device="cuda" if torch.cuda.is_available() else "cpu",
            compile=False,  # takes longer than a clip
            face_detector_kwargs={"path_to_detector": str(folder / next(iter(WEIGHTS)))},  # else it is unpickled
        )
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        what = (str(error).splitlines() or [type(error).__name__])[0]
        raise DownloadError(
            f"The weights of face-alignment in {folder} can't be used ({what}): delete {' and '.join(WEIGHTS)} there "
            "and try again.",
            remedy={"landmarks": "mesh"},
        ) from error
