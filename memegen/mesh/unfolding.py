"""A head that looks aside, unfolded: the half of the face that the photo hides is drawn from the half that it shows."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.pose import fit_pose, yaw_of
from memegen.face.topology import CLOSING, EYE_LIDS, FACE_OVAL, IRISES, POINTS, face_model
from memegen.mesh.rig import RIM, Rig

ASIDE = 0.26  # yaw from which a head is unfolded, radians: up to 15 degrees both cheeks are seen well
MIDDLE = [
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175, 152),
]  # landmarks in the middle of the face, from the forehead to the chin
NOSE = 0.25  # half the width of the nose, over the inter-ocular distance
ROOM = 0.55  # how much of the way to the photo's edge, or to what stays, the hidden half may take
SEEN = 0.2, 0.6  # area in the photo over area unfolded: below the first the other half is shown, above the second this
INSIDE = 0.2  # how far inside the outline its mirror image is taken from, over the way to the middle line
ROW, MISS = 0.04, 0.08  # what counts as one row, and how far beside the person landmarks may be, over the face's height
CHEEK = 0.55, 0.95  # height of the middle of the cheek under the eyes, and half its own, over the inter-ocular distance
SMALL = 64  # long side of the picture in which light is measured, pixels
LIGHT = 3.2  # how far light is smoothed in it
BRIGHT, TINT = (0.6, 1.7), (0.85, 1.18)  # limits of a change of light, and of colour


class Spread(NamedTuple):
    """A face with its hidden half spread.

    Attributes:
        places: (V, 3) float32 where the vertices go, pixels of the photo.
        mirrored: (V, 3) where the photo has what may be shown there instead: on the far half the partners' places.
        edges: (T, 3) triangles with a vertex in the far half or on the nose, which may be in front of it.
        marks: (V, 4) from 0 to 1: how much of it is shown, where the person is and where it is not, whatever the matte
            says, and where the photo knows at least the colour of the far half.
        matte: (H, W) float32, 1 on the person, without the rim around it.
    """

    places: Floats
    mirrored: Floats
    edges: NDArray[np.int64]
    marks: Floats
    matte: Floats


class View(NamedTuple):
    """How a photo shows a head that looks aside, in the head's own axes.

    Attributes:
        axes: (2, 2) from the head's axes, across and down the face, to pixels of the photo.
        across: (478,) where the landmarks are.
        down: (478,)
        middle: (478,) where the middle line is, across, at the height of each landmark.
        far: (478,) whether a landmark is in the half that is turned away.
        side: 1 if the far half is at the larger end of the axis across, -1 at the other.
    """

    axes: Floats
    across: Floats
    down: Floats
    middle: Floats
    far: NDArray[np.bool_]
    side: int

    def rim(self, *, far: bool) -> NDArray[np.int64]:
        """Return the landmarks of one half of the oval, from the forehead to the chin."""
        rim = np.array(FACE_OVAL)[self.far[FACE_OVAL] == far]
        return np.asarray(rim[np.argsort(self.down[rim])])


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


def unfold(rig: Rig, triangles: NDArray[np.int64]) -> Spread | None:
    """Spread the half of a face that the photo hides, as if the head looked at us; None where it shows both well.

    Args:
        rig: What moves in the photo.
        triangles: (T, 3) vertex numbers.
    """
    view = _view(rig.rest)
    if view is None:
        return None
    places = _places(rig.rest, view, np.array(rig.matte.shape[::-1]))
    # Without the rim, in which the background would show as a bright line
    rim = 2 * round(RIM * float(np.ptp(rig.rest[:POINTS, 0]))) + 1
    matte = np.asarray(smoothstep(2 * cv2.erode(rig.matte, np.ones((rim, rim))) - 0.5), np.float32)
    ring = len(FACE_OVAL)
    marks = np.zeros((len(places), 4), np.float32)
    marks[:POINTS] = _marks(rig.rest, places, view.far)
    # Where the cheek stands against the background, the face ends with its outline, not a little farther out.
    bare = _bare(rig.rest, view, matte)
    marks[POINTS : POINTS + ring, 0] = bare
    marks[POINTS : POINTS + 3 * ring, 2] = np.tile(bare, 3)[: len(places) - POINTS]
    # The deformation jumps where the nose is in front of the cheek, and at the outline.
    jumps = np.zeros(len(places), bool)
    jumps[: POINTS + 2 * ring] = [
        *(view.far | (np.abs(face_model().mean_shape[:, 0]) < NOSE)),
        *view.far[FACE_OVAL * 2],
    ]
    return Spread(places, _mirrored(rig.rest, view), triangles[jumps[triangles].any(1)], marks, matte)


def _view(rest: Floats) -> View | None:
    """Find out how a photo shows a head; None if it looks at us."""
    pose = fit_pose(rest[:POINTS])
    yaw = yaw_of(pose)
    if abs(yaw) < ASIDE:
        return None
    axes = pose.rotation[:2, :2]
    across, down = np.linalg.solve(axes, rest[:POINTS, :2].T)
    middle = np.interp(down, np.maximum.accumulate(down[MIDDLE]), across[MIDDLE])
    far = (face_model().mean_shape[:, 0] * yaw < 0) & (partners() != np.arange(POINTS))
    return View(axes, across, down, middle, far, -int(np.sign(yaw)))


def _places(rest: Floats, view: View, size: NDArray[np.int64]) -> Floats:
    """Spread the vertices (V, 3): the far half mirrors the near one at the middle line, row by row."""
    _, across, down, middle, far, _ = view
    away = np.abs(across - middle)
    # Each row is as wide as what stays around it leaves room, and about as wide as its neighbours.
    rim, rings = view.rim(far=True), rest[POINTS:, :2].reshape(-1, len(FACE_OVAL), 2)
    ends, height = np.linalg.solve(view.axes, np.clip(rings[-1, far[FACE_OVAL]], 0, size - 1).T)
    order = np.argsort(height)
    room = np.abs(np.interp(down[rim], height[order], ends[order]) - across[rim])
    part = np.minimum(1, (away[rim] + ROOM * room) / np.maximum(away[partners()[rim]], 1e-3))
    part = cv2.blur(cv2.erode(part, np.ones((5, 1))), (1, 5), borderType=cv2.BORDER_REPLICATE).ravel()
    wide = np.interp(down, down[rim], part) * (middle - across[partners()])
    shift = np.where(far, middle + wide - across, 0)[:, None] * view.axes[:, 0]
    # The rings make way, less and less up to the last.
    reach = np.linalg.norm(rings - rest[FACE_OVAL, :2], axis=2)
    fade = 1 - reach / np.maximum(reach[-1], 1e-3)
    places = rest.copy()
    places[:, :2] += np.concatenate([shift, (fade[..., None] * shift[FACE_OVAL]).reshape(-1, 2)])
    return places


def _mirrored(rest: Floats, view: View) -> Floats:
    """Return where the photo has what may be shown at the far vertices: at the partners' places, (V, 3)."""
    # The outline of the near half is often hair or an ear: there, and on the ring around it, show the skin inside.
    away, rim, ring = view.across - view.middle, view.rim(far=False), len(FACE_OVAL)
    width = np.interp(view.down, view.down[rim], np.abs(away[rim]))
    inward = INSIDE * np.minimum(np.abs(away) / np.maximum(width, 1e-3), 1) ** 2 * away
    skin = rest.copy()
    skin[:POINTS, :2] -= inward[:, None] * view.axes[:, 0]
    skin[POINTS : POINTS + ring] = skin[FACE_OVAL]
    # Swap the sides of the landmarks, and of each ring.
    swapped = skin[POINTS:].reshape(-1, ring, 3)[:, -np.arange(ring)].reshape(-1, 3)
    far = np.concatenate([view.far, np.tile(view.far[FACE_OVAL], len(swapped) // ring)])
    return np.where(far[:, None], np.concatenate([skin[partners()], swapped]), rest)


def _marks(rest: Floats, places: Floats, far: NDArray[np.bool_]) -> Floats:
    """Mark the landmarks, (478, 4), see `Spread`: how much of what is there the photo shows."""
    triangles = face_model().triangles.astype(np.int64)
    sizes = np.zeros((2, POINTS))
    for size, points in zip(sizes, (rest, places), strict=True):
        a, b, c = points[triangles, :2].transpose(1, 2, 0)
        area = (b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]
        np.add.at(size, triangles.ravel(), np.repeat(np.maximum(area, 0), 3))
    ratio = sizes[0] / np.maximum(sizes[1], 1e-6)
    hidden, known = 1 - smoothstep((ratio - SEEN[0]) / (SEEN[1] - SEEN[0])), smoothstep(ratio / SEEN[0])
    # At the outline the landmarks often lie beside the face.
    hidden[FACE_OVAL], known[FACE_OVAL] = 1, 0
    return np.stack([hidden, hidden, np.zeros(POINTS), known], 1) * far[:, None]


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


def blend_halves(halves: tuple[Image, Image], hidden: Floats, known: Floats) -> Image:
    """Show the mirrored half, in the light of the hidden one, where the photo has nothing.

    Args:
        halves: uint8 RGB (h, w, 3), what the photo has of the hidden half, spread, and the mirror image.
        hidden: (h, w) float32, 1 where the mirror image is shown.
        known: (h, w) float32, 1 where the spread half has at least the right colour.

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
    gain = cv2.resize(np.clip(grey, *BRIGHT) * np.clip(ratio / grey, *TINT), (width, height))
    lit = np.clip((other.astype(np.float32) + 8) * gain - 8, 0, 255).astype(np.uint8)
    return np.asarray(cv2.blendLinear(own, lit, 1 - hidden, hidden), np.uint8)


def _light(colours: Floats, weight: Floats) -> Floats:
    """Smooth colours (h, w, 3) where they have a weight (h, w), and continue them where they have none."""
    weighted = colours * weight[..., None]
    mean = weighted.sum((0, 1)) / max(float(weight.sum()), 1e-3)
    total = cv2.GaussianBlur(weight, (0, 0), LIGHT)[..., None] + 1e-3
    return np.asarray((cv2.GaussianBlur(weighted, (0, 0), LIGHT) + 1e-3 * mean) / total)
