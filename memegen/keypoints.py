"""Keypoints with local affine maps, the first-order motion model's language, and the arithmetic that moves them.

The same functions serve numpy arrays (the mesh engine) and torch tensors (the networks): they use only what both offer.
"""

from typing import Any, Generic, NamedTuple, TypeVar, cast

import cv2
import numpy as np

Array = TypeVar("Array", bound=Any)


class Keypoints(NamedTuple, Generic[Array]):
    """Motion points of N frames.

    Attributes:
        value: (N, K, 2) floating point x, y in [-1, 1]; -1 is the centre of the first pixel, 1 that of the last.
        jacobian: (N, K, 2, 2) local affine map from the reference pose around each point; [..., row, column].
    """

    value: Array
    jacobian: Array


def relative_motion(
    source: Keypoints[Array], driving: Keypoints[Array], *, initial: Keypoints[Array], scale: float = 1.0
) -> Keypoints[Array]:
    """Carry the driver's motion since its initial frame over to the source (Sec. 3.3, relative motion transfer).

    Args:
        source: keypoints of the photo, N = 1.
        driving: keypoints of N driving frames.
        initial: keypoints of the driving frame whose pose is taken to be the photo's, N = 1.
        scale: factor on the shifts, see `movement_scale`.

    Returns:
        Keypoints of N frames of the photo's subject, making the driver's movements.
    """
    value = source.value + scale * (driving.value - initial.value)
    jacobian = driving.jacobian @ _inverse(initial.jacobian) @ source.jacobian
    return Keypoints(value, jacobian)


def movement_scale(source: Keypoints[Any], initial: Keypoints[Any]) -> float:
    """Ratio of the sizes of two subjects: square root of the ratio of their keypoints' convex hull areas.

    Args:
        source: keypoints of the photo, N = 1.
        initial: keypoints of the initial driving frame, N = 1.

    Returns:
        The factor for `relative_motion`; 1.0 where either hull has no area.
    """
    areas = [cv2.contourArea(cv2.convexHull(np.asarray(k.value[0], dtype=np.float32))) for k in (source, initial)]
    return float(np.sqrt(areas[0] / areas[1])) if min(areas) > 0 else 1.0


def _inverse(matrix: Array) -> Array:
    """Inverse of (..., 2, 2) matrices, by either library's LU decomposition."""
    return cast(Array, matrix.inverse() if hasattr(matrix, "inverse") else np.linalg.inv(matrix))
