"""How a photo's landmarks follow a driver's: the head turns as the driver's does, and the face gets its expression.

This is the relative motion of the first-order motion model, for heads only: a rotation, scale and shift in 3-D take the
place of the jacobians, and what these do not explain of the landmarks is the expression.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, smoothstep
from memegen.face.options import Region
from memegen.face.performance import SHUT_EYE, Performance, cues_of
from memegen.face.pose import Pose, fit_pose, lids_of, shape_of, yaw_of
from memegen.face.topology import BONE, EYE_CORNERS, EYE_LIDS, INNER_LIPS, IRISES, POINTS, Landmarks, face_model

FREE_TURN, MAX_TURN = 0.35, 0.6  # radians out of the picture's plane: followed fully, and the most a flat photo shows
UNFOLDED = 0.6  # how much of the way to its mirror image a head that looks aside turns freely, besides
CLEAR = np.array([0.1, 0.1, 0.1, 0.02, 0.04])  # clear differences in what `cues_of` measures
LOOKS = [0, 1, 3, 4]  # those that count for the expression: all but the roll
BLINK = 1.7  # gain of the eyes: the landmarks of a shut eye stay a little open
AHEAD = np.zeros(2)  # the usual gaze
AIM = np.array([0.3, 0.15])  # how far an iris goes from its eye's middle, across and along the face, in eye widths
# Gains of the irises, across and down: the eye network sees about 0.6 of their way, by circles fitted to their edges,
# and takes some of a blink for a look down.
GAZE = np.array([1.6, 0.8])
SHARPNESS = 0.01  # least spread of the reference, in squared differences: about the tracking noise
ALIKE = 0.3  # and of that of the expression, which is an average of frames also among twins
WIDER = 0.15  # a mouth wider or narrower by this, over the inter-ocular distance, is another person's


class Reference(NamedTuple):
    """How the driver would look in the photo's pose and with the photo's expression.

    Attributes:
        pose: Its pose.
        shape: (478, 3) its landmarks without the pose.
        eyes: (2,) the openings of its right and left eye, see `lids_of`.
    """

    pose: Pose
    shape: Floats
    eyes: Floats


def find_reference(photo: Landmarks, driving: Performance) -> Reference:
    """Find how the driver looks when it looks like the photo: its movement is measured from there.

    It is an average of all driving frames, weighted by how near their pose and expression are to the photo's. The
    nearest frame sets the spread of the weights: a clip of the same person gives a single frame, any other a broad
    average without noise. A neutral photo gives the driver's neutral look, an open mouth its looks with an open mouth.

    Args:
        photo: (478, 3) pixels.
        driving: From `study`.
    """
    landmarks, poses, cues, lids, _ = driving
    pose = fit_pose(photo)
    shape = shape_of(photo, pose)
    wanted = _within(cues_of(shape, pose), cues)
    # The pose: frames that are near in their cues and in the whole shape
    unlike = np.array([((shape_of(x, p) - shape) ** 2).sum() for x, p in zip(landmarks, poses, strict=True)])
    differences = ((cues - wanted) / CLEAR) ** 2
    weights = _nearness(differences) * _nearness(unlike[:, None])
    weights /= weights.sum()
    # Rotations are averaged as rotation vectors about the nearest one, scales in their logarithms.
    near = poses[int(weights.argmax())].rotation
    turns = np.array([_to_vector(p.rotation @ near.T) for p in poses])
    mean = Pose(
        rotation=_to_matrix(weights @ turns) @ near,
        scale=float(np.exp(weights @ np.log([p.scale for p in poses]))),
        shift=weights @ np.array([p.shift for p in poses]),
    )
    # The expression: frames that are near in the mouth and look the same way, as the network sees another shape of the
    # same face from each side; added one by one to save memory
    looks = _nearness(differences[:, LOOKS], ALIKE)
    reference = np.zeros((POINTS, 3))
    for weight, x, p in zip(looks, landmarks, poses, strict=True):
        reference += weight * shape_of(x, p)
    # Open eyes are compared with the driver's open eyes, not with its average, which blinks pull down.
    eyes, wide = lids_of(photo), np.percentile(lids, 85, axis=0)
    return Reference(mean, reference, np.where(eyes > SHUT_EYE, np.maximum(wide, SHUT_EYE), eyes))


def retarget(
    photo: Landmarks,
    driving: Landmarks,
    reference: Reference,
    *,
    expression: float,
    motion: float,
    gaze: Floats = AHEAD,
) -> Floats:
    """Move a photo's landmarks as the driver moved from its reference (relative motion).

    Args:
        photo: (478, 3) pixels.
        driving: (478, 3) pixels of one driving frame.
        reference: The driver's look that corresponds to the photo.
        expression: Gain of mouth, brows, lids and gaze; 1 is the driver's own.
        motion: Gain of the head's turning, shifting and growing; 1 is the driver's own.
        gaze: (2,) where the driver looks, see `Performance`.

    Returns:
        (478, 3) float64: where the photo's landmarks go, pixels.
    """
    mine, theirs = fit_pose(photo), fit_pose(driving)
    look, lids = shape_of(driving, theirs), lids_of(driving)
    shape = act(shape_of(photo, mine), look, reference, lids=lids, expression=expression, gaze=gaze)
    return place(shape @ mine.rotation.T * mine.scale, way_of(mine, theirs, reference.pose, motion))


def act(
    own: Floats, look: Floats, reference: Reference, *, lids: Floats, expression: float, gaze: Floats = AHEAD
) -> Floats:
    """Give a face the driver's expression.

    The expression is added in the mean shape's axes, where heads of all poses and sizes are alike.

    Args:
        own: (478, 3) the face at rest, see `shape_of`.
        look: (478, 3) the driver's.
        reference: The driver's look that corresponds to the face at rest.
        lids: (2,) the driver's, see `lids_of`.
        expression: See `retarget`, as `gaze`.
        gaze: (2,)

    Returns:
        (478, 3) the face with the expression, in the same axes.
    """
    shape = own + expression * (look - reference.shape)
    _open_eyes(shape, own, expression * BLINK * (lids / reference.eyes - 1))
    _turn_eyes(shape, own, expression * GAZE * gaze)
    part_lips(shape)
    return shape


def way_of(mine: Pose, theirs: Pose, reference: Pose, motion: float) -> Floats:
    """Find how a photo's head turns, grows and moves with the driver's: (3, 4), an affine map for `place`.

    Args:
        mine: The photo's pose.
        theirs: The driver's.
        reference: The driver's that corresponds to the photo's.
        motion: See `retarget`.
    """
    # The turn is measured in the driver's head and made in the photo's: one that looks aside nods about its own ears.
    relative = _limit(motion * _to_vector(reference.rotation.T @ theirs.rotation), yaw_of(mine))
    turn = mine.rotation @ _to_matrix(relative) @ mine.rotation.T
    growth = (theirs.scale / reference.scale) ** motion
    shift = motion * (theirs.shift - reference.shift) * (mine.scale / reference.scale)
    return np.column_stack([growth * turn, mine.shift + shift])


def place(points: Floats, way: Floats) -> Floats:
    """Return where points (P, 3) of a head go, in pixels from its middle; see `way_of`."""
    return np.asarray(points @ way[:, :3].T + way[:, 3])


def shares(part: Region) -> Floats:
    """Return how much each landmark (478,) moves when a part of the face follows the driver, 0 to 1."""
    x, y, _ = face_model().mean_shape.T
    middle = 1 - smoothstep((abs(x) - 0.5) / 0.25)
    mouth = middle * smoothstep((y - 0.42) / 0.2)
    if part == "mouth":
        return np.asarray(mouth)
    # What lies over bone keeps the place that it has: it says how the head is held.
    eyes = smoothstep((y + 0.5) / 0.15) * (1 - smoothstep((y - 0.1) / 0.2)) * (1 - smoothstep((abs(x) - 0.62) / 0.1))
    eyes[BONE] = 0
    return np.asarray(np.maximum(mouth, eyes))


def _within(wanted: Floats, cues: Floats) -> Floats:
    """Bring the photo's cues into the driver's range, so that some frame is near."""
    # The first frame counts whatever its percentile: a clip usually begins at rest, which is like a photo.
    low, usual, high = np.percentile(cues, [2, 50, 98], axis=0)
    inside = np.clip(wanted, np.minimum(low, cues[0]), np.maximum(high, cues[0]))
    # How wide a mouth is says who someone is, unless the difference is small.
    inside[4] = np.where(abs(wanted[4] - usual[4]) > WIDER, usual[4], inside[4])
    return inside


def _nearness(differences: Floats, least: float = SHARPNESS) -> Floats:
    """Turn squared differences (N, C) into weights (N,) that sum to 1; `least` is their least spread."""
    # The nearest frame's own cost is the spread: a twin gets all the weight, among strangers it is shared.
    cost = differences.sum(1)
    weights = np.exp(-(cost - cost.min()) / (cost.min() + least))
    return np.asarray(weights / weights.sum())


def _open_eyes(shape: Floats, own: Floats, changes: Floats) -> None:
    """Open each of the photo's eyes in proportion to its own opening, in place; the lower lid stays where it is.

    Args:
        shape: (478, 3), changed.
        own: (478, 3) of the photo at rest.
        changes: (2,) for the right and left eye, -1 shuts it and 0 leaves it.
    """
    for (upper, lower), change in zip(EYE_LIDS, changes, strict=True):
        shape[upper] = shape[lower] - (own[lower] - own[upper]) * np.clip(1 + change, 0, 1.4)


def _turn_eyes(shape: Floats, own: Floats, gaze: Floats) -> None:
    """Move the photo's irises with the corners of its eyes and by the driver's gaze, in place; see `_open_eyes`."""
    for corners, iris in zip(EYE_CORNERS, IRISES, strict=True):
        left, right = own[corners]
        width, rest = np.linalg.norm(right - left), own[iris[0]] - (left + right) / 2
        # An iris that the photo shows at the edge goes no farther, but it may come back.
        most = np.maximum(AIM * width, abs(rest[:2]))
        shift = np.clip(rest[:2] + gaze * width, -most, most) - rest[:2]
        shape[iris] = own[iris] + (shape[corners] - own[corners]).mean(0)
        shape[iris, :2] += shift


def part_lips(shape: Floats) -> None:
    """Let the lips meet but not cross, in place."""
    upper, lower = INNER_LIPS
    above, below = shape[upper, 1], shape[lower, 1]
    middle = (above + below) / 2
    shape[upper, 1], shape[lower, 1] = np.minimum(above, middle), np.maximum(below, middle)


def _limit(vector: Floats, yaw: float) -> Floats:
    """Limit the out-of-plane part of a rotation vector in the head's axes, for a photo with a yaw.

    A head that looks aside may turn farther towards us: what it hides is drawn from its other half.
    """
    middle = np.array([0.0, -yaw * UNFOLDED / 2, 0.0])
    size = float(np.hypot(*(vector - middle)[:2]))
    free, room = FREE_TURN + abs(yaw) * UNFOLDED / 2, MAX_TURN - FREE_TURN
    if size <= free:
        return vector
    gain = (free + room * np.tanh((size - free) / room)) / size
    return np.asarray(middle + (vector - middle) * [gain, gain, 1.0])


def _to_vector(rotation: Floats) -> Floats:
    return np.asarray(cv2.Rodrigues(rotation)[0], np.float64).ravel()


def _to_matrix(vector: Floats) -> Floats:
    return np.asarray(cv2.Rodrigues(np.asarray(vector, np.float64))[0], np.float64)
