"""The mesh engine: a photo sings by its own 468 landmarks, moved as a driver's move, with nothing to download."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from memegen.faces import FaceBox, Image, Landmarks, choose_face, face_mesh, points_box
from memegen.mesh.motion import Array, find_reference, fit_pose, openings, place, retarget, shape_of
from memegen.mesh.mouth import match_colours, mouth_opacity, paint_mouth
from memegen.mesh.warp import follow, lay_rings, render, set_stage
from memegen.parallel import in_parallel
from memegen.progress import Progress, counted
from memegen.tracking import track_face

if TYPE_CHECKING:
    from memegen.video import Video

HEAD = 0.3  # how much a ring vertex goes with the head to count as a part of it
DRIVING_SIDE = 640  # long side at which driving frames are read, pixels: enough for landmarks and for a mouth

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeshAnimator:
    """Animates the whole photo on the CPU; see `animate`.

    Attributes:
        face: Which face of the photo, counted from 0 at the left; the largest when None.
        expression: Gain of mouth, brows and eyes; 1 is the driver's own.
        motion: Gain of the head's turning, shifting and growing; 1 is the driver's own.
        progress: Told how far the face has been followed through the clip.
    """

    face: int | None = None
    expression: float = 1.0
    motion: float = 1.0
    progress: Progress | None = None

    def animate(self, photo: Image, driving: Video) -> Iterator[Image]:
        """Move a photo as the face in a driving clip moves.

        Args:
            photo: uint8 RGB (H, W, 3).
            driving: The clip; it is read twice, once to follow the face and once for the inside of its mouth.

        Yields:
            uint8 RGB (H, W, 3), a fresh array for each driving frame.

        Raises:
            NoFaceError: The photo or the clip has no face.
            InputError: The photo has fewer faces than `face` asks for.
        """
        landmarks = face_mesh(photo, choose_face(photo, self.face))
        frames = driving.frames(max_side=DRIVING_SIDE)
        watched = counted(frames, stage="Watching the singer", total=driving.frame_count, progress=self.progress)
        track = track_face(watched, fps=float(driving.fps), start=driving.start, name=str(driving.path))
        if track.lost:
            log.warning("The face was out of sight in %d of %d frames; they are bridged.", track.lost, len(track.found))
        yield from self._draw(photo, landmarks, driving.frames(max_side=DRIVING_SIDE), track.landmarks)

    def _draw(
        self, photo: Image, landmarks: Landmarks, frames: Iterator[Image], driving: list[Landmarks]
    ) -> Iterator[Image]:
        """Draw one picture for each driving frame and its landmarks."""
        rig, mine = lay_rings(photo, landmarks), fit_pose(landmarks)
        reference = find_reference(landmarks, driving)
        points = rig.rest - mine.shift

        def rigid(theirs: Landmarks) -> Array:
            return place(points, mine, fit_pose(theirs), reference.pose, self.motion)

        head = [*range(468), *(468 + np.nonzero(rig.hold > HEAD)[0])]
        stage = set_stage(photo, rig, reduce(FaceBox.union, (points_box(rigid(theirs)[head]) for theirs in driving)))
        own = float(openings(shape_of(landmarks, mine))[0])
        first = next(frames)
        tint = match_colours(photo, landmarks, first, driving[0])

        def draw(pair: tuple[Image, Landmarks]) -> Image:
            frame, theirs = pair
            face = retarget(landmarks, theirs, reference, expression=self.expression, motion=self.motion)
            region = render(stage, follow(stage, rigid(theirs), face))
            opacity = mouth_opacity(float(openings(face)[0]), own)
            paint_mouth(region, face - [*stage.corner, 0], frame, theirs, tint=tint, opacity=opacity)
            picture = photo.copy()
            picture[stage.window] = region
            return picture

        yield from in_parallel(draw, zip(chain([first], frames), driving, strict=False))
