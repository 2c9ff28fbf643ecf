"""What somebody does in a clip, measured from landmarks: turns of the head, mouth, lids and gaze."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats
from memegen.face.pose import Pose, fit_pose, lids_of, openings, shape_of, turned_aside
from memegen.face.topology import EYE_CORNERS, IRISES, MOUTH_CORNERS, Landmarks

SHUT_EYE = 0.045  # an opening below which an eye counts as shut, over the inter-ocular distance
OPEN = 0.65  # of an eye's usual opening, from which it is seen where it looks
CALM = 0.7  # blur of the gaze over time, frames: the eye network trembles


class Performance(NamedTuple):
    """What a driver does in a clip, measured once for all faces that follow it.

    Attributes:
        landmarks: N arrays (478, 3), pixels of the driving frames.
        poses: N poses.
        cues: (N, 5) measures to compare with a photo, see `cues_of`.
        lids: (N, 2) the openings of its right and left eye, see `lids_of`.
        gaze: (N, 2) how far the irises are from where they usually are, right and down, in eye widths.
    """

    landmarks: Sequence[Landmarks]
    poses: list[Pose]
    cues: Floats
    lids: Floats
    gaze: Floats


def study(driving: Sequence[Landmarks]) -> Performance:
    """Measure what a driver does.

    Args:
        driving: N arrays (478, 3), pixels of the driving frames.
    """
    poses = [fit_pose(landmarks) for landmarks in driving]
    cues = np.array([cues_of(shape_of(x, pose), pose) for x, pose in zip(driving, poses, strict=True)])
    lids = np.array([lids_of(x) for x in driving])
    return Performance(driving, poses, cues, lids, _gaze(driving, lids))


def cues_of(shape: Floats, pose: Pose) -> Floats:
    """Measure a shape (478, 3) in its pose, so that two can be compared.

    Returns:
        (5,): yaw, pitch and roll of the head, radians, then how open and how wide the mouth is, over the inter-ocular
        distance.
    """
    roll = np.arctan2(pose.rotation[1, 0], pose.rotation[0, 0])
    right, left = shape[MOUTH_CORNERS]
    return np.array([*turned_aside(pose), roll, openings(shape)[0], np.linalg.norm(right - left)])


def _gaze(driving: Sequence[Landmarks], lids: Floats) -> Floats:
    """Measure where a driver looks, as the mean of both eyes: people look with both, and the mean is less noisy."""
    places = np.zeros((len(driving), 2))
    for corners, iris in zip(EYE_CORNERS, IRISES, strict=True):
        left, right = (np.array([mesh[corner, :2] for mesh in driving]) for corner in corners)
        across, off = right - left, np.array([mesh[iris[0], :2] for mesh in driving]) - (left + right) / 2
        # Along and beside the line between the eye's corners, whose length is the unit
        along = np.stack([(across * off).sum(1), across[:, 0] * off[:, 1] - across[:, 1] * off[:, 0]], 1)
        places += along / np.maximum((across**2).sum(1, keepdims=True), 1e-6) / 2
    # Shut eyes look nowhere: across a blink the gaze goes straight from where it was to where it is afterwards.
    opening = lids.mean(1)
    seen = np.flatnonzero(opening > OPEN * max(float(np.median(opening)), SHUT_EYE))
    if not len(seen):
        return np.zeros_like(places)
    known = (places[seen] - np.median(places[seen], axis=0)).T
    bridged = np.stack([np.interp(np.arange(len(places)), seen, axis) for axis in known], 1)
    return np.asarray(cv2.GaussianBlur(bridged, (1, 0), sigmaX=1, sigmaY=CALM))
