"""The driving clip as the networks see it: its keypoints in one square for all frames, kept for the next photo."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

import numpy as np

from memegen.base.arrays import Floats
from memegen.base.errors import InputError
from memegen.base.progress import Progress
from memegen.face.casting import eased
from memegen.face.cropping import FaceBox, crop_face, points_box
from memegen.face.landmarks68 import align_clip
from memegen.face.options import Acting, Region
from memegen.face.topology import Landmarks
from memegen.face.tracking import crop_video, track_face
from memegen.face.watching import DRIVING_SIDE, Arrays, read_clip, recall, watch
from memegen.fomm.keypoints import Keypoints, Transfer
from memegen.fomm.model import SIZE, FommModel
from memegen.fomm.options import FommOptions
from memegen.media.video import Video

MARGIN = 0.15  # room around the face's box over a whole clip, on each side; the photo's crop gets the same share


class Analysis(NamedTuple):
    """What an engine needs to know of a driving clip; it is kept in the cache, so that the next photo starts at once.

    Attributes:
        keypoints: float32 keypoints of the N cropped frames.
        landmarks: (N, K, 2) float32, pixels; N = 0 where no face was looked for in the clip.
        box: The square crop, pixels of frames with a long side of 640.
    """

    keypoints: Keypoints[Floats]
    landmarks: Floats
    box: FaceBox

    def share(self, frame: int) -> float:
        """Return the side of the square over the longer side of the face in a frame."""
        theirs = points_box(self.landmarks[frame])
        return self.box.width / max(theirs.width, theirs.height)


def analyse(model: FommModel, clip: Video, options: FommOptions, progress: Progress | None) -> Analysis:
    """Follow the face in a clip, crop it and find its keypoints, unless all this is known.

    Args:
        model: The networks.
        clip: The driving clip.
        options: What finds the face, if it is looked for.
        progress: Told how far it is.

    Raises:
        NoFaceError: A face is looked for, and the clip has none.
    """
    how, landmarks, face = "none", np.zeros((0, 0, 2), np.float32), None
    if options.crop != "none":
        how = options.landmarks
        track = watch(clip, progress, align_clip if how == "face-alignment" else track_face)
        landmarks, face = np.stack([points[:, :2] for points in track.landmarks]), crop_video(track)
    found = recall(
        clip,
        f"keypoints {model.keypoints_key} {how}",
        names=("value", "jacobian", "box"),
        make=lambda: _find_keypoints(model, clip, face, progress),
    )
    return Analysis(Keypoints(found["value"], found["jacobian"]), landmarks, FaceBox(*found["box"].tolist()))


def _find_keypoints(model: FommModel, clip: Video, face: FaceBox | None, progress: Progress | None) -> Arrays:
    """Find the keypoints of a clip in one square for all frames: around the face, or in the middle without one."""
    with closing(clip.frames(max_side=DRIVING_SIDE)) as frames:
        height, width = next(frames).shape[:2]
    box = (FaceBox(0, 0, width, height) if face is None else face.square(MARGIN)).inside(width, height)
    with closing(read_clip(clip, "Reading the movement", progress)) as frames:
        value, jacobian = model.keypoints(crop_face(frame, box, margin=0, side=SIZE) for frame in frames)
    return {"value": value, "jacobian": jacobian, "box": np.array([box.left, box.top, box.right, box.bottom])}


def find_best_frame(landmarks: Landmarks, driving: Floats) -> int:
    """Find the driving frame whose pose and expression is nearest the photo's.

    Args:
        landmarks: (K, 2 or 3) of the photo, pixels.
        driving: (N, K, 2) of the clip, pixels.

    Returns:
        The frame's number, by the distance of the landmarks centred and scaled to one size.
    """
    wanted = _normalised(landmarks[None, :, :2])
    return int(((_normalised(driving) - wanted) ** 2).sum((1, 2)).argmin())


def _normalised(points: Floats) -> Floats:
    """Shift and scale landmarks (N, K, 2) to a mean of 0 and squares that sum to 1."""
    centred = points - points.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).sum((1, 2), keepdims=True)))


def lengthened(keypoints: Keypoints[Floats], length: int, *, best: int, fps: float) -> Keypoints[Floats]:
    """Return a clip's keypoints, and after its end a return to its best frame.

    Args:
        keypoints: Of the clip.
        length: How many frames the result has at least.
        best: The number of the best frame.
        fps: Frames a second.
    """
    late = np.arange(1, length - len(keypoints.value) + 1)
    left = np.array([eased(int(frame), fps) for frame in late], np.float32)

    def longer(values: Floats) -> Floats:
        rest, last = values[best], values[-1]
        end = rest + left.reshape(-1, *(1,) * rest.ndim) * (last - rest)
        return np.concatenate([values, end]).astype(np.float32)

    return Keypoints(*map(longer, keypoints)) if len(late) else keypoints


def transfer_of(acting: Acting, options: FommOptions, part: Region) -> Transfer:
    """Say how a driver's motion is transferred when only a part of the face follows: "head" alone moves the head.

    Raises:
        InputError: The driver's own shape and place are asked for, which move the head.
    """
    if part != "head" and not options.relative:
        raise InputError(
            f"Absolute motion moves the whole head, so the {part} can't follow alone: use relative motion, "
            "or let the head follow.",
            remedy={"part": "head"},
        )
    motion = acting.motion if part == "head" else 0.0
    return Transfer(relative=options.relative, expression=acting.expression, motion=motion)
