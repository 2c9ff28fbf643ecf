"""How well does a swap that was trained for some minutes keep faces, follow the body, and hide its seam?

swap.py MEDIA [--minutes 5 | --steps N] [--pictures DIR]

MEDIA has the GRID clips in the folder grid. The first two thirds of each clip train, the last third is kept out. L1 is
the mean error of colours, 0 to 1, of faces drawn again by their own decoder, within the mask. Mouth and eyes are
tracked again in the finished frames, without smoothing. Likeness: r of the swapped face with the mean face of either
person, in grey, both without what all mean faces share. Seam: mean gradient where the mask fades, over the body's own.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from quality import motions, track
from targets import correlation

import memegen
from memegen.swap import FaceSet, Swapper, extract_faces, swap_faces, train_swap
from memegen.swap.conversion import NewFace, draw_faces, mask_in_frame, paste_face
from memegen.swap.faces import cut_face

PAIRS = (("brbk7n", "bbaf2n"), ("swiz3n", "pwij3p"), ("bbaf2n", "lrwp9a"), ("lrwp9a", "lbax4n"))


def split(faces: FaceSet) -> tuple[FaceSet, FaceSet]:
    """The first two thirds, and the rest."""
    count = len(faces) * 2 // 3
    return faces.some(slice(None, count)), faces.some(slice(count, None))


def error(swapper: Swapper, faces: FaceSet, who: int) -> float:
    """L1 of faces drawn again, within the mask."""
    shown = faces.inner(swapper.side)
    drawn = swapper.draw(swapper.encode(shown), who)
    mask = drawn[..., 3:] > 127
    return float((abs(drawn[..., :3].astype(float) - shown) * mask).sum() / mask.sum() / 3 / 255)


def likeness(news: list[NewFace], after: list[np.ndarray], people: tuple[FaceSet, FaceSet]) -> tuple[float, float]:
    """Correlate the mean face of the result with both people's, where it is replaced, without the mean of the two."""
    side = len(news[0].mask)
    inside = np.mean([new.mask for new in news], axis=0) > 0.7

    def mean(pictures: np.ndarray) -> np.ndarray:
        grey = pictures.astype(float).mean((0, 3))[inside]
        return (grey - grey.mean()) / grey.std()

    seen = np.stack([cut_face(frame, new.matrix, side) for frame, new in zip(after, news, strict=True)])
    first, second, ours = mean(people[0].inner(side)), mean(people[1].inner(side)), mean(seen)
    shared = (first + second) / 2
    return correlation(ours - shared, first - shared), correlation(ours - shared, second - shared)


def seam(news: list[NewFace], after: list[np.ndarray]) -> tuple[float, int]:
    """The gradient at the seam over the body's own, and the largest change where the mask is 0."""
    ratios, outside = [], 0
    for new, result in zip(news, after, strict=True):
        mask = mask_in_frame(new)
        grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (new.frame, result)]
        old, now = (np.hypot(cv2.Sobel(one, cv2.CV_32F, 1, 0), cv2.Sobel(one, cv2.CV_32F, 0, 1)) for one in grey)
        ring = (mask > 0.1) & (mask < 0.9)
        if not ring.any():
            continue
        ratios.append(now[ring].mean() / old[ring].mean())
        outside = max(outside, int(cv2.absdiff(new.frame, result)[mask == 0].max()))
    return float(np.mean(ratios)), outside


def pair(names: tuple[str, str], media: Path, options: argparse.Namespace) -> str:
    """Train and convert one pair; a row of the table."""
    files = [media / f"grid/{name}.mpg" for name in names]
    people = tuple(extract_faces(file) for file in files)
    (train_a, kept_a), (train_b, kept_b) = (split(one) for one in people)
    *_, state = train_swap(train_a, train_b, minutes=options.minutes, steps=options.steps)
    swapper, body = state.swapper, memegen.open_video(files[1])
    news = [*draw_faces(swapper, body)]
    after = [paste_face(new) for new in news]
    theirs, mine = motions(track(new.frame for new in news)), motions(track(iter(after)))
    third = slice(len(after) * 2 // 3, None)
    cells = []
    for name in ("mouth", "blink"):
        gain = np.polyfit(theirs[name], mine[name], 1)[0]
        rs = [correlation(theirs[name][part], mine[name][part]) for part in (slice(None), third)]
        cells.append(f"{rs[0]:.2f} x {gain:.2f} | {rs[1]:.2f}")
    near = likeness(news, after, (people[0], people[1]))
    line, outside = seam(news, after)
    if options.pictures:
        save(options.pictures, names, state.preview(), news, after)
    errors = f"{error(swapper, kept_a, 0):.4f} | {error(swapper, kept_b, 1):.4f}"
    follows = " | ".join(cells)
    return (
        f"| {names[0]} on {names[1]} | {swapper.step} | {errors} | {follows} | {near[0]:.2f} | {near[1]:.2f} "
        f"| {line:.2f} | {outside} |"
    )


def save(
    folder: Path, names: tuple[str, str], preview: np.ndarray, news: list[NewFace], after: list[np.ndarray]
) -> None:
    """Write the preview, and frames before and after, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = np.linspace(0, len(after) - 1, 8).round().astype(int)
    rows = []
    for half in (chosen[:4], chosen[4:]):
        rows += [np.hstack([news[one].frame for one in half]), np.hstack([after[one] for one in half])]
    for kind, picture in (("preview", preview), ("frames", np.vstack(rows))):
        cv2.imwrite(str(folder / f"{'-'.join(names)}-{kind}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def conversion(media: Path) -> str:
    """Frames a second at 640 x 480 with encoding, its track known, and the peak memory of the process so far."""
    with tempfile.TemporaryDirectory() as name:
        small = memegen.open_video(media / f"grid/{PAIRS[0][1]}.mpg")
        frames = (cv2.resize(frame, (640, 480), interpolation=cv2.INTER_CUBIC) for frame in small.frames())
        body = memegen.write_video(Path(name, "body.mp4"), frames, fps=small.fps)
        people = [extract_faces(media / f"grid/{PAIRS[0][0]}.mpg"), extract_faces(body)]
        *_, state = train_swap(*people, steps=20)
        rates = []
        for _ in range(3):
            begun = time.perf_counter()
            memegen.write_video(Path(name, "out.mp4"), swap_faces(state.swapper, body), fps=body.fps)
            rates.append(body.frame_count / (time.perf_counter() - begun))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return f"640 x 480: {np.median(rates):.0f} frames/s with encoding; peak memory {peak:.0f} MB"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--pairs", type=int, nargs="+", default=range(len(PAIRS)), help="which, counted from 0")
    options = parser.parse_args()
    titles = "face on body | steps | L1 face | L1 body | mouth | kept out | blink | kept out | r face | r body | seam"
    print(f"| {titles} | outside |")
    print("|" + "---|" * 12)
    for number in options.pairs:
        print(pair(PAIRS[number], options.media, options), flush=True)
    print(conversion(options.media))


if __name__ == "__main__":
    main()
