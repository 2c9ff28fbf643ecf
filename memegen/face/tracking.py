"""One face followed through a clip: found frame by frame, filled in where it is lost, steadied and lightly smoothed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image
from memegen.base.errors import NoFaceError
from memegen.base.threads import in_parallel
from memegen.face.cropping import FaceBox, points_box
from memegen.face.detection import mesh_box, refind_face, refine_eyes
from memegen.face.topology import BONE, RIGID, Landmarks, eye_distance

SMOOTHING = np.array([-3, 12, 17, 12, -3]) / 35  # Savitzky and Golay 1964: a quadratic over 5 frames
JITTER = 0.012  # the most that the landmark network trembles by, over the inter-ocular distance
STEADY = 1.0  # seconds: faster movements of the head are taken from the optical flow, slower ones from the landmarks
LOOSE = 0.03  # weight of "as wrong as in the frame before", over that of a step in which the flow is trusted
STILL = 0.01  # flow per frame, over the inter-ocular distance, up to which the flow is trusted
FLOW_EYES = 60.0  # inter-ocular distance in pixels at which the flow is measured
AGREE = 0.6  # least part of the bony points that must follow the flow

Complex = NDArray[np.complexfloating[Any, Any]]
Sway = tuple[float, float, float, float]  # a growth (logarithm), a shift (x, y in pixels), and how sure they are
NO_SWAY = (0.0, 0.0, 0.0, 0.0)


class FaceTrack(NamedTuple):
    """One face followed through a clip.

    Attributes:
        landmarks: N arrays of shape (478, 3), float32: x and y in pixels, z in the same unit, smaller is nearer;
            of shape (68, 2) from `landmarks68.align_clip`.
        found: N booleans; False where the face was lost and its landmarks come from the frames around.
    """

    landmarks: list[Landmarks]
    found: list[bool]

    @property
    def lost(self) -> int:
        """In how many frames the face was lost."""
        return self.found.count(False)


def track_face(
    frames: Iterable[Image],
    *,
    fps: float = 25.0,
    start: float = 0.0,
    name: str = "the driving clip",
    smooth: bool = True,
) -> FaceTrack:
    """Follow the largest face through a clip.

    Frames without a face are interpolated from those before and after. The landmark network moves the whole face a
    little with every syllable: the optical flow of the bony parts shows which movements are the head's, and the others
    are removed. A quadratic fit over five frames removes the jitter and keeps the peaks of a singing mouth.

    Args:
        frames: uint8 RGB (H, W, 3), all of one size; consumed one by one.
        fps: Frames per second.
        start: The clip's own time of its first frame, seconds, to name times in an error.
        name: What to call the clip in an error.
        smooth: Whether to steady and smooth; turn it off to measure the tracker itself.

    Raises:
        NoFaceError: The face is in less than half of the frames; the message names the time span.
    """
    meshes: list[Landmarks | None] = []
    sway: list[Sway] = []
    for mesh, step in in_parallel(look_closer, pairwise(_sightings(frames))):
        meshes.append(mesh)
        sway.append(step)
    landmarks, found = bridged(meshes, fps=fps, start=start, name=name)
    if smooth:
        calm(landmarks, sway, fps)
    return FaceTrack(landmarks, found)


class Sighting(NamedTuple):
    """A frame in colour and in grey, and the face in it."""

    frame: Image
    grey: Image
    mesh: Landmarks | None


def _sightings(frames: Iterable[Image]) -> Iterator[Sighting | None]:
    """Find the face in each frame near where it was in the frame before; None stands before the first."""
    yield None
    mesh = None
    for frame in frames:
        mesh = refind_face(frame, mesh)
        yield Sighting(frame, cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), mesh)


def look_closer(pair: tuple[Sighting | None, Sighting | None]) -> tuple[Landmarks | None, Sway]:
    """Refine the second sighting of a pair, and measure the sway since the first."""
    before, now = pair
    if now is None or now.mesh is None:
        return None, NO_SWAY
    refined = refine_eyes(now.frame, now.mesh)
    if before is None or before.mesh is None:
        return refined, NO_SWAY
    return refined, _sway(before.grey, now.grey, before.mesh, now.mesh)


def bridged(
    meshes: Sequence[Landmarks | None], *, fps: float, start: float, name: str
) -> tuple[list[Landmarks], list[bool]]:
    """Fill the frames without a face from those around, and list which they are, as `FaceTrack` keeps it.

    Args:
        meshes: Landmarks of one shape, None where the face is lost.
        fps: Frames per second.
        start: The clip's own time of its first frame, seconds.
        name: What to call the clip in an error.

    Raises:
        NoFaceError: The face is in less than half of the frames; the message names the time span.
    """
    found = [mesh is not None for mesh in meshes]
    if not found or 2 * sum(found) < len(found):
        first, end = _longest_gap(found)
        raise NoFaceError(
            f"No face was found in {name} between {start + first / fps:.1f} s and {start + end / fps:.1f} s: "
            "choose a clip, or a part of it, in which one face stays in view."
        )
    return interpolated(meshes), found


def _longest_gap(found: Sequence[bool]) -> tuple[int, int]:
    """Return the longest run of frames without a face, as (first, one past the last)."""
    best, start = (0, 0), 0
    for number, present in enumerate([*found, True]):
        if present:
            best, start = max(best, (start, number), key=lambda run: run[1] - run[0]), number + 1
    return best


def interpolated(meshes: Sequence[Landmarks | None]) -> list[Landmarks]:
    """Fill each None linearly between its neighbours in time; both ends repeat the nearest."""
    numbers = [number for number, mesh in enumerate(meshes) if mesh is not None]
    known = [mesh for mesh in meshes if mesh is not None]
    filled = []
    for number, mesh in enumerate(meshes):
        if mesh is None:
            place = float(np.interp(number, numbers, range(len(known))))
            low, part = known[int(place)], place % 1
            high = known[min(int(place) + 1, len(known) - 1)]
            mesh = ((1 - part) * low + part * high).astype(np.float32)
        filled.append(mesh)
    return filled


def _sway(before: Image, after: Image, landmarks: Landmarks, now: Landmarks) -> Sway:
    """Measure by how much the flow between two grey frames differs from the landmarks' own step.

    Returns:
        The growth and the shift to add to the landmarks' own, and how far the flow can be trusted, 0 to 1.
    """
    # One window that holds the face in both frames, scaled so that the flow costs the same in every clip
    scale = FLOW_EYES / max(float(eye_distance(landmarks[:, :2])), 1.0)
    box = mesh_box(landmarks).union(mesh_box(now)).scaled(1.2).clip(after.shape[1], after.shape[0])
    window = np.s_[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1]
    if min(after[window].shape) * scale < FLOW_EYES / 2 or after.shape != before.shape:
        return NO_SWAY
    small = [
        cv2.resize(grey[window], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for grey in (before, after)
    ]
    # Follow the points over bone, which singing does not move (Lucas and Kanade 1981)
    corner = np.array([int(box.left), int(box.top)])
    old, new = (((mesh[BONE, :2] - corner) * scale).astype(np.float32) for mesh in (landmarks, now))
    moved, seen, _ = cv2.calcOpticalFlowPyrLK(*small, old, None, winSize=(13, 13), maxLevel=2)
    sound = seen.ravel() > 0
    old, new, moved = old[sound], new[sound], moved[sound]
    if len(old) < AGREE * len(BONE):
        return NO_SWAY
    # Drop the points that do not move with the rest of the skull: hair, glasses, reflections
    matrix, kept = cv2.estimateAffinePartial2D(old, moved, ransacReprojThreshold=1.0)
    if matrix is None or kept.sum() < AGREE * len(BONE):
        return NO_SWAY
    # In complex numbers x + iy, a turn with a growth is one factor and a shift is one summand.
    z, flow, own = ((points[:, 0] + 1j * points[:, 1])[kept.ravel() > 0] for points in (old, moved, new))
    # A head that moves fast is followed well by the landmarks, and badly by the flow
    trust = float(np.exp(-((np.abs(flow - z).mean() / (STILL * FLOW_EYES)) ** 2)))
    growth = float(np.log(abs(_turn(z, flow) / _turn(z, own))))
    shift = complex(flow.mean() - own.mean()) / scale
    return growth, shift.real, shift.imag, trust


def _turn(z: Complex, w: Complex) -> complex:
    """Return the turn and growth that takes the points z nearest to w, least squares."""
    z = z - z.mean()
    return complex(np.vdot(z, w) / np.vdot(z, z))


def calm(meshes: list[Landmarks], sway: Sequence[Sway], fps: float) -> None:
    """Steady and smooth the landmarks of a clip's frames, in place.

    Args:
        meshes: Landmarks of each frame, pixels.
        sway: Of each frame, from `look_closer`.
        fps: Frames per second.
    """
    _steady(meshes, sway, fps)
    _smooth(meshes)


def _steady(meshes: list[Landmarks], sway: Sequence[Sway], fps: float) -> None:
    """Remove the sway, in place."""
    for number, (growth, x, y) in enumerate(_corrections(np.array(sway), fps)):
        mesh = meshes[number]
        middle = mesh[RIGID].mean(0)
        meshes[number] = (np.exp(growth) * (mesh - middle) + middle + [x, y, 0]).astype(np.float32)


def _corrections(sway: Floats, fps: float) -> Floats:
    """Find by how much the landmarks of each frame are wrong, from what they do wrong between frames.

    These corrections fit all steps in which the flow is trusted, and otherwise are small (least squares, solved by a
    Kalman filter and a smoother: Rauch, Tung and Striebel 1965). A sum of the steps would drift away from a head that
    moves fast now and then.

    Args:
        sway: (N, 4) of each frame, from `look_closer`.
        fps: Frames per second.

    Returns:
        (N, 3) the growth and the shift to add.
    """
    # A step that is not trusted hardly ties two frames together: each is then right on its own.
    trust = sway[:, 3] + LOOSE
    steps = sway[:, :3] * (sway[:, 3] / trust)[:, None]
    small = sure = 1 / (STEADY * fps) ** 2
    path, gains = np.zeros_like(steps), np.zeros(len(steps))
    for now in range(1, len(path)):
        gains[now] = trust[now] / (trust[now] + sure)
        carried = gains[now] * sure
        sure = carried + small
        path[now] = carried / sure * (path[now - 1] + steps[now])
    # Backwards: what comes later says as much about a frame as what came before.
    for now in range(len(path) - 1, 0, -1):
        path[now - 1] += gains[now] * (path[now] - path[now - 1] - steps[now])
    return path


def _smooth(meshes: list[Landmarks]) -> None:
    """Fit a quadratic to every point over five frames, in place."""
    # The two frames before and after each one; the ends are repeated. The window keeps what is not smoothed yet.
    window = deque([meshes[0]] * 3 + meshes[1:3] + [meshes[-1]] * (3 - len(meshes[:3])), maxlen=5)
    for number, mesh in enumerate(meshes):
        change = np.tensordot(SMOOTHING, np.stack(window), 1) - mesh
        # Small changes are jitter and are made; large ones are singing and are not.
        size = np.linalg.norm(change, axis=1, keepdims=True) / (JITTER * eye_distance(mesh))
        meshes[number] = (mesh + np.exp(-(size**2)) * change).astype(np.float32)
        window.append(meshes[min(number + 3, len(meshes) - 1)])


def crop_video(track: FaceTrack) -> FaceBox:
    """Return one box that holds the face in every frame of a clip, so that a crop of it does not shake."""
    return reduce(FaceBox.union, map(points_box, track.landmarks))
