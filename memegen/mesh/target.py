"""A face in another video sings: its own expression is taken away frame by frame, and the driver's is put in its place.

The target's frames are warped around the face only. Its pose, place and size stay its own; eyes and the inside of the
mouth are painted from the target's own frames where it shows them.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.cropping import FaceBox, points_box, soft_mask, window
from memegen.face.options import Acting
from memegen.face.performance import Performance
from memegen.face.pose import Pose, fit_pose, lids_of, openings, shape_of, turned_aside
from memegen.face.targets import TargetPlan, TargetTrack, how_visible
from memegen.face.topology import EYE_LIDS, FACE_OVAL, INNER_LIPS, IRISES, LOWER_LIP, POINTS, Landmarks
from memegen.media.video import Video
from memegen.mesh.eyes import Eye, carried, lit, open_up, placed, turn_eyes
from memegen.mesh.lids import Lid, held_open, shut_lids, skin_of_lids
from memegen.mesh.moments import Moment
from memegen.mesh.motion import Reference, act, place, shares, way_of
from memegen.mesh.mouth import mouth_opacity, paint_mouth
from memegen.mesh.palette import Palette, match_colours
from memegen.mesh.rest import Rest, find_rest
from memegen.mesh.rig import Rig, lay_rings, with_rings
from memegen.mesh.warp import bare_stage, bend, follow

ASIDE = 0.6, 0.95  # yaw up to which a face is changed fully, and from which not at all, radians
BLINKING = 0.65, 0.85  # opening of an eye, over its usual one, up to which it is painted over, and from which not
AROUND_EYE = 0.5  # what is cut out around an eye, over its width
BEYOND_LIDS, SOFT_EYE = 2.0, 0.12  # what is painted, over the lids' outline, as lashes lie below, and its soft edge
MISREAD, DOWN = 0.5, 0.5  # how much of the lower lip may be teeth taken for it, and how much of that its outer edge
LEVELS = [0.06, 0.09, 0.13, 0.18, 0.24, 0.31]  # openings at which the inside of a mouth is kept
ALIKE = 0.25  # by how much of its opening a mouth must open or shut until its inside is replaced in full
ENOUGH = 0.6  # how far the target's mouth must open, over the driver's way, to lend its own inside
AROUND = 1.7  # size of the square that shows only the face, over the face's
GAINS = 0.6, 1.6  # limits of a change of light


class Inside(NamedTuple):
    """The inside of a mouth, as the target shows it in one frame.

    Attributes:
        opening: How far the mouth is open there, over the inter-ocular distance.
        picture: uint8 RGB, what is around it.
        landmarks: (478, 3) pixels of that picture.
        palette: For it.
    """

    opening: float
    picture: Image
    landmarks: Landmarks
    palette: Palette


class OpenEye(NamedTuple):
    """An open eye with what is around it.

    Attributes:
        corner: (2,) pixels (x, y) of its corner in the frame that it is from.
        layer: uint8 RGB (h, w, 4) with a soft outline.
    """

    corner: Floats
    layer: Image


@dataclass(frozen=True)
class TargetFace:
    """One face in one shot of the target.

    Attributes:
        rest: Without its expression.
        driver: The driver likewise.
        reference: The driver in its usual pose.
        model: (478, 3) landmarks of the frame that eyes and lids are from, pixels.
        pose: The head's there.
        eyes: The right and the left one; None where no iris is seen.
        lids: The skin of their lids.
        insides: Of its own mouth, from the least open to the most; none if it hardly opens.
        palette: For the driver's mouth.
        hold: How much the rings go with the head, see `Rig`.
        jaw: And with the jaw.
        open_eyes: The surroundings of its eyes in that frame, for blinks.
        tone: (3,) mean colour of the face there.
        share: (478,) how much of the movement each landmark makes.
    """

    rest: Rest
    driver: Rest
    reference: Reference
    model: Landmarks
    pose: Pose
    eyes: tuple[Eye | None, ...]
    lids: tuple[Lid | None, ...]
    open_eyes: tuple[OpenEye, ...]
    insides: tuple[Inside, ...]
    palette: Palette
    hold: Floats
    jaw: Floats
    tone: Floats
    share: Floats


def _facing(track: TargetTrack) -> Floats:
    """Return how much of the change is shown in each frame by how far the face is turned away, (N,)."""
    facing = np.ones(len(track.found))
    for number in np.flatnonzero(track.found):
        aside = abs(turned_aside(fit_pose(track.landmarks[number]))).max()
        facing[number] = 1 - smoothstep((aside - ASIDE[0]) / np.ptp(ASIDE))
    return facing


class Driver(NamedTuple):
    """A driver, as every face that follows it needs it.

    Attributes:
        performance: What it does.
        first: Its first moment.
        rest: Without its expression.
    """

    performance: Performance
    first: Moment
    rest: Rest


def cast_target(
    frames: Mapping[int, Image],
    wanted: Sequence[int],
    track: TargetTrack,
    span: tuple[int, int],
    driven: Driver,
    acting: Acting,
) -> TargetFace:
    """Make one face of one shot ready.

    Args:
        frames: uint8 RGB by their number in the target.
        wanted: Which of them count, from `wanted_frames`.
        track: Of the face.
        span: The shot's first frame, and the one after its last.
        driven: Its driver.
        acting: How much it follows.
    """
    model, *open_mouths = wanted
    frame, landmarks = frames[model], track.landmarks[model]
    rest = find_rest(track.landmarks[slice(*span)])
    performance, first, driver = driven
    # Its own teeth can be shown if it opens its mouth nearly as far as it will.
    way = acting.expression * (np.percentile(performance.cues[:, 3], 98) - openings(driver.shape)[0])
    widest = float(max(openings(track.landmarks[number])[0] for number in [model, *open_mouths]))
    enough = widest >= ENOUGH * (openings(rest.shape)[0] + way)
    rig = lay_rings(frame, landmarks)
    sides = (0, 1)
    eyes = tuple(open_up(frame, landmarks[:, :2], side) for side in sides)
    lids = tuple(skin_of_lids(frame, landmarks[:, :2], side) for side in sides)
    return TargetFace(
        rest=rest,
        driver=driver,
        reference=Reference(_usual(performance), driver.shape, np.percentile(performance.lids, 85, axis=0)),
        model=landmarks,
        pose=fit_pose(landmarks),
        eyes=eyes,
        lids=lids,
        open_eyes=tuple(_open_eye(frame, landmarks, side) for side in sides),
        insides=tuple(
            _inside(frames[number], track.landmarks[number], frame, landmarks) for number in open_mouths if enough
        ),
        palette=match_colours(frame, landmarks, first.frame, first.seen),
        hold=rig.hold,
        jaw=rig.jaw,
        tone=_tone(frame, landmarks),
        share=shares("mouth" if acting.part == "mouth" else "face"),
    )


def wanted_frames(track: TargetTrack, span: tuple[int, int]) -> list[int]:
    """List the frames of a shot that a face's eyes and the insides of its mouth are taken from.

    The first shows it at rest, in its usual pose and in full view; then come frames with a mouth open more and more,
    none where it never is.
    """
    numbers = np.arange(*span)
    meshes = track.landmarks[slice(*span)]
    poses = [fit_pose(mesh) for mesh in meshes]
    turns = np.array([turned_aside(pose) for pose in poses])
    opening, eyes = np.array([(openings(mesh)[0], lids_of(mesh).mean()) for mesh in meshes]).T
    usual = np.median(turns, axis=0)
    cost = abs(turns - usual).sum(1) + 10 * (1 - track.likeness[slice(*span)]) + 10 * (track.found[slice(*span)] <= 0)
    wide = np.percentile(eyes, 80)
    best = int((cost + 3 * abs(eyes - wide) / max(wide, 1e-3) + 3 * (opening - np.percentile(opening, 5))).argmin())
    levels = [int((cost + 20 * abs(opening - level)).argmin()) for level in LEVELS if level <= opening.max() + 0.01]
    return [int(numbers[one]) for one in (best, *dict.fromkeys(levels))]


def _inside(frame: Image, landmarks: Landmarks, model: Image, rest: Landmarks) -> Inside:
    part = window(landmarks[FACE_OVAL, :2], 0, frame)
    near = landmarks - np.array([part[1].start, part[0].start, 0], np.float32)
    picture = frame[part].copy()
    return Inside(float(openings(landmarks)[0]), picture, near, match_colours(model, rest, picture, near))


def _open_eye(frame: Image, landmarks: Landmarks, side: int) -> OpenEye:
    """Cut out an eye between the brow and the cheek."""
    upper, lower = (landmarks[lid, :2] for lid in EYE_LIDS[side])
    width = float(np.linalg.norm(upper[0] - upper[-1]))
    part = window(np.concatenate([upper, lower]), AROUND_EYE * width, frame)
    corner = np.array([part[1].start, part[0].start])
    outline = cv2.convexHull(np.concatenate([upper, lower]).astype(np.float32))[:, 0] - corner
    grown = outline.mean(0) + BEYOND_LIDS * (outline - outline.mean(0))
    mask = soft_mask(grown, frame[part].shape[1::-1], SOFT_EYE * width)
    return OpenEye(corner, np.dstack([frame[part], (255 * mask).astype(np.uint8)]))


def _unblinked(frame: Image, landmarks: Landmarks, pose: Pose, role: TargetFace) -> tuple[Image, Landmarks]:
    """Paint over eyes that are shut more than usual with open ones."""
    picture, opened = frame, landmarks
    # A turned head carries what is flat on it by an affine map.
    turn = pose.scale * pose.rotation[:2, :2] @ np.linalg.inv(role.pose.scale * role.pose.rotation[:2, :2])
    now, usual = lids_of(landmarks), lids_of(role.model)
    for side, (eye, (upper, lower)) in enumerate(zip(role.open_eyes, EYE_LIDS, strict=True)):
        amount = 1 - float(smoothstep((now[side] / max(usual[side], 1e-6) - BLINKING[0]) / np.ptp(BLINKING)))
        part = window(landmarks[[*upper, *lower], :2], (AROUND_EYE + 0.1) * float(np.ptp(landmarks[upper, 0])), frame)
        if amount <= 0 or not frame[part].size:
            continue
        ends = [upper[0], upper[-1]]
        shift = landmarks[ends, :2].mean(0) - turn @ role.model[ends, :2].mean(0)
        if opened is landmarks:
            picture, opened = frame.copy(), landmarks.copy()
        patch, corner = picture[part], np.array([part[1].start, part[0].start])
        shown = placed(eye.layer, np.column_stack([turn, shift]), eye.corner, corner, patch)
        weight = shown[..., 3] * np.float32(amount / 255)
        edge = (weight * (1 - weight))[..., None]
        light = ((edge * patch).sum((0, 1)) + 1e-3) / ((edge * shown[..., :3]).sum((0, 1)) + 1e-3)
        patch[:] = cv2.blendLinear(
            lit(cv2.cvtColor(shown, cv2.COLOR_RGBA2RGB), np.clip(light, *GAINS)), patch.copy(), weight, 1 - weight
        )
        points = [*upper, *lower, *IRISES[side]]
        opened[points, :2] += amount * (role.model[points, :2] @ turn.T + shift - opened[points, :2])
    return picture, opened


def _usual(performance: Performance) -> Pose:
    """Return the driver's pose in the frame that is nearest to its usual one."""
    turns = performance.cues[:, :3]
    return performance.poses[int(abs(turns - np.median(turns, axis=0)).sum(1).argmin())]


def _tone(frame: Image, landmarks: Floats) -> Floats:
    """Measure the mean colour of a face, (3,), between the brows and the chin."""
    part = frame[window(landmarks[FACE_OVAL, :2], 0, frame)]
    height, width = part.shape[:2]
    middle = part[height // 4 : height * 3 // 4 + 1, width // 4 : width * 3 // 4 + 1]
    return np.asarray(cv2.mean(middle)[:3]) + 1


def change_face(
    frame: Image, role: TargetFace, landmarks: Landmarks, moment: Moment, acting: Acting, amount: float
) -> Image:
    """Draw a frame of the target with the driver's expression in one face: uint8 RGB (H, W, 3).

    Args:
        frame: uint8 RGB (H, W, 3).
        role: The face.
        landmarks: (478, 3) pixels of the frame.
        moment: What the driver does.
        acting: How much it follows.
        amount: How much of the change is made, 0 to 1.
    """
    pose = fit_pose(landmarks)
    if acting.part != "mouth":
        frame, landmarks = _unblinked(frame, landmarks, pose, role)
    rings = with_rings(landmarks, len(role.hold) // len(FACE_OVAL), frame.shape[0] - 1)
    rig = Rig(rings, role.hold, role.jaw, np.empty((0, 0)), np.empty((0, 3)))
    rigid, face = _goal(role, rings, pose, moment, acting)
    # A change that fades out goes back to where everything is.
    rigid, face = (now + (1 - amount) * (then - now) for now, then in ((rigid, rings), (face, landmarks)))
    stage = bare_stage(frame, rig, _corrected(rings, face))
    opened = held_open(face, carried(face, landmarks))
    picture = bend(stage, follow(stage, rigid, opened), turned=acting.part == "head")
    light = np.clip(_tone(frame, landmarks) / role.tone, *GAINS)
    if acting.part != "mouth":
        stay = carried(face, role.model)
        turn_eyes(picture, role.eyes, face[:, :2], stay, light=light, amount=amount)
        shut_lids(picture, role.lids, opened[:, :2], face[:, :2], stay, light=light)
    _fill_mouth(picture, role, face, landmarks, moment, amount)
    return picture


def _goal(role: TargetFace, rest: Floats, pose: Pose, moment: Moment, acting: Acting) -> tuple[Floats, Floats]:
    """Return where all vertices (V, 3) go with the head alone, and where the landmarks (478, 3) go, pixels."""
    landmarks = rest[:POINTS]
    shape = act(
        role.rest.at(pose),
        shape_of(moment.landmarks, moment.pose),
        role.reference._replace(shape=role.driver.at(moment.pose)),
        lids=moment.lids,
        expression=acting.expression * moment.left,
        gaze=moment.left * moment.gaze,
    )
    wanted = shape @ pose.rotation.T * pose.scale + pose.shift
    face = landmarks + role.share[:, None] * (wanted - landmarks)
    if acting.part != "head":
        return rest, face
    # The driver's turn from its usual pose is added to the target's own; place and size stay the target's.
    theirs = moment.pose._replace(scale=role.reference.pose.scale, shift=role.reference.pose.shift)
    motion = acting.motion * moment.left
    way = way_of(pose, theirs, role.reference.pose, motion)
    rigid, turned = (place(points - pose.shift, way) for points in (rest, face))
    return rigid, turned


def _corrected(rest: Floats, face: Floats) -> Floats:
    """Correct where the lower lip is in a frame, as far as the mouth has to shut.

    Args:
        rest: (V, 3) vertices as they were read, pixels; not changed.
        face: (478, 3) where the landmarks go.
    """
    places, before, after = rest.copy(), float(openings(rest[:POINTS])[0]), float(openings(face)[0])
    inner, *_, outer = LOWER_LIP
    way = rest[outer] - rest[inner]
    gap, lip = np.linalg.norm(rest[INNER_LIPS[0]] - rest[inner], axis=1), np.linalg.norm(way, axis=1)
    # Where lower teeth are seen, the network takes them for the lip: a mouth is up to twice as far open as it was read.
    share = np.minimum(gap / np.maximum(lip, 1e-3), MISREAD) * max(1 - after / max(before, 1e-6), 0.0)
    for row, left in zip(LOWER_LIP, np.linspace(1, DOWN, len(LOWER_LIP)), strict=True):
        places[row] += left * share[:, None] * way
    return places


def _fill_mouth(picture: Image, role: TargetFace, face: Floats, own: Landmarks, moment: Moment, amount: float) -> None:
    """Paint the inside of a mouth, in place: its own, where the target shows it as far open, or the driver's."""
    opening, before = float(openings(face)[0]), float(openings(own)[0])
    # What the frame itself shows between the lips belongs to another word: it is covered, unless it is as far open.
    amount *= max(mouth_opacity(opening, 0.0), float(smoothstep(before / 0.03)))
    amount *= float(smoothstep(abs(opening - before) / (ALIKE * max(opening, 0.03))))
    if not role.insides:
        paint_mouth(picture, face, moment.frame, moment.seen, palette=role.palette, opacity=amount)
        return
    levels = [inside.opening for inside in role.insides]
    place = float(np.interp(opening, levels, range(len(levels)))) if len(levels) > 1 else 0.0
    for number, share in ((int(place), 1.0), (int(place) + 1, place % 1)):
        if share > 0 and number < len(levels):
            one = role.insides[number]
            paint_mouth(picture, face, one.picture, one.landmarks, palette=one.palette, opacity=amount * share)


@dataclass(frozen=True)
class TargetCast:
    """All faces of a target that are changed.

    Attributes:
        plan: Where they are, and what they follow.
        faces: By the number of the face and of the shot; none in a shot without it.
        visible: (N,) how much of the change is shown in each frame, by the number of the face.
        acting: How much they follow.
    """

    plan: TargetPlan
    faces: Mapping[tuple[int, int], TargetFace]
    visible: Mapping[int, Floats]
    acting: Acting

    @property
    def reach(self) -> FaceBox:
        """The box that holds the faces at all times, pixels."""
        boxes = (
            points_box(mesh).scaled(AROUND)
            for track in self.plan.targets.tracks.values()
            for mesh in track.landmarks[track.found > 0]
        )
        return reduce(FaceBox.union, boxes)

    def change(self, number: int, frame: Image, moments: Mapping[Video, Moment]) -> Image:
        """Draw a frame of the target with the drivers' expressions; uint8 RGB (H, W, 3), always a new array."""
        shots, tracks = self.plan.targets
        shot, picture = bisect.bisect_right(shots, number) - 1, frame
        # From the back to the front: smaller faces are farther away.
        for one in sorted(tracks, key=lambda one: float(np.ptp(tracks[one].landmarks[number, :, 0]))):
            face, amount = self.faces.get((one, shot)), float(self.visible[one][number])
            if face is not None and amount > 0:
                moment, landmarks = moments[self.plan.clips[one]], tracks[one].landmarks[number]
                picture = change_face(picture, face, landmarks, moment, self.acting, amount)
        return picture.copy() if picture is frame else picture


def cast_faces(
    plan: TargetPlan, performances: Mapping[Video, Performance], first: Mapping[Video, Moment], acting: Acting
) -> TargetCast:
    """Make all faces of a target ready, shot by shot.

    Args:
        plan: Where they are, and what they follow.
        performances: What happens in each clip.
        first: The first moment of each.
        acting: How much the faces follow.
    """
    tracks, rate = plan.targets.tracks, float(plan.target.fps)
    visible = {one: how_visible(track, plan.spans, rate) * _facing(track) for one, track in tracks.items()}
    drivers = {clip: Driver(show, first[clip], find_rest(show.landmarks)) for clip, show in performances.items()}
    faces = {}
    for shot, span in enumerate(plan.spans):
        present = [one for one in tracks if visible[one][slice(*span)].any()]
        wanted = {one: wanted_frames(tracks[one], span) for one in present}
        frames = _frames_of(plan.target, {number for numbers in wanted.values() for number in numbers})
        for one in present:
            driven = drivers[plan.clips[one]]
            faces[one, shot] = cast_target(frames, wanted[one], tracks[one], span, driven, acting)
    return TargetCast(plan, faces, visible, acting)


def _frames_of(target: Video, numbers: set[int]) -> dict[int, Image]:
    """Decode some frames of a target."""
    if not numbers:
        return {}
    first, last = min(numbers), max(numbers)
    part = replace(
        target, start=float(target.start + first / target.fps), duration=float((last - first + 1) / target.fps)
    )
    with closing(part.frames()) as frames:
        return {number: frame for number, frame in enumerate(frames, first) if number in numbers}
