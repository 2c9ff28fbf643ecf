"""The mesh engine: the 478 landmarks of a photo's face move as the driver's do. It needs no download and no GPU."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.base.copies import in_copies
from memegen.base.progress import Progress
from memegen.base.threads import in_parallel
from memegen.face.casting import Driving, Role, cast_roles
from memegen.face.cropping import FaceBox, points_box
from memegen.face.detection import face_mesh, mesh_box, shows_face
from memegen.face.options import Acting
from memegen.face.performance import Performance, study
from memegen.face.pose import Pose, fit_pose, openings, shape_of, yaw_of
from memegen.face.targets import plan_target
from memegen.face.topology import IRISES, LIP_MIDDLES, POINTS, Landmarks
from memegen.face.watching import watch
from memegen.media.playing import play
from memegen.media.video import Video
from memegen.mesh.eyes import Eye, carried, open_up, turn_eyes
from memegen.mesh.lids import Lid, held_open, shut_lids, skin_of_lids
from memegen.mesh.moments import Moment, play_films
from memegen.mesh.motion import Reference, act, find_reference, place, shares, way_of
from memegen.mesh.mouth import mouth_opacity, paint_mouth
from memegen.mesh.palette import Palette, match_colours
from memegen.mesh.rig import Rig, lay_rings
from memegen.mesh.target import cast_faces
from memegen.mesh.unfolding import unfold
from memegen.mesh.warp import CROWD, Scene, follow, set_scene

HEAD = 0.3  # a ring vertex that follows the head by more than this belongs to it
HAIR = 0.45  # how far a head rises above its face's box, over the box's height
EXPOSED = 0.25, 0.4  # turns towards us, radians, from which on a hidden half is drawn, and alone
CROWN = 0.08  # how far a crown that the photo cuts off may come in, over the height of the face
LEAST_SIDE = 256  # pixels of the square that shows only the face: a smaller one is scaled up

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhotoFace:
    """One face of the photo, made ready for any driver.

    Attributes:
        landmarks: (478, 3) pixels of the photo.
        rig: What moves with it.
        pose: The head's.
        flat: (V, 2 or 3) where its vertices lie in the picture that its eyes are taken from, pixels of the photo.
        eyes: The right and the left one, None where there is no iris to move.
        lids: The right and the left one, None where they are not seen.
        muffled: Whether no mouth is painted: another head is in front of it, or it is a muzzle.
        unfolded: The same face with the half that the photo hides; None where it shows both.
    """

    landmarks: Landmarks
    rig: Rig
    pose: Pose
    flat: Floats
    eyes: tuple[Eye | None, ...]
    lids: tuple[Lid | None, ...]
    muffled: bool = False
    unfolded: PhotoFace | None = None

    @cached_property
    def shape(self) -> Floats:
        """The landmarks without the pose, see `shape_of`."""
        return shape_of(self.rig.rest[:POINTS], self.pose)

    @cached_property
    def opening(self) -> float:
        """How far the photo's own mouth is open, over the inter-ocular distance."""
        return float(openings(self.shape)[0])

    @cached_property
    def room(self) -> float:
        """By how many pixels a crown that the photo cuts off may come in."""
        return CROWN * mesh_box(self.landmarks).height


@dataclass(frozen=True)
class Singer:
    """A face of the photo with what drives it.

    Attributes:
        face: As the photo shows it.
        clip: What it sings.
        reference: The driver's look that corresponds to the photo.
        palette: For the driver's mouth.
        acting: How much it moves.
    """

    face: PhotoFace
    clip: Video
    reference: Reference
    palette: Palette
    acting: Acting

    @property
    def motion(self) -> float:
        """The gain of the head's movement."""
        return motion_of(self.acting)

    def way(self, theirs: Pose) -> Floats:
        """Return how the head turns, grows and moves with the driver's, as an affine map; see `way_of`."""
        mine, room = self.face.pose, self.face.room
        way = way_of(mine, theirs, self.reference.pose, self.motion)
        # A crown that the photo cuts off hardly comes in: the head stays higher for it.
        lower = float(place(self.face.rig.crown - mine.shift, way)[:, 1].max(initial=0))
        way[1, 3] -= lower - room * math.tanh(lower / room)
        return way

    def exposed(self, moment: Moment) -> float:
        """Return how much of what the photo hides of the head has been turned towards us, 0 to 1."""
        if self.face.unfolded is None:
            return 0.0
        mine = self.face.pose
        yaw, now = yaw_of(mine), yaw_of(mine._replace(rotation=self.way(moment.pose)[:, :3] @ mine.rotation))
        return float(smoothstep((moment.left * (yaw - now) * np.sign(yaw) - EXPOSED[0]) / (EXPOSED[1] - EXPOSED[0])))

    def move(self, moment: Moment) -> tuple[Floats, Floats]:
        """Return where every vertex (V, 3) would go with the head, and where the landmarks (478, 3) go, pixels."""
        own, way, left = self.face, self.way(moment.pose), moment.left
        rest = own.rig.rest
        rigid = place(rest - own.pose.shift, way)
        look, expression = shape_of(moment.landmarks, moment.pose), self.acting.expression
        shape = act(own.shape, look, self.reference, lids=moment.lids, expression=expression, gaze=moment.gaze)
        face = place(shape @ own.pose.rotation.T * own.pose.scale, way)
        if self.acting.part == "mouth":
            face = rest[:POINTS] + shares("mouth")[:, None] * (face - rest[:POINTS])
        if left < 1:  # its clip has ended: everything goes back to where it is in the photo
            face = rest[:POINTS] + left * (face - rest[:POINTS])
            rigid = rest + left * (rigid - rest)
        return rigid, face

    def reach(self, performance: Performance) -> FaceBox:
        """Return the box in pixels that holds the head at all times of the clip."""
        rest, hold = self.face.rig.rest, self.face.rig.hold
        head = (rest[[*range(POINTS), *(POINTS + np.flatnonzero(hold > HEAD))]] - self.face.pose.shift).T
        ways = np.array([self.way(theirs)[:2] for theirs in performance.poses])
        ends = np.array([(moved.min(1), moved.max(1)) for moved in (way[:, :3] @ head for way in ways)])
        return points_box((ends + ways[:, None, :, 3]).reshape(-1, 2))


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

    def animate(self, photo: Image | Video, driving: Driving) -> Iterator[Image]:
        """Move a photo as the face in a driving clip moves, or several faces as those in their clips do.

        Args:
            photo: uint8 RGB (H, W, 3). Or a target video, whose faces then have the driver's expression: the frames
                come at its rate.
            driving: The clip. It is read to follow the face, unless its track is known, and again for the inside of
                the mouth. For a duet, a mapping from a face's number to its own clip: a face whose clip ends before
                another's comes to rest.

        Yields:
            uint8 RGB (H, W, 3), a fresh array for each driving frame; (S, S, 3) with S even when `framing` is "face".

        Raises:
            NoFaceError: The photo or the clip has no face.
            InputError: The photo has fewer faces than `acting` or the duet asks for.
        """
        if isinstance(photo, Video):
            yield from self._change(photo, driving)
            return
        yield from self._draw(photo, cast_roles(photo, self.acting.face, driving))

    def _study(self, clip: Video) -> Performance:
        """Follow the face in a driving clip, and warn if it was out of sight for a while."""
        track = watch(clip, self.progress)
        if track.lost:
            message = "The face was out of sight in %d of %d frames; its movement there is interpolated."
            log.warning(message, track.lost, len(track.found))
        return study(track.landmarks)

    def _draw(self, photo: Image, roles: Sequence[Role]) -> Iterator[Image]:
        """Draw one picture for each frame of the longest clip."""
        # In a crowd nobody is unfolded; a head that does not turn shows nothing that is hidden.
        turns = (False, True) if motion_of(self.acting) > 0 else (False,)
        views = turns if len(roles) < CROWD else ()
        with ExitStack() as stack:  # decoders end with the stream, also where an error is kept
            with ThreadPoolExecutor(1) as aside:
                preparing = aside.submit(lambda: list(in_parallel(partial(prepare_face, photo, views=views), roles)))
                performances = {clip: self._study(clip) for clip in dict.fromkeys(role.clip for role in roles)}
                length = max(len(performance.poses) for performance in performances.values())
                films = stack.enter_context(play_films(performances, length))

            def rehearse(part: tuple[Role, PhotoFace]) -> tuple[Singer, FaceBox]:
                role, face = part
                first = films.first[role.clip]
                reference = find_reference(face.landmarks, performances[role.clip])
                palette = match_colours(photo, face.landmarks, first.frame, first.seen)
                singer = Singer(face, role.clip, reference, palette, self.acting)
                return singer, singer.reach(performances[role.clip])

            rehearsed = in_parallel(rehearse, zip(roles, preparing.result(), strict=True))
            singers, reaches = zip(*rehearsed, strict=True)
            casts = [list(singers)]
            if any(singer.face.unfolded for singer in singers):
                casts.append([replace(singer, face=singer.face.unfolded or singer.face) for singer in singers])
            scenes = [set_scene(photo, [one.face.rig for one in cast], reaches) for cast in casts]
            frame = self._frame(scenes[0])

            def draw(number: int, *frames: Image) -> Image:
                picture = perform(scenes, casts, films.moments(number, frames))
                return picture if frame is None else _enlarged(picture[frame])

            yield from in_copies(draw, films.frames())

    def _change(self, target: Video, driving: Driving) -> Iterator[Image]:
        """Draw the frames of a target with the drivers' expressions."""
        plan = plan_target(target, driving, self.acting, self.progress)
        performances = {clip: self._study(clip) for clip in dict.fromkeys(plan.clips.values())}
        with play_films(performances, plan.length) as films:
            cast = cast_faces(plan, performances, films.first, self.acting)
            size = plan.target.width, plan.target.height
            frame = None if self.acting.framing == "photo" else even_square(cast.reach, *size)

            def draw(shown: int, picture: Image, number: int, *frames: Image) -> Image:
                changed = cast.change(shown, picture, films.moments(number, frames))
                return changed if frame is None else _enlarged(changed[frame])

            played = play(plan.target, plan.length, loop=self.acting.ending == "loop")
            together = zip(played, films.frames(), strict=False)
            yield from in_copies(draw, ((*picture, *frames) for picture, frames in together))

    def _frame(self, scene: Scene) -> tuple[slice, slice] | None:
        """Return the square that is shown of the photo, as an index; None when all of it is."""
        if self.acting.framing == "photo":
            return None
        height, width = scene.photo.shape[:2]
        rows, columns = scene.window
        return even_square(FaceBox(columns.start, rows.start, columns.stop, rows.stop), width, height)


def motion_of(acting: Acting) -> float:
    """Return the gain of the head's movement."""
    return acting.motion if acting.part in (None, "head") else 0.0


def prepare_face(photo: Image, role: Role, *, views: Sequence[bool] = (False, True)) -> PhotoFace:
    """Find one of the photo's faces, and take it apart.

    Args:
        photo: uint8 RGB (H, W, 3).
        role: Which one, and what is near it.
        views: How it is unfolded if it looks aside: hardly, and as a whole; see `unfold`.

    Raises:
        InputError: Its box is empty.
    """
    landmarks = face_mesh(photo, role.face)
    # The landmark network itself knows a cat: its landmarks lie beside the muzzle and the eyes.
    animal = not shows_face(photo, mesh_box(landmarks))
    hidden = [side for side in (0, 1) if animal or _is_covered(role, landmarks[IRISES[side]])]

    def taken_apart(rig: Rig, shown: Image, flat: Floats, corner: tuple[int, int]) -> PhotoFace:
        points = flat[:POINTS, :2] - corner
        eyes = [None if side in hidden else open_up(shown, points, side) for side in (0, 1)]
        lids = [None if side in hidden else skin_of_lids(shown, points, side) for side in (0, 1)]
        return PhotoFace(
            landmarks=landmarks,
            rig=rig,
            pose=fit_pose(landmarks),
            flat=flat,
            eyes=tuple(eye and eye._replace(corner=eye.corner + corner) for eye in eyes),
            lids=tuple(lid and lid._replace(corner=lid.corner + corner) for lid in lids),
            muffled=animal or _is_covered(role, landmarks[LIP_MIDDLES]),
        )

    rig = lay_rings(photo, landmarks, role.others)
    seen, *whole = (unfold(photo, rig, whole=view) for view in views) if views else [rig]
    face = taken_apart(seen, photo, landmarks, (0, 0))
    for one in whole:
        if one.texture is not None:
            picture, _, corner, places = one.texture
            face = replace(face, unfolded=taken_apart(one, picture, places, corner))
    return face


def even_square(box: FaceBox, width: int, height: int) -> tuple[slice, slice]:
    """Return the square around a box within a picture, as an index; its side is even, for video codecs."""
    box = box.square().inside(width, height)
    side = max(int(box.width) // 2 * 2, 2)
    left, top = (min(max(round(v), 0), n - side) for v, n in ((box.left, width), (box.top, height)))
    return np.s_[top : top + side, left : left + side]


def perform(scenes: Sequence[Scene], casts: Sequence[Sequence[Singer]], moments: Mapping[Video, Moment]) -> Image:
    """Draw the heads as the photo shows them, unfolded when they turn towards us, and a blend of both on the way.

    Args:
        scenes: The photo, and where a head is unfolded, with that.
        casts: The singers of each.
        moments: What the driver of each clip does.

    Returns:
        uint8 RGB (H, W, 3), the whole photo.
    """
    (scene, *unfolded), (singers, *turned) = scenes, casts
    exposed = max(singer.exposed(moments[singer.clip]) for singer in singers) if unfolded else 0.0
    if exposed == 0:
        return sing(scene, singers, moments)
    picture = sing(unfolded[0], turned[0], moments)
    if exposed == 1:
        return picture
    return np.asarray(cv2.addWeighted(picture, exposed, sing(scene, singers, moments), 1 - exposed, 0), np.uint8)


def sing(scene: Scene, singers: Sequence[Singer], moments: Mapping[Video, Moment]) -> Image:
    """Draw all singers at one time: uint8 RGB (H, W, 3), the whole photo.

    Args:
        scene: The photo with the singers as its stages.
        singers: In the stages' order.
        moments: What the driver of each clip does.
    """
    moves = [singer.move(moments[singer.clip]) for singer in singers]
    # Eyes and mouths are painted into the finished picture, except those behind another head.
    stays = [carried(face, singer.face.flat) for singer, (_, face) in zip(singers, moves, strict=True)]
    opened = [held_open(face, stay) for (_, face), stay in zip(moves, stays, strict=True)]
    picture = scene.draw(
        [follow(stage, rigid, face) for stage, (rigid, _), face in zip(scene.stages, moves, opened, strict=True)]
    )
    for singer, (_, face), lids, stay in zip(singers, moves, opened, stays, strict=True):
        own, moment = singer.face, moments[singer.clip]
        turn_eyes(picture, own.eyes, face[:, :2], stay)
        shut_lids(picture, own.lids, lids[:, :2], face[:, :2], stay)
        if own.muffled:
            continue
        opacity = mouth_opacity(float(openings(face)[0]), own.opening)
        paint_mouth(picture, face, moment.frame, moment.seen, palette=singer.palette, opacity=opacity)
    return picture


def _is_covered(role: Role, points: Landmarks) -> bool:
    """Tell whether a larger head, which is nearer, hides some points of a face."""
    x, y = points[:, :2].mean(0).tolist()
    nearer = (other for other in role.others if other.height > role.face.height)
    return any(other.left < x < other.right and other.top - HAIR * other.height < y < other.bottom for other in nearer)


def _enlarged(square: Image) -> Image:
    """Copy a square, scaled up to the least side."""
    if len(square) >= LEAST_SIDE:
        return square.copy()
    return np.asarray(cv2.resize(square, (LEAST_SIDE, LEAST_SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
