"""What drivers do, moment by moment: their frames, read as they are needed, with what was measured in them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.casting import eased
from memegen.face.cropping import points_box
from memegen.face.performance import Performance
from memegen.face.pose import Pose
from memegen.face.topology import FACE_OVAL, Landmarks
from memegen.face.watching import DRIVING_SIDE
from memegen.media.video import Video

AROUND = 1.2  # size of the part of the driving frames that is read, over the face's


class Moment(NamedTuple):
    """What a driver does at one time.

    Attributes:
        frame: uint8 RGB, the part of the driving frame in which the face is.
        corner: (3,) its left and top in the driving frame, pixels, and 0.
        landmarks: (478, 3) in the driving frame, pixels.
        pose: The head's.
        gaze: (2,) where it looks, see `Performance`.
        left: How much of its movement counts: 1 while the clip runs, then falling to 0.
    """

    frame: Image
    corner: Floats
    landmarks: Landmarks
    pose: Pose
    gaze: Floats
    left: float

    @property
    def seen(self) -> Floats:
        """The landmarks in pixels of `frame`, (478, 3)."""
        return self.landmarks - self.corner


def film(clip: Video, performance: Performance, length: int) -> Generator[Moment, None, None]:
    """Yield what a driver does frame by frame, followed by the return to rest, `length` moments in all."""
    last, (near, corner) = None, _near(clip, performance.landmarks)
    with closing(near.frames(max_side=DRIVING_SIDE)) as frames:
        for frame, landmarks, pose, gaze in zip(
            frames, performance.landmarks, performance.poses, performance.gaze, strict=False
        ):
            last = Moment(frame, corner, landmarks, pose, gaze, 1.0)
            yield last
    if last is not None:
        for late in range(1, length - len(performance.landmarks) + 1):
            yield last._replace(left=eased(late, float(clip.fps)))


def _near(clip: Video, landmarks: Sequence[Landmarks]) -> tuple[Video, Floats]:
    """Crop a clip to the part in which the face always is, which is decoded faster; also return that part's corner."""
    if max(clip.width, clip.height) > DRIVING_SIDE:  # its frames are scaled down, a part of them would be so otherwise
        return clip, np.zeros(3, np.float32)
    box = points_box(np.concatenate([points[FACE_OVAL] for points in landmarks])).scaled(AROUND)
    box = box.clip(clip.width, clip.height)
    # Colours are stored for pairs of pixels: whole pairs are cut out, so that they stay as they are.
    left, top = (int(value) // 2 * 2 for value in (box.left, box.top))
    return clip.cropped((left, top, box.right, box.bottom)), np.array([left, top, 0], np.float32)
