"""A head that looks aside, unfolded: the half of the face that the photo hides is drawn from the half that it shows."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.topology import CLOSING, EYE_LIDS, FACE_OVAL, POINTS, face_model
from memegen.mesh.motion import fit_pose, yaw_of
from memegen.mesh.rig import RIM, Rig

ASIDE = 0.26  # yaw from which a head is unfolded, radians: up to 15 degrees both cheeks are seen well
NOSE = 0.25  # half the width of the nose, over the inter-ocular distance
ROOM = 0.55  # how much of the way to the photo's edge, or to what stays, the hidden half may take
MIDDLE = [
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175, 152),
]  # landmarks in the middle of the face, from the forehead to the chin
SEEN = (0.2, 0.6)  # area in the photo over area unfolded: below the first the other half is shown, above the second this
INSIDE = 0.2  # how far inside the outline its mirror image is taken from, over the way to the middle line
NEAR, MISS = 0.04, 0.05  # what counts as a row; how far beside the person landmarks may be; over the face's height
SMALL = 64  # long side of the picture in which light is measured
LIGHT = 0.05  # how far light is smoothed, over the region's long side


@lru_cache(maxsize=1)
def partners() -> NDArray[np.int64]:
    """Return for each of the 468 landmarks the one on the other side of the face."""
    # Spread the mesh in a disc, each point in the middle of its neighbours (Tutte 1963): there it is symmetric, while
    # in a real face the corners of the lips nearly touch.
    triangles = face_model().triangles[:-CLOSING].astype(np.int64)
    ties = np.eye(POINTS)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        ties[triangles[:, a], triangles[:, b]] = ties[triangles[:, b], triangles[:, a]] = -1
    ties -= np.diag(ties.sum(1))
    angles = np.arange(len(FACE_OVAL)) * 2 * np.pi / len(FACE_OVAL)
    rim = np.zeros((POINTS, 2))
    ties[FACE_OVAL] = np.eye(POINTS)[FACE_OVAL]
    rim[FACE_OVAL] = np.stack([np.sin(angles), -np.cos(angles)], 1)
    disc = np.linalg.solve(ties, rim)
    found = np.linalg.norm(disc[:, None] - disc * [-1, 1], axis=2).argmin(1)
    for right, left in zip(*EYE_LIDS, strict=True):
        found[right], found[left] = left, right
    return found


class Spread(NamedTuple):
    """A face with its hidden half spread.

    Attributes:
        places: (V, 3) float32 where the vertices go, pixels of the photo.
        mirrored: (V, 3) where the photo has what may be shown there instead: on the far half the partners' places.
        triangles: (T, 3) vertex numbers of the far half and of the nose, which may be in front of it.
        marks: (V, 4) from 0 to 1: how much of it is shown, where the person is and where it is not, whatever the matte
            says, and where the photo knows at least the colour of the far half.
        matte: (H, W) float32, 1 on the person, without the rim around it.
    """

    places: Floats
    mirrored: Floats
    triangles: NDArray[np.int64]
    marks: Floats
    matte: Floats


def unfold(rig: Rig, triangles: NDArray[np.int64]) -> Spread | None:
    """Spread the half of a face that the photo hides, as if the head looked at us; None where it shows both well.

    Args:
        rig: What moves in the photo.
        triangles: (T, 3) vertex numbers.
    """
    rest, ring = rig.rest, len(FACE_OVAL)
    pose, mirror = fit_pose(rest[:POINTS]), partners()
    axes, yaw = pose.rotation, yaw_of(pose)
    if abs(yaw) < ASIDE:
        return None
    far = (face_model().mean_shape[:, 0] * yaw < 0) & (mirror != np.arange(POINTS))
    # In the head's own axes, as the photo shows them, mirror the near half at the middle line, row by row.
    across, down = np.linalg.solve(axes[:2, :2], rest[:POINTS, :2].T)
    middle = np.interp(down, np.maximum.accumulate(down[MIDDLE]), across[MIDDLE])
    away = np.abs(across - middle)
    # Each row is as wide as the rings around it leave room, and like its neighbours.
    rings = rest[POINTS:, :2].reshape(-1, ring, 2)
    rim = np.array(FACE_OVAL)[far[FACE_OVAL]]
    rim = rim[np.argsort(down[rim])]
    size = np.array(rig.matte.shape[::-1])
    beyond, level = np.linalg.solve(axes[:2, :2], np.clip(rings[-1, far[FACE_OVAL]], 0, size - 1).T)
    order = np.argsort(level)
    room = np.abs(np.interp(down[rim], level[order], beyond[order]) - across[rim])
    part = np.minimum(1, (away[rim] + ROOM * room) / np.maximum(away[mirror[rim]], 1e-3))
    part = cv2.blur(cv2.erode(part, np.ones((5, 1))), (1, 5), borderType=cv2.BORDER_REPLICATE).ravel()
    wide = np.interp(down, down[rim], part) * (middle - across[mirror])
    way = np.where(far, middle + wide - across, 0)
    shift = way[:, None] * axes[:2, 0]
    # The rings make way, less and less up to the last.
    reach = np.linalg.norm(rings - rest[FACE_OVAL, :2], axis=2)
    fade = 1 - reach / np.maximum(reach[-1], 1e-3)
    places = rest.copy()
    places[:, :2] += np.concatenate([shift, (fade[..., None] * shift[FACE_OVAL]).reshape(-1, 2)])
    sides = np.concatenate([far, np.tile(far[FACE_OVAL], len(rings))])
    # The outline of the near half is often hair or an ear: there, and on the ring around it, show the skin inside.
    edge = np.array(FACE_OVAL)[~far[FACE_OVAL]]
    edge = edge[np.argsort(down[edge])]
    width = np.interp(down, down[edge], away[edge])
    inward = INSIDE * np.minimum(away / np.maximum(width, 1e-3), 1) ** 2
    skin = rest.copy()
    skin[:POINTS, :2] -= (inward * (across - middle))[:, None] * axes[:2, 0]
    skin[POINTS : POINTS + ring] = skin[FACE_OVAL]
    mirrored = np.where(sides[:, None], _opposite(skin), rest)
    # The rim of loose hair would show as a bright line.
    tight = cv2.erode(rig.matte, np.ones((2 * round(RIM * float(np.ptp(rest[:POINTS, 0]))) + 1,) * 2))
    tight = np.asarray(smoothstep(2 * tight - 0.5), np.float32)
    marks = np.zeros((len(rest), 4), np.float32)
    marks[:POINTS] = _marks(rest, places, far)
    # Where the cheek stands against the background, the face ends with its outline.
    level = np.abs(down[FACE_OVAL, None] - down) < NEAR * np.ptp(down)
    outmost = np.where(level & far, -np.sign(yaw) * across, -np.inf).max(1) + MISS * np.ptp(down)
    x, y = np.round(axes[:2, :2] @ [-np.sign(yaw) * outmost, down[FACE_OVAL]]).astype(int)
    inside = tight[np.clip(y, 0, len(tight) - 1), np.clip(x, 0, tight.shape[1] - 1)]
    bare = (1 - inside) * far[FACE_OVAL] * smoothstep((0.8 - np.abs(face_model().mean_shape[FACE_OVAL, 1] - 0.42)) / 0.2)
    x, y = np.clip(np.round(rings[min(3, len(rings) - 1)]).astype(int), 0, size - 1).T
    bare = bare * (1 - tight[y, x])
    marks[POINTS : POINTS + ring, 0] = bare
    marks[POINTS : POINTS + 3 * ring, 2] = np.tile(bare, 3)
    # The deformation jumps where the nose is in front of the cheek, and at the outline.
    edges = sides & (np.arange(len(rest)) < POINTS + 2 * ring)
    edges[:POINTS] |= np.abs(face_model().mean_shape[:, 0]) < NOSE
    return Spread(places, mirrored, triangles[edges[triangles].any(1)], marks, tight)


def _marks(rest: Floats, places: Floats, far: NDArray[np.bool_]) -> Floats:
    """Mark the landmarks, (468, 4), see `Spread`."""
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


def _opposite(points: Floats) -> Floats:
    """Swap the sides of vertices (V, 3): each gets the place of its partner."""
    ring = len(FACE_OVAL)
    rings = points[POINTS:].reshape(-1, ring, points.shape[1])
    return np.concatenate([points[partners()], rings[:, -np.arange(ring)].reshape(len(points) - POINTS, -1)])


def blend_halves(own: Image, other: Image, hidden: Floats, known: Floats) -> Image:
    """Show the mirrored half, in the light of the hidden one, where the photo has nothing.

    Args:
        own: uint8 RGB (h, w, 3), what the photo has of the hidden half, spread.
        other: uint8 RGB (h, w, 3), the mirror image.
        hidden: (h, w) float32, 1 where `other` is shown.
        known: (h, w) float32, 1 where the two are compared.
    """
    height, width = hidden.shape
    scale = SMALL / max(height, width)
    size = max(2, round(width * scale)), max(2, round(height * scale))
    own_small, other_small, hidden_small, known_small = (
        cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32) for part in (own, other, hidden, known)
    )
    # The light of either: its colours smoothed, and beyond what is known those of the nearest
    mine, theirs = _spread_out(own_small, known_small), _spread_out(other_small, np.maximum(hidden_small, known_small))
    ratio = (mine + 8) / (theirs + 8)
    grey = ratio.mean(2, keepdims=True)
    light = cv2.resize(np.clip(grey, 0.6, 1.7) * np.clip(ratio / grey, 0.85, 1.18), (width, height))
    lit = np.clip((other.astype(np.float32) + 8) * light - 8, 0, 255).astype(np.uint8)
    return np.asarray(cv2.blendLinear(own, lit, 1 - hidden, hidden), np.uint8)


def _spread_out(colours: Floats, weight: Floats) -> Floats:
    """Smooth colours (h, w, 3) where they have a weight, and continue them where they have none."""
    mean = (colours * weight[..., None]).sum((0, 1)) / max(float(weight.sum()), 1e-3)
    total = cv2.GaussianBlur(weight, (0, 0), LIGHT * SMALL)[..., None] + 1e-3
    return np.asarray((cv2.GaussianBlur(colours * weight[..., None], (0, 0), LIGHT * SMALL) + 1e-3 * mean) / total)
