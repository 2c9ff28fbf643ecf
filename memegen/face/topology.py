"""Which landmarks of the face mesh are what, and the triangles between them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats
from memegen.base.downloads import asset

Landmarks = Floats
"""Semantic points of a face: (478, 3) of the mesh with its irises, or (68, 2) of face-alignment, in pixels."""

MESH = 468  # landmarks of the mesh, which has the triangles
POINTS = 478  # and with five for each iris
RIGHT_EYE, LEFT_EYE = 33, 263  # outer corners; right and left are the person's own
MOUTH_CORNERS = [61, 291]
FOREHEAD, CHIN = 10, 152  # the top and the bottom of the oval
LIP_MIDDLES = [13, 14]  # of the upper and the lower lip, where they meet
OPENINGS = [LIP_MIDDLES[0], 159, 386], [LIP_MIDDLES[1], 145, 374]  # upper and lower edge of the mouth and of both eyes

# Upper and lower lid from the outer to the inner corner, paired point by point.
RIGHT_LIDS = [33, 246, 161, 160, 159, 158, 157, 173, 133], [33, 7, 163, 144, 145, 153, 154, 155, 133]
LEFT_LIDS = [263, 466, 388, 387, 386, 385, 384, 398, 362], [263, 249, 390, 373, 374, 380, 381, 382, 362]
EYE_LIDS = RIGHT_LIDS, LEFT_LIDS
EYE_CORNERS = [[33, 133], [362, 263]]  # of the right and the left eye, from left to right in the picture
IRISES = [*range(468, 473)], [*range(473, 478)]  # right and left: the centre, then four points on the edge
# From one corner to the other; upper and lower lip are paired point by point and share the corners.
INNER_LIPS = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308], [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
LOWER_LIP = [  # from its inner to its outer edge, each row from one corner to the other
    INNER_LIPS[1],
    [62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292],
    [76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306],
    [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291],
]
LIPS = [*INNER_LIPS[0], *INNER_LIPS[1][-2:0:-1]]  # the loop around the opening

FACE_OVAL = [
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
]  # from the top, clockwise as seen in the picture
LOWER_FACE = [116, 50, 205, 206, 2, 426, 425, 280, 345, 323, 361, 288, 365, 378, 152, 149, 136, 58, 132, 93]

# Points over bone: forehead, nose, corners of the eyes and temples; then ears and cheekbones, which yield a little.
BONE = [10, 338, 297, 67, 109, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 33, 133, 362, 263, 127, 356, 162, 389]
RIGID = [*BONE, 234, 454, 93, 323, 50, 280, 205, 425, 117, 346, 123, 352, 116, 345, 143, 372]

CLOSING = 46  # how many triangles, the mesh's last, close the eyes and the mouth
MOUTH = slice(-18, None)  # the very last, which close the mouth


class FaceModel(NamedTuple):
    """The mesh itself, see assets/models/make_face_mesh.py.

    Attributes:
        triangles: (898, 3) uint16 landmark numbers; see CLOSING and MOUTH.
        mean_shape: (478, 3) float32, a mean face from the front: x right, y down, z away from the camera, the outer eye
            corners 1 apart, the origin between them.
    """

    triangles: NDArray[np.uint16]
    mean_shape: NDArray[np.float32]


@lru_cache(maxsize=1)
def face_model() -> FaceModel:
    """Load the mesh that is part of the package."""
    with np.load(asset("models/face_mesh.npz"), allow_pickle=False) as data:
        shape = data["mean_shape"]
        irises = [np.tile(shape[[*upper, *lower]].mean(0), (5, 1)) for upper, lower in EYE_LIDS]
        return FaceModel(data["triangles"], np.concatenate([shape, *irises]))


def eye_distance(landmarks: Floats) -> np.floating[Any]:
    """Measure the inter-ocular distance of landmarks (K, 2 or 3), in their own unit and precision."""
    return np.linalg.norm(landmarks[RIGHT_EYE] - landmarks[LEFT_EYE])
