"""What moves in a photo: the person's matte, and rings around the face that carry its movement outwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.base.networks import run_network
from memegen.face.casting import territory
from memegen.face.cropping import FaceBox, points_box
from memegen.face.detection import mesh_box
from memegen.face.topology import CHIN, FACE_OVAL, FOREHEAD, POINTS, Landmarks, face_model

RADII = np.array([1.12, 1.3, 1.5, 1.75, 2.05, 2.4, 2.8])  # rings around the face oval, in its own size
RIM = 0.03  # how far the matte is grown beyond the person, over the face's width: loose hair goes with the head
LEAST = 1.3  # what goes with the head however near the person ends, in the size of the face oval
BEYOND = 0.35  # how much of a head beyond the edge may come in, in the size of the face oval
GROUND = 0.1  # from which height over the photo's lower edge the head moves freely, over the face's height
MATTE_SIDE = 256  # input of the person segmentation network, pixels


class Rig(NamedTuple):
    """What moves in a photo, and how much.

    Attributes:
        rest: (V, 3) float32 vertices, pixels: the 478 landmarks, then rings of 36 around them, the outermost fixed.
        hold: (V - 478,) how much each ring vertex goes with the head, 0 to 1.
        jaw: (V - 478,) how much it goes with the expression of the oval's point it belongs to.
        matte: (H, W) float32, 1 on the person.
        crown: (K, 3) points where the photo's upper edge cuts the head off, pixels; none where the head is whole.
        texture: The head with its hidden half; None where the photo shows both halves.
    """

    rest: Floats
    hold: Floats
    jaw: Floats
    matte: Floats
    crown: Floats
    texture: Texture | None = None


class Texture(NamedTuple):
    """A head that looks aside, spread flat, from which its pixels are taken.

    Attributes:
        picture: uint8 RGB (h, w, 3).
        outline: (h, w) float32, 1 on the person.
        corner: Pixels (x, y) of its corner in the photo; it may lie outside.
        places: (V, 3) float32 where the rig's vertices lie in it, pixels of the photo.
    """

    picture: Image
    outline: Floats
    corner: tuple[int, int]
    places: Floats


def lay_rings(photo: Image, landmarks: Landmarks, others: Sequence[FaceBox] = ()) -> Rig:
    """Find the person and lay rings around the face as far out as the head, hat or hair reaches, and one more.

    Args:
        photo: uint8 RGB (H, W, 3).
        landmarks: (478, 3) pixels.
        others: The photo's other faces, whose heads are not this person's.
    """
    matte = _person(photo, landmarks, others)
    hold, jaw = _holds(matte, landmarks)
    # The last ring that moves, and one that stays: between the two the movement fades.
    count = min(int(np.nonzero((hold > 0.01).any(1))[0].max()) + 2, len(RADII))
    hold[count - 1] = jaw[count - 1] = 0
    # The photo's lower edge stays: the body is behind it, and there is nothing to pull up.
    below = photo.shape[0] - 1
    rest = with_rings(landmarks, count, below)
    free = smoothstep((below - rest[len(landmarks) :, 1]) / (GROUND * np.ptp(landmarks[FACE_OVAL, 1])))
    hold, jaw = ((free * part[:count].ravel()).astype(np.float32) for part in (hold, jaw))
    return Rig(rest=rest, hold=hold, jaw=jaw, matte=matte, crown=_crown(matte, landmarks))


def with_rings(landmarks: Landmarks, count: int, below: float) -> Floats:
    """Return the landmarks (478, 3) and some rings around them, (V, 3) float32, none lower than `below`; pixels."""
    rings = _rings(landmarks)[:count].reshape(-1, 3)
    rings[:, 1] = np.minimum(rings[:, 1], below)
    return np.concatenate([landmarks, rings]).astype(np.float32)


@lru_cache(maxsize=len(RADII))
def triangles_of(rings: int) -> NDArray[np.int64]:
    """Return all triangles (T, 3) of a face with some rings, outer ones first; each ring joins the one inside it."""
    n = len(FACE_OVAL)
    loops = [np.array(FACE_OVAL), *(POINTS + n * k + np.arange(n) for k in range(rings))]
    bands = []
    for inner, outer in pairwise(loops):
        a, b = np.roll(inner, -1), np.roll(outer, -1)
        bands.append(np.concatenate([np.stack([inner, outer, b], 1), np.stack([inner, b, a], 1)]))
    return np.concatenate([*bands[::-1], face_model().triangles.astype(np.int64)])


def back_to_front(triangles: NDArray[np.int64], vertices: Floats) -> NDArray[np.int64]:
    """Sort the face's triangles by depth, farthest first; the rings stay behind them.

    Those that turn their back are turned round and stay behind the rest: where the outline of a cheek folds, there is
    skin behind it.
    """
    rings = triangles.max(1) >= POINTS
    face = triangles[~rings]
    x, y, depth = vertices.T
    face = face.take(np.argsort(-depth.take(face).sum(1)), axis=0)
    (x1, x2), (y1, y2) = (place[1:] - place[0] for place in (x.take(face.T), y.take(face.T)))
    back = x1 * y2 < y1 * x2
    return np.concatenate([triangles[rings], face[back, ::-1], face[~back]])


def _rings(landmarks: Landmarks) -> Floats:
    """Scale the face oval up about its middle, ring after ring: (7, 36, 3) pixels.

    Their depth goes from the oval's own to that of the ears, as on a skull; above the forehead more slowly, so that a
    nod folds no hairline.
    """
    oval = landmarks[FACE_OVAL]
    middle = (oval.max(0) + oval.min(0)) / 2
    rings = np.stack([middle + radius * (oval - middle) for radius in RADII])
    above = np.maximum(-towards_chin(landmarks), 0)
    level = smoothstep((RADII[:, None] - 1) / (0.7 + above**4))
    rings[..., 2] = oval[:, 2] + level * (np.percentile(oval[:, 2], 80) - oval[:, 2])  # 80 %: about the ears
    return np.asarray(rings, np.float32)


def towards_chin(landmarks: Landmarks) -> Floats:
    """Return the cosines between the spokes and the way down the face, (36,): -1 at the forehead, 1 at the chin."""
    oval, down = landmarks[FACE_OVAL, :2], landmarks[CHIN, :2] - landmarks[FOREHEAD, :2]
    spokes = oval - (oval.max(0) + oval.min(0)) / 2
    return np.asarray(spokes @ down / (np.linalg.norm(spokes, axis=1) * np.linalg.norm(down)))


def _holds(matte: Floats, landmarks: Landmarks) -> tuple[Floats, Floats]:
    """Decide how much each ring vertex goes with the head and with the jaw, by how far the head reaches: (7, 36)."""
    oval = landmarks[FACE_OVAL, :2]
    middle = (oval.max(0) + oval.min(0)) / 2
    # 1 over the head and beside the ears, 0 under the chin, by the cosine between a spoke and the way down the face:
    # hair and hat go with the head, neck and shoulders do not.
    above = smoothstep((0.55 - towards_chin(landmarks)) / 0.6)
    reach = _around(1 + above * (np.array([max(_reach(matte, middle, point), LEAST) for point in oval]) - 1))
    # Up to the head's end a ring has all of its movement, farther out less: none at twice the oval, or a little beyond
    # the end, where the neck needs a longer way than hair.
    fall = np.maximum(2.0 - reach, 0.35 + 0.4 * (1 - above))
    hold = 1 - smoothstep((RADII[:, None] - reach) / fall)
    jaw = np.repeat(1 - smoothstep((RADII[:, None] - 1) / 0.6), len(oval), axis=1)
    return hold, jaw


def _reach(matte: Floats, middle: Floats, point: Floats) -> float:
    """Find where the person ends on the spoke from the middle through an oval point: oval sizes, 1.35 if nowhere.

    What the photo's upper edge or its sides cut off goes on beyond them.
    """
    radii = np.arange(1.0, RADII[-2], 0.05)
    xy = np.round(middle + radii[:, None] * (point - middle)).astype(int)
    size = np.array(matte.shape[::-1])
    x, y = np.clip(xy, 0, size - 1).T
    [ends] = np.nonzero((matte[y, x] < 0.3) & (xy >= 0).all(1) & (xy < size).all(1))
    if len(ends):
        return float(radii[ends[0]] + 0.05)
    [cut] = np.nonzero((xy[:, 0] < 0) | (xy[:, 0] >= size[0]) | (xy[:, 1] < 0))
    return min(float(radii[cut[0]]) + BEYOND, RADII[-2]) if len(cut) else 1.35


def _crown(matte: Floats, landmarks: Landmarks) -> Floats:
    """Find where the photo's upper edge cuts a head off, as `Rig` keeps it."""
    oval = landmarks[FACE_OVAL]
    left, right = np.clip([oval[:, 0].min(), oval[:, 0].max()], 0, matte.shape[1] - 1)
    x = np.linspace(left, right, 9)
    cut = x[matte[0, x.round().astype(int)] > 0.5]
    return np.stack([cut, np.zeros_like(cut), np.full_like(cut, oval[:, 2].mean())], 1)


def _around(values: Floats) -> Floats:
    """Smooth along the closed loop of spokes."""
    kernel = np.array([1, 4, 6, 4, 1]) / 16  # a binomial filter, nearly a Gaussian
    return np.asarray(sum(k * np.roll(values, s) for k, s in zip(kernel, range(-2, 3), strict=True)))


def _person(photo: Image, landmarks: Landmarks, others: Sequence[FaceBox]) -> Floats:
    """Segment the person: (H, W) float32, 1 on the person; never less than the face itself and a little around it."""
    height, width = photo.shape[:2]
    face = mesh_box(landmarks)
    # The network was trained on heads with shoulders: give it a square that shows both.
    box = face.square(1.1).clip(width, height)
    left, top, right, bottom = (round(v) for v in (box.left, box.top, box.right, box.bottom))
    near, size = np.s_[top:bottom, left:right], (right - left, bottom - top)
    [found] = run_network("selfie_segmentation", [cv2.resize(photo[near], (MATTE_SIDE, MATTE_SIDE))])
    matte = np.zeros((height, width), np.float32)
    matte[near] = cv2.resize(found.reshape(MATTE_SIDE, MATTE_SIDE), size)
    if others:
        matte[near] *= territory(face, others, size, corner=(left, top))
    # Whatever the network says, the face is the person's.
    oval = landmarks[FACE_OVAL, :2]
    oval = (oval.mean(0) + 1.08 * (oval - oval.mean(0))).astype(np.int32)
    cv2.fillConvexPoly(shown := np.zeros_like(matte), oval, 1.0)
    # Grow it and soften its edge; nothing changes farther away than three sigmas and the disc.
    soft = face.width * RIM
    room, margin = box.union(points_box(oval)), math.ceil(3 * soft) + 4
    rows, columns = (int(room.top), int(room.bottom)), (int(room.left), int(room.right))
    part = tuple(slice(max(first - margin, 0), last + margin) for first, last in (rows, columns))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(soft) + 1,) * 2)
    grown = cv2.dilate(np.maximum(matte[part], shown[part]), disc)
    matte[part] = cv2.GaussianBlur(grown, (0, 0), soft / 2)
    return matte
