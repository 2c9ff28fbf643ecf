"""Draws and sings the bundled clips, each with its words beside it: `python make_singer.py [NAME ...]`."""

import sys
import time
from functools import partial
from pathlib import Path

from memegen.singer.drawing.figure import draw_singer
from memegen.singer.options import Singing
from memegen.singer.recording import write_clip
from memegen.singer.tunes import TUNES

LARGE = "daisy-bell"  # the first song and the demo: drawn with 512 pixels a side; the others with 256, to travel light

for name in sys.argv[1:] or TUNES:
    start, clip = time.monotonic(), Path(__file__).with_name(f"{name}.mp4")
    draw = partial(draw_singer, large=name == LARGE)
    write_clip(clip, name, Singing(), draw=draw, max_size=None if name == LARGE else "500kB")
    print(f"{clip}: {clip.stat().st_size / 1e6:.2f} MB in {time.monotonic() - start:.0f} s")
