"""Which marks are left after what platforms and people do to a clip?

marks.py [--pictures FOLDER]

A meme of three seconds is made as usual, signed, and given the treatments of watermark.py and four more; `inspect` then
says what it finds. With --pictures a frame of each is kept there, to see what became of the visible label.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import cv2
from watermark import TREATMENTS, ffmpeg, treat

import memegen
from memegen.base.downloads import asset
from memegen.media.video import open_video


def copies(meme: Path, folder: Path) -> dict[str, Path]:
    """What can be done to a file beside encoding it again, by name."""
    made = {
        name: folder / f"copy-{number}.mp4" for number, name in enumerate(("copied", "one byte flipped", "remuxed"))
    }
    shutil.copyfile(meme, made["copied"])
    data = bytearray(meme.read_bytes())
    data[data.index(b"mdat") + 5000] ^= 1
    made["one byte flipped"].write_bytes(data)
    ffmpeg("-i", meme, "-c", "copy", made["remuxed"])
    made["a still of it, PNG"] = folder / "still.png"
    ffmpeg("-ss", "1", "-i", meme, "-frames:v", "1", made["a still of it, PNG"])
    return made


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    print("| treatment | XMP | comment | Content Credentials | invisible mark |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        meme = memegen.make_meme(
            asset("portrait.jpg"), "daisy-bell", out=folder / "meme.mp4", start=1.0, duration=3.0, format="square"
        ).path
        files = copies(meme, folder)
        for treatment in TREATMENTS:
            result = treat(meme, treatment, folder)
            files[treatment.name] = result.rename(folder / f"{len(files)}{result.suffix}")
        for number, (what, file) in enumerate(files.items()):
            report = memegen.inspect(file)
            found = report.metadata
            marks = [found.source_type, found.comment and "memegen" in found.comment, None, report.template]
            cells = ["yes" if mark else "-" for mark in marks]
            cells[2] = report.credentials.state
            print(f"| {what} | {' | '.join(cells)} |", flush=True)
            if options.pictures and file.suffix != ".png" and what != "one byte flipped":
                frame = next(open_video(file).frames())
                cv2.imwrite(str(options.pictures / f"{number:02}.png"), frame[..., ::-1])


if __name__ == "__main__":
    main()
