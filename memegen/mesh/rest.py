"""A face at rest: how it looks with its mouth shut and its eyes open, in every pose, told from a whole clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memegen.base.arrays import Floats
from memegen.face.pose import Pose, fit_pose, openings, shape_of, turned_aside
from memegen.face.topology import Landmarks
from memegen.mesh.motion import part_lips

SHUT = 0.03  # mouth opening by which a frame is less at rest, over the inter-ocular distance
SEALED = 0.005  # opening of a shut mouth
WIDE_EYES = 0.7  # of their usual opening, from which eyes are open
SOME = 600  # how many frames of a shot are looked at to find it
EASY = 2.0  # how strongly a face is held the same in every pose: so many frames of it are assumed
SPREADS = np.array([0.1, 0.1, 0.03])  # usual changes of yaw, pitch (radians) and opening


class Rest(NamedTuple):
    """A face at rest, in every pose: its mouth shut as far as it ever is, its eyes open.

    Attributes:
        shape: (478, 3) in its mean pose, in the mean shape's axes.
        slopes: (2, 478, 3) change with the yaw and the pitch, a radian.
        pose: (2,) its mean yaw and pitch, radians.
    """

    shape: Floats
    slopes: Floats
    pose: Floats

    def at(self, pose: Pose) -> Floats:
        """Return the shape (478, 3) in a pose: what a tracker sees of a face changes a little with it."""
        return self.shape + np.tensordot(turned_aside(pose) - self.pose, self.slopes, 1)


def find_rest(landmarks: Sequence[Landmarks] | Floats) -> Rest:
    """Find how a face looks at rest.

    Args:
        landmarks: (N, 478, 3) of a shot or a clip, pixels.
    """
    some = landmarks[:: len(landmarks) // SOME + 1]
    poses = [fit_pose(mesh) for mesh in some]
    shapes = np.stack([shape_of(mesh, pose) for mesh, pose in zip(some, poses, strict=True)])
    opening, *lids = np.stack([openings(shape) for shape in shapes]).T
    eyes = np.mean(lids, axis=0)
    # Frames count by how shut the mouth is, and hardly in a blink.
    low = np.percentile(opening, 5)
    awake = np.where(eyes > WIDE_EYES * np.percentile(eyes, 85), 1, 0.02)
    weights = awake * np.exp(-((np.maximum(opening - low, 0) / SHUT) ** 2))
    # A straight line through the shapes against pose and opening (ridge regression), flat where these hardly change:
    # it tells how the face looks in each pose, and how with a mouth that is shut, which laughing people never show.
    cues = np.column_stack([[turned_aside(pose) for pose in poses], opening])
    mean, shape = (np.average(values, axis=0, weights=weights) for values in (cues, shapes))
    cues = (cues - mean) / SPREADS
    square = (cues * awake[:, None]).T @ cues + EASY * np.eye(3)
    flat = np.linalg.solve(square, (cues * awake[:, None]).T @ (shapes - shape).reshape(len(shapes), -1))
    slopes = flat.reshape(3, *shape.shape) / SPREADS[:, None, None]
    shape += min(SEALED - mean[2], 0.0) * slopes[2]
    part_lips(shape)
    return Rest(shape, slopes[:2], mean[:2])
