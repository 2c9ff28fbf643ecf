"""Does the invisible mark outlive what platforms do to a clip, and is it never found where there is none?

watermark.py [--media FOLDER] [--cache FOLDER] [--clips N]

Clips of 2 s are made on the spot: memes of the bundled portrait, and with --media of every photo and clip in that
folder; clips of the folder themselves, enlarged; and moving textures. Each is marked, written as the pipeline does
(H.264, CRF 17), and then given every treatment in turn. Detection looks at every third frame, at most 480 pixels wide
or high. Results are kept in the cache, so that a run can be broken off and taken up again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import imageio_ffmpeg
import numpy as np

import memegen
from memegen.base.downloads import asset
from memegen.media.images import read_image
from memegen.media.video import open_video
from memegen.provenance.watermark import Detection, Watermark, detect, embed

Image = np.ndarray
Frames = Callable[[], Iterable[Image]]

SIZES = [(480, 480), (480, 854), (854, 480), (720, 720), (720, 1280), (1280, 720), (256, 256), (480, 600), (600, 600)]
LARGE = [(1080, 1080), (1080, 1920), (1920, 1080)]
LENGTH = 50  # frames, 2 s
FPS = 25
EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2"
CROP = "crop=iw*{0}:ih*{0}:(iw-ow)*0.3:(ih-oh)*0.8"


class Treatment(NamedTuple):
    """What is done to a clip: ffmpeg's filters and options, and how many times over."""

    name: str
    filters: str
    options: tuple[str, ...] = ("-crf", "23")
    times: int = 1
    suffix: str = ".mp4"


def short_side(pixels: int) -> str:
    return f"scale='if(gt(iw,ih),-2,{pixels})':'if(gt(iw,ih),{pixels},-2)'"


TREATMENTS = [
    Treatment("re-encoded, CRF 23", "null"),
    Treatment("re-encoded, CRF 28", "null", ("-crf", "28")),
    Treatment("re-encoded, CRF 33", "null", ("-crf", "33")),
    Treatment("720p, CRF 23", short_side(720)),
    Treatment("480p, CRF 28", short_side(480), ("-crf", "28")),
    Treatment("480p and CRF 28, twice", short_side(480), ("-crf", "28"), 2),
    Treatment("crop of 5 %, CRF 23", CROP.format(0.95)),
    Treatment("crop of 10 %, CRF 23", CROP.format(0.9)),
    Treatment("crop of 5 %, 480p, CRF 28", f"{CROP.format(0.95)},{short_side(480)}", ("-crf", "28")),
    Treatment("crop of 5 %, 480p, CRF 28, twice", f"{CROP.format(0.95)},{short_side(480)}", ("-crf", "28"), 2),
    Treatment("mirrored, CRF 23", "hflip"),
    Treatment("GIF, 12 frames/s, 320 pixels", f"fps=12,{short_side(320)}", (), 1, ".gif"),
    Treatment("filmed off a screen: 83 %, noise, CRF 28", "scale=iw*0.83:-2,noise=alls=8:allf=t", ("-crf", "28")),
    Treatment("trimmed to 1 s, CRF 23", "trim=start=0.7:duration=1,setpts=PTS-STARTPTS"),
    Treatment("15 frames/s, CRF 23", "fps=15"),
]


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


def treat(source: Path, treatment: Treatment, folder: Path) -> Path:
    """Give a clip a treatment, as often as it says."""
    for number in range(treatment.times):
        result = folder / f"treated-{number}{treatment.suffix}"
        if treatment.suffix == ".gif":
            palette = f"{treatment.filters},split[a][b];[a]palettegen[p];[b][p]paletteuse"
            ffmpeg("-i", source, "-filter_complex", palette, result)
        else:
            h264 = ("-c:v", "libx264", "-preset", "veryfast", *treatment.options, "-pix_fmt", "yuv420p")
            ffmpeg("-i", source, "-vf", f"{treatment.filters},{EVEN}", *h264, result)
        source = result
    return source


def looked_at(path: Path) -> Detection | None:
    return detect(islice(open_video(path).frames(max_side=480), 0, None, 3))


def cover(photo: Image, size: tuple[int, int]) -> Image:
    """Scale and crop a picture to a size, its top kept."""
    scale = max(size[0] / photo.shape[1], size[1] / photo.shape[0])
    width, height = (max(a, round(b * scale)) for a, b in zip(size, (photo.shape[1], photo.shape[0]), strict=True))
    large = cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC)
    left = (width - size[0]) // 2
    return np.ascontiguousarray(large[: size[1], left : left + size[0]])


def titled(frame: Image, number: int) -> Image:
    """Put a caption on a frame: on a white bar, outlined, on a black bar, or none."""
    style, frame, height = number % 4, frame.copy(), frame.shape[0] // 8
    if style < 2:
        frame[:height] = 255 * (1 - style)
    if style < 3:
        scale = frame.shape[1] / 480
        for colour, width in (((0, 0, 0), 5), ((255, 255, 255) if style else (0, 0, 0), 2)):
            place, thick = (round(10 * scale), round(0.7 * height)), max(1, round(width * scale))
            cv2.putText(frame, "ME SINGING", place, cv2.FONT_HERSHEY_DUPLEX, 0.9 * scale, colour, thick, cv2.LINE_AA)
    return frame


def texture(number: int, size: tuple[int, int]) -> Iterator[Image]:
    """Coloured noise of some coarseness that drifts over a slope of grey."""
    random = np.random.default_rng(number)
    noise = random.normal(0, 60, (size[1] + 80, size[0] + 160, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 2.0 + 3 * number)
    noise *= (6 + 6 * number) / noise.std()
    slope = np.linspace(60, 190, size[0], dtype=np.float32)[None, :, None]
    for index in range(LENGTH):
        part = noise[index : index + size[1], 2 * index : 2 * index + size[0]]
        yield np.clip(part + slope, 0, 255).astype(np.uint8)


def meme(photo: Image, driving: memegen.Video, size: tuple[int, int], number: int) -> Iterator[Image]:
    frames = memegen.load_animator("mesh").animate(cover(photo, size), driving)
    return (titled(frame, number) for frame in islice(frames, LENGTH))


def clips(media: Path | None, count: int) -> Iterator[tuple[str, Frames]]:
    """Name the clips to be made and say how: seven in ten memes, then enlarged clips and textures."""
    grid = sorted((media / "grid").glob("*.mpg")) if media else []
    pictures = [asset("portrait.jpg"), *(sorted(media.glob("*.png")) if media else [])]
    pictures += sorted((media / "local-only").glob("*.png")) if media else []
    photos = [read_image(path) for path in pictures] + [next(iter(open_video(path).frames())) for path in grid[:8]]
    drivers = [open_video(asset("templates/daisy-bell.mp4"), start=s, duration=2) for s in (0.0, 3.0, 6.0, 8.5)]
    drivers += [open_video(path) for path in grid[8:]]
    for n in range(count):
        size = LARGE[n // 10 % 3] if n % 10 == 9 else SIZES[n * 5 % 9]
        name = f"{n:02d} {size[0]}x{size[1]}"
        if n % 10 < 7 or (not grid and n % 10 < 9):
            photo, driving = photos[n % len(photos)], drivers[n % len(drivers)]
            yield f"{name} meme", lambda p=photo, d=driving, s=size, n=n: meme(p, d, s, n)
        elif (grid and n % 10 < 9) or n % 20 == 9:
            video = open_video(grid[n % len(grid)] if grid else asset("templates/daisy-bell.mp4"))
            yield f"{name} film", lambda v=video, s=size: (cover(f, s) for f in islice(v.frames(), LENGTH))
        else:
            yield f"{name} texture", lambda n=n, s=size: texture(n // 10 % 4, s)


def ready(make: Frames, path: Path) -> Path:
    """Return a clip's file, nearly lossless, made if it is not there yet."""
    if not path.is_file():
        write(path, iter(make()), crf=8)
    return path


def write(path: Path, frames: Iterator[Image], *, crf: int) -> None:
    first = next(frames)
    part = path.with_suffix(".part.mp4")
    options = ["-preset", "veryfast", "-crf", str(crf)]
    writer = imageio_ffmpeg.write_frames(
        str(part), (first.shape[1], first.shape[0]), fps=FPS, macro_block_size=1, codec="libx264", output_params=options
    )
    writer.send(None)
    for frame in [first, *frames]:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
    part.rename(path)


def likeness(frame: Image, marked: Image) -> tuple[float, float]:
    """PSNR in dB over all three colours, and SSIM of the luma (Wang et al. 2004, Gaussian window of sigma 1.5)."""
    a, b = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY).astype(np.float64) for f in (frame, marked))
    error = np.mean((frame.astype(np.float64) - marked) ** 2)
    (ma, mb), blur = (cv2.GaussianBlur(f, (11, 11), 1.5) for f in (a, b)), lambda f: cv2.GaussianBlur(f, (11, 11), 1.5)
    va, vb, both = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c, d = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = (2 * ma * mb + c) * (2 * both + d) / ((ma**2 + mb**2 + c) * (va + vb + d))
    return float(10 * np.log10(255**2 / error)), float(ssim.mean())


def measure(number: int, source: Path, folder: Path) -> dict[str, object]:
    """Mark one clip, give it all treatments and look for the mark, and for one in what was never marked."""
    payload = (number * 2654435761 + 99) % 2**32
    frames = list(islice(open_video(source).frames(), LENGTH))
    marked = list(embed(frames, payload))
    psnr, ssim = zip(*(likeness(frames[k], marked[k]) for k in range(0, len(frames), 15)), strict=True)
    write(folder / "marked.mp4", iter(marked), crf=17)
    found: dict[str, str] = {}
    for treatment in TREATMENTS:
        seen = looked_at(treat(folder / "marked.mp4", treatment, folder))
        found[treatment.name] = "none" if seen is None else "right" if seen.payload == payload else "wrong"
    alarms = [detect(segment) for segment in unmarked(frames)]
    return {
        "psnr": min(psnr),
        "ssim": min(ssim),
        "found": found,
        "segments": len(alarms),
        "alarms": sum(alarm is not None for alarm in alarms),
    }


def unmarked(frames: list[Image]) -> Iterator[list[Image]]:
    """Four segments of a clip: its thirds, and the last once more but cropped."""
    scale = 480 / max(frames[0].shape)
    small = [cv2.resize(f, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for f in frames[::3]]
    third = len(small) // 3
    yield from (small[k * third : (k + 1) * third] for k in range(3))
    yield [np.ascontiguousarray(f[9:-23, 14:-11]) for f in small[-third:]]


def cost() -> float:
    """Seconds of processor time per frame of 1920 x 1080, over two cores."""
    frame = cover(read_image(asset("portrait.jpg")), (1920, 1080))
    mark = Watermark(1, (1920, 1080))
    times = []
    for _ in range(60):
        begun = time.process_time()
        mark.apply(frame)
        times.append(time.process_time() - begun)
    return statistics.median(times) / 2


def report(results: list[dict[str, object]]) -> None:
    """Print the tables as Markdown."""
    print(f"| treatment | found, of {len(results)} clips | wrong number |\n|---|---|---|")
    for treatment in TREATMENTS:
        seen = [result["found"][treatment.name] for result in results]  # type: ignore[index]
        right, wrong = seen.count("right"), seen.count("wrong")
        print(f"| {treatment.name} | {right} ({right / len(seen):.0%}) | {wrong} |")
    segments, alarms = (sum(int(str(result[key])) for result in results) for key in ("segments", "alarms"))
    psnr, ssim = ([float(str(result[key])) for result in results] for key in ("psnr", "ssim"))
    print(f"\nFalse alarms: {alarms} of {segments} unmarked segments.")
    print(f"PSNR of marked frames: lowest {min(psnr):.1f} dB, median {statistics.median(psnr):.1f} dB.")
    print(f"SSIM: lowest {min(ssim):.4f}, median {statistics.median(ssim):.4f}.")
    print(f"Cost of a frame of 1920 x 1080 on two cores: {1000 * cost():.1f} ms.")


def main() -> None:
    """Measure clip by clip, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--clips", type=int, default=50)
    options = parser.parse_args()
    cv2.setNumThreads(1)  # small pictures, and a machine that others use too
    with tempfile.TemporaryDirectory() as name:
        cache = options.cache or Path(name)
        cache.mkdir(exist_ok=True, parents=True)
        results = []
        for number, (title, make) in enumerate(clips(options.media, options.clips)):
            kept = cache / f"{title}.json"
            if not kept.is_file():
                source = ready(make, cache / f"{title}.mp4")
                kept.write_text(json.dumps(measure(number, source, Path(name))))
            results.append(json.loads(kept.read_text()))
            lost = [treatment for treatment, seen in results[-1]["found"].items() if seen != "right"]
            print(title, f"{results[-1]['psnr']:.1f} dB", "lost:", lost, file=sys.stderr, flush=True)
    cv2.setNumThreads(2)
    report(results)


if __name__ == "__main__":
    main()
