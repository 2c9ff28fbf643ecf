"""Renders the clip, and beside it its lyrics: `python make.py OUTPUT.mp4`."""

import argparse
import multiprocessing
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from memegen.media.video import write_video

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from daisy_bell.figure import picture
from daisy_bell.performance import poses
from daisy_bell.score import FPS, lyrics
from daisy_bell.voice import SAMPLE_RATE, song


def frames() -> Iterator[Any]:
    """Every frame in order, drawn by all processors."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(picture, poses(), chunksize=4)


def write_sound(path: Path) -> None:
    """The song as 16-bit stereo."""
    samples = np.round(song() * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.tobytes())


def main() -> None:
    """Write the clip and its lyrics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "song.wav"
        write_sound(sound)
        write_video(output, frames(), fps=FPS, audio=sound)
    output.with_suffix(".lrc").write_text(lyrics(), encoding="utf-8")
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
