"""Keypoints with local affine maps, which describe motion, and the arithmetic that transfers it to a photo."""

from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats

Array = TypeVar("Array", bound=Any)
MovementScale = float | Literal["auto"]


class Keypoints(NamedTuple, Generic[Array]):
    """Motion points of N frames, K in each.

    Attributes:
        value: (N, K, 2) floating point x, y in [-1, 1]; -1 is the centre of the first pixel, 1 that of the last.
        jacobian: (N, K, 2, 2) local affine map from the reference pose around each point; [..., row, column].
    """

    value: Array
    jacobian: Array


class Transfer(TypedDict, total=False):
    """The optional keywords of `transfer_motion`, for functions that pass them on."""

    relative: bool
    scale: MovementScale
    expression: float
    motion: float


def transfer_motion(
    source: Keypoints[Floats],
    driving: Keypoints[Floats],
    *,
    initial: Keypoints[Floats],
    relative: bool = True,
    scale: MovementScale = "auto",
    expression: float = 1.0,
    motion: float = 1.0,
) -> Keypoints[Floats]:
    """Return the keypoints that show the photo's subject in each driving frame.

    Args:
        source: keypoints of the photo, N = 1, or of a source of its own for each driving frame.
        driving: keypoints of N driving frames.
        initial: keypoints of the driving frame whose pose is taken to be the photo's, N = 1; movements start there.
        relative: transfer the movement since the initial frame; otherwise use the driver's own keypoints.
        scale: factor on relative shifts; "auto" compensates for subjects of different size.
        expression: gain of the expression since the initial frame; 1 is as driven.
        motion: gain of the head motion since the initial frame; 1 is as driven.
    """
    if (expression, motion) != (1.0, 1.0):
        driving = with_gains(driving, initial=initial, expression=expression, motion=motion)
    if not relative:
        return driving
    # Sec. 3.3, relative motion: points take over the driver's shift, scaled by the ratio of the subjects' sizes.
    factor = movement_scale(source, initial) if scale == "auto" else float(scale)
    value = source.value + factor * (driving.value - initial.value)
    # Local maps take over its change. Read from right to left: the source's map, undo the initial one, apply the new.
    jacobian = driving.jacobian @ np.linalg.inv(initial.jacobian) @ source.jacobian
    return Keypoints(value, jacobian)


def movement_scale(source: Keypoints[Floats], initial: Keypoints[Floats]) -> float:
    """Return the ratio of two subjects' sizes: the square root of the ratio of their keypoints' convex hull areas.

    Both have N = 1. The ratio is 1.0 where either hull has no area.
    """
    areas = [cv2.contourArea(cv2.convexHull(np.asarray(k.value[0], dtype=np.float32))) for k in (source, initial)]
    return float(np.sqrt(areas[0] / areas[1])) if min(areas) > 0 else 1.0


def with_gains(
    driving: Keypoints[Floats], *, initial: Keypoints[Floats], expression: float = 1.0, motion: float = 1.0
) -> Keypoints[Floats]:
    """Make a driver's movements since its initial frame larger or smaller.

    The turn, growth and shift that fit all keypoints best are the head's motion; the rest is the expression. The
    arguments are those of `transfer_motion`, the result is N frames of the same driver.
    """
    # As complex numbers x + iy, points are turned and scaled by one factor. Shifts are taken out with the centres.
    centre, middle = initial.value.mean(axis=1, keepdims=True), driving.value.mean(axis=1, keepdims=True)
    rest, now = _complex(initial.value - centre), _complex(driving.value - middle)
    # Least squares: the factor that brings the initial points nearest to the present ones.
    turn = (now * rest.conj()).sum(axis=1, keepdims=True) / (np.abs(rest) ** 2).sum(axis=1, keepdims=True)
    # Undo the turn, scale what is left of the movement, and turn again by a power: half the angle for a gain of 1/2.
    look = turn**motion * (rest + expression * (now / turn - rest))
    value = centre + motion * (middle - centre) + np.stack([look.real, look.imag], axis=-1)
    # The same for the local maps: their change without the turn goes from none (the identity) to `expression` times.
    change = np.linalg.inv(_matrix(turn)) @ driving.jacobian @ np.linalg.inv(initial.jacobian)
    change = np.eye(2) + expression * (change - np.eye(2))
    return Keypoints(value, _matrix(turn**motion) @ change @ initial.jacobian)


def _complex(points: Floats) -> NDArray[np.complexfloating[Any, Any]]:
    return points[..., 0] + 1j * points[..., 1]


def _matrix(turn: NDArray[np.complexfloating[Any, Any]]) -> Floats:
    """Return complex factors (N, 1) as the (N, 1, 2, 2) matrices that turn and scale x, y in the same way."""
    return np.stack([np.stack([turn.real, -turn.imag], axis=-1), np.stack([turn.imag, turn.real], axis=-1)], axis=-2)
