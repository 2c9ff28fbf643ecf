"""How long does a classroom take?

batch.py [--photos N] [--seconds S]

Thirty photos of 512 x 512 pixels are made of the bundled portrait, each turned, scaled and lit in its own way, and sing
ten seconds of the bundled template with `memegen batch`: sound, label and marks as usual.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

import memegen
from memegen.base.downloads import asset

SIDE = 512


def classmate(portrait: np.ndarray, number: int) -> np.ndarray:
    """One of many: uint8 RGB (SIDE, SIDE, 3)."""
    dice = np.random.default_rng(number)
    height, width = portrait.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, 0.4 * height), dice.uniform(-8, 8), dice.uniform(0.8, 1.15))
    turn[:, 2] += [SIDE / 2 - width / 2, SIDE / 2 - 0.45 * height]
    photo = cv2.warpAffine(portrait, turn, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    light = np.clip(photo * dice.uniform(0.8, 1.2, 3) + dice.uniform(-15, 15), 0, 255).astype(np.uint8)
    return light[:, ::-1] if number % 2 else light


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    portrait = memegen.read_image(asset("portrait.jpg"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "class")
        folder.mkdir()
        for number in range(options.photos):
            cv2.imwrite(str(folder / f"{number:02}.png"), classmate(portrait, number)[..., ::-1])
        command = [sys.executable, "-m", "memegen", "batch", str(folder), "daisy-bell", "-o", str(Path(name, "clips"))]
        command += ["--duration", str(options.seconds), "--i-have-permission"]
        begun, used = time.monotonic(), sum(os.times()[2:4])
        done = subprocess.run(
            command, env=os.environ | {"MEMEGEN_CONFIG": name}, capture_output=True, text=True, check=True
        )
        took, used = time.monotonic() - begun, sum(os.times()[2:4]) - used
        print(done.stdout.splitlines()[options.photos])
        print(f"{took:.0f} s, {took / options.photos:.1f} s a photo; {used:.0f} processor seconds")


if __name__ == "__main__":
    main()
