"""What does it cost when everybody in a photo sings, and what to put a square back into a photo?

everyone.py [--runs N] [--seconds S]

A group photo of eight people, 1280 x 720, is made of the bundled portrait: mirrored, scaled, each in its own light.
Each run is a fresh process that makes a clip of the bundled template, sound and all, with one face of the group, with
all eight, and with one portrait of the same size; the three take turns. Wall clock, and processor seconds of the
process and its ffmpeg, which say more on a machine that others use too. Paste back is timed alone, at 512 pixels.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import memegen
from memegen.base.downloads import asset
from memegen.face.cropping import FaceBox, crop_face
from memegen.fomm.paste_back import PasteBack

SIZE = (1280, 720)
PROGRAM = """
import os, sys
import memegen
photo, out, face, seconds = sys.argv[1:]
memegen.make_meme(photo, out=out, duration=float(seconds), engine=memegen.load_animator("mesh", face=eval(face)))
print(sum(os.times()[:4]))
"""


def group(portrait: np.ndarray) -> np.ndarray:
    """Eight people in two rows, uint8 RGB 720 x 1280."""
    light = np.random.default_rng(0)
    rows = []
    for row in range(2):
        tiles = []
        for column in range(4):
            tile = portrait[:, ::-1] if (row + column) % 2 else portrait
            tile = np.clip(tile * light.uniform(0.8, 1.15, 3) + light.uniform(-15, 15), 0, 255).astype(np.uint8)
            scale = light.uniform(0.63, 0.69)
            small = cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            tiles.append(small[5:365, :320])
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


def single(portrait: np.ndarray) -> np.ndarray:
    """One portrait of the same size, its sides mirrored."""
    tall = cv2.resize(portrait, (614, 720), interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(tall, 0, 0, 333, 333, cv2.BORDER_REFLECT)


def run(photo: Path, face: str, seconds: float) -> tuple[float, float]:
    """Make one clip in a process of its own: wall clock and processor seconds."""
    out = photo.with_suffix(".mp4")
    begun = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM, str(photo), str(out), face, str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - begun, float(done.stdout.split()[-1])


def paste_back(portrait: np.ndarray) -> list[float]:
    """Milliseconds of putting a moved 256 pixel square back as one of 512, wall clock."""
    photo = cv2.resize(portrait, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    box = FaceBox(130, 80, 642, 592)
    still = crop_face(photo, box, margin=0)
    moved = crop_face(photo, box.moved(4, -3), margin=0)
    paste, picture, times = PasteBack(photo, box, still), photo.copy(), []
    for _ in range(40):
        begun = time.perf_counter()
        paste.onto(picture, moved)
        times.append(1000 * (time.perf_counter() - begun))
    return times


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    portrait = memegen.read_image(asset("portrait.jpg"))
    with tempfile.TemporaryDirectory() as name:
        many, one = Path(name, "group.png"), Path(name, "one.png")
        Image.fromarray(group(portrait)).save(many)
        Image.fromarray(single(portrait)).save(one)
        cases = {"one of the eight": (many, "0"), "one portrait": (one, "None"), "all eight": (many, "'all'")}
        results: dict[str, list[tuple[float, float]]] = {case: [] for case in cases}
        for _ in range(options.runs):
            for case, (photo, face) in cases.items():
                results[case].append(run(photo, face, options.seconds))
    medians = {
        case: [statistics.median(values) for values in zip(*runs, strict=True)] for case, runs in results.items()
    }
    wall, cpu = medians["all eight"]
    print(
        "| who sings, 1280 x 720 | s, median | processor s | all eight take | in processor s |\n|---|---|---|---|---|"
    )
    for case, (seconds, processor) in medians.items():
        print(f"| {case} | {seconds:.2f} | {processor:.2f} | {wall / seconds:.2f} x | {cpu / processor:.2f} x |")
    times = paste_back(portrait)
    print(f"\nPaste back, 512 px: {statistics.median(times):.1f} ms, best {min(times):.1f} ms")


if __name__ == "__main__":
    main()
