"""Where a head is, told from its landmarks, and what is left of them without that: how far mouth and eyes are open."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats
from memegen.face.topology import OPENINGS, RIGID, Landmarks, eye_distance, face_model


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


def fit_pose(landmarks: Landmarks) -> Pose:
    """Fit the mean shape to landmarks by its bony points (Umeyama 1991).

    Args:
        landmarks: (478, 3) pixels.
    """
    mean, points = (shape[RIGID].astype(np.float64) for shape in (face_model().mean_shape, landmarks))
    matrix, scale = cv2.estimateAffine3D(mean, points, force_rotation=True)
    return Pose(matrix[:, :3], scale, matrix[:, 3])


def shape_of(landmarks: Landmarks, pose: Pose) -> Floats:
    """Undo the pose of landmarks (478, 3) in pixels: the same in the mean shape's axes and unit."""
    return np.asarray((landmarks - pose.shift) @ pose.rotation / pose.scale)


def openings(shape: Floats) -> Floats:
    """Measure a shape (478, 3): openings of mouth, right eye and left eye, over the inter-ocular distance."""
    upper, lower = OPENINGS
    return np.asarray(np.linalg.norm(shape[upper] - shape[lower], axis=1) / eye_distance(shape))


def lids_of(landmarks: Landmarks) -> Floats:
    """Measure how far the right and the left eye are open in the picture, (2,), over the inter-ocular distance.

    The depth of a lid is a guess: with it, eyes that are turned away seem to shut.

    Args:
        landmarks: (478, 3) pixels.
    """
    return openings(landmarks[:, :2])[1:]


def yaw_of(pose: Pose) -> float:
    """Return how far a head looks aside, radians: more than 0 to the left of the picture."""
    return float(np.arctan2(pose.rotation[0, 2], pose.rotation[2, 2]))


def turned_aside(pose: Pose) -> Floats:
    """Return a head's yaw and pitch, (2,) radians."""
    return np.array([yaw_of(pose), np.arcsin(np.clip(-pose.rotation[1, 2], -1, 1))])
