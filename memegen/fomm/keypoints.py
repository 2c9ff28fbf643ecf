"""Keypoints with local affine maps, the first-order motion model's language, and the arithmetic that moves them.

What moves keypoints serves numpy arrays and torch tensors alike, using only what both offer.
"""

from typing import Any, Generic, NamedTuple, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats

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


def with_gains(
    driving: Keypoints[Floats], *, initial: Keypoints[Floats], expression: float = 1.0, motion: float = 1.0
) -> Keypoints[Floats]:
    """Make a driver's movements since its initial frame larger or smaller.

    The turn, growth and shift that fit all keypoints best are the head's motion; what they leave over, the expression.

    Args:
        driving: keypoints of N driving frames.
        initial: keypoints of the frame that movements are counted from, N = 1.
        expression: gain of the expression; 1 is the driver's own.
        motion: gain of the head's motion; 1 is the driver's own.

    Returns:
        Keypoints of N frames of the same driver.
    """
    centre, middle = initial.value.mean(axis=1, keepdims=True), driving.value.mean(axis=1, keepdims=True)
    rest, now = _complex(initial.value - centre), _complex(driving.value - middle)
    turn = (now * rest.conj()).sum(axis=1, keepdims=True) / (np.abs(rest) ** 2).sum(axis=1, keepdims=True)
    look = turn**motion * (rest + expression * (now / turn - rest))
    value = centre + motion * (middle - centre) + np.stack([look.real, look.imag], axis=-1)
    change = np.linalg.inv(_matrix(turn)) @ driving.jacobian @ np.linalg.inv(initial.jacobian)
    change = np.eye(2) + expression * (change - np.eye(2))
    return Keypoints(value, _matrix(turn**motion) @ change @ initial.jacobian)


def _complex(points: Floats) -> NDArray[np.complexfloating[Any, Any]]:
    return points[..., 0] + 1j * points[..., 1]


def _matrix(turn: NDArray[np.complexfloating[Any, Any]]) -> Floats:
    """Complex factors (N, 1) as the (N, 1, 2, 2) matrices that turn and scale x, y likewise."""
    return np.stack([np.stack([turn.real, -turn.imag], axis=-1), np.stack([turn.imag, turn.real], axis=-1)], axis=-2)


def _inverse(matrix: Array) -> Array:
    """Inverse of (..., 2, 2) matrices, by either library's LU decomposition."""
    return cast(Array, matrix.inverse() if hasattr(matrix, "inverse") else np.linalg.inv(matrix))
