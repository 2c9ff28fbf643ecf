"""Move a photo's head by a dense backward deformation, in front of a background with the person painted out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image
from memegen.base.threads import in_parallel
from memegen.face.cropping import FaceBox, points_box
from memegen.face.topology import CLOSING, FACE_OVAL, INNER_LIPS, POINTS, face_model
from memegen.mesh.filling import background, paint_out, put_behind
from memegen.mesh.raster import WIDER, rasterise
from memegen.mesh.rig import Rig, Texture, back_to_front, triangles_of

GRID = 160  # most cells of the deformation along a side
CROWD, CROWD_GRID = 3, 64  # from so many faces on each has a coarser grid, turned inside out instead of drawn
TURNS, EVEN = 3, 1.2  # steps in which it is, and the blur, in cells, with which steps lead there
UNSEEN, SLIGHT = 1 / 64, 0.5  # pixels of movement that change nothing in a picture, and that nobody in a crowd sees
BAND = 8  # rows of cells that are fetched at once
FINE = 2  # so many times a photo is enlarged to fetch pixels from it
CRISP = 0.25  # how much that picture is sharpened, for what the linear filter takes
LEAST = 1  # share from which a picture changes another
FULL = 255  # a share of 1; pictures are blended in whole numbers, three times as fast
BARELY = 0.1  # pixels by which triangles are wider where thin ones are seen: more would be specks
SEEN = 1.5  # pixels of movement that count in full

Window = tuple[slice, slice]
"""Rows and columns of a part of a picture, as an index."""


@dataclass(frozen=True)
class Stage:
    """A photo made ready for one person to be moved.

    Attributes:
        photo: uint8 RGB (H, W, 3).
        rig: What moves in it.
        corner: Pixels (x, y) of the region that can move, a window into the photo.
        step: Pixels per cell of the deformation.
        triangles: (T, 3) vertex numbers, from the back to the front: outer rings first, the face last.
        matte: (gh, gw) float32, 1 on the person, per cell.
        plate: uint8 RGB (h, w, 3), the region with the person painted out; as it is where the scene has the plate.
        pixels: (h, w, 2) float32, each pixel's own place in the source.
        source: Where the pixels are taken from, see `_enlarged`: the region, or the texture of a head that looks aside.
            In a frame that is drawn once it is the region itself, uint8 RGB.
        scale: How many times as large it is.
        origin: Pixels (x, y) of the source's corner in the photo.
        places: (V, 3) float32, where the vertices lie in it, pixels of the photo.
        still: (gh, gw, 2) the deformation at rest; None where it is 0.
        share: Which vertices each cell at rest lies between, and how near to each; None where triangles are drawn.
    """

    photo: Image
    rig: Rig
    corner: tuple[int, int]
    step: int
    triangles: NDArray[np.int64]
    matte: Floats
    plate: Image
    pixels: Floats
    source: Image
    origin: tuple[int, int]
    places: Floats
    still: Floats | None = None
    share: Share | None = None
    scale: int = 1

    @property
    def window(self) -> Window:
        """Where the region lies in the photo."""
        x, y = self.corner
        return np.s_[y : y + self.plate.shape[0], x : x + self.plate.shape[1]]

    @property
    def region(self) -> Image:
        """The part of the photo that can move, uint8 RGB (h, w, 3)."""
        return self.photo[self.window]

    def cells(self, vertices: Floats) -> Floats:
        """Convert vertices (V, 3), pixels of the photo, to cells (V, 2) of the region."""
        return np.asarray((vertices[:, :2] - np.array(self.corner, np.float32) + 0.5) / self.step - 0.5)

    def scaled_up(self, grid: NDArray[Any]) -> NDArray[Any]:
        """Scale numbers per cell, (gh, gw) or (gh, gw, C), up to the region's pixels."""
        size, (height, width) = (grid.shape[1] * self.step, grid.shape[0] * self.step), self.plate.shape[:2]
        return np.asarray(cv2.resize(grid, size, interpolation=cv2.INTER_LINEAR)[:height, :width])


class Share(NamedTuple):
    """Between which vertices the cells of a grid lie: (3, gh * gw) vertex numbers and weights, 0 outside."""

    vertices: NDArray[np.int64]
    weights: Floats


class Layers(NamedTuple):
    """A moved person in the pixels of its region.

    Attributes:
        stage: Where it is; in a crowd only the part in which something has moved.
        person: uint8 RGB (h, w, 3).
        alpha: (h, w) uint8, FULL where the person is now.
        moved: (h, w) uint8, FULL where something has moved, 0 where the photo is as it was.
    """

    stage: Stage
    person: Image
    alpha: Image
    moved: Image


@dataclass(frozen=True)
class Scene:
    """All who move in a photo, from the back to the front.

    Attributes:
        photo: uint8 RGB (H, W, 3).
        window: Where the scene lies in the photo.
        stages: The people.
        plate: uint8 RGB (h, w, 3), the scene with all of them painted out where they move.
    """

    photo: Image
    window: Window
    stages: tuple[Stage, ...]
    plate: Image

    def within(self, stage: Stage) -> Window:
        """Where a stage lies in the scene."""
        rows, columns = (
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(stage.window, self.window, strict=True)
        )
        return rows, columns

    def draw(self, vertices: Sequence[Floats]) -> Image:
        """Draw the photo with the vertices of each stage moved, in the stages' order; uint8 RGB (H, W, 3)."""
        layers = [
            _layers(*_trimmed(stage, deformation(stage, points)), points)
            for stage, points in zip(self.stages, vertices, strict=True)
        ]
        picture, plate = self.photo.copy(), self.plate.copy()
        photo, shown = self.photo[self.window], picture[self.window]
        moved = np.zeros(plate.shape[:2], np.uint8)
        # First everybody is put on the plate, ...
        for stage, person, alpha, change in layers:
            part = self.within(stage)
            _blend(person, plate[part], alpha, plate[part])
            cv2.max(moved[part], change, moved[part])
        # ... then what has moved is put on the photo: all else stays as it is, to the last bit.
        for part in (self.within(layer.stage) for layer in layers):
            _blend(plate[part], photo[part], moved[part], shown[part])
        return picture


def _blend(over: Image, under: Image, share: Image, blended: Image) -> None:
    """Blend two pictures (h, w, 3) into a third, by a share (h, w) from 0 to FULL of the first; exact at both ends."""
    shares = cv2.merge([share] * 3)
    # What one has more than the other is 0 where it has less: each pixel is rounded only once.
    lighter, darker = (
        cv2.multiply(cv2.subtract(*pair), shares, scale=1 / FULL) for pair in ((over, under), (under, over))
    )
    cv2.subtract(cv2.add(under, lighter), darker, blended)


def set_stage(photo: Image, rig: Rig, box: FaceBox, *, company: int = 1) -> Stage:
    """Prepare a photo for `move`: paint the background behind the person, and lay the grid of the deformation.

    Args:
        photo: uint8 RGB (H, W, 3).
        rig: From `lay_rings`.
        box: Where the head will be in the course of the clip, pixels; where it is now is added.
        company: How many move in the photo: with several the plate is the scene's, in a crowd the grid is coarser.
    """
    crowd = company >= CROWD
    box = box.union(points_box(rig.rest)).clip(photo.shape[1], photo.shape[0])
    left, top, right, bottom = int(box.left), int(box.top), math.ceil(box.right), math.ceil(box.bottom)
    window = np.s_[top:bottom, left:right]
    # The movement is smooth: a grid of cells holds it, and is scaled up to pixels when a frame is drawn.
    step = -(-max(right - left, bottom - top) // (CROWD_GRID if crowd else GRID))
    cells = -(-(bottom - top) // step), -(-(right - left) // step)
    stage = Stage(
        photo=photo,
        rig=rig,
        corner=(left, top),
        step=step,
        triangles=triangles_of(len(rig.hold) // len(FACE_OVAL)),
        matte=cv2.resize(rig.matte[window], cells[::-1], interpolation=cv2.INTER_AREA),
        plate=paint_out(photo[window], rig.matte[window]) if company == 1 else photo[window],
        pixels=_own_places(bottom - top, right - left),
        source=photo[window],
        origin=(left, top),
        places=rig.rest,
    )
    if crowd:
        return _enlarged(replace(stage, share=_share(stage)))
    return _enlarged(_tucked(stage)) if rig.texture is None else _unfolded(stage, rig.texture)


def _enlarged(stage: Stage, outline: Floats | None = None) -> Stage:
    """Enlarge a stage's source, once: from there a linear filter is sharper and faster than a cubic one without.

    Args:
        stage: With the source (h, w, 3), uint8 RGB.
        outline: (h, w) float32, 1 where the person is in it; everywhere when None.

    Returns:
        The stage with the source (FINE * h, FINE * w, 4), uint8: RGB and the outline.
    """
    alpha = np.full(stage.source.shape[:2], FULL, np.uint8)
    if outline is not None:
        alpha = cv2.convertScaleAbs(outline, alpha=FULL)
    large = cv2.resize(np.dstack([stage.source, alpha]), None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LANCZOS4)
    # A linear filter dims what is fine by as much as this raises it.
    cv2.addWeighted(large, 1 + CRISP, cv2.GaussianBlur(large, (0, 0), 1), -CRISP, 0, large)
    return replace(stage, source=large, scale=FINE, pixels=_in_source(stage.pixels, FINE))


def _in_source(places: Floats, scale: int) -> Floats:
    """Convert places in a region to places in its source, both in pixels, whose middles are whole numbers."""
    return scale * places + np.float32((scale - 1) / 2)


def _tucked(stage: Stage) -> Stage:
    """Take what the photo has on the oval for landmarks beyond it: a cheek's bulge may be on the background."""
    rest, oval = stage.rig.rest, stage.rig.rest[FACE_OVAL, :2]
    beyond = [n for n in range(POINTS) if cv2.pointPolygonTest(oval, rest[n, :2].tolist(), False) < 0]
    if not beyond:
        return stage
    # The nearest point on each side of the oval, and the nearest of those
    side, away = np.roll(oval, -1, axis=0) - oval, rest[beyond, None, :2] - oval
    along = np.clip((away * side).sum(2) / np.maximum((side**2).sum(1), 1e-6), 0, 1)
    near = oval + along[..., None] * side
    places = rest.copy()
    places[beyond, :2] = near[np.arange(len(beyond)), np.linalg.norm(rest[beyond, None, :2] - near, axis=2).argmin(1)]
    stage = replace(stage, places=places)
    return replace(stage, still=deformation(stage, rest))


def _unfolded(stage: Stage, texture: Texture) -> Stage:
    """Let a stage take its pixels from a texture."""
    shift = np.subtract(stage.corner, texture.corner, dtype=np.float32)
    stage = replace(
        stage,
        source=texture.picture,
        pixels=stage.pixels + shift,
        origin=texture.corner,
        places=texture.places,
    )
    return _enlarged(replace(stage, still=deformation(stage, stage.rig.rest)), texture.outline)


def set_scene(photo: Image, rigs: Sequence[Rig], boxes: Sequence[FaceBox]) -> Scene:
    """Prepare a photo in which several people move.

    Args:
        photo: uint8 RGB (H, W, 3).
        rigs: One for each, from the back to the front.
        boxes: Where their heads will be, see `set_stage`.
    """
    stages = tuple(in_parallel(lambda one: set_stage(photo, *one, company=len(rigs)), zip(rigs, boxes, strict=True)))
    rows, columns = zip(*(stage.window for stage in stages), strict=True)
    window = _span(rows), _span(columns)
    if len(stages) == 1:
        return Scene(photo, window, stages, stages[0].plate)
    scene = Scene(photo, window, stages, photo[window].copy())
    # Nobody is painted out with the colours of a neighbour, who moves too.
    people = reduce(np.maximum, (rig.matte for rig in rigs))
    behind = in_parallel(lambda one: background(one.region, one.rig.matte[one.window], people[one.window]), stages)
    for stage, (fill, share) in zip(stages, behind, strict=True):
        part = scene.plate[scene.within(stage)]
        part[:] = put_behind(part, fill, share)
    return scene


def _span(slices: Sequence[slice]) -> slice:
    return slice(min(part.start for part in slices), max(part.stop for part in slices))


def follow(stage: Stage, rigid: Floats, face: Floats) -> Floats:
    """Let the rings go with the head and the jaw. Where a photo's edge comes in, its mirror image follows.

    Args:
        stage: The photo.
        rigid: (V, 3) where every vertex would go with the head's turn, shift and growth alone, pixels.
        face: (478, 3) where the landmarks go.

    Returns:
        (V, 3) float32 pixels.
    """
    # Each ring vertex follows the point of the oval on its spoke: the jaw takes the cheeks and the chin along.
    hold, jaw = stage.rig.hold, stage.rig.jaw
    expression = np.tile(face[FACE_OVAL] - rigid[FACE_OVAL], (len(hold) // len(FACE_OVAL), 1))
    rest = stage.rig.rest[POINTS:]
    rings = rest + hold[:, None] * (rigid[POINTS:] - rest) + jaw[:, None] * expression
    return np.concatenate([face, rings]).astype(np.float32)


def bare_stage(frame: Image, rig: Rig, places: Floats) -> Stage:
    """Prepare a frame to be warped around a face: nothing is painted out, the outermost ring stays where it is.

    Args:
        frame: uint8 RGB (H, W, 3).
        rig: The face and its rings.
        places: (V, 3) float32 where the vertices lie in the frame, pixels.
    """
    box = points_box(rig.rest).clip(frame.shape[1], frame.shape[0])
    left, top, right, bottom = int(box.left), int(box.top), math.ceil(box.right), math.ceil(box.bottom)
    region = frame[top:bottom, left:right]
    step = -(-max(right - left, bottom - top, 1) // GRID)
    return Stage(
        photo=frame,
        rig=rig,
        corner=(left, top),
        step=step,
        triangles=triangles_of(len(rig.hold) // len(FACE_OVAL)),
        matte=np.zeros((-(-(bottom - top) // step), -(-(right - left) // step)), np.float32),
        plate=region,
        pixels=_own_places(bottom - top, right - left),
        source=region,
        origin=(left, top),
        places=places,
    )


def bend(stage: Stage, vertices: Floats, *, turned: bool) -> Image:
    """Draw a frame warped: uint8 RGB (H, W, 3). Where nothing moves it is as it was, to the last bit.

    Args:
        stage: From `bare_stage`.
        vertices: (V, 3) float32, where the vertices are now, pixels of the frame.
        turned: Whether the head turns: then the outline of a cheek may be in front of what is behind it.
    """
    picture = stage.photo.copy()
    if not stage.region.size:
        return picture
    part, cells = _trimmed(stage, deformation(stage, vertices))
    flow = part.scaled_up(cells)
    moved = cv2.convertScaleAbs(cv2.magnitude(flow[..., 0], flow[..., 1]), alpha=2 * FULL)  # half a pixel is all
    flow += part.pixels
    # Lips that shut are thinner than a cell, and at an outline the deformation jumps.
    _sharpen(part, flow, _face_of(back_to_front(stage.triangles, vertices)) if turned else _lips(), vertices)
    face = cv2.remap(stage.source, flow, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    _blend(face, part.region, moved, picture[part.window])
    return picture


def move(stage: Stage, vertices: Floats) -> Layers:
    """Draw a person with its vertices moved.

    Args:
        stage: The photo.
        vertices: (V, 3) float32, where the vertices are now, pixels of the photo.
    """
    return _layers(stage, deformation(stage, vertices), vertices)


def _layers(stage: Stage, cells: Floats, vertices: Floats) -> Layers:
    """Draw a person as its deformation (gh, gw, 2) says, in pixels per cell, with the vertices (V, 3) of `move`."""
    # From shifts to places in the source, per pixel; what is finer than a cell is drawn again.
    flow = cv2.scaleAdd(stage.scaled_up(cells), stage.scale, stage.pixels)
    aside = stage.rig.texture is not None
    if aside:  # where a nose is in front of its cheek, and at an outline, the deformation jumps
        _sharpen(stage, flow, back_to_front(stage.triangles, vertices), vertices, wider=BARELY)
    if stage.share is not None:
        _sharpen(stage, flow, _lips(), vertices)
    change = cells if stage.still is None else cells - stage.still
    moved = cv2.convertScaleAbs(cv2.magnitude(change[..., 0], change[..., 1]), alpha=FULL / SEEN)
    if aside:
        person = _moved_pixels(stage, flow, moved)
        # Small triangles shoot over in single pixels.
        alpha = cv2.blur(cv2.medianBlur(person[..., 3], 3), (3, 3))
    else:
        # The matte goes along with the person.
        back = cv2.scaleAdd(cells, 1 / stage.step, _cells()[: cells.shape[0], : cells.shape[1]])
        matte = cv2.remap(stage.matte, back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        matte = cv2.convertScaleAbs(matte, alpha=FULL)
        person, alpha = _moved_pixels(stage, flow, cv2.min(matte, moved)), stage.scaled_up(matte)
    return Layers(stage, cv2.cvtColor(person, cv2.COLOR_RGBA2RGB), alpha, stage.scaled_up(moved))


def _moved_pixels(stage: Stage, flow: Floats, share: Image) -> Image:
    """Fetch pixels (h, w, 4) from where the flow says, in the cells that have a share (gh, gw) of the picture."""
    fetched, step, busy = np.zeros((*flow.shape[:2], 4), np.uint8), stage.step, share >= LEAST
    for top in range(0, len(share), BAND):
        # A cell more on all sides: cells are spread up to their neighbours' middles.
        columns = np.flatnonzero(busy[max(top - 1, 0) : top + BAND + 1].any(0))
        if len(columns):
            left, right = max(int(columns[0]) - 1, 0), int(columns[-1]) + 2
            part = np.s_[top * step : (top + BAND) * step, left * step : right * step]
            # Nearly the same rows of the source, read in order, so that they are in the processor's cache: pixels that
            # are fetched one by one from farther away take two to three times as long.
            first, last = (int(row) for row in stage.pixels[part][[0, -1], 0, 1])
            rows = stage.source[max(first, 0) : max(last, 0) + stage.scale]
            if len(rows):  # a texture may end before
                cv2.mean(rows)
            cv2.remap(stage.source, flow[part], None, cv2.INTER_LINEAR, fetched[part], cv2.BORDER_REFLECT_101)
    return fetched


def _trimmed(stage: Stage, cells: Floats) -> tuple[Stage, Floats]:
    """Leave out the rows and columns of a stage's cells in which nothing moves to speak of."""
    change = np.abs(cells if stage.still is None else cells - stage.still)
    some = np.maximum(change[..., 0], change[..., 1]) > (SLIGHT if stage.share else UNSEEN)
    spans = []
    for any_moves in (some.any(1), some.any(0)):
        busy = np.flatnonzero(any_moves)
        spans.append(slice(max(int(busy[0]) - 1, 0), int(busy[-1]) + 2) if len(busy) else slice(0, 1))
    rows, columns = spans
    part = tuple(slice(span.start * stage.step, span.stop * stage.step) for span in spans)
    plate = stage.plate[part]
    trimmed = replace(
        stage,
        corner=(stage.corner[0] + columns.start * stage.step, stage.corner[1] + rows.start * stage.step),
        matte=stage.matte[rows, columns],
        plate=plate,
        pixels=stage.pixels[part],
        still=None if stage.still is None else stage.still[rows, columns],
    )
    return trimmed, cells[rows, columns]


def deformation(stage: Stage, vertices: Floats) -> Floats:
    """Turn moved vertices (V, 3) into the dense backward deformation of the region.

    Returns:
        (gh, gw, 2) float32: for each cell of the region, where its pixel comes from less where it is, pixels.
    """
    now, origin = stage.cells(vertices), stage.cells(stage.places)
    if stage.share is not None:
        return _turned_back(stage.share, now - origin, stage.matte.shape) * stage.step
    # Draw the triangles where they are now, with the way back at each corner.
    order = back_to_front(stage.triangles, vertices)
    height, width = stage.matte.shape
    triangles, shifts = now.take(order, axis=0), (origin - now).take(order, axis=0)
    return rasterise(triangles, shifts, size=(width, height))[0] * stage.step


def _share(stage: Stage) -> Share:
    """Find out between which vertices the cells of a stage lie at rest."""
    # Draw the triangles once: at each corner its own weight of 1, and the triangle's number, equal at all three
    rest = stage.cells(stage.rig.rest)
    order = back_to_front(stage.triangles, stage.rig.rest)
    numbers = np.broadcast_to(np.arange(len(order), dtype=np.float32)[:, None, None], (len(order), 3, 1))
    marks = np.concatenate([np.broadcast_to(np.eye(3, dtype=np.float32), (len(order), 3, 3)), numbers], 2)
    height, width = stage.matte.shape
    spread = rasterise(rest[order], marks, size=(width, height))[0].reshape(-1, 4)
    return Share(order[np.round(spread[:, 3]).astype(int)].T, np.ascontiguousarray(spread[:, :3].T))


def _turned_back(share: Share, moves: Floats, shape: tuple[int, int]) -> Floats:
    """Turn the vertices' moves, in cells, into a backward deformation (gh, gw, 2): no triangle is drawn."""
    # The forward movement of each cell, and less of it where neighbours disagree: else the next step would not settle.
    ahead = np.einsum("kc,kcd->cd", share.weights, moves.take(share.vertices, axis=0)).astype(np.float32)
    ahead = cv2.GaussianBlur(ahead.reshape(*shape, 2), (0, 0), EVEN)
    here = _cells()[: shape[0], : shape[1]]
    # A cell comes from where a move leads to it. Step back from the cell by the move that was found there in the step
    # before: a fixed point, reached soon where the moves change slowly from cell to cell.
    back = -ahead
    for _ in range(TURNS):
        back = -cv2.remap(ahead, here + back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(back)


def _sharpen(
    stage: Stage, flow: Floats, triangles: NDArray[np.int64], vertices: Floats, *, wider: float = WIDER
) -> None:
    """Redo the deformation in some triangles pixel by pixel, in place: lips in a crowd are thinner than a cell.

    Args:
        stage: The photo.
        flow: (h, w, 2) where each pixel of the region comes from, pixels of the source; changed.
        triangles: (T, 3) vertex numbers.
        vertices: (V, 3) float32, where the vertices are now, pixels of the photo.
        wider: See `rasterise`.
    """
    now, places = (
        points[triangles, :2] - np.array(corner, np.float32)
        for points, corner in ((vertices, stage.corner), (stage.places, stage.origin))
    )
    box = points_box(now.reshape(-1, 2)).clip(flow.shape[1], flow.shape[0])
    patch = flow[int(box.top) : int(box.bottom) + 1, int(box.left) : int(box.right) + 1]
    if not patch.size:  # they have left the picture
        return
    near = np.array([int(box.left), int(box.top)], np.float32)
    values, covered = rasterise(now - near, _in_source(places, stage.scale), size=patch.shape[1::-1], wider=wider)
    cv2.copyTo(values, covered.view(np.uint8), patch)


def _face_of(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of some triangles (T, 3) that belong to the face, not to the rings around it."""
    return np.asarray(triangles[triangles.max(1) < POINTS])


def _own_places(height: int, width: int) -> Floats:
    """Return each pixel's own place (x, y): (height, width, 2) float32."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.dstack([x, y])


@lru_cache(maxsize=1)
def _cells() -> Floats:
    """Return each cell's own place in the largest grid: (GRID, GRID, 2) float32, not to be changed."""
    return _own_places(GRID, GRID)


@lru_cache(maxsize=1)
def _lips() -> NDArray[np.int64]:
    """Return the triangles with a corner on the lips, inner or outer; those that close the mouth come first."""
    order = np.roll(face_model().triangles.astype(np.int64), CLOSING, axis=0)
    inner = order[np.isin(order, INNER_LIPS).any(1)]
    return np.asarray(order[np.isin(order, inner).any(1)])
