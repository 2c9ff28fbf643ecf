"""The mesh engine: a photo sings by its own 468 landmarks, moved as a driver's move, with nothing to download."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from typing import ClassVar, NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.base.progress import Progress, counted
from memegen.base.threads import in_parallel
from memegen.face.casting import Driving, Role, cast_roles, eased
from memegen.face.cropping import FaceBox, points_box
from memegen.face.detection import face_mesh
from memegen.face.options import Acting
from memegen.face.topology import Landmarks
from memegen.face.tracking import FaceTrack, track_face
from memegen.media.video import Video
from memegen.mesh.motion import (
    Performance,
    Pose,
    Reference,
    find_reference,
    fit_pose,
    openings,
    place,
    retarget,
    shape_of,
    study,
)
from memegen.mesh.mouth import match_colours, mouth_opacity, paint_mouth
from memegen.mesh.warp import Rig, Scene, follow, lay_rings, set_scene

HEAD = 0.3  # how much a ring vertex goes with the head to count as a part of it
DRIVING_SIDE = 640  # long side at which driving frames are read, pixels: enough for landmarks and for a mouth
HAIR = 0.45  # how far a head rises above its face's box, over the box's height
LEAST_SIDE = 256  # of what is shown of a photo when only the face is, pixels: a smaller face is scaled up

KEPT = 4  # driving clips whose tracks are remembered, for the next photo

log = logging.getLogger(__name__)
_tracks: dict[tuple[Video, int, int], FaceTrack] = {}


class Moment(NamedTuple):
    """What a driver does at one time.

    Attributes:
        frame: uint8 RGB, the driving frame.
        landmarks: (468, 3) in it, pixels.
        pose: The head's.
        left: How much of its movement counts, 1 while the clip runs, going down to 0 after its end.
    """

    frame: Image
    landmarks: Landmarks
    pose: Pose
    left: float


@dataclass(frozen=True)
class Singer:
    """One face of the photo, ready to sing.

    Attributes:
        clip: What it sings.
        landmarks: (468, 3) pixels of the photo.
        rig: What moves with it.
        pose: The head's.
        reference: The driver's look that belongs to the photo.
        tint: For the driver's mouth, see `match_colours`.
        acting: How much it moves.
        muffled: Whether somebody's head is in front of its mouth, so that no mouth is painted.
    """

    clip: Video
    landmarks: Landmarks
    rig: Rig
    pose: Pose
    reference: Reference
    tint: Floats
    acting: Acting
    muffled: bool = False

    def rigid(self, theirs: Pose) -> Floats:
        """Where every vertex would go with the head's turn, shift and growth alone, (V, 3) pixels."""
        return place(self.rig.rest - self.pose.shift, self.pose, theirs, self.reference.pose, self.acting.motion)

    def move(self, moment: Moment) -> tuple[Floats, Floats]:
        """Where every vertex (V, 3) would go with the head, and where the landmarks (468, 3) go, pixels."""
        rigid, left = self.rigid(moment.pose), moment.left
        face = retarget(
            self.landmarks,
            moment.landmarks,
            self.reference,
            expression=self.acting.expression,
            motion=self.acting.motion,
            poses=(self.pose, moment.pose),
        )
        if left < 1:
            face = self.landmarks + left * (face - self.landmarks)
            rigid = self.rig.rest + left * (rigid - self.rig.rest)
        return rigid, face

    def reach(self, performance: Performance) -> FaceBox:
        """The box in pixels that holds the head at all times of the clip."""
        head = [*range(468), *(468 + np.nonzero(self.rig.hold > HEAD)[0])]
        return reduce(FaceBox.union, (points_box(self.rigid(theirs)[head]) for theirs in performance.poses))


@dataclass(frozen=True)
class MeshAnimator:
    """Animates the whole photo on the CPU; see `animate`.

    Attributes:
        acting: Which faces move and how much; the framing "face" shows a square around what can move.
        progress: Told how far the face has been followed through the clip.
        name: What the engine is called.
    """

    name: ClassVar[str] = "mesh"
    acting: Acting = Acting()
    progress: Progress | None = None

    def animate(self, photo: Image, driving: Driving) -> Iterator[Image]:
        """Move a photo as the face in a driving clip moves, or several faces as those in their clips do.

        Args:
            photo: uint8 RGB (H, W, 3).
            driving: The clip; it is read twice, once to follow the face and once for the inside of its mouth. Or, for
                a duet, each face's number and its own clip: a singer comes to rest when its clip ends before another's.

        Yields:
            uint8 RGB (H, W, 3), a fresh array for each driving frame; (S, S, 3) with S even when `framing` is "face".

        Raises:
            NoFaceError: The photo or the clip has no face.
            InputError: The photo has fewer faces than `acting` or the duet asks for.
        """
        roles = cast_roles(photo, self.acting.face, driving)
        meshes = [face_mesh(photo, role.face) for role in roles]
        tracks = {clip: self._track(clip) for clip in dict.fromkeys(role.clip for role in roles)}
        yield from self._draw(photo, roles, meshes, tracks)

    def _track(self, clip: Video) -> FaceTrack:
        """Follow the face in a driving clip, or remember how it went the last time."""
        file = clip.path.stat()
        key = (clip, file.st_size, file.st_mtime_ns)
        track = _tracks.get(key)
        if track is None:
            frames = clip.frames(max_side=DRIVING_SIDE)
            watched = counted(frames, stage="Watching the singer", total=clip.frame_count, progress=self.progress)
            track = track_face(watched, fps=float(clip.fps), start=clip.start, name=str(clip.path))
            while len(_tracks) >= KEPT:
                _tracks.pop(next(iter(_tracks)), None)
            _tracks[key] = track
        if track.lost:
            log.warning("The face was out of sight in %d of %d frames; they are bridged.", track.lost, len(track.found))
        return track

    def _draw(
        self, photo: Image, roles: Sequence[Role], meshes: Sequence[Landmarks], tracks: Mapping[Video, FaceTrack]
    ) -> Iterator[Image]:
        """Draw one picture for each frame of the longest clip."""
        length = max(len(track.landmarks) for track in tracks.values())
        performances = {clip: study(track.landmarks) for clip, track in tracks.items()}
        films = {clip: _film(clip, show, length) for clip, show in performances.items()}
        first = {clip: next(film) for clip, film in films.items()}

        def rehearse(part: tuple[Role, Landmarks]) -> Singer:
            role, mesh = part
            return self._rehearse(photo, role, mesh, first[role.clip], performances[role.clip])

        singers = list(in_parallel(rehearse, zip(roles, meshes, strict=True)))
        reaches = [singer.reach(performances[singer.clip]) for singer in singers]
        scene = set_scene(photo, [singer.rig for singer in singers], reaches)
        frame = self._frame(scene)

        def draw(moments: tuple[Moment, ...]) -> Image:
            picture = sing(scene, singers, dict(zip(films, moments, strict=True)))
            return picture if frame is None else _enlarged(picture[frame])

        yield from in_parallel(draw, chain([tuple(first.values())], zip(*films.values(), strict=True)))

    def _rehearse(
        self, photo: Image, role: Role, landmarks: Landmarks, first: Moment, performance: Performance
    ) -> Singer:
        """Make a face ready."""
        return Singer(
            clip=role.clip,
            landmarks=landmarks,
            rig=lay_rings(photo, landmarks, role.others),
            pose=fit_pose(landmarks),
            reference=find_reference(landmarks, performance),
            tint=match_colours(photo, landmarks, first.frame, first.landmarks),
            acting=self.acting,
            muffled=_is_muffled(role, landmarks),
        )

    def _frame(self, scene: Scene) -> tuple[slice, slice] | None:
        """The square that is shown of the photo, as an index; None when all of it is."""
        if self.acting.framing == "photo":
            return None
        height, width = scene.photo.shape[:2]
        rows, columns = scene.window
        box = FaceBox(columns.start, rows.start, columns.stop, rows.stop).square().inside(width, height)
        side = max(int(box.width) // 2 * 2, 2)
        left, top = (min(max(round(v), 0), n - side) for v, n in ((box.left, width), (box.top, height)))
        return np.s_[top : top + side, left : left + side]


def sing(scene: Scene, singers: Sequence[Singer], moments: Mapping[Video, Moment]) -> Image:
    """Draw all singers at one time: uint8 RGB (H, W, 3), the whole photo.

    Args:
        scene: The photo with the singers as its stages.
        singers: In the stages' order.
        moments: What the driver of each clip does.
    """
    moves = [singer.move(moments[singer.clip]) for singer in singers]
    picture = scene.draw([follow(stage, *move) for stage, move in zip(scene.stages, moves, strict=True)])
    for singer, (_, face) in zip(singers, moves, strict=True):
        moment = moments[singer.clip]
        if singer.muffled:
            continue
        own = float(openings(shape_of(singer.landmarks, singer.pose))[0])
        opacity = mouth_opacity(float(openings(face)[0]), own)
        paint_mouth(picture, face, moment.frame, moment.landmarks, tint=singer.tint, opacity=opacity)
    return picture


def _is_muffled(role: Role, landmarks: Landmarks) -> bool:
    """Tell whether a larger, that is nearer, head hides the mouth."""
    x, y = landmarks[[13, 14], :2].mean(0).tolist()
    nearer = (other for other in role.others if other.height > role.face.height)
    return any(other.left < x < other.right and other.top - HAIR * other.height < y < other.bottom for other in nearer)


def _film(clip: Video, performance: Performance, length: int) -> Iterator[Moment]:
    """What a driver does, frame by frame, and the coming to rest after it up to a length in frames."""
    last = None
    frames = clip.frames(max_side=DRIVING_SIDE)
    for frame, landmarks, pose in zip(frames, performance.landmarks, performance.poses, strict=False):
        last = Moment(frame, landmarks, pose, 1.0)
        yield last
    if last is not None:
        for late in range(1, length - len(performance.landmarks) + 1):
            yield last._replace(left=eased(late, float(clip.fps)))


def _enlarged(square: Image) -> Image:
    """Scale a square up to the least side; a fresh array."""
    if len(square) >= LEAST_SIDE:
        return square.copy()
    return np.asarray(cv2.resize(square, (LEAST_SIDE, LEAST_SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
