"""From tracked landmarks to motion: head pose, expression, and how a photo's landmarks follow a driver's.

This is the first-order motion model's relative motion with a head that is known to be a head: a rotation, scale and
shift in 3-D take the place of the jacobians, and what is left over of the landmarks is the expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats
from memegen.face.topology import EYE_LIDS, INNER_LIPS, LEFT_EYE, RIGHT_EYE, RIGID, Landmarks, face_model

FREE_TURN, MAX_TURN = 0.35, 0.6  # radians out of the picture's plane: as driven, and the most a flat photo can show
CUES = np.array([0.1, 0.1, 0.1, 0.02, 0.04])  # what counts as a difference in yaw, pitch, roll, mouth's opening, width
BLINK = 2.0  # the landmarks of a shut eye stay a little open: what they show less of is made up for
SHUT = 0.045  # an opening below which an eye counts as shut, over the inter-ocular distance
SHARPNESS = 0.01  # least spread of the reference, in squared differences: about the tracking noise


class Pose(NamedTuple):
    """Where a head is: a mean-shape point p lies at `scale * rotation @ p + shift`.

    Attributes:
        rotation: (3, 3), from the mean shape's axes (x right, y down, z away) to the picture's.
        scale: Pixels between the outer eye corners, as if seen from the front.
        shift: (3,) pixels.
    """

    rotation: Floats
    scale: float
    shift: Floats


class Performance(NamedTuple):
    """What a driver does in the course of a clip, measured once for everybody who follows it.

    Attributes:
        landmarks: N arrays (468, 3), pixels of the driving frames.
        poses: N poses.
        cues: (N, 5) what is compared with a photo, in the order of CUES.
        lids: (N, 2) the openings of its right and left eye over the inter-ocular distance.
    """

    landmarks: Sequence[Landmarks]
    poses: list[Pose]
    cues: Floats
    lids: Floats


class Reference(NamedTuple):
    """The driver as it would look when striking the photo's pose and expression.

    Attributes:
        pose: Its pose.
        shape: (468, 3) its landmarks without the pose.
        eyes: (2,) the openings of its right and left eye over the inter-ocular distance.
    """

    pose: Pose
    shape: Floats
    eyes: Floats


def fit_pose(landmarks: Landmarks) -> Pose:
    """Fit the mean shape to landmarks by its bony points (Umeyama 1991).

    Args:
        landmarks: (468, 3) pixels.
    """
    mean = face_model().mean_shape[RIGID].astype(np.float64)
    points = landmarks[RIGID].astype(np.float64)
    a, b = mean - mean.mean(0), points - points.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    flip = np.array([1.0, 1.0, np.linalg.det(u @ vt)])
    rotation = (u * flip) @ vt
    scale = float((s * flip).sum() / (a**2).sum())
    return Pose(rotation, scale, points.mean(0) - scale * rotation @ mean.mean(0))


def shape_of(landmarks: Landmarks, pose: Pose) -> Floats:
    """Take the pose off landmarks (468, 3) in pixels: what they are in the mean shape's axes and unit."""
    return np.asarray((landmarks - pose.shift) @ pose.rotation / pose.scale)


def openings(shape: Floats) -> Floats:
    """Measure a shape (468, 3): openings of mouth, right eye and left eye, over the inter-ocular distance."""
    middles = [(13, 14), (159, 145), (386, 374)]
    gaps = np.array([np.linalg.norm(shape[upper] - shape[lower]) for upper, lower in middles])
    return np.asarray(gaps / np.linalg.norm(shape[RIGHT_EYE] - shape[LEFT_EYE]))


def study(driving: Sequence[Landmarks]) -> Performance:
    """Measure what a driver does.

    Args:
        driving: N arrays (468, 3), pixels of the driving frames.
    """
    poses = [fit_pose(landmarks) for landmarks in driving]
    cues = np.array([_cues(shape_of(x, pose), pose) for x, pose in zip(driving, poses, strict=True)])
    return Performance(driving, poses, cues, np.array([openings(x)[1:] for x in driving]))


def find_reference(photo: Landmarks, driving: Performance) -> Reference:
    """Find what the driver looks like when it looks like the photo.

    Every driving frame is weighted by how near its pose and expression are to the photo's; the spread of the weights
    follows the nearest, so a clip of the very person gives one frame and any other a broad, noise-free average.
    A driver's neutral look is what comes out for a neutral photo, and an open mouth in the photo meets open mouths.

    Args:
        photo: (468, 3) pixels.
        driving: From `study`.
    """
    landmarks, poses, cues, lids = driving
    pose = fit_pose(photo)
    shape = shape_of(photo, pose)
    wanted = _within(_cues(shape, pose), cues)
    unlike = np.array([((shape_of(x, p) - shape) ** 2).sum() for x, p in zip(landmarks, poses, strict=True)])
    weights = _nearness(((cues - wanted) / CUES) ** 2) * _nearness(unlike[:, None])
    weights /= weights.sum()
    near = poses[int(weights.argmax())].rotation
    turns = np.array([_to_vector(p.rotation @ near.T) for p in poses])
    mean = Pose(
        _to_matrix(weights @ turns) @ near,
        float(np.exp(weights @ np.log([p.scale for p in poses]))),
        weights @ np.array([p.shift for p in poses]),
    )
    looks = _nearness((((cues - wanted) / CUES) ** 2)[:, 3:])
    reference = np.zeros((468, 3))
    for weight, x, p in zip(looks, landmarks, poses, strict=True):
        reference += weight * shape_of(x, p)
    eyes, wide = openings(shape)[1:], np.percentile(lids, 85, axis=0)
    return Reference(mean, reference, np.where(eyes > SHUT, np.maximum(wide, SHUT), eyes))


def retarget(
    photo: Landmarks,
    driving: Landmarks,
    reference: Reference,
    *,
    expression: float,
    motion: float,
    poses: tuple[Pose, Pose] | None = None,
) -> Floats:
    """Move a photo's landmarks as the driver moved from its reference (relative motion).

    Args:
        photo: (468, 3) pixels.
        driving: (468, 3) pixels of one driving frame.
        reference: The driver's look that belongs to the photo.
        expression: Gain of mouth, brows and eyes; 1 is the driver's own.
        motion: Gain of the head's turning, shifting and growing; 1 is the driver's own.
        poses: Of photo and driver, where they are known.

    Returns:
        (468, 3) float64: where the photo's landmarks go, pixels.
    """
    mine, theirs = poses or (fit_pose(photo), fit_pose(driving))
    look, own = shape_of(driving, theirs), shape_of(photo, mine)
    shape = own + expression * (look - reference.shape)
    _open_eyes(shape, own, expression * BLINK * (openings(look)[1:] / reference.eyes - 1))
    _part_lips(shape)
    return place(shape @ mine.rotation.T * mine.scale, mine, theirs, reference.pose, motion)


def place(points: Floats, mine: Pose, theirs: Pose, reference: Pose, motion: float) -> Floats:
    """Turn, scale and shift points (P, 3), pixels about the photo's head, as the driver's moved; see `retarget`."""
    turn = _to_matrix(_limit(motion * _to_vector(theirs.rotation @ reference.rotation.T), FREE_TURN, MAX_TURN))
    growth = (theirs.scale / reference.scale) ** motion
    shift = motion * (theirs.shift - reference.shift) * (mine.scale / reference.scale)
    return np.asarray(growth * points @ turn.T + mine.shift + shift)


def _cues(shape: Floats, pose: Pose) -> Floats:
    """What is compared between photo and driver, in the order of CUES: radians, then inter-ocular distances."""
    r = pose.rotation
    angles = [np.arctan2(r[0, 2], r[2, 2]), np.arcsin(np.clip(-r[1, 2], -1, 1)), np.arctan2(r[1, 0], r[0, 0])]
    return np.array([*angles, openings(shape)[0], np.linalg.norm(shape[61] - shape[291])])


def _within(wanted: Floats, cues: Floats) -> Floats:
    """Bring the photo's cues into the driver's range; a mouth of quite another width is a matter of person."""
    low, usual, high = np.percentile(cues, [2, 50, 98], axis=0)
    inside = np.clip(wanted, np.minimum(low, cues[0]), np.maximum(high, cues[0]))
    inside[4] = np.where(abs(wanted[4] - usual[4]) > 0.15, usual[4], inside[4])
    return inside


def _nearness(differences: Floats) -> Floats:
    """Weights (N,) that sum to 1 from squared differences (N, C)."""
    cost = differences.sum(1)
    weights = np.exp(-(cost - cost.min()) / (cost.min() + SHARPNESS))
    return np.asarray(weights / weights.sum())


def _open_eyes(shape: Floats, own: Floats, changes: Floats) -> None:
    """Open each of the photo's eyes in proportion to its own size, in place; the lower lid stays where it is.

    Args:
        shape: (468, 3), changed.
        own: (468, 3) of the photo at rest.
        changes: (2,) for the right and left eye, -1 shuts it and 0 leaves it.
    """
    for (upper, lower), change in zip(EYE_LIDS, changes, strict=True):
        gap = own[list(lower)] - own[list(upper)]
        shape[list(upper)] = shape[list(lower)] - gap * np.clip(1 + change, 0, 1.4)


def _part_lips(shape: Floats) -> None:
    """Let the lips meet but not cross, in place."""
    upper, lower = (list(chain) for chain in INNER_LIPS)
    above, below = shape[upper, 1], shape[lower, 1]
    middle = (above + below) / 2
    shape[upper, 1], shape[lower, 1] = np.minimum(above, middle), np.maximum(below, middle)


def _limit(vector: Floats, free: float, most: float) -> Floats:
    """Shorten the out-of-plane part of a rotation vector: as it is up to `free`, then less, never beyond `most`."""
    size = float(np.hypot(vector[0], vector[1]))
    if size <= free:
        return vector
    gain = (free + (most - free) * np.tanh((size - free) / (most - free))) / size
    return np.asarray(vector * [gain, gain, 1.0])


def _to_vector(rotation: Floats) -> Floats:
    return np.asarray(cv2.Rodrigues(rotation)[0], np.float64).ravel()


def _to_matrix(vector: Floats) -> Floats:
    return np.asarray(cv2.Rodrigues(np.asarray(vector, np.float64))[0], np.float64)
