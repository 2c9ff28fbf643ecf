"""How fast is the whole pipeline, decode to finished mp4, and does its memory grow with the clip?

speed.py [--runs N]

Each run is a fresh process that makes a clip with `memegen make` from the bundled portrait and template. Frames per
second are over the whole run, Python's start included; the load of others on the machine is printed beside them.
Memory is the peak resident set of that process; ffmpeg, which it starts, stays near 80 MB whatever the length.
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


def run(photo: Path, clip: Path, out: Path) -> tuple[float, float]:
    """Make one clip in a process of its own: seconds, and its peak memory in MB."""
    command = [sys.executable, "-c", PROGRAM, str(photo), str(clip), str(out)]
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
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
    template = memegen.load_template("daisy-bell")
    clip = memegen.open_video(template.local_path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = photos(folder)
        print(f"| photo | frames/s, median of {runs} | all runs | load before |\n|---|---|---|---|")
        for size, photo in pictures.items():
            load = os.getloadavg()[0]
            times = [run(photo, template.local_path, folder / "speed.mp4")[0] for _ in range(runs)]
            rates = [clip.frame_count / seconds for seconds in times]
            print(f"| {size} | {statistics.median(rates):.1f} | {', '.join(f'{r:.1f}' for r in rates)} | {load:.1f} |")
        print("\n| clip | peak memory, MB |\n|---|---|")
        for seconds in (6, 60):
            driver = folder / f"{seconds}.mp4"
            memegen.write_video(driver, islice(looped(clip), round(seconds * clip.fps)), fps=clip.fps)
            peak = run(pictures["512 x 512"], driver, folder / "memory.mp4")[1]
            print(f"| {seconds} s | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
