"""One face followed through a clip: found in every frame, bridged where it is lost, steadied and lightly smoothed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Image
from memegen.base.errors import NoFaceError
from memegen.base.threads import in_parallel
from memegen.face.cropping import FaceBox, points_box
from memegen.face.detection import mesh_box, refind_face, refine_lids
from memegen.face.topology import BONE, LEFT_EYE, RIGHT_EYE, RIGID, Landmarks

SMOOTHING = np.array([-3, 12, 17, 12, -3]) / 35  # Savitzky and Golay 1964: a quadratic over 5 frames
JITTER = 0.012  # what the landmark network trembles by at most, over the inter-ocular distance
STEADY = 4.0  # seconds over which the optical flow is believed rather than the landmarks
STILL = 0.01  # mean flow per frame over the inter-ocular distance up to which it is believed
FLOW_EYES = 60.0  # inter-ocular distance in pixels at which the flow is measured

Complex = NDArray[np.complexfloating[Any, Any]]
Sway = tuple[complex, complex]


class FaceTrack(NamedTuple):
    """One face followed through a clip.

    Attributes:
        landmarks: N arrays of shape (468, 3), float32: x and y in pixels, z in the same unit, smaller is nearer;
            of shape (68, 2) from `alignment.align_clip`.
        found: N booleans; False where the face was lost and its landmarks are bridged from the frames around.
    """

    landmarks: list[Landmarks]
    found: list[bool]

    @property
    def lost(self) -> int:
        """How many frames are bridged."""
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

    Frames without a face borrow from those before and after, in proportion. The landmark network sways a little with
    every syllable; the optical flow of the bony parts tells what of it is the head, and the rest is taken off. A
    quadratic fit over five frames takes the jitter off and keeps the peaks of a singing mouth.

    Args:
        frames: uint8 RGB (H, W, 3), all of one size; consumed one by one.
        fps: Frames per second.
        start: The clip's own time of its first frame, seconds, to name times in an error.
        name: What to call the clip in an error.
        smooth: Whether to steady and smooth; measurements of the tracker itself do without.

    Raises:
        NoFaceError: The face is in less than half of the frames; the message names the time span.
    """
    meshes: list[Landmarks | None] = []
    sway: list[Sway] = []
    for mesh, step in in_parallel(_look_closer, pairwise(_sightings(frames))):
        meshes.append(mesh)
        sway.append(step)
    landmarks, found = bridged(meshes, fps=fps, start=start, name=name)
    if smooth:
        _steady(landmarks, sway, fps)
        _smooth(landmarks)
    return FaceTrack(landmarks, found)


class _Sighting(NamedTuple):
    """A frame in colour and in grey, and the face in it."""

    frame: Image
    grey: Image
    mesh: Landmarks | None


def _sightings(frames: Iterable[Image]) -> Iterator[_Sighting | None]:
    """Find the face in frame after frame, each near where it was in the one before; None stands before the first."""
    yield None
    mesh = None
    for frame in frames:
        mesh = refind_face(frame, mesh)
        yield _Sighting(frame, cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), mesh)


def _look_closer(pair: tuple[_Sighting | None, _Sighting | None]) -> tuple[Landmarks | None, Sway]:
    """Refine the second sighting of a pair, and measure the sway since the first."""
    before, now = pair
    if now is None or now.mesh is None:
        return None, (0j, 0j)
    lids = refine_lids(now.frame, now.mesh)
    if before is None or before.mesh is None:
        return lids, (0j, 0j)
    return lids, _sway(before.grey, now.grey, before.mesh, now.mesh)


def bridged(
    meshes: Sequence[Landmarks | None], *, fps: float, start: float, name: str
) -> tuple[list[Landmarks], list[bool]]:
    """Fill the frames without a face from those around, and tell which they are, as `FaceTrack` keeps it.

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
    return _bridge(meshes), found


def _longest_gap(found: Sequence[bool]) -> tuple[int, int]:
    """Return the longest run of frames without a face, as (first, one past the last)."""
    best, start = (0, 0), 0
    for number, present in enumerate([*found, True]):
        if present:
            best, start = max(best, (start, number), key=lambda run: run[1] - run[0]), number + 1
    return best


def _bridge(meshes: Sequence[Landmarks | None]) -> list[Landmarks]:
    """Fill each None in proportion between its neighbours in time; ends repeat the nearest."""
    known = [number for number, mesh in enumerate(meshes) if mesh is not None]
    stack = [mesh for mesh in meshes if mesh is not None]
    bridged = []
    for number, mesh in enumerate(meshes):
        if mesh is None:
            place = float(np.interp(number, known, range(len(known))))
            low, part = stack[int(place)], place % 1
            high = stack[min(int(place) + 1, len(stack) - 1)]
            mesh = ((1 - part) * low + part * high).astype(np.float32)
        bridged.append(mesh)
    return bridged


def _sway(before: Image, after: Image, landmarks: Landmarks, now: Landmarks) -> Sway:
    """What the flow between two grey frames has over the landmarks' own step: the log of a growth, and a shift.

    Both as complex numbers, in which x + iy is a point or a shift in pixels; (0, 0) where the flow is no help.
    """
    scale = FLOW_EYES / max(float(np.linalg.norm(landmarks[RIGHT_EYE, :2] - landmarks[LEFT_EYE, :2])), 1.0)
    box = mesh_box(landmarks).union(mesh_box(now)).scaled(1.2).clip(after.shape[1], after.shape[0])
    window = np.s_[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1]
    if min(after[window].shape) * scale < FLOW_EYES / 2 or after.shape != before.shape:
        return 0j, 0j
    small = [
        cv2.resize(grey[window], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for grey in (before, after)
    ]
    corner = np.array([int(box.left), int(box.top)])
    old, new = (((mesh[BONE, :2] - corner) * scale).astype(np.float32) for mesh in (landmarks, now))
    moved, seen, _ = cv2.calcOpticalFlowPyrLK(*small, old, None, winSize=(13, 13), maxLevel=2)
    sound = seen.ravel() > 0
    old, new, moved = old[sound], new[sound], moved[sound]
    if len(old) < 0.6 * len(BONE):
        return 0j, 0j
    matrix, kept = cv2.estimateAffinePartial2D(old, moved, ransacReprojThreshold=1.0)
    if matrix is None or kept.sum() < 0.6 * len(BONE):
        return 0j, 0j
    z, flow, own = (_complex(points[kept.ravel() > 0]) for points in (old, moved, new))
    trust = float(np.exp(-((np.abs(flow - z).mean() / (STILL * FLOW_EYES)) ** 2)))
    growth = float(np.log(abs(_turn(z, flow) / _turn(z, own))))
    return complex(trust * growth), trust * complex(flow.mean() - own.mean()) / scale


def _turn(z: Complex, w: Complex) -> complex:
    """The turn and growth that takes the points z nearest to w, least squares."""
    z = z - z.mean()
    return complex(np.vdot(z, w) / np.vdot(z, z))


def _complex(points: Landmarks) -> Complex:
    return np.asarray(points[:, 0] + 1j * points[:, 1])


def _steady(meshes: list[Landmarks], sway: Sequence[Sway], fps: float) -> None:
    """Take the sway off, in place: its sum over time, less what is slower than STEADY, for there the flow drifts."""
    path = np.cumsum(np.array(sway), axis=0)
    path -= _blur(path, STEADY * fps)
    for number, (growth, shift) in enumerate(path):
        mesh = meshes[number]
        middle = mesh[RIGID].mean(0)
        grown = np.exp(growth.real) * (mesh - middle)
        meshes[number] = (grown + middle + [shift.real, shift.imag, 0]).astype(np.float32)


def _blur(values: Complex, sigma: float) -> Complex:
    """Gaussian blur along time (N, C), the ends mirrored."""
    reach = min(round(3 * sigma), len(values) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect")
    return np.stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T], 1)


def _smooth(meshes: list[Landmarks]) -> None:
    """Fit a quadratic to every point over five frames, in place; what that would change much is singing, and stays."""
    window = deque([meshes[0]] * 3 + meshes[1:3] + [meshes[-1]] * (3 - len(meshes[:3])), maxlen=5)
    for number, mesh in enumerate(meshes):
        change = np.tensordot(SMOOTHING, np.stack(window), 1) - mesh
        eyes = np.linalg.norm(mesh[RIGHT_EYE] - mesh[LEFT_EYE])
        jitter = np.exp(-((np.linalg.norm(change, axis=1, keepdims=True) / (JITTER * eyes)) ** 2))
        meshes[number] = (mesh + jitter * change).astype(np.float32)
        window.append(meshes[min(number + 3, len(meshes) - 1)])


def crop_video(track: FaceTrack) -> FaceBox:
    """Return one box that holds the face in every frame of a clip, so that a crop of it does not shake."""
    return reduce(FaceBox.union, map(points_box, track.landmarks))
