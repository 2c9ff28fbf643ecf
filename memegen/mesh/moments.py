"""What drivers do, moment by moment: their frames, read as they are needed, with what was measured in them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import chain, repeat
from typing import NamedTuple, Self

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


class Films:
    """The clips of all drivers, played side by side. Their decoders run in its `with` block.

    Args:
        performances: What happens in each clip.
        length: How many frames are played; where a clip ends before, its driver returns to rest.

    Attributes:
        first: What each driver does in its first frame.
    """

    first: Mapping[Video, Moment]

    def __init__(self, performances: Mapping[Video, Performance], length: int) -> None:
        self._performances, self._length, self._decoders = performances, length, ExitStack()
        self._parts = {clip: _near(clip, show.landmarks) for clip, show in performances.items()}

    def __enter__(self) -> Self:
        streams = [self._played(part) for part, _ in self._parts.values()]
        for stream in streams:
            self._decoders.enter_context(closing(stream))
        self._together = zip(*streams, strict=True)
        self._beginning = next(self._together)
        self.first = self.moments(0, self._beginning)
        return self

    def __exit__(self, *_: object) -> None:
        self._decoders.close()

    def frames(self) -> Iterator[tuple[Image, ...]]:
        """Yield the frames of all clips at one time after the other, for `moments`."""
        yield from chain([self._beginning], self._together)

    def moments(self, number: int, frames: Sequence[Image]) -> dict[Video, Moment]:
        """Return what each driver does in its frame of a number."""
        moments = {}
        for frame, (clip, show), (_, corner) in zip(
            frames, self._performances.items(), self._parts.values(), strict=True
        ):
            late = max(number + 1 - len(show.poses), 0)
            now, left = number - late, eased(late, float(clip.fps)) if late else 1.0
            moments[clip] = Moment(frame, corner, show.landmarks[now], show.poses[now], show.gaze[now], left)
        return moments

    def _played(self, part: Video) -> Generator[Image, None, None]:
        """Decode a clip, and repeat its last frame."""
        with closing(part.frames(max_side=DRIVING_SIDE)) as frames:
            for frame in frames:
                yield frame
        yield from repeat(frame, self._length - part.frame_count)


def _near(clip: Video, landmarks: Sequence[Landmarks]) -> tuple[Video, Floats]:
    """Crop a clip to the part in which the face always is, which is decoded faster; also return that part's corner."""
    if max(clip.width, clip.height) > DRIVING_SIDE:  # its frames are scaled down, a part of them would be so otherwise
        return clip, np.zeros(3, np.float32)
    box = points_box(np.concatenate([points[FACE_OVAL] for points in landmarks])).scaled(AROUND)
    box = box.clip(clip.width, clip.height)
    # Colours are stored for pairs of pixels: whole pairs are cut out, so that they stay as they are.
    left, top = (int(value) // 2 * 2 for value in (box.left, box.top))
    return clip.cropped((left, top, box.right, box.bottom)), np.array([left, top, 0], np.float32)
