"""How well does a face in another video follow its driver, and what is left of its own expression?

targets.py MEDIA

MEDIA is a folder as for quality.py. Everything is drawn by the mesh engine, written as mp4 without label and hidden
mark, and tracked again without smoothing. Mouth: the gap of the lips over the inter-ocular distance; r with the
driver's and with the target's own mouth. Outline: mean distance of the face
oval's points from a straight line over three frames, over the inter-ocular distance, as a ratio to the target's own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from quality import cut, motions, psnr, track

import memegen
from memegen.face.cropping import points_box
from memegen.face.topology import FACE_OVAL, LIPS

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


def tremble(landmarks: np.ndarray, points: list[int]) -> float:
    """How far points are from a straight line over three frames, over the inter-ocular distance; the median."""
    xy = landmarks[:, points, :2]
    eyes = np.linalg.norm(landmarks[:, 33, :2] - landmarks[:, 263, :2], axis=1).mean()
    return float(np.median(np.linalg.norm(np.diff(xy, 2, axis=0), axis=2)) / eyes)


def changed(target: memegen.Video, driver: memegen.Video, part: str, out: Path) -> tuple[memegen.Video, float]:
    """What the mesh engine draws, and frames a second without the time of the analysis."""
    frames = memegen.load_animator("mesh", part=part, ending="cut").animate(target, driver)
    first = next(frames)
    begun = time.perf_counter()

    def rest() -> object:
        yield first
        yield from frames

    made = memegen.write_video(out, rest(), fps=target.fps)  # type: ignore[arg-type]
    return made, made.frame_count / (time.perf_counter() - begun)


def follows(target: memegen.Video, driver: memegen.Video, part: str, out: Path) -> dict[str, float]:
    """Measure one pair."""
    made, speed = changed(target, driver, part, out)
    theirs = track(replace(driver, fps=target.fps, duration=made.duration).frames())
    own, ours = track(replace(target, duration=made.duration).frames()), track(made.frames())
    count = min(map(len, (theirs, own, ours)))
    a, b, c = (motions(one[:count]) for one in (theirs, own, ours))
    return {
        "r driver": correlation(a["mouth"], c["mouth"]),
        "gain": float(c["mouth"].std() / a["mouth"].std()),
        "r own": correlation(b["mouth"], c["mouth"]),
        "own and driver": correlation(a["mouth"], b["mouth"]),
        "blink": correlation(a["blink"], c["blink"]),
        "yaw": correlation(b["flat yaw"], c["flat yaw"]),
        "roll": correlation(b["flat roll"], c["flat roll"]),
        "pitch": correlation(b["flat pitch"], c["flat pitch"]),
        "outline": tremble(ours, FACE_OVAL) / tremble(own, FACE_OVAL),
        "lips": tremble(ours, LIPS) / tremble(own, LIPS),
        "fps": speed,
    }


def itself(target: memegen.Video, out: Path) -> dict[str, float]:
    """Measure a target that is driven by itself."""
    made, _ = changed(target, target, "face", out)
    own, ours = track(target.frames()), track(made.frames())
    inside, outside = [], []
    for frame, result, mesh in zip(target.frames(), made.frames(), own, strict=True):
        face = cut(frame, points_box(mesh))
        inside.append(psnr(frame[face], result[face]))
        far = np.ones(frame.shape[:2], bool)
        far[cut(frame, points_box(mesh).scaled(2.2))] = False
        outside.append(float(np.abs(result.astype(int) - frame)[far].mean()) if far.any() else 0.0)
    a, b = motions(own), motions(ours)
    return {"mouth r": correlation(a["mouth"], b["mouth"]), "PSNR": min(inside), "outside": max(outside)}


def shut(target: memegen.Video, folder: Path) -> dict[str, float]:
    """Measure a driver that keeps its mouth shut: one frame of the target itself at rest, held."""
    meshes = track(target.frames())
    mouth = motions(meshes)["mouth"]
    number = int(mouth.argmin())
    still = next(
        replace(target, start=float(target.start + number / target.fps), duration=float(2 / target.fps)).frames()
    )
    held = memegen.write_video(folder / "still.mp4", [still] * target.frame_count, fps=target.fps)
    made, _ = changed(target, held, "face", folder / "shut.mp4")
    ours = motions(track(made.frames()))["mouth"]
    quiet = tremble(track(made.frames()), LIPS) / tremble(meshes, LIPS)
    return {
        "95 %": float(np.percentile(ours, 95)),
        "most": ours.max(),
        "own": mouth.max(),
        "r": correlation(ours, mouth),
        "lips": quiet,
    }


def shown(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", type=Path)
    media = parser.parse_args().media
    with tempfile.TemporaryDirectory(prefix="memegen-") as name:
        folder = Path(name)
        for clip in dict.fromkeys(target for target, _ in PAIRS):
            target = memegen.open_video(media / clip)
            print(f"{clip} by itself: {shown(itself(target, folder / 'self.mp4'))}")
            print(f"{clip} by a shut mouth: {shown(shut(target, folder))}")
        for clip, driver in PAIRS:
            for part in ("mouth", "face", "head"):
                found = follows(
                    memegen.open_video(media / clip), memegen.open_video(media / driver), part, folder / "pair.mp4"
                )
                print(f"{clip} + {driver}, {part}: {shown(found)}", flush=True)


if __name__ == "__main__":
    main()
