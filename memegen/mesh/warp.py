"""Move a photo's head by a dense backward deformation, and keep the background out of it by a matte of the person."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.downloads import asset
from memegen.faces import FaceBox, Image, Landmarks, mesh_box
from memegen.mesh.eyes import lids_of_skin, paint_lashes, shut_part
from memegen.mesh.topology import EYE_LIDS, FACE_OVAL, face_model

Floats = NDArray[np.floating[Any]]

RADII = np.array([1.12, 1.3, 1.5, 1.75, 2.05, 2.4, 2.8])  # rings around the face oval, in its own size
RIM = 0.03  # how far the matte is grown beyond the person, over the face's width: loose hair goes with the head
GRID = 160  # most cells of the deformation along a side
CLOSING = 46  # how many triangles, the mesh's last, close the eyes and the mouth
MATTE_SIDE = 256  # input of the person segmentation network


@dataclass(frozen=True)
class Stage:
    """A photo made ready to be moved.

    Attributes:
        photo: uint8 RGB (H, W, 3).
        corner: Pixels (x, y) of the region that can move, a window into the photo.
        step: Pixels per cell of the deformation.
        rest: As in Rig, and so are hold and jaw.
        triangles: (T, 3) vertex numbers, from the back to the front: outer rings first, the face last.
        hold: See Rig.
        jaw: See Rig.
        matte: (gh, gw) float32, 1 on the person, per cell.
        plate: uint8 RGB (h, w, 3), the region with the person painted out.
        pixels: (h, w, 2) float32, each pixel's own place in the region.
    """

    photo: Image
    corner: tuple[int, int]
    step: int
    rest: Floats
    triangles: NDArray[np.int64]
    hold: Floats
    jaw: Floats
    matte: Floats
    plate: Image
    pixels: Floats

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the region lies in the photo, as an index."""
        x, y = self.corner
        return np.s_[y : y + self.plate.shape[0], x : x + self.plate.shape[1]]

    @property
    def region(self) -> Image:
        """The part of the photo that can move, uint8 RGB (h, w, 3)."""
        return self.photo[self.window]


class Rig(NamedTuple):
    """What moves in a photo, and how much.

    Attributes:
        rest: (V, 3) float32 vertices, pixels: the 468 landmarks, then rings of 36 around them, the outermost fixed.
        hold: (V - 468,) how much each ring vertex goes with the head, 0 to 1.
        jaw: (V - 468,) how much it goes with the expression of the oval's point it belongs to.
        matte: (H, W) float32, 1 on the person.
    """

    rest: Floats
    hold: Floats
    jaw: Floats
    matte: Floats


def lay_rings(photo: Image, landmarks: Landmarks) -> Rig:
    """Find the person and lay rings around the face as far out as the head, hat or hair reaches, and one more.

    Args:
        photo: uint8 RGB (H, W, 3).
        landmarks: (468, 3) pixels.
    """
    matte = _person(photo, landmarks)
    hold, jaw = _holds(matte, landmarks)
    count = min(int(np.nonzero((hold > 0.01).any(1))[0].max()) + 2, len(RADII))
    hold[count - 1] = jaw[count - 1] = 0
    rings = _rings(landmarks)[:count].reshape(-1, 3)
    rings[:, :2] = np.clip(rings[:, :2], 0, np.array(photo.shape[1::-1]) - 1)
    rest = np.concatenate([landmarks, rings]).astype(np.float32)
    return Rig(rest, hold[:count].ravel().astype(np.float32), jaw[:count].ravel().astype(np.float32), matte)


def set_stage(photo: Image, rig: Rig, box: FaceBox) -> Stage:
    """Prepare a photo for `render`: paint the background behind the person, and lay the grid of the deformation.

    Args:
        photo: uint8 RGB (H, W, 3).
        rig: From `lay_rings`.
        box: Where the head will be in the course of the clip, pixels; where it is now is added.
    """
    height, width = photo.shape[:2]
    (x0, y0), (x1, y1) = rig.rest[:, :2].min(0).tolist(), rig.rest[:, :2].max(0).tolist()
    box = box.union(FaceBox(x0, y0, x1, y1)).clip(width, height)
    left, top, right, bottom = int(box.left), int(box.top), math.ceil(box.right), math.ceil(box.bottom)
    step = -(-max(right - left, bottom - top) // GRID)
    window = np.s_[top:bottom, left:right]
    cells = -(-(bottom - top) // step), -(-(right - left) // step)
    y, x = np.mgrid[0 : bottom - top, 0 : right - left].astype(np.float32)
    return Stage(
        photo,
        (left, top),
        step,
        rig.rest,
        _triangles(len(rig.hold) // len(FACE_OVAL)),
        rig.hold,
        rig.jaw,
        cv2.resize(rig.matte[window], cells[::-1], interpolation=cv2.INTER_AREA),
        _paint_out(photo[window], rig.matte[window]),
        np.dstack([x, y]),
    )


def follow(stage: Stage, rigid: Floats, face: Floats) -> Floats:
    """Let the rings go with the head and the jaw; a photo's edge may leave the picture but not come into it.

    Args:
        stage: The photo.
        rigid: (V, 3) where every vertex would go with the head's turn, shift and growth alone, pixels.
        face: (468, 3) where the landmarks go.

    Returns:
        (V, 3) float32 pixels.
    """
    oval = list(FACE_OVAL)
    expression = np.tile(face[oval] - rigid[oval], (len(stage.hold) // len(oval), 1))
    rest = stage.rest[468:]
    rings = rest + stage.hold[:, None] * (rigid[468:] - rest) + stage.jaw[:, None] * expression
    ends = np.array([*stage.photo.shape[1::-1], np.inf]) - 1
    rings = np.where(rest <= 0, np.minimum(rings, rest), np.where(rest >= ends, np.maximum(rings, rest), rings))
    return np.concatenate([face, rings]).astype(np.float32)


def render(stage: Stage, vertices: Floats) -> Image:
    """Draw the photo with its vertices moved.

    Args:
        stage: The photo.
        vertices: (V, 3) float32, where the vertices are now, pixels of the photo.

    Returns:
        uint8 RGB, the region of the photo that can move, (h, w, 3).
    """
    cells = deformation(stage, vertices)
    height, width = stage.plate.shape[:2]
    size = cells.shape[1] * stage.step, cells.shape[0] * stage.step
    flow = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)[:height, :width] + stage.pixels
    now, rest = (points[:468, :2] - np.array(stage.corner, np.float32) for points in (vertices, stage.rest))
    shut = shut_part(now, rest)
    _sharpen_eyes(flow, now, lids_of_skin(rest, shut))
    person = cv2.remap(stage.region, flow, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    back = cells / stage.step + stage.pixels[: cells.shape[0], : cells.shape[1]]
    alpha = cv2.remap(stage.matte, back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = np.clip(np.hypot(cells[..., 0], cells[..., 1]) / 1.5, 0, 1)
    alpha, moved = (cv2.resize(a, size, interpolation=cv2.INTER_LINEAR)[:height, :width] for a in (alpha, moved))
    paint_lashes(person, now, shut)
    scene = cv2.blendLinear(person, stage.plate, alpha, 1 - alpha)
    return np.asarray(cv2.blendLinear(scene, stage.region, moved, 1 - moved), np.uint8)


def deformation(stage: Stage, vertices: Floats) -> Floats:
    """Turn moved vertices (V, 3) into the dense backward deformation of the region.

    Returns:
        (gh, gw, 2) float32: for each cell of the region, where its pixel comes from less where it is, pixels.
    """
    corner = np.array(stage.corner, np.float32)
    now, origin = ((points[:, :2] - corner + 0.5) / stage.step - 0.5 for points in (vertices, stage.rest))
    order = _back_to_front(stage.triangles, vertices)
    height, width = stage.matte.shape
    return rasterise(now[order], origin[order] - now[order], size=(width, height))[0] * stage.step


def _sharpen_eyes(flow: Floats, now: Floats, origin: Floats) -> None:
    """Redo the deformation around the eyes pixel by pixel, in place: a shut lid is thinner than a cell.

    Args:
        flow: (h, w, 2) where each pixel of the region comes from, pixels; changed.
        now: (468, 2) where the landmarks are, pixels of the region.
        origin: (468, 2) where they come from.
    """
    for triangles in _eye_triangles():
        box = FaceBox(*now[triangles].reshape(-1, 2).min(0), *now[triangles].reshape(-1, 2).max(0))
        box = box.clip(flow.shape[1], flow.shape[0])
        window = np.s_[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1]
        patch = flow[window]
        if not patch.size:  # the eye has left the picture
            continue
        near = np.array([int(box.left), int(box.top)], np.float32)
        values, covered = rasterise(now[triangles] - near, origin[triangles], size=patch.shape[1::-1])
        patch[covered] = values[covered]


@lru_cache(maxsize=1)
def _eye_triangles() -> list[NDArray[np.int64]]:
    """For each eye the triangles with a corner on its lids, the eye itself first: lids lie over it."""
    triangles = face_model().triangles.astype(np.int64)
    order = [*range(len(triangles) - CLOSING, len(triangles)), *range(len(triangles) - CLOSING)]
    return [triangles[order][np.isin(triangles[order], lids).any(1)] for lids in EYE_LIDS]


def rasterise(triangles: Floats, values: Floats, *, size: tuple[int, int]) -> tuple[Floats, NDArray[np.bool_]]:
    """Spread values from the corners of triangles linearly over the pixels they cover; later ones cover earlier ones.

    Triangles that show their back (counter-clockwise in the picture) or have no area are left out.

    Args:
        triangles: (T, 3, 2) float32 corners in pixels.
        values: (T, 3, C) at the corners.
        size: Width and height of the result.

    Returns:
        (H, W, C) float32, 0 where nothing covers, and (H, W) whether something does.
    """
    edges = triangles[:, 1:] - triangles[:, :1]
    area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    seen = area > 1e-3
    longest = ((triangles - np.roll(triangles, 1, axis=1)) ** 2).sum(2).max(1)
    sliver = area[seen] < 0.4 * longest[seen]
    triangles, values = triangles[seen], values[seen]
    labels = np.full(size[::-1], -1, np.int32)
    for number, corners in enumerate(np.round(triangles * 16).astype(np.int32)):
        cv2.fillConvexPoly(labels, corners, number, lineType=cv2.LINE_8, shift=4)
    square = np.concatenate([triangles, np.ones((len(triangles), 3, 1), np.float32)], 2)
    slopes = np.linalg.solve(square.astype(np.float64), values).astype(np.float32)
    covered = labels >= 0
    cells = np.flatnonzero(covered)
    owner = labels.ravel()[cells]
    row, column = np.divmod(cells.astype(np.int32), np.int32(size[0]))
    along_x, along_y, start = slopes.transpose(1, 0, 2)
    plane = along_x[owner] * column[:, None] + along_y[owner] * row[:, None] + start[owner]
    thin = sliver[owner]
    inside = owner[thin]
    plane[thin] = np.clip(plane[thin], values.min(1)[inside], values.max(1)[inside])  # slivers shoot over
    spread = np.zeros((covered.size, values.shape[2]), np.float32)
    spread[cells] = plane
    spread = spread.reshape(*covered.shape, -1)
    return spread, covered


@lru_cache(maxsize=len(RADII))
def _triangles(rings: int) -> NDArray[np.int64]:
    """All triangles, outer rings first; each ring joins the one inside it."""
    n = len(FACE_OVAL)
    loops = [np.array(FACE_OVAL), *(468 + n * k + np.arange(n) for k in range(rings))]
    bands = []
    for inner, outer in pairwise(loops):
        a, b = np.roll(inner, -1), np.roll(outer, -1)
        bands.append(np.concatenate([np.stack([inner, outer, b], 1), np.stack([inner, b, a], 1)]))
    return np.concatenate([*bands[::-1], face_model().triangles.astype(np.int64)])


def _back_to_front(triangles: NDArray[np.int64], vertices: Floats) -> NDArray[np.int64]:
    """Sort the face's triangles by depth, farthest first; the rings stay behind them."""
    count = len(face_model().triangles)
    face = triangles[-count:]
    return np.concatenate([triangles[:-count], face[np.argsort(-vertices[face, 2].sum(1))]])


def _rings(landmarks: Landmarks) -> Floats:
    """Scale the face oval up about its middle, ring after ring: (7, 36, 3) pixels.

    Their depth goes from the oval's own to that of the ears, as on a skull, gently, so that a nod folds no hairline.
    """
    oval = landmarks[list(FACE_OVAL)]
    middle = (oval.max(0) + oval.min(0)) / 2
    rings = np.stack([middle + radius * (oval - middle) for radius in RADII])
    level = _ramp((RADII - 1) / 0.7)[:, None]
    rings[..., 2] = oval[:, 2] + level * (np.percentile(oval[:, 2], 80) - oval[:, 2])
    return np.asarray(rings, np.float32)


def _holds(matte: Floats, landmarks: Landmarks) -> tuple[Floats, Floats]:
    """How far out the head reaches along each spoke decides how much each ring vertex goes with it: (7, 36) each."""
    oval = landmarks[list(FACE_OVAL), :2]
    middle = (oval.max(0) + oval.min(0)) / 2
    reach = np.array([_reach(matte, middle, point) for point in oval])
    down = landmarks[152, :2] - landmarks[10, :2]
    towards = (oval - middle) @ down / (np.linalg.norm(oval - middle, axis=1) * np.linalg.norm(down))
    above = _ramp((0.55 - towards) / 0.6)  # 1 over the head and beside the ears, 0 under the chin
    reach = _around(1 + above * (reach - 1))
    fall = np.maximum(2.0 - reach, 0.35 + 0.4 * (1 - above))
    hold = 1 - _ramp((RADII[:, None] - reach) / fall)
    jaw = np.repeat(1 - _ramp((RADII[:, None] - 1) / 0.6), len(oval), axis=1)
    return hold, jaw


def _reach(matte: Floats, middle: Floats, point: Floats) -> float:
    """Where the person ends on the spoke from the middle through an oval point, in oval sizes; 1.35 if nowhere."""
    radii = np.arange(1.0, RADII[-2], 0.05)
    xy = np.round(middle + radii[:, None] * (point - middle)).astype(int)
    inside = (xy >= 0).all(1) & (xy < matte.shape[::-1]).all(1)
    values = np.where(
        inside, matte[np.clip(xy[:, 1], 0, matte.shape[0] - 1), np.clip(xy[:, 0], 0, matte.shape[1] - 1)], 1
    )
    ends = np.nonzero(values < 0.3)[0]
    return float(radii[ends[0]] + 0.05) if len(ends) else 1.35


def _around(values: Floats) -> Floats:
    """Smooth along the closed loop of spokes."""
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    return np.asarray(sum(k * np.roll(values, s) for k, s in zip(kernel, range(-2, 3), strict=True)))


def _ramp(t: Any) -> Any:
    """Rise smoothly from 0 to 1 while t goes from 0 to 1."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


@lru_cache(maxsize=1)
def _person_net() -> Any:
    return cv2.dnn.readNetFromTFLite(str(asset("models/selfie_segmentation.tflite")))


def _person(photo: Image, landmarks: Landmarks) -> Floats:
    """Segment the person: (H, W) float32, 1 on the person; never less than the face itself and a little around it."""
    height, width = photo.shape[:2]
    box = mesh_box(landmarks).square(1.1).clip(width, height)
    left, top, right, bottom = (round(v) for v in (box.left, box.top, box.right, box.bottom))
    net = _person_net()
    net.setInput(cv2.dnn.blobFromImage(photo[top:bottom, left:right], 1 / 255, (MATTE_SIDE, MATTE_SIDE)))
    matte = np.zeros((height, width), np.float32)
    matte[top:bottom, left:right] = cv2.resize(
        net.forward().reshape(MATTE_SIDE, MATTE_SIDE), (right - left, bottom - top)
    )
    oval = landmarks[list(FACE_OVAL), :2]
    oval = (oval.mean(0) + 1.08 * (oval - oval.mean(0))).astype(np.int32)
    face = cv2.fillConvexPoly(np.zeros_like(matte), oval, 1.0)
    soft = mesh_box(landmarks).width * RIM
    grown = cv2.dilate(
        np.maximum(matte, face), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(soft) + 1,) * 2)
    )
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), soft / 2), np.float32)


def _paint_out(region: Image, matte: Floats) -> Image:
    """Fill the person with the background around; (h, w, 3) uint8."""
    height, width = region.shape[:2]
    scale = min(1.0, 200 / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    hole = cv2.dilate((cv2.resize(matte, size) > 0.02).astype(np.uint8), np.ones((7, 7), np.uint8))
    small = cv2.inpaint(cv2.resize(region, size, interpolation=cv2.INTER_AREA), hole, 3, cv2.INPAINT_TELEA)
    fill = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    weight = cv2.resize(cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1.5), (width, height))
    return np.asarray(cv2.blendLinear(fill, region, weight, 1 - weight), np.uint8)
