"""Make the README's pictures with the project itself: make_pictures.py (writes beside this file)."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import memegen
from memegen.downloads import asset

HERE = Path(__file__).parent
SPAN = (1.0, 5.0)  # seconds of the song
SIDE = 320  # pixels of each panel


def panel(frame: np.ndarray) -> np.ndarray:
    """The upper square of a frame, SIDE pixels wide."""
    side = min(frame.shape[:2])
    left = (frame.shape[1] - side) // 2
    return cv2.resize(frame[:side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Write daisy-bell.webp (driver and result, moving) and daisy-bell.jpg (stills of the result)."""
    template = memegen.load_template("daisy-bell")
    driving = memegen.open_video(template.local_path, start=SPAN[0], duration=SPAN[1] - SPAN[0])
    meme = memegen.make_meme(asset("portrait.jpg"), "daisy-bell", start=SPAN[0], duration=SPAN[1] - SPAN[0])
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


if __name__ == "__main__":
    main()
