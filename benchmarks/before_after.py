"""Compare two versions of memegen: the time of whole commands, in turn.

before_after.py BEFORE [--runs N] [--only WORDS]

BEFORE is a checkout of the other version; both run with this Python. Each command is a fresh process and makes a clip
of the bundled portrait. "First" runs have an empty cache; "again" finds there what a run before has kept. The two
versions take turns, so that other work on the machine slows both alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from speed import photos

import memegen

AFTER = Path(__file__).resolve().parents[1]
CASES = {  # by name: the arguments, in which {square} and {wide} are photos, {clip} and {out} are clips
    "demo, first": "demo -o {out}",
    "512 x 512, first": "make {square} {clip} -o {out}",
    "512 x 512, again": "make {square} {clip} -o {out}",
    "1920 x 1080, again": "make {wide} {clip} -o {out}",
    "tiny fomm, 3 s, again": "make {square} {clip} -o {out} --engine tiny --duration 3",
    "vertical with captions, again": "make {square} daisy-bell -o {out} --format vertical --top HELLO --subtitles",
    "GIF of 5 s under 2 MB, again": "make {square} {clip} -o {out}.gif --duration 5 --max-size 2MB",
    **{f"under {size}, again": f"make {{square}} {{clip}} -o {{out}} --max-size {size}" for size in ("500kB", "120kB")},
    "templates, again": "templates",
}


def run(version: Path, words: list[str], folder: Path, cache: Path) -> tuple[float, float]:
    """Run a command of one version: seconds, and processor seconds."""
    own = {"PYTHONPATH": str(version), "MEMEGEN_CACHE": str(cache), "MEMEGEN_CONFIG": str(folder)}
    begun, used = time.perf_counter(), sum(os.times()[2:4])
    command = [sys.executable, "-m", "memegen", *words]
    subprocess.run(command, cwd=folder, env=os.environ | own, check=True, capture_output=True)
    return time.perf_counter() - begun, sum(os.times()[2:4]) - used


def main() -> None:
    """Print a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="cases with these words in their name")
    options = parser.parse_args()
    versions = [options.before.resolve(), AFTER]
    clip = memegen.open_video(memegen.load_template("daisy-bell").local_path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = photos(folder)
        copy = memegen.write_video(folder / "copy.mp4", clip.frames(), fps=clip.fps, audio=clip)
        files = {"square": pictures["512 x 512"], "wide": pictures["1920 x 1080"], "clip": copy.path, "out": "out.mp4"}
        print("| what | before, s | after, s | ratio | ratio of processor time |\n|---|---|---|---|---|")
        for case, words in CASES.items():
            if options.only not in case:
                continue
            command = [word.format(**files) for word in words.split()]
            command += ["--i-have-permission"] * (command[0] == "make")
            kept = [folder / "before", folder / "after"]
            if case.endswith("again"):
                for version, cache in zip(versions, kept, strict=True):
                    run(version, command, folder, cache)
            taken: list[list[tuple[float, float]]] = [[], []]
            for turn in range(options.runs):
                for index in (0, 1) if turn % 2 else (1, 0):
                    cache = kept[index] if case.endswith("again") else Path(tempfile.mkdtemp(dir=folder))
                    taken[index].append(run(versions[index], command, folder, cache))
            (old, old_used), (new, new_used) = (map(statistics.median, zip(*each, strict=True)) for each in taken)
            print(f"| {case} | {old:.2f} | {new:.2f} | {new / old:.2f} | {new_used / old_used:.2f} |", flush=True)


if __name__ == "__main__":
    main()
