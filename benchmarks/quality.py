"""How well does a result follow its driver, and what does it do to the photo?

quality.py MEDIA [--sheet OUT.png]

MEDIA is a folder with `grid/*.mpg` (clips of the GRID corpus) and `local-only/` (the Baka Mitai clip, a speech clip, a
portrait, and a recording of what the original networks made of the two). Results are written by the whole pipeline as
mp4, decoded again, and their landmarks tracked anew, without smoothing.

Motions: mouth and blink are gaps between lips and lids over the inter-ocular distance (outer eye corners), yaw and
pitch the nose tip's place between the eyes and under them, roll the tilt of the eyes. r is the correlation with the
driver's motion, gain the ratio of the spreads.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

import memegen
from memegen.face.cropping import FaceBox
from memegen.face.detection import mesh_box
from memegen.face.tracking import track_face

MOTIONS = ("mouth", "blink", "yaw", "roll", "pitch")


def motions(landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """Five signals (N,) from landmarks (N, 468, 3)."""
    xy = landmarks[..., :2]
    eyes = np.linalg.norm(xy[:, 33] - xy[:, 263], axis=1)

    def gap(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(xy[:, a] - xy[:, b], axis=1) / eyes

    return {
        "mouth": gap(13, 14),
        "blink": gap(159, 145) + gap(386, 374),
        "yaw": (xy[:, 1, 0] - xy[:, 33, 0]) / (xy[:, 263, 0] - xy[:, 33, 0]),
        "roll": np.arctan2(xy[:, 263, 1] - xy[:, 33, 1], xy[:, 263, 0] - xy[:, 33, 0]),
        "pitch": (xy[:, 1, 1] - xy[:, 168, 1]) / eyes,
    }


def track(frames: Iterator[np.ndarray]) -> np.ndarray:
    """Landmarks (N, 468, 3), pixels."""
    return np.stack(track_face(frames, smooth=False).landmarks)


def noise(signal: np.ndarray) -> float:
    """The tracker's noise in a signal: what a straight line over three frames does not explain."""
    return float(np.std(np.diff(signal, 2)) / np.sqrt(6))


def follows(driver: np.ndarray, result: np.ndarray) -> dict[str, tuple[float, float, bool]]:
    """For each motion r, gain, and whether the driver's own variation is three times the noise."""
    a, b = motions(driver), motions(result)
    return {
        name: (
            float(np.corrcoef(a[name], b[name])[0, 1]),
            float(b[name].std() / a[name].std()),
            bool(a[name].std() >= 3 * noise(a[name])),
        )
        for name in MOTIONS
    }


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 pictures."""
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9)))


def sharpness(frame: np.ndarray) -> float:
    """Variance of the Laplacian at 256 x 256."""
    small = cv2.resize(frame, (256, 256), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def cut(frame: np.ndarray, box: FaceBox) -> tuple[slice, slice]:
    """The box as an index into the frame."""
    inside = box.clip(frame.shape[1], frame.shape[0])
    return np.s_[round(inside.top) : round(inside.bottom), round(inside.left) : round(inside.right)]


def reenact(clip: Path, folder: Path) -> str:
    """One row of the self-reenactment table: the clip's first frame driven by the clip."""
    driving = memegen.open_video(clip)
    photo = next(driving.frames())
    made = memegen.make_meme(photo, clip, out=folder / f"{clip.stem}.mp4", mute=True)
    theirs, ours = track(driving.frames()), track(made.frames())
    eyes = np.linalg.norm(theirs[0, 33, :2] - theirs[0, 263, :2])
    error = np.linalg.norm(theirs[..., :2] - ours[..., :2], axis=2).mean() / eyes
    still = np.linalg.norm(theirs[..., :2] - theirs[:1, :, :2], axis=2).mean() / eyes
    inside, inside_still, outside = [], [], []
    for frame, result, a, b in zip(driving.frames(), made.frames(), theirs, ours, strict=True):
        face = cut(frame, mesh_box(a))
        inside.append(psnr(frame[face], result[face]))
        inside_still.append(psnr(frame[face], photo[face]))
        far = np.ones(photo.shape[:2], bool)
        far[cut(frame, mesh_box(theirs[0]).union(mesh_box(b)).scaled(2))] = False
        if far.any():
            outside.append(np.abs(result.astype(int) - photo)[far].mean())
    marks = [f"{r:.3f}" if clear else f"({r:.2f})" for r, _, clear in (follows(theirs, ours)[m] for m in MOTIONS[:3])]
    return (
        f"| {clip.stem} | {error:.4f} | {still:.3f} | {' | '.join(marks)} | "
        f"{np.mean(inside):.1f} / {np.mean(inside_still):.1f} | {np.mean(outside) if outside else np.nan:.2f} |"
    )


def recorded(clip: Path) -> Iterator[np.ndarray]:
    """The generated panel of a recording of the original demo."""
    for frame in memegen.open_video(clip).frames():
        yield np.ascontiguousarray(frame[106:324, 558:774])


def cross(local: Path, folder: Path) -> list[str]:
    """Rows of the cross-identity table: a portrait driven by somebody else."""
    photo, clip = local / "images_01.png", local / "fomm_04_alexcdot.mp4"
    made = memegen.make_meme(photo, clip, out=folder / "cross.mp4", mute=True)
    driver = track(memegen.open_video(clip).frames())
    source = sharpness(memegen.read_image(photo))
    rows = []
    for name, frames in (
        ("the original networks (recording)", lambda: recorded(local / "vox_cpk_relative.mp4")),
        ("mesh engine", made.frames),
    ):
        result = track(frames())
        values = follows(driver, result)
        sharp = np.median([sharpness(frame) for frame in frames()]) / source
        cells = " | ".join(f"{values[m][0]:.3f} ({values[m][1]:.2f})" for m in MOTIONS)
        rows.append(f"| {name} | {cells} | {sharp:.2f} |")
    return rows


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    media = parser.parse_args().media
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| clip | error / eyes | still | mouth r | blink r | yaw r | PSNR face / still, dB | outside, levels |")
        print("|---|---|---|---|---|---|---|---|")
        for clip in [*sorted((media / "grid").glob("*.mpg")), media / "local-only" / "damedane_fuoum.mp4"]:
            print(reenact(clip, folder), flush=True)
        print("\n| engine | mouth r (gain) | blink | yaw | roll | pitch | sharpness |\n|---|---|---|---|---|---|---|")
        print("\n".join(cross(media / "local-only", folder)))


if __name__ == "__main__":
    main()
