"""Renders the clip, and beside it its lyrics: `python make_singer.py OUTPUT.mp4`."""

import argparse
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from memegen.media.video import write_video
from memegen.singer.acting import perform
from memegen.singer.drawing.figure import draw_singer
from memegen.singer.score import FPS, lyrics
from memegen.singer.voice import SAMPLE_RATE, song


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
        write_video(output, draw_singer(perform(), large=True), fps=FPS, audio=sound)
    output.with_suffix(".lrc").write_text(lyrics(), encoding="utf-8")
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
