"""How well does a face in another video follow its driver, and what is left of its own expression?

targets.py MEDIA

MEDIA is a folder as for quality.py. Everything is drawn by the mesh engine without label and hidden mark,
and tracked again without smoothing. Mouth: the gap of the lips over the inter-ocular distance; r with the
driver's and with the target's own mouth. Pose: by the bony points of the face, followed from each frame of the target
into the result by optical flow, as the tracker turns a face a little with every syllable. Outline and lips: how far
points of the upper face oval, or of the lips, are from a straight line over three frames, in the frames in which the
driver's mouth hardly moves, as a ratio to the target's own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from quality import cut, motions, psnr, track

import memegen
from memegen.face.cropping import points_box
from memegen.face.topology import FACE_OVAL, LIPS, RIGID

UPPER = [*FACE_OVAL[:8], *FACE_OVAL[-7:]]  # of the oval, from ear to ear over the forehead
PAIRS = (
    ("grid/bbaf2n.mpg", "grid/swiz3n.mpg"),
    ("grid/bbaf2n.mpg", "grid/brbk7n.mpg"),
    ("grid/bbaf2n.mpg", "grid/lrwp9a.mpg"),
    ("grid/bbaf2n.mpg", "grid/lwbsza.mpg"),
    ("local-only/s18.mp4", "local-only/d6.mp4"),
    ("local-only/s32.mp4", "local-only/d6.mp4"),
    ("local-only/s18.mp4", "local-only/d11.mp4"),
    ("local-only/s32.mp4", "local-only/d11.mp4"),
)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two signals."""
    return float(np.corrcoef(a, b)[0, 1])


def tremble(landmarks: np.ndarray, points: list[int], frames: np.ndarray) -> float:
    """How far points are from a straight line over three frames, over the inter-ocular distance; the median of some."""
    xy = landmarks[:, points, :2]
    eyes = np.linalg.norm(landmarks[:, 33, :2] - landmarks[:, 263, :2], axis=1).mean()
    return float(np.median(np.linalg.norm(np.diff(xy, 2, axis=0), axis=2)[frames[1:-1]]) / eyes)


def at_rest(landmarks: np.ndarray) -> np.ndarray:
    """The half of the frames (N,) in which the mouth moves least."""
    speed = np.abs(np.gradient(motions(landmarks)["mouth"]))
    return speed <= np.median(speed)


def carried(target: memegen.Video, frames: list[np.ndarray], landmarks: np.ndarray) -> np.ndarray:
    """The target's landmarks (N, 478, 3) with its bony points where the optical flow finds them in the result."""
    found = landmarks.copy()
    for frame, result, mesh in zip(target.frames(), frames, found, strict=False):
        before, after = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (frame, result))
        points = mesh[RIGID, :2].astype(np.float32)
        mesh[RIGID, :2] = cv2.calcOpticalFlowPyrLK(before, after, points, None, winSize=(13, 13), maxLevel=1)[0]
    return found


def changed(target: memegen.Video, driver: memegen.Video, part: str) -> tuple[list[np.ndarray], float]:
    """What the mesh engine draws, and frames a second with their encoding, without the analysis."""
    frames = memegen.load_animator("mesh", part=part, ending="cut").animate(target, driver)
    drawn = [next(frames)]
    begun = time.perf_counter()

    def rest() -> Iterator[np.ndarray]:
        for frame in frames:
            drawn.append(frame)
            yield frame

    with tempfile.TemporaryDirectory(prefix="memegen-") as name:
        memegen.write_video(Path(name, "clip.mp4"), rest(), fps=target.fps)
    return drawn, (len(drawn) - 1) / (time.perf_counter() - begun)


def follows(target: memegen.Video, driver: memegen.Video, part: str) -> dict[str, float]:
    """Measure one pair."""
    drawn, speed = changed(target, driver, part)
    theirs = track(replace(driver, fps=target.fps, duration=len(drawn) / float(target.fps)).frames())
    own, ours = track(replace(target, duration=len(drawn) / float(target.fps)).frames()), track(iter(drawn))
    a, b, c = (motions(one) for one in (theirs, own, ours))
    still = at_rest(theirs)
    held = motions(carried(target, drawn, own))
    return {
        "r driver": correlation(a["mouth"], c["mouth"]),
        "gain": float(c["mouth"].std() / a["mouth"].std()),
        "r own": correlation(b["mouth"], c["mouth"]),
        "own and driver": correlation(a["mouth"], b["mouth"]),
        "blink": correlation(a["blink"], c["blink"]),
        **{name: correlation(b[name], held[name]) for name in ("yaw", "roll", "pitch")},
        "outline": tremble(ours, UPPER, still) / tremble(own, UPPER, still),
        "lips": tremble(ours, LIPS, still) / tremble(own, LIPS, still),
        "fps": speed,
    }


def itself(target: memegen.Video) -> dict[str, float]:
    """Measure a target that is driven by itself."""
    drawn, _ = changed(target, target, "face")
    own, ours = track(target.frames()), track(iter(drawn))
    inside, outside = [], 0.0
    for frame, result, mesh in zip(target.frames(), drawn, own, strict=True):
        face = cut(frame, points_box(mesh))
        inside.append(psnr(frame[face], result[face]))
        far = np.ones(frame.shape[:2], bool)
        far[cut(frame, points_box(mesh).scaled(1.75))] = False
        outside = max(outside, float(np.abs(result.astype(int) - frame)[far].max(initial=0)))
    a, b = motions(own), motions(ours)
    return {"mouth r": correlation(a["mouth"], b["mouth"]), "least PSNR": min(inside), "most outside": outside}


def shut(target: memegen.Video) -> dict[str, float]:
    """Measure a driver that keeps its mouth shut: one frame of the target itself at rest, held."""
    meshes = track(target.frames())
    mouth = motions(meshes)["mouth"]
    start = float(target.start + int(mouth[:-1].argmin()) / target.fps)
    still = next(replace(target, start=start, duration=float(2 / target.fps)).frames())
    with tempfile.TemporaryDirectory(prefix="memegen-") as name:
        held = memegen.write_video(Path(name, "still.mp4"), [still] * target.frame_count, fps=target.fps)
        drawn, _ = changed(target, held, "face")
    landmarks = track(iter(drawn))
    ours, every = motions(landmarks)["mouth"], np.ones(len(drawn), bool)
    return {
        "most": float(ours.max()),
        "least of its own": float(mouth.min()),
        "most of its own": float(mouth.max()),
        "r own": correlation(ours, mouth),
        "slope": float(np.polyfit(mouth, ours, 1)[0]),
        "outline": tremble(landmarks, UPPER, every) / tremble(meshes, UPPER, every),
        "lips": tremble(landmarks, LIPS, every) / tremble(meshes, LIPS, every),
    }


def shown(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", type=Path)
    media = parser.parse_args().media
    for clip in dict.fromkeys(target for target, _ in PAIRS):
        target = memegen.open_video(media / clip)
        print(f"{clip} by itself: {shown(itself(target))}")
        print(f"{clip} by a shut mouth: {shown(shut(target))}", flush=True)
    for clip, driver in PAIRS:
        for part in ("mouth", "face", "head"):
            found = follows(memegen.open_video(media / clip), memegen.open_video(media / driver), part)
            print(f"{clip} + {driver}, {part}: {shown(found)}", flush=True)


if __name__ == "__main__":
    main()
