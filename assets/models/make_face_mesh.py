"""Make face_mesh.npz: the triangles of the 468-point face mesh and its mean shape, seen from the front.

make_face_mesh.py face_mesh_connections.py CLIP [CLIP ...]

The first argument is MediaPipe's list of the mesh's edges (Apache-2.0; mediapipe/python/solutions in its wheel), which
names the edges of one triangle after the other and leaves the eyes and the mouth open. The mean shape is the average of
the landmarks tracked in the clips (we used the eleven of the GRID corpus), aligned to each other and made symmetric.
"""

import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from memegen.face.topology import EYE_LIDS, INNER_LIPS, LEFT_EYE, RIGHT_EYE
from memegen.face.tracking import track_face


def triangles(connections: Path) -> np.ndarray:
    """Read the triangles (T, 3) and close the eyes and the mouth with strips between the lids and the lips."""
    listing = connections.read_text().split("FACEMESH_TESSELATION = frozenset(")[1].split("])")[0]
    edges = np.array("".join(c if c.isdigit() else " " for c in listing).split(), int).reshape(-1, 3, 2)
    if not np.array_equal(edges[:, :, 1], np.roll(edges[:, :, 0], -1, axis=1)):
        raise SystemExit(f"{connections} does not list its edges triangle by triangle.")
    right, left, mouth = ([*close(*chains)] for chains in (*EYE_LIDS, INNER_LIPS))
    strips = np.concatenate([right, np.array(left)[:, ::-1], mouth])  # all clockwise as seen in a picture
    return np.concatenate([edges[:, ::-1, 0], strips]).astype(np.uint16)


def close(upper: tuple[int, ...], lower: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Triangles between two chains that share their first and last points."""
    quads = zip(upper, upper[1:], lower, lower[1:], strict=False)
    return [t for a, b, c, d in quads for t in ((a, b, d), (a, d, c)) if len(set(t)) == 3]


def align(mesh: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Move a mesh onto a reference by the best rotation, scale and shift (Umeyama 1991)."""
    a, b = mesh - mesh.mean(0), reference - reference.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    return a @ (u @ vt).T * (s.sum() / (a**2).sum()) + reference.mean(0)


def mean_shape(meshes: list[np.ndarray]) -> np.ndarray:
    """Average meshes into one shape (468, 3): x along the eyes, y down, z away; eyes 1 apart, origin between them."""
    mean = meshes[0]
    for _ in range(5):
        mean = np.mean([align(mesh, mean) for mesh in meshes], axis=0)
    right, left, forehead, chin = mean[[RIGHT_EYE, LEFT_EYE, 10, 152]]
    x = (left - right) / np.linalg.norm(left - right)
    y = chin - forehead - x * (x @ (chin - forehead))
    y /= np.linalg.norm(y)
    mean = (mean - (left + right) / 2) @ np.stack([x, y, np.cross(x, y)], 1) / np.linalg.norm(left - right)
    mirror = mean * [-1, 1, 1]
    twin = np.argmin(((mean[:, None] - mirror[None]) ** 2).sum(-1), axis=1)
    return ((mean + mirror[twin]) / 2).astype(np.float32)


if __name__ == "__main__":
    connections, *clips = map(Path, sys.argv[1:])
    meshes = [mesh for clip in clips for mesh in track_face(iio.imiter(clip, plugin="FFMPEG")).landmarks[::5]]
    out = Path(__file__).with_name("face_mesh.npz")
    np.savez_compressed(out, triangles=triangles(connections), mean_shape=mean_shape(meshes))
    print(f"Wrote {out}.")
