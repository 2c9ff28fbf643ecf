"""How long does composing a frame take? Issue 5 asks for 12 ms at 1080 x 1920 on two cores.

compose_speed.py [--frames N]

The bundled portrait's frames go into every format, with blurred bars, both captions, karaoke lines and the label. The
time is that of the whole stream divided by its frames, all texts set and drawn once beforehand. Beside it stands the
time of all processor cores together, which the load of others, printed above, changes less. The frames lie in memory,
so nothing but composing is measured.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from itertools import islice, repeat

import memegen
from memegen.base.downloads import asset
from memegen.look.compose import Look, compose


def milliseconds(look: Look, count: int) -> tuple[list[float], float]:
    """Compose frames: the milliseconds that each took, over spans of ten, and those of all cores."""
    photo = memegen.read_image(asset("portrait.jpg"))
    lyrics = asset("templates/daisy-bell.lrc")
    stream = compose(repeat(photo), look, photo=photo, fps=25, lyrics=lyrics if look.subtitles else None)
    for _ in islice(stream, 20):  # texts are set at the first frame, lines drawn when they first appear
        pass
    spans, worked = [], time.process_time()
    for _ in range(count // 10):
        begun = time.perf_counter()
        for _ in islice(stream, 10):
            pass
        spans.append(100 * (time.perf_counter() - begun))
    return spans, 1000 * (time.process_time() - worked) / (10 * len(spans))


def main() -> None:
    """Print a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=120, help="a whole line of the song is 120")
    count = parser.parse_args().frames
    texts = {"top": "When the photo", "bottom": "starts singing 😂", "subtitles": True}
    print(f"load before: {os.getloadavg()[0]:.1f}\n")
    print("| format | with | median, ms | best, ms | of all cores, ms |\n|---|---|---|---|---|")
    for name in ("original", "square", "vertical", "horizontal", "sticker"):
        for said, look in (
            ("the label", Look(format=name)),  # type: ignore[arg-type]
            ("label, captions, karaoke", Look(format=name, **texts)),  # type: ignore[arg-type]
        ):
            spans, worked = milliseconds(look, count)
            print(f"| {name} | {said} | {statistics.median(spans):.1f} | {min(spans):.1f} | {worked:.1f} |", flush=True)


if __name__ == "__main__":
    main()
