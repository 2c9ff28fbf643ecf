"""The faces of a video that is to be changed, followed shot by shot, each with how sure it is that it is in view."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.base.errors import InputError, NoFaceError
from memegen.base.progress import Progress
from memegen.base.threads import in_parallel
from memegen.face.casting import Driving, choose_among
from memegen.face.cropping import FaceBox
from memegen.face.detection import detect_faces, mesh_box, mesh_near, pick_face, refine_eyes
from memegen.face.options import Acting, Which
from memegen.face.topology import POINTS, RIGID, Landmarks, face_model
from memegen.face.tracking import NO_SWAY, Sighting, Sway, calm, interpolated, look_closer
from memegen.face.watching import DRIVING_SIDE, Arrays, read_clip, recall
from memegen.media.video import Video

CUT_SIDE = 64, 36  # size of the pictures in which cuts are looked for
CUT = 9.0  # least mean change of a cut, grey levels
CUT_OVER = 5.0  # and how many times the usual change of the frames before it is
CUT_MEMORY = 12  # how many frames before it

PORTRAIT = 32  # side of the small front view by which a face is known, pixels
FRONT = (-0.62, -0.4), (0.62, 1.15)  # what it shows, in the mean shape's axes
LEVEL = -0.1  # at which depth
KNOWN = 24  # how many views of a face are kept
NEW = 0.93  # likeness below which a view is a new one
UNJUDGED = 5  # frames at the beginning whose likeness tells nothing
STRANGER = 0.6  # likeness below which it is somebody else, or something in front of the face
COVERED = 0.075, 6.0  # least fall of the likeness when a face is covered, and in usual deviations
FADE = 0.3  # seconds in which a change fades out and in
LOOKS = 0.2  # seconds between two looks for the first face
RENEWAL = 0.2  # weight of each frame in the most recent view


class TargetTrack(NamedTuple):
    """One face of a target video.

    Attributes:
        landmarks: (N, 478, 3) float32, pixels, as in `FaceTrack`; 0 in shots without the face.
        found: (N,) whether it was found.
        likeness: (N,) how much it looks as it did before, up to 1; less when something is in front of it.
    """

    landmarks: Floats
    found: Floats
    likeness: Floats


class Targets(NamedTuple):
    """The faces of a target video.

    Attributes:
        shots: The number of the first frame of each shot.
        tracks: By the number of the face.
    """

    shots: list[int]
    tracks: dict[int, TargetTrack]


class TargetPlan(NamedTuple):
    """What is to be done with a target.

    Attributes:
        target: The part of it that is played.
        length: How many frames the result has.
        clips: What each face follows, at the target's rate, by the number of the face.
        targets: Its faces, these only.
    """

    target: Video
    length: int
    clips: dict[int, Video]
    targets: Targets

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The first frame of each shot, and the one after its last."""
        return [*pairwise([*self.targets.shots, self.target.frame_count])]


def plan_target(target: Video, driving: Driving, acting: Acting, progress: Progress | None) -> TargetPlan:
    """Find the faces of a target and decide which clip each of them follows, and for how long.

    Args:
        target: The video.
        driving: The clip, or each face's own.
        acting: Which faces follow, and what happens after the target's end.
        progress: Told how far the search is.

    Raises:
        NoFaceError: There is no face in the whole target.
        InputError: It has fewer faces than asked for, or a duet and `acting.face` contradict each other.
    """
    duet = not isinstance(driving, Video)
    if duet and acting.face is not None:
        raise InputError("A duet already says which face sings which clip: leave the face out.")
    parts = {0: driving} if isinstance(driving, Video) else driving
    songs = {one: replace(clip, fps=target.fps) for one, clip in parts.items()}
    length = max(clip.frame_count for clip in songs.values())
    target = replace(target, duration=min(target.duration, float(length / target.fps)))
    found = watch_targets(target, "all" if duet else acting.face, progress)
    for one in songs if duet else ():
        if one not in found.tracks:
            raise InputError(f"There is no face {one} to sing: {target.path.name} has {len(found.tracks)}, from 0 on.")
    clips = songs if duet else dict.fromkeys(found.tracks, songs[0])
    length = target.frame_count if acting.ending == "cut" else length
    return TargetPlan(target, length, clips, Targets(found.shots, {one: found.tracks[one] for one in clips}))


def first_faces(clip: Video) -> tuple[Image, list[FaceBox]]:
    """Find the first frame of a target with a face, and its faces: their numbers count from 0 at the left.

    Returns:
        The frame, uint8 RGB with a long side of at most 640, and the boxes in its pixels.

    Raises:
        NoFaceError: There is none in the whole clip.
    """
    with closing(read_clip(clip, "", None)) as frames:
        for number, frame in enumerate(frames):
            if number % _stride(clip) == 0 and (faces := detect_faces(frame)):
                return frame, faces
    raise _faceless(clip)


def watch_targets(clip: Video, which: Which, progress: Progress | None) -> Targets:
    """Follow faces of a target through all its shots, or load what was found the last time.

    A shot ends where the picture changes at once. In each, a face is looked for by how it looked before; the largest
    (`which` is None) may be another person's in every shot. Where a face is lost, its landmarks are interpolated.

    Args:
        clip: The target.
        which: Which faces, by their numbers in `first_faces`.
        progress: Told how far it is; never called when the tracks are known.

    Raises:
        NoFaceError: There is no face in the whole clip.
        InputError: There are fewer faces than `which` asks for.
    """
    names = ("shots", "numbers", *TargetTrack._fields)
    kept = recall(clip, f"faces of a target {which}", names=names, make=lambda: _follow(clip, which, progress))
    kept["landmarks"] *= max(max(clip.width, clip.height) / DRIVING_SIDE, 1)  # from pixels of the frames that were read
    per_face = zip(*(kept[name] for name in TargetTrack._fields), strict=True)
    tracks = {int(number): TargetTrack(*one) for number, one in zip(kept["numbers"], per_face, strict=True)}
    return Targets(kept["shots"].tolist(), tracks)


def how_visible(track: TargetTrack, spans: Sequence[tuple[int, int]], fps: float) -> Floats:
    """Return how much of a change of a face is shown in each frame, (N,): 0 where it is lost or covered.

    The change fades out before that and in after it.

    Args:
        track: Of the face.
        spans: The first frame of each shot, and the one after its last.
        fps: Frames a second.
    """
    found, likeness = track.found > 0, track.likeness
    usual = np.median(likeness[found]) if found.any() else 1.0
    deviation = 1.48 * np.median(abs(likeness[found] - usual)) if found.any() else 0.0
    hidden = ~found | (likeness < usual - max(COVERED[0], COVERED[1] * deviation))
    away = np.full(len(found), np.inf)
    for first, end in spans:
        times, gone = np.arange(first, end), first + np.flatnonzero(hidden[first:end])
        if len(gone):
            later = np.searchsorted(gone, times)
            near = gone[np.stack([np.maximum(later - 1, 0), np.minimum(later, len(gone) - 1)])]
            away[first:end] = abs(near - times).min(0)
    return np.asarray(smoothstep((away - 1) / (FADE * fps)) * ~hidden)


def _stride(clip: Video) -> int:
    return max(round(LOOKS * clip.fps), 1)


def _faceless(clip: Video) -> NoFaceError:
    return NoFaceError(
        f"No face was found in {clip.path.name}: choose a clip in which a face is seen from the front, not too small."
    )


def _follow(clip: Video, which: Which, progress: Progress | None) -> Arrays:
    """Follow the faces, as `watch_targets` keeps them."""
    shots: list[int] = []
    followers: dict[int, _Follower] = {}
    with closing(read_clip(clip, "Watching the target", progress)) as frames:
        moments = _sighted(_cut(frames, shots), followers, which, _stride(clip))
        for closer in in_parallel(_closer, pairwise(moments)):
            for number, (mesh, sway) in closer.items():
                followers[number].add(mesh, sway)
    if not followers:
        raise _faceless(clip)
    count = clip.frame_count
    tracks = [one.track(count, [*shots, count], float(clip.fps)) for one in followers.values()]
    columns = {
        name: np.stack(parts) for name, parts in zip(TargetTrack._fields, zip(*tracks, strict=True), strict=True)
    }
    _look_again(clip, columns, [*pairwise([*shots, count])], progress)
    return {"shots": np.array(shots), "numbers": np.array([*followers]), **columns}


def _look_again(clip: Video, columns: Arrays, spans: Sequence[tuple[int, int]], progress: Progress | None) -> None:
    """Look at every face again, around where it was after smoothing, and take the mean of both looks, in place.

    The landmark network trembles with the square that it is shown; these squares are calm.
    """
    landmarks, found = columns["landmarks"], columns["found"]

    def look(part: tuple[int, Image]) -> list[Landmarks | None]:
        number, frame = part
        near = (mesh_near(frame, mesh_box(mesh)) for mesh in landmarks[found[:, number], number])
        return [None if mesh is None else refine_eyes(frame, mesh) for mesh in near]

    with closing(read_clip(clip, "Watching the target again", progress)) as frames:
        for number, meshes in enumerate(in_parallel(look, enumerate(frames))):
            for face, mesh in zip(np.flatnonzero(found[:, number]), meshes, strict=True):
                if mesh is not None:
                    landmarks[face, number] = (landmarks[face, number] + mesh) / 2
    for track, seen in zip(landmarks, found, strict=True):
        for first, end in spans:
            if seen[first:end].any():
                whole = [*track[first:end]]
                calm(whole, [NO_SWAY] * len(whole), float(clip.fps))
                track[first:end] = whole


_Moment = dict[int, Sighting]


def _closer(pair: tuple[_Moment, _Moment]) -> dict[int, tuple[Landmarks | None, Sway]]:
    before, now = pair
    return {number: look_closer((before.get(number), sighting)) for number, sighting in now.items()}


def _cut(frames: Iterable[Image], shots: list[int]) -> Iterator[tuple[bool, Image]]:
    """Tell of each frame whether it begins a shot, and note its number."""
    before, usual = None, deque([CUT / CUT_OVER], CUT_MEMORY)
    for number, frame in enumerate(frames):
        small = cv2.resize(frame, CUT_SIDE, interpolation=cv2.INTER_AREA).astype(np.int16)
        change = CUT_OVER * CUT if before is None else float(np.abs(small - before).mean())
        before, cut = small, change > max(CUT, CUT_OVER * float(np.median(usual)))
        if cut:
            shots.append(number)
        usual.append(min(change, CUT))
        yield cut, frame


def _sighted(
    frames: Iterable[tuple[bool, Image]], followers: dict[int, _Follower], which: Which, stride: int
) -> Iterator[_Moment]:
    """Find every followed face in each frame; nothing stands before the first. Followers are added when faces are."""
    yield {}
    for number, (cut, frame) in enumerate(frames):
        if not followers and number % stride == 0 and (faces := detect_faces(frame)):
            chosen = choose_among(frame, faces, which)
            followers |= {one: _Follower(number, faces[one], changes=which is None) for one in chosen}
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        yield {one: Sighting(frame, grey, follower.find(frame, cut)) for one, follower in followers.items()}


class _Follower:
    """Follows one face through a target.

    Args:
        start: The number of the frame in which it was chosen.
        face: Where it is there.
        changes: Whether it goes over to the largest face of a shot without its own.
    """

    def __init__(self, start: int, face: FaceBox, *, changes: bool) -> None:
        self._start, self._box, self._changes = start, face, changes
        self._views: deque[Floats] = deque(maxlen=KNOWN)
        self._recent = np.zeros((PORTRAIT, PORTRAIT, 3), np.float32)
        self._likeness: list[float] = []
        self._meshes: list[Landmarks | None] = []
        self._sway: list[Sway] = []
        self._fresh = True

    def find(self, frame: Image, cut: bool) -> Landmarks | None:
        """Find the face in the next frame; a cut may have come before it."""
        self._fresh |= cut
        mesh = None if self._fresh and self._views else self._known(frame, self._box)
        if mesh is None:
            mesh = self._found_again(frame)
        if mesh is None:
            self._likeness.append(0.0)
            return None
        self._box, self._fresh = mesh_box(mesh), False
        view = _view(frame, mesh)
        likeness = self._like(view)
        # The first frames have little to be compared with: a blurred one is no sign that something covers the face.
        self._likeness.append(likeness if len(self._likeness) >= UNJUDGED else 1.0)
        self._recent += (RENEWAL if self._views else 1.0) * (view - self._recent)
        if likeness < NEW or not self._views:
            self._views.append(view)
        return mesh

    def add(self, mesh: Landmarks | None, sway: Sway) -> None:
        """Take in the refined landmarks of a frame, in order."""
        self._meshes.append(mesh)
        self._sway.append(sway)

    def track(self, count: int, shots: list[int], fps: float) -> TargetTrack:
        """Return the smoothed track, given the number of frames and the ends of the shots."""
        missing = count - len(self._meshes)
        meshes = [*[None] * missing, *self._meshes]
        sway = [*[NO_SWAY] * missing, *self._sway]
        likeness = np.array([*[0.0] * missing, *self._likeness], np.float32)
        landmarks = np.zeros((count, POINTS, 3), np.float32)
        for first, end in pairwise(shots):
            part = meshes[first:end]
            if any(mesh is not None for mesh in part):
                whole = interpolated(part)
                calm(whole, sway[first:end], fps)
                landmarks[first:end] = whole
        return TargetTrack(landmarks, np.array([mesh is not None for mesh in meshes]), likeness)

    def _like(self, view: Floats) -> float:
        """Tell how much a view is like those known, at most 1."""
        recent = self._recent / max(float(np.linalg.norm(self._recent)), 1e-6)
        return max([float((view * one).sum()) for one in [recent, *self._views]]) if self._views else 1.0

    def _known(self, frame: Image, box: FaceBox) -> Landmarks | None:
        """Find the face in or near a box, if it is the same."""
        mesh = mesh_near(frame, box)
        return mesh if mesh is not None and self._like(_view(frame, mesh)) >= STRANGER else None

    def _found_again(self, frame: Image) -> Landmarks | None:
        """Find the face anywhere, by how it looked."""
        faces = detect_faces(frame)
        meshes = [mesh for face in faces if (mesh := mesh_near(frame, face, passes=2)) is not None]
        likest = max(meshes, key=lambda mesh: self._like(_view(frame, mesh)), default=None)
        if likest is not None and self._like(_view(frame, likest)) >= STRANGER:
            return likest
        if not (self._fresh and self._changes and meshes):
            return None
        self._views.clear()  # a new shot, and another person in it
        return mesh_near(frame, pick_face(faces), passes=2)


def _view(frame: Image, landmarks: Landmarks) -> Floats:
    """Turn a face to the front, small: (32, 32, 3) float32 of mean 0 and length 1."""
    # The affine camera that sees the mean shape's bony points where they are, least squares
    mean = face_model().mean_shape[RIGID]
    camera = np.linalg.lstsq(np.column_stack([mean, np.ones(len(mean))]), landmarks[RIGID, :2], rcond=None)[0]
    (left, top), (right, bottom) = FRONT
    corners = np.array([[left, top, LEVEL, 1], [right, top, LEVEL, 1], [left, bottom, LEVEL, 1]]) @ camera
    ends = np.array([[0, 0], [PORTRAIT - 1, 0], [0, PORTRAIT - 1]], np.float32)
    # Without a blur the few pixels that are read would be noise.
    scale = float(np.linalg.norm(corners[1] - corners[0])) / PORTRAIT
    low, high = np.floor(corners.min(0) - 3 * scale), np.ceil(corners.max(0) + (corners[1] - corners[0]).clip(0))
    size = np.array(frame.shape[1::-1])
    x, y = np.clip(low, 0, size - 1).astype(int)
    right_end, bottom_end = np.clip(high + 3 * scale, [x + 1, y + 1], size).astype(int)
    part = frame[y:bottom_end, x:right_end]
    part = cv2.GaussianBlur(part, (0, 0), scale / 2) if scale > 1.5 else part
    matrix = cv2.getAffineTransform((corners - [x, y]).astype(np.float32), ends)
    seen = cv2.warpAffine(part, matrix, (PORTRAIT, PORTRAIT), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    seen -= seen.mean((0, 1))
    return np.asarray(seen / max(float(np.linalg.norm(seen)), 1e-6))
