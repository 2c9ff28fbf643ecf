"""Make the README's pictures with the project itself: make_pictures.py (writes beside this file).

Those of the form are made by benchmarks/form.py --screenshots FOLDER.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

import memegen
from memegen.base.downloads import asset

HERE = Path(__file__).parent
SPAN = (1.0, 5.0)  # seconds of the song
SIDE = 320  # pixels of each panel
GALLERY: dict[str, dict[str, Any]] = {
    "vertical": {"top": "when the tests", "bottom": "pass at last", "subtitles": True, "format": "vertical"},
    "side-by-side": {"side_by_side": True, "subtitles": True, "format": "horizontal"},
    "everybody": {"face": "all"},
    "sticker": {"format": "sticker", "framing": "face", "cutout": True, "bottom": "歌って 😂"},
}


def panel(frame: np.ndarray) -> np.ndarray:
    """The upper square of a frame, SIDE pixels wide."""
    side = min(frame.shape[:2])
    left = (frame.shape[1] - side) // 2
    return cv2.resize(frame[:side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def pair() -> np.ndarray:
    """A photo of two: the portrait, and the drawn singer beside it."""
    singer = next(memegen.open_video(memegen.load_template("daisy-bell").local_path).frames())
    left, right = memegen.read_image(asset("portrait.jpg")), cv2.resize(singer, (600, 600))
    return np.hstack([left, right[:, 44:556]])


def main() -> None:
    """Write daisy-bell.webp (driver and result, moving), daisy-bell.jpg (stills), birthday.webp and the gallery."""
    template = memegen.load_template("daisy-bell")
    span = {"start": SPAN[0], "duration": SPAN[1] - SPAN[0]}
    driving = memegen.open_video(template.local_path, **span)
    meme = memegen.make_meme(asset("portrait.jpg"), "daisy-bell", **span)
    pairs = [
        np.hstack([panel(theirs), panel(ours)])
        for number, (theirs, ours) in enumerate(zip(driving.frames(), meme.frames(), strict=True))
        if number % 2 == 0
    ]
    first, *rest = map(Image.fromarray, pairs)
    first.save(HERE / "daisy-bell.webp", save_all=True, append_images=rest, duration=80, loop=0, quality=70, method=4)
    stills = [panel(ours)[:, 50:-50] for ours in meme.frames()]
    sheet = np.hstack([stills[round(at)] for at in np.linspace(4, len(stills) - 4, 5)])
    Image.fromarray(sheet).save(HERE / "daisy-bell.jpg", quality=88)
    words = {"start": 6.4, "duration": 3.4, "subtitles": True, "max_size": "400kB"}
    memegen.make_meme(asset("portrait.jpg"), "happy-birthday", out=HERE / "birthday.webp", name="Grace", **words)
    for name, words in GALLERY.items():
        photo = pair() if name == "everybody" else asset("portrait.jpg")
        memegen.make_meme(photo, "daisy-bell", out=HERE / f"{name}.webp", max_size="400kB", **span, **words)


if __name__ == "__main__":
    main()
