"""The First Order Motion Model as an engine: crops of the photo and of the clip in, a moving square out."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from memegen.alignment import align_clip, align_face
from memegen.downloads import cache_dir
from memegen.errors import NoFaceError
from memegen.faces import FaceBox, Image, Landmarks, choose_face, crop_face, face_mesh, points_box
from memegen.fomm.animator import SIZE, FommAnimator
from memegen.keypoints import Keypoints
from memegen.progress import Progress, counted
from memegen.tracking import crop_video, track_face

if TYPE_CHECKING:
    from memegen.video import Video

DRIVING_SIDE = 640  # long side at which driving frames are read, pixels
MARGIN = 0.15  # room around the face's box over a whole clip, on each side; the photo's crop gets the same share

Crop = Literal["face", "none"] | FaceBox
Detector = Literal["mesh", "face-alignment"]


class Analysis(NamedTuple):
    """What an engine needs to know of a driving clip, kept in the cache so that the next photo starts at once.

    Attributes:
        keypoints: float32 keypoints of the N cropped frames.
        landmarks: (N, K, 2) float32, pixels; N = 0 where the clip was not searched for faces.
        box: (4,) left, top, right, bottom of the square crop, pixels of frames with a long side of 640.
    """

    keypoints: Keypoints[NDArray[np.float32]]
    landmarks: NDArray[np.float32]
    box: NDArray[np.float64]


@dataclass(frozen=True)
class FommEngine:
    """Animates a square crop of the photo with a checkpoint's networks; see `animate`.

    Attributes:
        animator: The networks.
        face: Which face of the photo, counted from 0 at the left; the largest when None.
        expression: Gain of the expression; 1 is the driver's own.
        motion: Gain of the head's motion; 1 is the driver's own.
        crop: "face" cuts photo and clip around the face, "none" takes the middle square of both, a box (pixels) cuts
            the photo there: for statues, drawings and animals that no detector finds.
        relative: Carry over the driver's movement since its best frame; otherwise the driver's keypoints as they are.
        best_frame: Count from the driving frame that is most like the photo; otherwise from the first.
        landmarks: Which detector finds the face and its landmarks.
        progress: Told how far the driver's analysis is.
    """

    animator: FommAnimator
    face: int | None = None
    expression: float = 1.0
    motion: float = 1.0
    crop: Crop = "face"
    relative: bool = True
    best_frame: bool = True
    landmarks: Detector = "mesh"
    progress: Progress | None = None

    def animate(self, photo: Image, driving: Video) -> Iterator[Image]:
        """Move a square crop of the photo as the face in a driving clip moves.

        Args:
            photo: uint8 RGB (H, W, 3).
            driving: The clip; what is found in it is kept in the cache folder for the next photo.

        Yields:
            uint8 RGB (256, 256, 3), one for each driving frame.

        Raises:
            NoFaceError: The photo or the clip has no face, and `crop` is "face".
            InputError: There are fewer faces than `face` asks for, or the checkpoint is damaged.
        """
        landmarks = self._photo_landmarks(photo)
        analysis = self._analyse(driving)
        best = 0
        if self.best_frame and landmarks is not None and len(analysis.landmarks):
            best = find_best_frame(landmarks, analysis.landmarks)
        yield from self.animator.animate_keypoints(
            crop_face(photo, self._photo_box(photo, landmarks, analysis, best), margin=0, side=SIZE),
            analysis.keypoints,
            relative=self.relative,
            best_frame=best,
            expression=self.expression,
            motion=self.motion,
        )

    def _photo_landmarks(self, photo: Image) -> Landmarks | None:
        """Landmarks of the face, None where there need be none."""
        if self.crop == "none":
            return None
        try:
            if self.landmarks == "face-alignment":
                return align_face(photo, self.face)
            return face_mesh(photo, choose_face(photo, self.face))
        except NoFaceError as error:
            if isinstance(self.crop, FaceBox):
                return None
            raise NoFaceError(f"{error} For a drawing or an animal give --crop or --no-crop.") from error

    def _photo_box(self, photo: Image, landmarks: Landmarks | None, analysis: Analysis, best: int) -> FaceBox:
        """The photo's square: the face has the same share of it as the driver's has at the best frame."""
        if isinstance(self.crop, FaceBox):
            return self.crop.square()
        if landmarks is None or not len(analysis.landmarks):
            return middle_square(photo.shape[1], photo.shape[0])
        theirs = points_box(analysis.landmarks[best])
        share = (analysis.box[2] - analysis.box[0]) / max(theirs.width, theirs.height)
        return points_box(landmarks).square((share - 1) / 2)

    def _analyse(self, driving: Video) -> Analysis:
        """Follow the face, crop the clip and find its keypoints, or take them from the cache."""
        kept = cache_dir() / "keypoints" / f"{self._key(driving)}.npz"
        analysis = _load(kept)
        if analysis is None:
            landmarks, box = self._driving_box(driving)
            left, top, right, bottom = (float(v) for v in box)
            square = FaceBox(left, top, right, bottom)
            crops = (crop_face(f, square, margin=0, side=SIZE) for f in self._read(driving, "Reading the movement"))
            analysis = Analysis(self.animator.keypoints(crops), landmarks, box)
            _save(kept, analysis)
        return analysis

    def _driving_box(self, driving: Video) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Landmarks of every driving frame and the one square that holds them all."""
        width, height = next(driving.frames(max_side=DRIVING_SIDE)).shape[1::-1]
        if self.crop == "none":
            box = middle_square(width, height)
            return np.zeros((0, 0, 2), np.float32), np.array([box.left, box.top, box.right, box.bottom])
        frames = self._read(driving, "Watching the singer")
        follow = align_clip if self.landmarks == "face-alignment" else track_face
        track = follow(frames, fps=float(driving.fps), start=driving.start, name=str(driving.path))
        box = _within(crop_video(track).square(MARGIN), width, height)
        landmarks = np.stack([points[:, :2] for points in track.landmarks]).astype(np.float32)
        return landmarks, np.array([box.left, box.top, box.right, box.bottom])

    def _read(self, driving: Video, stage: str) -> Iterator[Image]:
        frames = driving.frames(max_side=DRIVING_SIDE)
        return counted(frames, stage=stage, total=driving.frame_count, progress=self.progress)

    def _key(self, driving: Video) -> str:
        """Names the analysis: it differs with the checkpoint, the clip's file and span, and the way of cropping."""
        file = driving.path.stat()
        how = "none" if self.crop == "none" else self.landmarks
        parts = (
            self.animator.keypoints_key,
            driving.path,
            file.st_size,
            file.st_mtime_ns,
            driving.start,
            driving.duration,
        )
        return hashlib.sha256(repr((*parts, how)).encode()).hexdigest()[:32]


def find_best_frame(landmarks: Landmarks, driving: NDArray[np.floating[Any]]) -> int:
    """Find the driving frame whose pose and expression is nearest the photo's.

    Args:
        landmarks: (K, 2 or 3) of the photo, pixels.
        driving: (N, K, 2) of the clip, pixels.

    Returns:
        The frame's number, by the distance of the landmarks centred and scaled to one size.
    """
    wanted = _normalised(landmarks[None, :, :2])
    return int(((_normalised(driving) - wanted) ** 2).sum((1, 2)).argmin())


def middle_square(width: int, height: int) -> FaceBox:
    """The largest square in the middle of a picture."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return FaceBox(left, top, left + side, top + side)


def _normalised(points: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    centred = points - points.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).sum((1, 2), keepdims=True)))


def _within(box: FaceBox, width: int, height: int) -> FaceBox:
    """Shrink and shift a square until it lies inside the picture."""
    side = min(box.width, width, height)
    (x, y), half = box.centre, side / 2
    x, y = min(max(x, half), width - half), min(max(y, half), height - half)
    return FaceBox(x - half, y - half, x + half, y + half)


def _load(kept: Path) -> Analysis | None:
    """Read a kept analysis; None when there is none that is whole."""
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as data:
            return Analysis(Keypoints(data["value"], data["jacobian"]), data["landmarks"], data["box"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _save(kept: Path, analysis: Analysis) -> None:
    """Keep an analysis if the cache can be written; the clip is made either way."""
    value, jacobian = analysis.keypoints
    part = kept.with_suffix(".part")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, value=value, jacobian=jacobian, landmarks=analysis.landmarks, box=analysis.box)
        part.replace(kept)
    except OSError:
        with suppress(OSError):
            part.unlink()
