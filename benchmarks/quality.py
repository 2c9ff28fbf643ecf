"""How well does a result follow its driver, and what does it do to the photo?

quality.py MEDIA [--pairs]

MEDIA is a folder with `grid/*.mpg` (clips of the GRID corpus) and `local-only/` (the Baka Mitai clip, a speech clip,
portraits, drivers, and a recording of what the original networks made of a portrait and the speech clip). Results are
written as mp4, decoded again, and their landmarks tracked anew, without smoothing. The pairs are made by the whole
pipeline; where pixels are compared, label and hidden mark are left out.

Motions: mouth and blink are gaps between lips and lids over the inter-ocular distance (outer eye corners), gaze the
irises' place between the corners of the eyes, in frames with open eyes. Yaw, pitch and roll are the head's turn from
its middle frame, in its own axes, from all points over bone; "flat" are yaw and pitch by the nose tip's place between
the eyes and under them, and roll by the tilt of the eyes, as seen in the picture: in three-quarter views they mix. Each
is given as r x gain: the correlation with the driver's motion and the ratio of the spreads, in brackets where the
driver's own motion is less than three times the tracker's noise.
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
from memegen.face.detection import detect_faces, face_mesh, mesh_box, pick_face
from memegen.face.performance import study
from memegen.face.pose import fit_pose
from memegen.face.topology import EYE_LIDS, FACE_OVAL, IRISES
from memegen.face.tracking import track_face
from memegen.face.watching import watch
from memegen.mesh.motion import find_reference, retarget

MOTIONS = ("mouth", "blink", "gaze", "yaw", "roll", "pitch")
FLAT = ("flat yaw", "flat roll", "flat pitch")
PAIRS = {"s2.jpg": "d3", "s5.jpg": "d6", "s10.jpg": "d11", "s12.jpg": "d18"}  # photo and driver
OPEN = 0.6  # of the usual opening of the eyes, from which they are open

Signals = dict[str, np.ndarray]


def motions(landmarks: np.ndarray) -> Signals:
    """Signals (N,) from landmarks (N, 478, 3), in the order of MOTIONS and FLAT."""
    xy = landmarks[..., :2]
    eyes = np.linalg.norm(xy[:, 33] - xy[:, 263], axis=1)

    def gap(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(xy[:, a] - xy[:, b], axis=1) / eyes

    gaze = np.zeros(len(xy))
    for (upper, _), iris in zip(EYE_LIDS, IRISES, strict=True):
        ends = xy[:, [upper[0], upper[-1]]]
        left, right = np.take_along_axis(ends, ends[..., :1].argsort(1), 1).transpose(1, 0, 2)
        gaze += ((xy[:, iris[0]] - (left + right) / 2) * (right - left)).sum(1) / ((right - left) ** 2).sum(1) / 2
    turns = [fit_pose(mesh).rotation for mesh in landmarks]
    own = [cv2.Rodrigues(turns[len(turns) // 2].T @ turn)[0].ravel() for turn in turns]
    pitch, yaw, roll = np.array(own).T
    return {
        "mouth": gap(13, 14),
        "blink": gap(159, 145) + gap(386, 374),
        "gaze": gaze,
        "yaw": yaw,
        "roll": roll,
        "pitch": pitch,
        "flat yaw": (xy[:, 1, 0] - xy[:, 33, 0]) / (xy[:, 263, 0] - xy[:, 33, 0]),
        "flat roll": np.arctan2(xy[:, 263, 1] - xy[:, 33, 1], xy[:, 263, 0] - xy[:, 33, 0]),
        "flat pitch": (xy[:, 1, 1] - xy[:, 168, 1]) / eyes,
    }


def track(frames: Iterator[np.ndarray]) -> np.ndarray:
    """Landmarks (N, 478, 3), pixels."""
    return np.stack(track_face(frames, smooth=False).landmarks)


def noise(signal: np.ndarray) -> float:
    """The tracker's noise in a signal: what a straight line over three frames does not explain."""
    return float(np.std(np.diff(signal, 2)) / np.sqrt(6))


def follows(driver: np.ndarray, result: np.ndarray) -> dict[str, tuple[float, float, bool]]:
    """For each motion r, gain, and whether the driver's own variation is three times the noise."""
    a, b = motions(driver), motions(result)
    seen = a["blink"] > OPEN * np.percentile(a["blink"], 85)
    found = {}
    for name, signal in a.items():
        frames = seen if name == "gaze" else slice(None)
        mine, theirs = b[name][frames], signal[frames]
        clear = bool(theirs.std() >= 3 * noise(signal))
        found[name] = float(np.corrcoef(theirs, mine)[0, 1]), float(mine.std() / theirs.std()), clear
    return found


def cells(values: dict[str, tuple[float, float, bool]], names: tuple[str, ...]) -> str:
    """Format r and gain of some motions as a row of a table."""
    texts = [f"{values[name][0]:.2f} x {values[name][1]:.2f}" for name in names]
    return " | ".join(text if values[name][2] else f"({text})" for name, text in zip(names, texts, strict=True))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 pictures."""
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9)))


def sharpness(frame: np.ndarray, landmarks: np.ndarray) -> float:
    """Variance of the Laplacian inside the face's oval, at a width of 128 pixels; no label reaches there."""
    scale = 128 / float(np.ptp(landmarks[FACE_OVAL, 0]))
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    oval = cv2.fillPoly(np.zeros(small.shape[:2], np.uint8), [(landmarks[FACE_OVAL, :2] * scale).astype(np.int32)], 1)
    return float(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.CV_64F)[oval > 0].var())


def cut(frame: np.ndarray, box: FaceBox) -> tuple[slice, slice]:
    """The box as an index into the frame."""
    inside = box.clip(frame.shape[1], frame.shape[0])
    return np.s_[round(inside.top) : round(inside.bottom), round(inside.left) : round(inside.right)]


def unmarked(photo: np.ndarray, driving: memegen.Video, out: Path) -> memegen.Video:
    """What the mesh engine draws, written as mp4 without the label and the hidden mark, whose pixels would count."""
    return memegen.write_video(out, memegen.load_animator("mesh").animate(photo, driving), fps=driving.fps)


def reenact(clip: Path, folder: Path) -> str:
    """One row of the self-reenactment table: the clip's first frame driven by the clip."""
    driving = memegen.open_video(clip)
    photo = next(driving.frames())
    made = unmarked(photo, driving, folder / f"{clip.stem}.mp4")
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
    marks = [
        f"{r:.3f}" if clear else f"({r:.2f})"
        for r, _, clear in (follows(theirs, ours)[m] for m in ("mouth", "blink", "flat yaw"))
    ]
    return (
        f"| {clip.stem} | {error:.4f} | {still:.3f} | {' | '.join(marks)} | "
        f"{np.mean(inside):.1f} / {np.mean(inside_still):.1f} | {np.mean(outside) if outside else np.nan:.2f} |"
    )


def mesh_of(photo: np.ndarray) -> np.ndarray:
    """Landmarks (478, 3) of a photo's largest face."""
    return face_mesh(photo, pick_face(detect_faces(photo)))


def asked(photo: np.ndarray, clip: memegen.Video) -> np.ndarray:
    """Where the engine puts the photo's landmarks, (N, 478, 3) pixels, before anything is drawn."""
    landmarks, performance = mesh_of(photo), study(watch(clip, None).landmarks)
    reference = find_reference(landmarks, performance)
    moves = zip(performance.landmarks, performance.gaze, strict=True)
    return np.stack([retarget(landmarks, x, reference, expression=1, motion=1, gaze=gaze) for x, gaze in moves])


def pair(photo_file: Path, clip_file: Path, folder: Path) -> dict[str, dict[str, tuple[float, float, bool]]]:
    """What a photo driven by somebody else shows of the driver: as read from the result, as asked, as read of that."""
    photo, clip = memegen.read_image(photo_file), memegen.open_video(clip_file)
    made = memegen.make_meme(photo, clip_file, out=folder / f"{photo_file.stem}.mp4", mute=True)
    wanted, driver, result = asked(photo, clip), track(clip.frames()), track(made.frames(max_side=900))
    kept = min(len(driver), len(result))
    driver, wanted, result = driver[:kept], wanted[:kept], result[:kept]
    return {"read": follows(driver, result), "asked": follows(driver, wanted), "tracker": follows(wanted, result)}


def pairs(local: Path, folder: Path) -> Iterator[str]:
    """Lines of the tables of all pairs, with medians and the worst."""
    found = {f"{p} + {d}": pair(local / p, local / f"{d}.mp4", folder) for p, d in PAIRS.items()}
    for kind, names in (("read", MOTIONS), ("asked", MOTIONS), ("tracker", MOTIONS), ("read", FLAT)):
        yield f"\n| {kind} | {' | '.join(names)} |\n|---|{'---|' * len(names)}"
        for name, values in found.items():
            yield f"| {name} | {cells(values[kind], names)} |"
        clear = {m: [v[kind][m] for v in found.values() if v["read"][m][2]] for m in names}
        for title, pick in (("median", np.median), ("worst", np.min)):
            yield f"| {title} | {' | '.join(f'{pick([r for r, _, _ in clear[m]]):.2f}' for m in names)} |"


def recorded(clip: Path) -> Iterator[np.ndarray]:
    """The generated panel of a recording of the original demo."""
    for frame in memegen.open_video(clip).frames():
        yield np.ascontiguousarray(frame[106:324, 558:774])


def cross(local: Path, folder: Path) -> list[str]:
    """Rows of the cross-identity table: a portrait driven by somebody else."""
    picture, clip = memegen.read_image(local / "images_01.png"), memegen.open_video(local / "fomm_04_alexcdot.mp4")
    made = unmarked(picture, clip, folder / "cross.mp4")
    driver = track(clip.frames())
    source = sharpness(picture, mesh_of(picture))
    rows = []
    for name, frames in (
        ("the original networks (recording)", lambda: recorded(local / "vox_cpk_relative.mp4")),
        ("mesh engine", made.frames),
    ):
        result = track(frames())
        values = follows(driver, result)
        sharp = np.median([sharpness(*shown) for shown in zip(frames(), result, strict=True)]) / source
        rows.append(f"| {name} | {cells(values, (*MOTIONS, *FLAT))} | {sharp:.2f} |")
    return rows


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("--pairs", action="store_true", help="only the pairs of a photo and somebody else's clip")
    options = parser.parse_args()
    local = options.media / "local-only"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for line in pairs(local, folder):
            print(line, flush=True)
        names = " | ".join((*MOTIONS, *FLAT))
        print(f"\n| engine | {names} | sharpness |\n|---|{'---|' * (len(MOTIONS) + len(FLAT) + 1)}")
        print("\n".join(cross(local, folder)), flush=True)
        if options.pairs:
            return
        print("\n| clip | error / eyes | still | mouth r | blink r | yaw r | PSNR face / still, dB | outside, levels |")
        print("|---|---|---|---|---|---|---|---|")
        for clip in [*sorted((options.media / "grid").glob("*.mpg")), local / "damedane_fuoum.mp4"]:
            print(reenact(clip, folder), flush=True)


if __name__ == "__main__":
    main()
