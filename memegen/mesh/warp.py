"""Move a photo's head by a dense backward deformation, and keep the background out of it by a matte of the person."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image
from memegen.base.downloads import asset
from memegen.face.casting import territory
from memegen.face.cropping import FaceBox, points_box
from memegen.face.detection import mesh_box, own_network
from memegen.face.topology import EYE_LIDS, FACE_OVAL, INNER_LIPS, Landmarks, face_model
from memegen.mesh.eyes import lids_of_skin, paint_lashes, shut_part

RADII = np.array([1.12, 1.3, 1.5, 1.75, 2.05, 2.4, 2.8])  # rings around the face oval, in its own size
RIM = 0.03  # how far the matte is grown beyond the person, over the face's width: loose hair goes with the head
GRID = 160  # most cells of the deformation along a side
CROWD, CROWD_GRID = 3, 64  # from so many faces on each has a coarser grid, turned inside out instead of drawn
TURNS, EVEN = 3, 1.2  # steps in which it is, and the blur, in cells, with which steps lead there
SLIGHT = 0.5  # pixels that nobody in a crowd sees
BLINK = 0.15  # how far eyes in a crowd shut before they are drawn finely
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
        plate: uint8 RGB (h, w, 3), the region with the person painted out; as it is where the scene has the plate.
        pixels: (h, w, 2) float32, each pixel's own place in the region.
        share: Which vertices each cell at rest lies between, and how near to each; None where triangles are drawn.
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
    share: Share | None = None

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the region lies in the photo, as an index."""
        x, y = self.corner
        return np.s_[y : y + self.plate.shape[0], x : x + self.plate.shape[1]]

    @property
    def region(self) -> Image:
        """The part of the photo that can move, uint8 RGB (h, w, 3)."""
        return self.photo[self.window]


class Share(NamedTuple):
    """Between which vertices the cells of a grid lie: (3, gh * gw) vertex numbers and weights, 0 outside."""

    vertices: NDArray[np.int64]
    weights: Floats


class Layers(NamedTuple):
    """A moved person in the pixels of its region.

    Attributes:
        stage: Where it is; in a crowd only the part in which something has moved.
        person: uint8 RGB (h, w, 3).
        alpha: (h, w) float32, 1 where the person is now.
        moved: (h, w) float32, 1 where something has moved, 0 where the photo is as it was.
    """

    stage: Stage
    person: Image
    alpha: Floats
    moved: Floats


@dataclass(frozen=True)
class Scene:
    """All who move in a photo, from the back to the front; smaller faces are farther away.

    Attributes:
        photo: uint8 RGB (H, W, 3).
        window: Where the scene lies in the photo, as an index.
        stages: The people.
        plate: uint8 RGB (h, w, 3), the scene with all of them painted out where they move.
    """

    photo: Image
    window: tuple[slice, slice]
    stages: tuple[Stage, ...]
    plate: Image

    @property
    def corner(self) -> tuple[int, int]:
        """Pixels (x, y) of the scene's left top in the photo."""
        return self.window[1].start, self.window[0].start

    def within(self, stage: Stage) -> tuple[slice, slice]:
        """Where a stage lies in the scene, as an index."""
        (x, y), (left, top) = stage.corner, self.corner
        height, width = stage.plate.shape[:2]
        return np.s_[y - top : y - top + height, x - left : x - left + width]

    def draw(self, vertices: Sequence[Floats]) -> Image:
        """Draw the photo with the vertices of each stage moved, in the stages' order; uint8 RGB (H, W, 3).

        First everybody is put on the plate, then what has moved is put on the photo.
        """
        picture = self.photo.copy()
        shown, plate = picture[self.window], self.plate.copy()
        moved = np.zeros(plate.shape[:2], np.float32)
        layers = [move(stage, points) for stage, points in zip(self.stages, vertices, strict=True)]
        for stage, person, alpha, change in layers:
            part = self.within(stage)
            cv2.blendLinear(person, plate[part], alpha, 1 - alpha, plate[part])
            cv2.max(moved[part], change, moved[part])
        photo = self.photo[self.window]
        for part in (self.within(layer.stage) for layer in layers):
            cv2.blendLinear(plate[part], photo[part], moved[part], 1 - moved[part], shown[part])
        return picture


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


def lay_rings(photo: Image, landmarks: Landmarks, others: Sequence[FaceBox] = ()) -> Rig:
    """Find the person and lay rings around the face as far out as the head, hat or hair reaches, and one more.

    Args:
        photo: uint8 RGB (H, W, 3).
        landmarks: (468, 3) pixels.
        others: The photo's other faces, whose heads are not this person's.
    """
    matte = _person(photo, landmarks, others)
    hold, jaw = _holds(matte, landmarks)
    count = min(int(np.nonzero((hold > 0.01).any(1))[0].max()) + 2, len(RADII))
    hold[count - 1] = jaw[count - 1] = 0
    rings = _rings(landmarks)[:count].reshape(-1, 3)
    rings[:, :2] = np.clip(rings[:, :2], 0, np.array(photo.shape[1::-1]) - 1)
    rest = np.concatenate([landmarks, rings]).astype(np.float32)
    return Rig(rest, hold[:count].ravel().astype(np.float32), jaw[:count].ravel().astype(np.float32), matte)


def set_stage(photo: Image, rig: Rig, box: FaceBox, *, company: int = 1) -> Stage:
    """Prepare a photo for `move`: paint the background behind the person, and lay the grid of the deformation.

    Args:
        photo: uint8 RGB (H, W, 3).
        rig: From `lay_rings`.
        box: Where the head will be in the course of the clip, pixels; where it is now is added.
        company: How many move in the photo: with several the plate is the scene's, in a crowd the grid is coarser.
    """
    crowd = company >= CROWD
    height, width = photo.shape[:2]
    box = box.union(points_box(rig.rest)).clip(width, height)
    left, top, right, bottom = int(box.left), int(box.top), math.ceil(box.right), math.ceil(box.bottom)
    step = -(-max(right - left, bottom - top) // (CROWD_GRID if crowd else GRID))
    window = np.s_[top:bottom, left:right]
    cells = -(-(bottom - top) // step), -(-(right - left) // step)
    y, x = np.mgrid[0 : bottom - top, 0 : right - left].astype(np.float32)
    stage = Stage(
        photo,
        (left, top),
        step,
        rig.rest,
        _triangles(len(rig.hold) // len(FACE_OVAL)),
        rig.hold,
        rig.jaw,
        cv2.resize(rig.matte[window], cells[::-1], interpolation=cv2.INTER_AREA),
        _paint_out(photo[window], rig.matte[window]) if company == 1 else photo[window],
        np.dstack([x, y]),
    )
    return replace(stage, share=_share(stage)) if crowd else stage


def set_scene(photo: Image, rigs: Sequence[Rig], boxes: Sequence[FaceBox]) -> Scene:
    """Prepare a photo in which several people move.

    Args:
        photo: uint8 RGB (H, W, 3).
        rigs: One for each, from the back to the front.
        boxes: Where their heads will be, see `set_stage`.
    """
    stages = tuple(set_stage(photo, rig, box, company=len(rigs)) for rig, box in zip(rigs, boxes, strict=True))
    rows, columns = zip(*(stage.window for stage in stages), strict=True)
    window = _span(rows), _span(columns)
    if len(stages) == 1:
        return Scene(photo, window, stages, stages[0].plate)
    scene = Scene(photo, window, stages, photo[window].copy())
    people = reduce(np.maximum, (rig.matte for rig in rigs))
    for stage, rig in zip(stages, rigs, strict=True):
        part = scene.plate[scene.within(stage)]
        part[:] = _paint_out(part, rig.matte[stage.window], people[stage.window])
    return scene


def _span(slices: Sequence[slice]) -> slice:
    return slice(min(part.start for part in slices), max(part.stop for part in slices))


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


def move(stage: Stage, vertices: Floats) -> Layers:
    """Draw a person with its vertices moved.

    Args:
        stage: The photo.
        vertices: (V, 3) float32, where the vertices are now, pixels of the photo.
    """
    cells = deformation(stage, vertices)
    if stage.share is not None:
        stage, cells = _trimmed(stage, cells)
    height, width = stage.plate.shape[:2]
    size = cells.shape[1] * stage.step, cells.shape[0] * stage.step
    flow = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)[:height, :width] + stage.pixels
    now, rest = (points[:468, :2] - np.array(stage.corner, np.float32) for points in (vertices, stage.rest))
    shut = shut_part(now, rest)
    for triangles in _fine_triangles(eyes=stage.share is None or shut.mean() > BLINK, mouth=stage.share is not None):
        _sharpen(flow, triangles, now, lids_of_skin(rest, shut))
    person = _moved_pixels(stage, flow, now)
    back = cells / stage.step + stage.pixels[: cells.shape[0], : cells.shape[1]]
    alpha = cv2.remap(stage.matte, back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = np.minimum(cv2.magnitude(cells[..., 0], cells[..., 1]) / 1.5, 1)
    alpha, moved = (cv2.resize(a, size, interpolation=cv2.INTER_LINEAR)[:height, :width] for a in (alpha, moved))
    paint_lashes(person, now, shut)
    return Layers(stage, person, alpha, moved)


def _moved_pixels(stage: Stage, flow: Floats, now: Floats) -> Image:
    """Fetch each pixel of a region from where the flow says; in a crowd with care only in the face."""
    if stage.share is None:
        return np.asarray(cv2.remap(stage.region, flow, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))
    whole, parts = cv2.convertMaps(flow, None, cv2.CV_16SC2)
    person = cv2.remap(stage.region, whole, parts, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    box = points_box(now).clip(flow.shape[1], flow.shape[0])
    face = np.s_[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    if person[face].size:
        near = whole[face], parts[face]
        cv2.remap(stage.region, *near, cv2.INTER_CUBIC, person[face], borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(person)


def _trimmed(stage: Stage, cells: Floats) -> tuple[Stage, Floats]:
    """Leave out the rows and columns of a stage's cells in which nothing moves to speak of."""
    some = np.maximum(np.abs(cells[..., 0]), np.abs(cells[..., 1])) > SLIGHT
    spans = []
    for any_moves in (some.any(1), some.any(0)):
        busy = np.flatnonzero(any_moves)
        spans.append(slice(max(int(busy[0]) - 1, 0), int(busy[-1]) + 2) if len(busy) else slice(0, 1))
    rows, columns = spans
    part = np.s_[
        rows.start * stage.step : rows.stop * stage.step, columns.start * stage.step : columns.stop * stage.step
    ]
    plate = stage.plate[part]
    corner = stage.corner[0] + columns.start * stage.step, stage.corner[1] + rows.start * stage.step
    pixels = stage.pixels[: plate.shape[0], : plate.shape[1]]
    trimmed = replace(stage, corner=corner, matte=stage.matte[rows, columns], plate=plate, pixels=pixels)
    return trimmed, cells[rows, columns]


def deformation(stage: Stage, vertices: Floats) -> Floats:
    """Turn moved vertices (V, 3) into the dense backward deformation of the region.

    Returns:
        (gh, gw, 2) float32: for each cell of the region, where its pixel comes from less where it is, pixels.
    """
    corner = np.array(stage.corner, np.float32)
    now, origin = ((points[:, :2] - corner + 0.5) / stage.step - 0.5 for points in (vertices, stage.rest))
    if stage.share is not None:
        return _turned_back(stage.share, now - origin, stage.matte.shape) * stage.step
    order = _back_to_front(stage.triangles, vertices)
    height, width = stage.matte.shape
    return rasterise(now[order], origin[order] - now[order], size=(width, height))[0] * stage.step


def _share(stage: Stage) -> Share:
    """Find out between which vertices the cells of a stage lie at rest."""
    corner = np.array(stage.corner, np.float32)
    rest = (stage.rest[:, :2] - corner + 0.5) / stage.step - 0.5
    order = _back_to_front(stage.triangles, stage.rest)
    numbers = np.broadcast_to(np.arange(len(order), dtype=np.float32)[:, None, None], (len(order), 3, 1))
    marks = np.concatenate([np.broadcast_to(np.eye(3, dtype=np.float32), (len(order), 3, 3)), numbers], 2)
    height, width = stage.matte.shape
    spread, _ = rasterise(rest[order], marks, size=(width, height))
    spread = spread.reshape(-1, 4)
    return Share(order[np.round(spread[:, 3]).astype(int)].T, np.ascontiguousarray(spread[:, :3].T))


def _turned_back(share: Share, moves: Floats, shape: tuple[int, ...]) -> Floats:
    """Turn the vertices' moves, in cells, into a backward deformation (gh, gw, 2): no triangle is drawn.

    A cell comes from where a move leads to it. That place is found by stepping back from the cell by the move that
    was found there in the step before (a fixed point, reached where the moves change slowly from cell to cell).
    """
    ahead = np.einsum("kc,kcd->cd", share.weights, moves.take(share.vertices, axis=0)).astype(np.float32)
    ahead = cv2.GaussianBlur(ahead.reshape(*shape, 2), (0, 0), EVEN)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    here = np.dstack([x, y])
    back = -ahead
    for _ in range(TURNS):
        back = -cv2.remap(ahead, here + back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(back)


def _sharpen(flow: Floats, triangles: NDArray[np.int64], now: Floats, origin: Floats) -> None:
    """Redo the deformation in some triangles pixel by pixel, in place: a shut lid is thinner than a cell.

    Args:
        flow: (h, w, 2) where each pixel of the region comes from, pixels; changed.
        triangles: (T, 3) landmark numbers.
        now: (468, 2) where the landmarks are, pixels of the region.
        origin: (468, 2) where they come from.
    """
    box = points_box(now[triangles].reshape(-1, 2)).clip(flow.shape[1], flow.shape[0])
    window = np.s_[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1]
    patch = flow[window]
    if not patch.size:  # the eye has left the picture
        return
    near = np.array([int(box.left), int(box.top)], np.float32)
    values, covered = rasterise(now[triangles] - near, origin[triangles], size=patch.shape[1::-1])
    patch[covered] = values[covered]


@lru_cache(maxsize=4)
def _fine_triangles(*, eyes: bool, mouth: bool) -> list[NDArray[np.int64]]:
    """The triangles with a corner on each eye's lids or on the inner lips; first those that close eyes and mouth."""
    triangles = face_model().triangles.astype(np.int64)
    order = triangles[[*range(len(triangles) - CLOSING, len(triangles)), *range(len(triangles) - CLOSING)]]
    lips = order[np.isin(order, INNER_LIPS).any(1)]  # and those next to them: the outer lips
    edges = [*(EYE_LIDS if eyes else ()), *([lips] if mouth else ())]
    return [order[np.isin(order, edge).any(1)] for edge in edges]


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


def _load_person_net() -> Any:
    return cv2.dnn.readNetFromTFLite(str(asset("models/selfie_segmentation.tflite")))


def _person(photo: Image, landmarks: Landmarks, others: Sequence[FaceBox]) -> Floats:
    """Segment the person: (H, W) float32, 1 on the person; never less than the face itself and a little around it."""
    height, width = photo.shape[:2]
    box = mesh_box(landmarks).square(1.1).clip(width, height)
    left, top, right, bottom = (round(v) for v in (box.left, box.top, box.right, box.bottom))
    net = own_network("selfie_segmentation", _load_person_net)
    net.setInput(cv2.dnn.blobFromImage(photo[top:bottom, left:right], 1 / 255, (MATTE_SIDE, MATTE_SIDE)))
    matte = np.zeros((height, width), np.float32)
    matte[top:bottom, left:right] = cv2.resize(
        net.forward().reshape(MATTE_SIDE, MATTE_SIDE), (right - left, bottom - top)
    )
    if others:
        own = territory(mesh_box(landmarks), others, (right - left, bottom - top), corner=(left, top))
        matte[top:bottom, left:right] *= own
    oval = landmarks[list(FACE_OVAL), :2]
    oval = (oval.mean(0) + 1.08 * (oval - oval.mean(0))).astype(np.int32)
    face = cv2.fillConvexPoly(np.zeros_like(matte), oval, 1.0)
    soft = mesh_box(landmarks).width * RIM
    room = box.union(points_box(oval))
    near = math.ceil(3 * soft) + 4
    part = np.s_[
        max(int(room.top) - near, 0) : int(room.bottom) + near, max(int(room.left) - near, 0) : int(room.right) + near
    ]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(soft) + 1,) * 2)
    grown = cv2.dilate(np.maximum(matte[part], face[part]), disc)
    matte[part] = cv2.GaussianBlur(grown, (0, 0), soft / 2)
    return matte


def _paint_out(region: Image, matte: Floats, people: Floats | None = None) -> Image:
    """Fill the person with the background around, which is where none of the people are; (h, w, 3) uint8."""
    height, width = region.shape[:2]
    scale = min(1.0, 200 / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    hole, unknown = (
        cv2.dilate((cv2.resize(part, size) > 0.02).astype(np.uint8), np.ones((7, 7), np.uint8))
        for part in (matte, matte if people is None else people)
    )
    small = cv2.inpaint(cv2.resize(region, size, interpolation=cv2.INTER_AREA), unknown, 3, cv2.INPAINT_TELEA)
    fill = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    weight = cv2.resize(cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1.5), (width, height))
    return np.asarray(cv2.blendLinear(fill, region, weight, 1 - weight), np.uint8)
