"""What drivers do, moment by moment: their frames, read as they are needed, with what was measured in them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain, repeat
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
        lids: (2,) how far its eyes are open, see `Performance`.
        gaze: (2,) where it looks, likewise.
        left: How much of its movement counts: 1 while the clip runs, then falling to 0.
    """

    frame: Image
    corner: Floats
    landmarks: Landmarks
    pose: Pose
    lids: Floats
    gaze: Floats
    left: float

    @property
    def seen(self) -> Floats:
        """The landmarks in pixels of `frame`, (478, 3)."""
        return self.landmarks - self.corner


class Films:
    """The clips of all drivers, played side by side; see `play_films`.

    Args:
        shows: The clips, what happens in each, and the corner of the part that is seen, see `Moment`.
        frames: Tuples of one frame of each clip, uint8 RGB.

    Attributes:
        first: What each driver does in its first frame.
    """

    def __init__(self, shows: Sequence[tuple[Video, Performance, Floats]], frames: Iterator[tuple[Image, ...]]) -> None:
        beginning = next(frames)
        self._shows, self._frames = shows, chain([beginning], frames)
        self.first = self.moments(0, beginning)

    def frames(self) -> Iterator[tuple[int, *tuple[Image, ...]]]:
        """Yield once, for `moments`, the number of each time and what all clips show then, uint8 RGB (h, w, 3)."""
        for number, frames in enumerate(self._frames):
            yield number, *frames

    def moments(self, number: int, frames: Sequence[Image]) -> dict[Video, Moment]:
        """Return what each driver does at the time of a number, with what its clip shows then."""
        moments = {}
        for frame, (clip, show, corner) in zip(frames, self._shows, strict=True):
            late = max(number + 1 - len(show.poses), 0)
            now, left = number - late, eased(late, float(clip.fps)) if late else 1.0
            moments[clip] = Moment(
                frame, corner, show.landmarks[now], show.poses[now], show.lids[now], show.gaze[now], left
            )
        return moments


@contextmanager
def play_films(performances: Mapping[Video, Performance], length: int) -> Iterator[Films]:
    """Play the clips of all drivers side by side; the decoders end with the block, also where it does not begin.

    Args:
        performances: What happens in each clip.
        length: How many frames are played. Where a clip ends before, its driver returns to rest.

    Raises:
        InputError: A clip breaks off.
    """
    shows, streams = [], []
    with ExitStack() as decoders:
        for clip, show in performances.items():
            near, corner = _near(clip, show.landmarks)
            shows.append((clip, show, corner))
            streams.append(decoders.enter_context(closing(_played(near, length))))
        yield Films(shows, zip(*streams, strict=True))


def _played(clip: Video, length: int) -> Generator[Image, None, None]:
    """Decode a clip, and repeat its last frame until there are so many."""
    with closing(clip.frames(max_side=DRIVING_SIDE)) as frames:
        for frame in frames:
            yield frame
    yield from repeat(frame, length - clip.frame_count)


def _near(clip: Video, landmarks: Sequence[Landmarks]) -> tuple[Video, Floats]:
    """Crop a clip to the part in which the face always is, which is decoded faster; also return that part's corner."""
    if max(clip.width, clip.height) > DRIVING_SIDE:  # its frames are scaled down, a part of them would be so otherwise
        return clip, np.zeros(3, np.float32)
    box = points_box(np.concatenate([points[FACE_OVAL] for points in landmarks])).scaled(AROUND)
    box = box.clip(clip.width, clip.height)
    # Colours are stored for pairs of pixels: whole pairs are cut out, so that they stay as they are.
    left, top = (int(value) // 2 * 2 for value in (box.left, box.top))
    return clip.cropped((left, top, box.right, box.bottom)), np.array([left, top, 0], np.float32)
