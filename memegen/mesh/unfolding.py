"""A head that looks aside, unfolded: the half that the photo hides is drawn from the half that it shows."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.cropping import points_box
from memegen.face.pose import Pose, fit_pose, yaw_of
from memegen.face.topology import (
    CHIN,
    CLOSING,
    EYE_LIDS,
    FACE_OVAL,
    FOREHEAD,
    IRISES,
    POINTS,
    face_model,
)
from memegen.mesh.raster import rasterise
from memegen.mesh.rig import RADII, RIM, Rig, Texture, back_to_front, towards_chin, triangles_of

ASIDE = 0.3  # yaw from which a head is unfolded, radians: up to 17 degrees both cheeks are seen well
MIDDLE = [
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175, 152),
]  # landmarks in the middle of the face, from the forehead to the chin
CENTRE = 0.2  # distance from the middle, over the inter-ocular distance, up to which both halves are blended
NOSE = 0.25  # half the width of the nose, over the inter-ocular distance
FLAT = 0.8  # distance from the middle, in the same unit, from which the face is mirrored at a straight line
EVEN = 0.12  # blur of the line on the nose at which it is mirrored, over the face's height
QUARTER = len(FACE_OVAL) // 4  # spokes from the top of the head to an ear
SIDE, TOP, FADE = 1.1, 1.75, 0.2  # how far the other side of a head goes on beyond its outline, in sizes of the oval
SEEN = 0.1, 0.35  # area in the photo over area unfolded: below the first the other half is shown, above the second this
SEEN_CHEEK = 0.25, 0.7  # the same on the cheek: a far outline is often found a little outside, on hair or background
INSIDE = 0.1  # how far inside the outline its mirror image is taken from, over the way to the middle line
STEEP = 8  # the power with which that grows from the middle line on: an eye's mirror image lies within the other's lids
ROW, MISS = 0.04, 0.08  # what counts as one row, and how far beside the person landmarks may be, over the face's height
ROWS, FEW = 200, 600  # in which the person's outline is looked for, and pixels of the photo's long side there
CHEEK = 0.55, 0.95  # height of the middle of the cheek under the eyes, and half its own, over the inter-ocular distance
CELLS = 320  # along the long side of a texture
SEAM = 0.02  # what of the person is left out where the mirror image goes on, over the face's width
SMALL = 64  # long side of the picture in which light is measured, pixels
LIGHT = 2.4  # how far light is smoothed in it
BRIGHT, TINT = (0.65, 1.2), (0.85, 1.1)  # limits of a change of light, and of colour
HAIR = 0.5  # how much of that change hair, hats and ears get


class View(NamedTuple):
    """How a photo shows a head that looks aside, in the head's own axes.

    Attributes:
        pose: The head's.
        axes: (2, 2) from the head's axes, across and down the face, to pixels of the photo.
        far: (478,) whether a landmark is in the half that is turned away.
        side: 1 if the far half is at the larger end of the axis across, -1 at the other.
        across: (478,) where the landmarks are.
        down: (478,)
        ridge: (478,) where the middle of the face is, across, at the height of each landmark, as far in front as it is.
        line: (2, M) a straight line through the middle, across and down, that goes on over the rings.
    """

    pose: Pose
    axes: Floats
    far: NDArray[np.bool_]
    side: int
    across: Floats
    down: Floats
    ridge: Floats
    line: Floats

    def rim(self, *, far: bool) -> NDArray[np.int64]:
        """Return the landmarks of one half of the oval, from the forehead to the chin."""
        rim = np.array(FACE_OVAL)[self.far[FACE_OVAL] == far]
        return np.asarray(rim[np.argsort(self.down[rim])])


class Wrap(NamedTuple):
    """What goes on behind the outline of a head, at the ring vertices (R, 36).

    Attributes:
        tilt: (R,) by how many spokes the middle of the head lies on the near side of that of the face: the farther
            back, the more.
        around: How much a vertex belongs to the hair, hat or ear of the far half.
        near: Whether something is shown there or in the ring before.
        over: How much it is beyond what is shown.
    """

    tilt: Floats
    around: Floats
    near: NDArray[np.bool_]
    over: Floats


@lru_cache(maxsize=1)
def partners() -> NDArray[np.int64]:
    """Return for each of the 478 landmarks the one on the other side of the face."""
    # Spread the mesh in a disc, each point in the middle of its neighbours (Tutte 1963): there it is symmetric, while
    # in a real face the corners of the lips nearly touch.
    triangles = face_model().triangles[:-CLOSING].astype(np.int64)
    ties, rim = np.zeros((POINTS, POINTS)), np.zeros((POINTS, 2))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        ties[triangles[:, a], triangles[:, b]] = ties[triangles[:, b], triangles[:, a]] = -1
    ties -= np.diag(ties.sum(1))
    fixed = [*FACE_OVAL, *IRISES[0], *IRISES[1]]
    ties[fixed] = np.eye(POINTS)[fixed]
    angles = np.arange(len(FACE_OVAL)) * 2 * np.pi / len(FACE_OVAL)
    rim[FACE_OVAL] = np.stack([np.sin(angles), -np.cos(angles)], 1)
    rim[fixed[len(FACE_OVAL) :]] = [(x, y) for x in (-2, 2) for y in range(5)]  # they have no neighbours
    disc = np.linalg.solve(ties, rim)
    found = np.linalg.norm(disc[:, None] - disc * [-1, 1], axis=2).argmin(1)
    for right, left in zip(*EYE_LIDS, strict=True):
        found[right], found[left] = left, right
    return np.asarray(found)


def unfold(photo: Image, rig: Rig, *, whole: bool = True) -> Rig:
    """Give a head that looks aside a texture with its hidden half; a rig whose photo shows both halves stays as it is.

    Args:
        photo: uint8 RGB (H, W, 3).
        rig: From `lay_rings`.
        whole: Whether all of the half that is turned away is drawn from the other one, or only what is hardly seen.

    Returns:
        The rig; what the photo hides of the head has its place behind the outline, where a turn brings it out.
    """
    pose = fit_pose(rig.rest[:POINTS])
    if abs(yaw_of(pose)) < ASIDE:
        return rig
    rest = _completed(rig.rest, pose) if whole else rig.rest
    view = _view(rest, pose)
    wrap = _wrap(rest, view, whole=whole)
    places = _places(rest, view, wrap)
    rig = rig._replace(rest=_laid_in(rest, places) if whole else rest)
    # Without the rim, in which the background would show as a bright line
    rim = 2 * round(RIM * float(np.ptp(rest[:POINTS, 0]))) + 1
    matte = np.asarray(smoothstep(2 * cv2.erode(rig.matte, np.ones((rim, rim))) - 0.5), np.float32)
    marks = np.zeros((len(places), 5), np.float32)
    marks[:POINTS] = _marks(rig.rest, places, view.far, whole=whole)
    # Where the cheek stands against the background, the face ends with its outline, not a little farther out.
    hidden, ended = np.zeros((2, *wrap.around.shape))
    hidden[0] = ended[:3] = (1 - wrap.around[0]) * _bare(rig.rest, view, matte)
    marks[POINTS:, :4] = np.stack([hidden, wrap.around * wrap.near, wrap.over, ended], 2).reshape(-1, 4)
    mirrored = _mirrored(rig.rest, view, wrap)
    behind = _behind(rig, view, wrap)
    picture, outline, corner = _drawn(photo, matte, behind, places, mirrored, marks)
    return behind._replace(texture=Texture(picture, outline, corner, places))


def _far(pose: Pose) -> NDArray[np.bool_]:
    """Tell which landmarks are in the half that is turned away, (478,)."""
    return np.asarray((face_model().mean_shape[:, 0] * yaw_of(pose) < 0) & (partners() != np.arange(POINTS)))


def _completed(rest: Floats, pose: Pose) -> Floats:
    """Put the far landmarks of (V, 3) where the near ones' mirror images are, but for the outline and the iris."""
    head = (rest[:POINTS] - pose.shift) @ pose.rotation
    far = _far(pose)
    share = far * smoothstep(np.abs(face_model().mean_shape[:, 0]) / CENTRE)
    share[[*FACE_OVAL, *IRISES[0], *IRISES[1]]] = 0
    whole = head + share[:, None] * (head[partners()] * [-1, 1, 1] - head)
    rest = rest.copy()
    rest[:POINTS] = whole @ pose.rotation.T + pose.shift
    return rest


def _laid_in(rest: Floats, places: Floats) -> Floats:
    """Lay the irises of (V, 3) in the plane of their lids: they turn and grow as these do since the texture."""
    rest = rest.copy()
    for (upper, lower), iris in zip(EYE_LIDS, IRISES, strict=True):
        flat = np.column_stack([places[:POINTS, :2], np.ones(POINTS)])
        way = np.linalg.lstsq(flat[[*upper, *lower]], rest[[*upper, *lower]], rcond=None)[0]
        disc = flat[iris] @ way
        rest[iris] = disc + (rest[iris[0]] - disc[0]) * [1, 1, 0]
    return rest.astype(np.float32)


def _view(rest: Floats, pose: Pose) -> View:
    """Find out how a photo shows a head with the vertices (V, 3)."""
    axes = pose.rotation[:2, :2]
    across, down = np.linalg.solve(axes, rest[:, :2].T)
    # The ridge of the nose jumps back under its tip; a mirror must not.
    rows = np.linspace(down[FOREHEAD], down[CHIN], SMALL)
    ridge = np.interp(rows, np.maximum.accumulate(down[MIDDLE]), across[MIDDLE])
    ridge = cv2.GaussianBlur(ridge[None], (0, 0), EVEN * SMALL, borderType=cv2.BORDER_REPLICATE)[0]
    top = np.arange(POINTS, len(rest), len(FACE_OVAL))
    order = [*top[::-1], FOREHEAD, CHIN, *(top + FACE_OVAL.index(CHIN))]
    return View(
        pose=pose,
        axes=axes,
        far=_far(pose),
        side=-int(np.sign(yaw_of(pose))),
        across=across[:POINTS],
        down=down[:POINTS],
        ridge=np.interp(down[:POINTS], rows, ridge),
        line=np.stack([across[order], np.maximum.accumulate(down[order])]),
    )


def _places(rest: Floats, view: View, wrap: Wrap) -> Floats:
    """Spread the vertices (V, 3) on the texture: the far half mirrors the near one."""
    partner = np.concatenate([rest[partners()], _other_side(rest[POINTS:], view)])
    across, down = np.linalg.solve(view.axes, partner[:, :2].T)
    # The mirror stands in a straight line, but on the nose, which is in front of the rest, on its ridge.
    middle = np.interp(down, *view.line[::-1])
    flat = smoothstep((np.abs(face_model().mean_shape[:, 0]) - NOSE) / (FLAT - NOSE))
    middle[:POINTS] += (1 - flat) * (view.ridge[partners()] - middle[:POINTS])
    mirrored = np.stack([2 * middle - across, down], 1) @ view.axes.T
    places = rest.copy()
    places[:, :2] = np.where(_all_far(len(rest), view)[:, None], mirrored, rest[:, :2])
    # Under the ears, the neck and the shoulders make way for the cheek.
    shift, rings = (places - rest)[FACE_OVAL], places[POINTS:].reshape(-1, len(FACE_OVAL), 3)
    around = wrap.around[0][:, None]
    rings[:] = around * rings + (1 - around) * (rest[POINTS:].reshape(rings.shape) + shift)
    return places


def _all_far(count: int, view: View) -> NDArray[np.bool_]:
    """Tell which vertices are in the far half, with those on its spokes: (count,)."""
    return np.append(view.far, np.tile(view.far[FACE_OVAL], (count - POINTS) // len(FACE_OVAL)))


def _other_side(rings: Floats, view: View, tilt: Floats | float = 0.0) -> Floats:
    """Return for each ring vertex of the far half what is on the other side of the head.

    Args:
        rings: (R * 36, C) numbers at the ring vertices.
        view: How the photo shows the head.
        tilt: See `Wrap`.

    Returns:
        (R * 36, C)
    """
    ring = len(FACE_OVAL)
    rings = rings.reshape(-1, ring, rings.shape[1])
    spoke = (np.arange(ring) + ring // 2) % ring - ring // 2
    # Above the ears the head's middle is beside the face's.
    above = np.maximum(1 - np.abs(spoke) / QUARTER, 0)
    place = -spoke - _towards_far(view) * 2 * np.reshape(tilt, (-1, 1)) * above + np.zeros((len(rings), 1))
    low, row = np.floor(place).astype(int), np.arange(len(rings))[:, None]
    part = (place - low)[..., None]
    mixed = (1 - part) * rings[row, low % ring] + part * rings[row, (low + 1) % ring]
    return np.asarray(mixed.reshape(-1, rings.shape[2]))


def _towards_far(view: View) -> int:
    """Return 1 if the oval's points go from the forehead to the far half, -1 if to the near one."""
    return 1 if view.far[FACE_OVAL[1]] else -1


def _wrap(rest: Floats, view: View, *, whole: bool) -> Wrap:
    """Find out what of the rings of (V, 3) goes on behind the outline: nothing if the head is not drawn whole."""
    ring, pose, towards = len(FACE_OVAL), view.pose, _towards_far(view)
    # Where the ring vertices are across the head: more than 0 in its far half
    across = ((rest[POINTS:] - pose.shift) @ pose.rotation)[:, 0].reshape(-1, ring)
    across *= view.side
    spokes = np.arange(-QUARTER, QUARTER + 1)
    tilt = np.array([max(-np.interp(0, row[towards * spokes], spokes), 0) for row in across])
    down = towards_chin(rest[:POINTS])
    around = whole * (across > 0) * smoothstep((0.2 - down) / 0.25)
    reach = SIDE + (TOP - SIDE) * np.maximum(-down, 0)
    over = np.clip((RADII[: len(across), None] - reach) / FADE, 0, 1)
    return Wrap(tilt, around, np.concatenate([np.ones((1, ring), bool), over[:-1] < 1]), over)


def _behind(rig: Rig, view: View, wrap: Wrap) -> Rig:
    """Put what the photo hides of a head behind its outline, so deep that a turn brings it out."""
    pose, ring = view.pose, len(FACE_OVAL)
    # Once the photo's person ends on a spoke, there is no more of it.
    x, y = np.clip(np.round(rig.rest[POINTS:, :2]).astype(int), 0, np.array(rig.matte.shape[::-1]) - 1).T
    seen = np.minimum.accumulate(rig.matte[y, x].reshape(-1, ring)) > 0.5
    beyond = wrap.around * ~seen
    # The other side of the head is the near one in the head's own axes, mirrored. Bring it to the outline: forwards, or
    # inwards where it would be seen in the photo.
    head = (_other_side(rig.rest[POINTS:], view, wrap.tilt) - pose.shift) @ pose.rotation * [-1, 1, 1]
    shift, sight = np.linalg.solve(view.axes, np.column_stack([pose.shift[:2], pose.rotation[:2, 2]])).T
    deepest = head[:, 2].copy()
    for _ in range(2):  # in a head that nods a deeper point is in another row
        end = _ends(rig.matte, view, head[:, 1] + sight[1] * head[:, 2] + shift[1])
        head[:, 2] = np.minimum((end - head[:, 0] - shift[0]) / sight[0], deepest)
    head[:, 0] = end - shift[0] - sight[0] * head[:, 2]
    # What is not shown goes back to where it is as it is held less; the outermost ring stays.
    hold = rig.hold.reshape(-1, ring)
    far = _other_side(rig.hold[:, None], view, wrap.tilt).reshape(-1, ring)
    share = beyond * np.where(wrap.near, 1, far)
    share[-1] = 0
    rest = rig.rest.copy()
    rest[POINTS:] += share.reshape(-1, 1) * (head @ pose.rotation.T + pose.shift - rest[POINTS:])
    return rig._replace(rest=rest, hold=np.maximum(hold, beyond * far).ravel().astype(np.float32))


def _ends(matte: Floats, view: View, rows: Floats) -> Floats:
    """Return where the person ends on the far side in some rows across the head, in the head's axes."""
    few = max(max(matte.shape) // FEW, 1)
    places = few * np.argwhere(matte[::few, ::few] > 0.5)[:, ::-1]
    if not len(places):
        return np.zeros_like(rows)
    across, down = np.linalg.solve(view.axes, places.T)
    low, step = down.min(), max(float(np.ptp(down)) / ROWS, few)
    ends = np.full(ROWS + 2, -np.inf)
    np.maximum.at(ends, ((down - low) / step).astype(int), view.side * across)
    known = np.flatnonzero(np.isfinite(ends))
    return np.asarray(view.side * np.interp((rows - low) / step, known, ends[known]))


def _drawn(
    photo: Image, matte: Floats, rig: Rig, places: Floats, mirrored: Floats, marks: Floats
) -> tuple[Image, Floats, tuple[int, int]]:
    """Draw the texture of a head.

    Args:
        photo: uint8 RGB (H, W, 3).
        matte: (H, W) float32, 1 on the person, without the rim around it.
        rig: What moves.
        places: (V, 3) where its vertices lie in the texture, pixels of the photo.
        mirrored: (V, 3) where the photo has what may be shown there instead.
        marks: (V, 5) from 0 to 1: how much of that is shown; where it is shown as soon as the photo's person ends, and
            how much less of it; where the person ends, whatever the matte says; and where the photo knows at least the
            colour of the far half.

    Returns:
        The picture, its outline and its corner, see `Texture`.
    """
    room = points_box(places).union(points_box(rig.rest))
    left, top = math.floor(room.left), math.floor(room.top)
    width, height = math.ceil(room.right) - left + 1, math.ceil(room.bottom) - top + 1
    step = max(max(width, height) // CELLS, 1)
    corner = np.array([left, top], np.float32)
    order = back_to_front(triangles_of(len(rig.hold) // len(FACE_OVAL)), places)
    # Draw the triangles where they are spread, with the way to the photo's own half and to the other one, mirrored.
    now = (places[:, :2] - corner + 0.5) / step - 0.5
    own, other = (points[:, :2] - places[:, :2] for points in (rig.rest, mirrored))
    values = np.concatenate([own, other, marks], 1).astype(np.float32)
    fields = rasterise(now[order], values[order], size=(-(-width // step), -(-height // step)))[0]

    def fine(part: Floats) -> Floats:
        return np.asarray(cv2.resize(part, None, fx=step, fy=step)[:height, :width])

    y, x = np.mgrid[top : top + height, left : left + width].astype(np.float32)
    here = np.dstack([x, y])
    ways = [fine(fields[..., first : first + 2]) + here for first in (0, 2)]
    hidden, around, over, ended, known = (fine(mark) for mark in cv2.split(np.clip(fields[..., 4:], 0, 1)))
    # Beyond the photo's edge there is no person to mirror.
    own, other = (
        cv2.remap(matte, way, None, cv2.INTER_LINEAR, borderMode=edge)
        for way, edge in zip(ways, (cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT), strict=True)
    )
    seam = 2 * round(SEAM * float(np.ptp(rig.rest[:POINTS, 0]))) + 3
    sure = np.clip(2 * cv2.erode(own, np.ones((seam, seam))) - 1, 0, 1)
    # Where the photo's person ends, the far half of the face and what is around it go on with the mirror image.
    hidden = np.maximum(hidden, np.maximum(around, known) * (1 - sure))
    outline = cv2.blendLinear(own, other * (1 - over), 1 - hidden, hidden) * np.maximum(1 - 1.5 * ended, 0)
    halves = [cv2.remap(photo, way, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101) for way in ways]
    picture = blend_halves((halves[0], halves[1]), hidden, known * sure, 1 - HAIR * around)
    return picture, outline, (left, top)


def _mirrored(rest: Floats, view: View, wrap: Wrap) -> Floats:
    """Return where the photo has what may be shown at the far vertices: at the partners' places, (V, 3)."""
    # The outline of the near half is often hair or an ear: there, and on the ring under it, show the skin inside.
    away, rim, ring = view.across - np.interp(view.down, *view.line[::-1]), view.rim(far=False), len(FACE_OVAL)
    width = np.interp(view.down, view.down[rim], np.abs(away[rim]))
    inward = INSIDE * np.minimum(np.abs(away) / np.maximum(width, 1e-3), 1) ** STEEP * away
    skin = rest.copy()
    skin[:POINTS, :2] -= inward[:, None] * view.axes[:, 0]
    bare = 1 - _other_side(wrap.around[0][:, None], view)
    skin[POINTS : POINTS + ring] += bare * (skin[FACE_OVAL] - skin[POINTS : POINTS + ring])
    partner = np.concatenate([skin[partners()], _other_side(skin[POINTS:], view, wrap.tilt)])
    far = _all_far(len(rest), view) | np.append(np.zeros(POINTS, bool), wrap.around.ravel() > 0)
    return np.where(far[:, None], partner, rest)


def _marks(rest: Floats, places: Floats, far: NDArray[np.bool_], *, whole: bool) -> Floats:
    """Mark the landmarks, (478, 5), see `_drawn`: what the photo shows of the far half, and which colours it knows."""
    triangles = face_model().triangles.astype(np.int64)
    sizes = np.zeros((2, POINTS))
    for size, points in zip(sizes, (rest, places), strict=True):
        a, b, c = points[triangles, :2].transpose(1, 2, 0)
        area = (b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]
        np.add.at(size, triangles.ravel(), np.repeat(np.maximum(area, 0), 3))
    ratio = sizes[0] / np.maximum(sizes[1], 1e-6)
    scarce, scarcer = (1 - smoothstep((ratio - low) / (high - low)) for low, high in (SEEN_CHEEK, SEEN))
    # The cheek is under the eyes and beside the mouth.
    x, y, _ = face_model().mean_shape.T
    cheek = smoothstep((np.abs(x) - 0.3) / 0.15) * smoothstep((y - 0.1) / 0.2)
    hidden, known = np.maximum(scarcer, cheek * scarce), smoothstep(ratio / SEEN[0])
    if whole:
        hidden = smoothstep(np.abs(x) / CENTRE)
    # At the outline the landmarks often lie beside the face.
    hidden[FACE_OVAL], known[FACE_OVAL] = 1, 0
    marks = np.zeros((POINTS, 5))
    marks[:, 0], marks[:, 4] = far * hidden, far * known
    return marks


def _bare(rest: Floats, view: View, matte: Floats) -> Floats:
    """Find where the far cheek stands against the background, without hair or a shoulder: (36,) from 0 to 1."""

    def person(xy: Floats) -> Floats:
        x, y = np.clip(np.round(xy).astype(int), 0, np.array(matte.shape[::-1]) - 1).T
        return np.asarray(matte[y, x])

    # Look a little beyond the outmost landmark of each row, and at rings farther out.
    height = np.ptp(view.down)
    row = np.abs(view.down[FACE_OVAL, None] - view.down) < ROW * height
    outmost = np.where(row & view.far, view.side * view.across, -np.inf).max(1, initial=-1e6) + MISS * height
    beside = np.stack([view.side * outmost, view.down[FACE_OVAL]], 1) @ view.axes.T
    rings = rest[POINTS:, :2].reshape(-1, len(FACE_OVAL), 2)
    middle, half = CHEEK
    cheek = smoothstep((half - np.abs(face_model().mean_shape[FACE_OVAL, 1] - middle)) / 0.2)
    beyond = np.max([person(ring) for ring in rings[2:5]], axis=0, initial=0)
    return np.asarray(view.far[FACE_OVAL] * cheek * (1 - person(beside)) * (1 - beyond))


def blend_halves(halves: tuple[Image, Image], hidden: Floats, known: Floats, relit: Floats) -> Image:
    """Show the mirrored half, in the light of the hidden one, where the photo has nothing.

    Args:
        halves: uint8 RGB (h, w, 3), what the photo has of the hidden half, spread, and the mirror image.
        hidden: (h, w) float32, 1 where the mirror image is shown.
        known: (h, w) float32, 1 where the spread half has at least the right colour.
        relit: (h, w) float32, how much of the change of light is made.

    Returns:
        uint8 RGB (h, w, 3).
    """
    (own, other), (height, width) = halves, hidden.shape
    scale = SMALL / max(height, width)
    size = max(2, round(width * scale)), max(2, round(height * scale))
    mine, theirs, unseen, both = (
        cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32) for part in (own, other, hidden, known)
    )
    # The 8 keeps the ratio calm in the dark. Brightness and tint are limited separately.
    ratio = (_light(mine, both) + 8) / (_light(theirs, np.maximum(unseen, both)) + 8)
    grey = ratio.mean(2, keepdims=True)
    gain = cv2.resize(np.clip(grey, *BRIGHT) * np.clip(ratio / grey, *TINT) - 1, (width, height))
    # In place: these are the largest arrays of all.
    gain *= relit[..., None]
    gain += 1
    lit = other.astype(np.float32)
    lit += 8
    lit *= gain
    lit -= 8
    lit = np.clip(lit, 0, 255, out=lit).astype(np.uint8)
    return np.asarray(cv2.blendLinear(own, lit, 1 - hidden, hidden), np.uint8)


def _light(colours: Floats, weight: Floats) -> Floats:
    """Smooth colours (h, w, 3) where they have a weight (h, w), and continue them where they have none."""
    weighted = colours * weight[..., None]
    mean = weighted.sum((0, 1)) / max(float(weight.sum()), 1e-3)
    total = cv2.GaussianBlur(weight, (0, 0), LIGHT)[..., None] + 1e-3
    return np.asarray((cv2.GaussianBlur(weighted, (0, 0), LIGHT) + 1e-3 * mean) / total)
