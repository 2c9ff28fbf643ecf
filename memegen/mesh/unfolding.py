"""A head that looks aside, unfolded: the half of the face that the photo hides is drawn from the half that it shows."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats, Image, smoothstep
from memegen.face.topology import CLOSING, EYE_LIDS, FACE_OVAL, POINTS, face_model
from memegen.mesh.motion import fit_pose
from memegen.mesh.rig import Rig

ASIDE = 0.26  # yaw from which a head is unfolded, radians: up to 15 degrees both cheeks are seen well
ROOM = 0.55  # how much of the way to the photo's edge, or to what stays, the hidden half may take
MIDDLE = [
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175, 152),
]  # landmarks in the middle of the face, from the forehead to the chin
SEEN = (0.2, 0.6)  # area in the photo over area unfolded: below the first the other half is shown, above the second this
LIGHT = 0.1  # how far light is smoothed, over the region's long side


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
        hidden: (V,) how much of it is, from 0 to 1.
    """

    places: Floats
    mirrored: Floats
    hidden: Floats


def unfold(rig: Rig) -> Spread | None:
    """Spread the half of a face that the photo hides, as if the head looked at us; None where it shows both well.

    Args:
        rig: What moves in the photo.
    """
    rest, ring = rig.rest, len(FACE_OVAL)
    axes, mirror = fit_pose(rest[:POINTS]).rotation, partners()
    yaw = float(np.arctan2(axes[0, 2], axes[2, 2]))
    if abs(yaw) < ASIDE:
        return None
    far = (face_model().mean_shape[:, 0] * yaw < 0) & (mirror != np.arange(POINTS))
    # In the head's own axes, as the photo shows them, mirror the near half at the middle line, row by row.
    across, down = np.linalg.solve(axes[:2, :2], rest[:POINTS, :2].T)
    middle = np.interp(down, np.maximum.accumulate(down[MIDDLE]), across[MIDDLE])
    way = np.where(far, 2 * middle - across[mirror] - across, 0)
    way = np.where(way * yaw < 0, way, 0)  # only outwards
    # Each row goes as far as the rings around it leave room.
    rings = rest[POINTS:, :2].reshape(-1, ring, 2)
    oval = rest[FACE_OVAL, :2]
    reach = np.linalg.norm(rings - oval, axis=2)
    full = np.abs(way[FACE_OVAL]) * np.linalg.norm(axes[:2, 0])
    part = np.minimum(1, ROOM * reach[-1] / np.maximum(full, 1e-3))
    rim = np.flatnonzero(far[FACE_OVAL])
    rim = rim[np.argsort(down[FACE_OVAL][rim])]
    part = cv2.blur(np.pad(part[rim], 2, mode="edge")[:, None], (1, 5)).ravel()[2:-2]
    way = way * np.interp(down, down[FACE_OVAL][rim], part)
    shift = way[:, None] * axes[:2, 0]
    # The rings make way, less and less up to the last.
    fade = 1 - reach / np.maximum(reach[-1], 1e-3)
    places = rest.copy()
    places[:, :2] += np.concatenate([shift, (fade[..., None] * shift[FACE_OVAL]).reshape(-1, 2)])
    sides = np.concatenate([far, np.tile(far[FACE_OVAL], len(rings))])
    return Spread(places, np.where(sides[:, None], _opposite(rest), rest), _hidden(rest, places, far))


def _hidden(rest: Floats, places: Floats, far: NDArray[np.bool_]) -> Floats:
    """Measure for each vertex how much the photo hides of what is there, (V,)."""
    triangles = face_model().triangles.astype(np.int64)
    sizes = np.zeros((POINTS, 2))
    for column, points in enumerate((rest, places)):
        a, b, c = points[triangles, :2].transpose(1, 2, 0)
        area = np.maximum((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0], 0)
        np.add.at(sizes[:, column], triangles.ravel(), np.repeat(area, 3))
    hidden = 1 - smoothstep((sizes[:, 0] / np.maximum(sizes[:, 1], 1e-6) - SEEN[0]) / (SEEN[1] - SEEN[0]))
    hidden[FACE_OVAL] = 1  # at the outline the landmarks often lie beside the face
    return np.concatenate([hidden * far, np.zeros(len(rest) - POINTS)])


def _opposite(points: Floats) -> Floats:
    """Swap the sides of vertices (V, 3): each gets the place of its partner."""
    ring = len(FACE_OVAL)
    rings = points[POINTS:].reshape(-1, ring, points.shape[1])
    return np.concatenate([points[partners()], rings[:, -np.arange(ring)].reshape(len(points) - POINTS, -1)])


def blend_halves(own: Image, other: Image, hidden: Floats, *, apart: NDArray[np.bool_]) -> Image:
    """Show the mirrored half, in the light of the hidden one, where the photo has nothing.

    Args:
        own: uint8 RGB (h, w, 3), what the photo has of the hidden half, spread.
        other: uint8 RGB (h, w, 3), the mirror image.
        hidden: (h, w) float32, 1 where `other` is shown.
        apart: (h, w) where the two come from different places.
    """
    height, width = hidden.shape
    scale = 64 / max(height, width)
    size = max(2, round(width * scale)), max(2, round(height * scale))
    # The light: the ratio of the two, smoothed, measured where both are seen
    both = cv2.resize((1 - hidden) * apart, size, interpolation=cv2.INTER_AREA)[..., None] + 1e-4
    mine, theirs = (
        cv2.GaussianBlur(both * (cv2.resize(part, size, interpolation=cv2.INTER_AREA) + 8.0), (0, 0), LIGHT * 64)
        for part in (own, other)
    )
    light = cv2.resize(np.clip(mine / theirs, 0.5, 1.6).astype(np.float32), (width, height))
    lit = np.clip((other + 8.0) * light - 8.0, 0, 255).astype(np.uint8)
    return np.asarray(cv2.blendLinear(own, lit, 1 - hidden, hidden), np.uint8)
