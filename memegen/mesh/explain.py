"""What the mesh engine computes on the way to one frame, in the words of the first-order motion model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.face.cropping import points_box
from memegen.face.performance import study
from memegen.face.pose import fit_pose
from memegen.face.topology import Landmarks
from memegen.mesh.eyes import carried
from memegen.mesh.lids import held_open
from memegen.mesh.motion import find_reference, place, retarget, way_of
from memegen.mesh.rig import lay_rings
from memegen.mesh.warp import deformation, follow, set_stage


class MeshInternals(NamedTuple):
    """The motion of one frame.

    Attributes:
        landmarks: (478, 3) of the photo, pixels: its keypoints, made by hand.
        moved: (478, 3) where they go, pixels.
        jacobian: (2, 2) the head's turn and growth as seen in the picture, the same for all of them.
        deformation: (H, W, 2) float32 x, y in [-1, 1], where in the photo each pixel is taken from (backward).
    """

    landmarks: Landmarks
    moved: Floats
    jacobian: Floats
    deformation: Floats


def explain_frame(photo: Image, landmarks: Landmarks, driving: Sequence[Landmarks], *, frame: int = 0) -> MeshInternals:
    """Work out how a photo is moved to show one driving frame.

    Args:
        photo: uint8 RGB (H, W, 3).
        landmarks: (478, 3) of its face, pixels.
        driving: N arrays (478, 3), pixels of the driving frames.
        frame: Which of them to show.
    """
    theirs, mine, performance = driving[frame], fit_pose(landmarks), study(driving)
    reference = find_reference(landmarks, performance)
    rig = lay_rings(photo, landmarks)
    rigid = place(rig.rest - mine.shift, way_of(mine, fit_pose(theirs), reference.pose, 1.0))
    moved = retarget(landmarks, theirs, reference, expression=1.0, motion=1.0, gaze=performance.gaze[frame])
    stage = set_stage(photo, rig, points_box(rigid))
    # To where the landmarks are, also where the engine takes a cheek's bulge from the oval
    cells = deformation(
        replace(stage, places=rig.rest), follow(stage, rigid, held_open(moved, carried(moved, landmarks)))
    )
    # Rotation and scale since the photo, without the depth: the affine map that all landmarks share
    turn = fit_pose(moved)
    jacobian = turn.scale / mine.scale * (turn.rotation @ mine.rotation.T)[:2, :2]
    return MeshInternals(landmarks, moved, jacobian, _whole(cells, stage.corner, stage.step, photo.shape[1::-1]))


def _whole(cells: Floats, corner: tuple[int, int], step: int, size: tuple[int, ...]) -> Floats:
    """Lay the deformation of a region, shifts in pixels (gh, gw, 2), over the whole photo (W, H), in [-1, 1]."""
    # Every pixel comes from its own place, but in the region, whose cells are scaled up to pixels
    (width, height), (left, top) = size, corner
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    places = np.dstack([x, y])
    part = places[top : top + len(cells) * step, left : left + cells.shape[1] * step]
    part += cv2.resize(cells, None, fx=step, fy=step)[: part.shape[0], : part.shape[1]]
    return np.asarray(places * 2 / (np.array(size, np.float32) - 1) - 1)
