"""How fast is the whole pipeline, decode to finished mp4, and does its memory grow with the clip?

speed.py [--runs N]

Each run is a fresh process that makes a clip with `memegen make` from the bundled portrait and a copy of the bundled
clip, whose analysis is not bundled. Every first run has an empty cache, so that it analyses the copy; the run after it
finds the analysis there. Python's bytecode is there before the first, as it is once memegen is installed. Frames per
second are over the whole run, Python's start included; the load of others on the machine is printed beside them. Memory
is the peak resident set of that process; ffmpeg, which it starts, stays near 80 MB whatever the length.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import memegen
from memegen.base.downloads import asset


def photos(folder: Path) -> dict[str, Path]:
    """The portrait as a square of 512 and, its sides mirrored, as a wide picture of 1920 x 1080."""
    portrait = memegen.read_image(asset("portrait.jpg"))
    tall = cv2.resize(portrait, (922, 1080), interpolation=cv2.INTER_CUBIC)
    wide = cv2.copyMakeBorder(tall, 0, 0, 499, 499, cv2.BORDER_REFLECT)
    paths = {}
    for name, picture in (("512 x 512", portrait[:512]), ("1920 x 1080", wide)):
        paths[name] = folder / f"{name}.png"
        Image.fromarray(picture).save(paths[name])
    return paths


def looped(video: memegen.Video) -> Iterator[np.ndarray]:
    """The clip's frames, over and over."""
    while True:
        yield from video.frames()


def run(photo: Path, clip: Path, cache: Path) -> tuple[float, float]:
    """Make one clip in a process of its own: seconds, and its peak memory in MB."""
    command = [sys.executable, "-c", PROGRAM, str(photo), str(clip), str(clip.with_name("meme.mp4"))]
    begun = time.perf_counter()
    bytecode = {"PYTHONPYCACHEPREFIX": str(clip.with_name("bytecode")), "PYTHONDONTWRITEBYTECODE": ""}
    environment = os.environ | {"MEMEGEN_CACHE": str(cache)} | bytecode
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - begun, float(done.stdout.split()[-1]) / 1024


PROGRAM = """
import resource, sys
from memegen.cli import main
assert main(["make", sys.argv[1], sys.argv[2], "-o", sys.argv[3]]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    clip = memegen.open_video(memegen.load_template("daisy-bell").local_path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = photos(folder)
        copy = memegen.write_video(folder / "copy.mp4", clip.frames(), fps=clip.fps, audio=clip)
        run(pictures["512 x 512"], copy.path, folder / "cache")  # compiles what it imports
        print(f"| photo | analysis | frames/s, median of {runs} | all runs | load before |\n|---|---|---|---|---|")
        for size, photo in pictures.items():
            load = os.getloadavg()[0]
            caches = [folder / f"cache {size} {number}" for number in range(runs)]
            for kept in ("made", "kept"):
                rates = [clip.frame_count / run(photo, copy.path, cache)[0] for cache in caches]
                each = ", ".join(f"{rate:.1f}" for rate in rates)
                print(f"| {size} | {kept} | {statistics.median(rates):.1f} | {each} | {load:.1f} |", flush=True)
        print("\n| clip | peak memory, MB |\n|---|---|")
        for seconds in (6, 60):
            driver = folder / f"{seconds}.mp4"
            memegen.write_video(driver, islice(looped(clip), round(seconds * clip.fps)), fps=clip.fps)
            peak = run(pictures["512 x 512"], driver, folder / "cache")[1]
            print(f"| {seconds} s | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
