"""Encoders: frames become a file that its readers know, as small as asked, which appears only when it is whole."""

from __future__ import annotations

import itertools
import math
import re
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image

from memegen.base.errors import InputError, OutputError
from memegen.media.ffmpeg import EXACT, Ffmpeg, last_words, output_problem, run

Finish = Callable[[Path], object]

MOVIES = (".mp4", ".mov", ".m4v")
SUFFIXES = (*MOVIES, ".gif", ".webp", ".png")
LONGEST_SIDE = {".gif": 480, ".webp": 720}  # pixels; other files keep the size of the frames
MOST_FPS = {".gif": 15, ".webp": 30}  # frames are left out evenly until it fits
STICKER = (512, 512)  # a WebP of this size is a sticker
STICKER_BYTES = 499_999  # what messengers take: less than 500 kB
WEBP_LEAST, WEBP_DEFAULT = 10, 100  # milliseconds
THUMBNAIL_AT = 1.0  # seconds; by then the first word is sung

# Frames are RGB; the matrix used for the conversion and the tags that name it have to agree.
_TO_YUV = f"out_color_matrix=bt709:out_range=tv:{EXACT}"
_TAGS = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
_BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
_EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"
_TO_H264 = ("-vf", f"{_EVEN},scale={_TO_YUV},format=yuv420p,{_TAGS}", "-preset", "veryfast", "-crf", "17")
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}

_SOUND_RATES = (160, 128, 96, 64, 48, 32)  # kbit/s
_SOUND_SHARE = 0.2  # of a limited file
_LEAST_SOUND = 24  # kbit/s, in mono
_BITS_A_PIXEL = 0.05  # below, a smaller picture looks better
_TRIES = 4
_FULL = 0.7  # of the limit: near enough
_BYTES_A_PIXEL = {".gif": 0.2, ".webp": 0.06}  # of each frame at the best quality, for a singing head


class _TooFewBitsError(Exception):
    """The encoder refuses a picture of this size at so low a bit rate."""


class Recording(NamedTuple):
    """A file of moving pictures: its size in pixels, rate and number of frames."""

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int

    @property
    def length(self) -> float:
        """Length in seconds."""
        return float(self.frame_count / self.fps)


class Step(NamedTuple):
    """A way to make a file smaller: scale its sides, keep one frame of `every`, and a quality that the kind knows."""

    scale: float
    every: int
    quality: int

    def cost(self, weight: float) -> float:
        """Return roughly how large the file gets, compared with other steps, given the weight of its quality."""
        return weight * math.pow(self.scale, 1.8) / math.pow(self.every, 0.9)


@dataclass
class Parcel:
    """What makes a picture into the file that was asked for.

    Attributes:
        name: The file to write, for its kind and for messages.
        folder: Where to put the files on the way.
        track: The sound, a wav file that begins with the picture; None for a silent clip.
        comment: Text for the comment of an mp4 or a GIF.
        finish: Called with each file once it is whole; it may change it in place.
        limit: Most bytes of the file after that.
        sizes: Bytes of the files made so far.
    """

    name: Path
    folder: Path
    track: Path | None = None
    comment: str | None = None
    finish: Finish | None = None
    limit: float = math.inf
    sizes: list[int] = field(default_factory=list)

    @property
    def suffix(self) -> str:
        """The ending that says what kind of file it is."""
        return self.name.suffix.lower()

    def whole(self) -> Path:
        """Return a new name for a whole file."""
        return self.folder / f"whole-{len(self.sizes)}{self.suffix}"

    def seal(self, whole: Path) -> int:
        """Finish a whole file and return its size in bytes."""
        if self.finish is not None:
            self.finish(whole)
        self.sizes.append(whole.stat().st_size)
        return self.sizes[-1]

    def too_small(self) -> OutputError:
        """Return the error for a limit that nothing fits in."""
        least = math.ceil(self.sizes[-1] / 1000)
        return OutputError(
            f"{self.name} does not fit in {self.limit / 1000:g} kB: the smallest possible is {least} kB; "
            "allow that much, or make the clip shorter."
        )


def parse_size(size: str | int | None) -> float:
    """Return how many bytes a size stands for: 10MB is 10,000,000, 8MiB is 8,388,608; infinity for None.

    Raises:
        InputError: If it is no size, or not above 0.
    """
    if size is None:
        return math.inf
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmg]i?)b?|b|bytes)?\s*", str(size), re.IGNORECASE)
    value = float(found[1]) * _BYTES[(found[2] or "").lower()] if found else 0.0
    if value < 1 or isinstance(size, bool):
        raise InputError(f"A file can't have the size {size!r}: give one such as 10MB, 500 kB or 8MiB.")
    return value


def final_size(path: str | Path, width: int, height: int) -> tuple[int, int]:
    """Return the width and height in pixels that a file gets when frames of some size are written to it."""
    suffix = Path(path).suffix.lower()
    if suffix in MOVIES:
        return width - width % 2, height - height % 2
    return _scaled(width, height, min(1.0, LONGEST_SIDE.get(suffix, math.inf) / max(width, height)))


def thinning(path: str | Path, fps: Fraction) -> int:
    """Return n where one frame of n is kept, so that the file's rate divides that of the frames."""
    return max(1, math.ceil(fps / MOST_FPS.get(Path(path).suffix.lower(), math.inf)))


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a name in a new folder beside the file; what is there at the end of the block becomes the file."""
    with writing(file):
        folder = TemporaryDirectory(dir=file.parent, prefix=".memegen-")
    with folder:
        part = Path(folder.name, f"part{file.suffix}")
        yield part
        with writing(file):
            part.replace(file)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn what the system says in the block, of a full disk for instance, into an OutputError about a file."""
    try:
        yield
    except OSError as error:
        raise OutputError(output_problem(file, error)) from error


def record(frames: Iterable[np.ndarray], *, fps: Fraction, name: Path, folder: Path) -> Recording:
    """Encode frames as they come, so that nothing is seen of it, in the size and at the rate that the file gets.

    Of a thumbnail, no frame is asked for after the one that is shown.

    Args:
        frames: uint8 RGB arrays (H, W, 3), all of one size.
        fps: Frames a second.
        name: The file to write in the end, for its kind and for messages.
        folder: Where to put the picture.

    Raises:
        InputError: If there are no frames, or they don't fit together.
        OutputError: If the disk is full, or ffmpeg fails.
    """
    iterator = iter(frames)
    try:
        first = next(iterator, None)
        if first is None:
            raise InputError(f"There are no frames to write to {name}: the clip they come from is empty.")
        every = thinning(name, fps)
        alike = _checked(itertools.chain([first], iterator), first)
        if name.suffix.lower() == ".png":
            return _thumbnail(alike, fps=fps, path=folder / "picture.png", name=name)
        return _stream(itertools.islice(alike, 0, None, every), first, fps=fps / every, name=name, folder=folder)
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def pack(picture: Recording, parcel: Parcel) -> Recording:
    """Make the whole file out of a recorded picture, within the limit.

    Raises:
        OutputError: If it can't be written, or not that small; the message says how small is possible.
    """
    if parcel.suffix in MOVIES:
        return _pack_movie(picture, parcel)
    sticker = parcel.suffix == ".webp" and (picture.width, picture.height) == STICKER
    ladder, weights = _LADDERS["sticker" if sticker else parcel.suffix]
    return _first_that_fits(picture, parcel, ladder, [step.cost(weights[step.quality]) for step in ladder])


def limit_for(path: str | Path, picture: Recording, limit: float) -> float:
    """Return the limit in bytes, which a sticker has without being told."""
    sticker = Path(path).suffix.lower() == ".webp" and (picture.width, picture.height) == STICKER
    return min(limit, STICKER_BYTES) if sticker else limit


# Frames in


def _checked(frames: Iterable[np.ndarray], first: np.ndarray) -> Iterator[np.ndarray]:
    """Pass frames on; refuse one that is not RGB or not the size of the first."""
    for index, frame in enumerate(frames):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or min(frame.shape[:2]) < 2:
            raise InputError(f"Frame {index} is {frame.dtype} {frame.shape}: give uint8 RGB, (height, width, 3).")
        if frame.shape != first.shape:
            now, then = (f"{f.shape[1]} x {f.shape[0]}" for f in (frame, first))
            raise InputError(f"Frame {index} is {now}, but the first is {then}: give all frames the same size.")
        yield frame


def _stream(frames: Iterator[np.ndarray], first: np.ndarray, *, fps: Fraction, name: Path, folder: Path) -> Recording:
    """Encode frames as H.264: for movies as they will be, for other kinds finer and already in their size."""
    checked = next(frames)  # complains of a first frame that has no height and width
    height, width = first.shape[:2]
    size = final_size(name, width, height)
    path, encoding = folder / "picture.mp4", _TO_H264
    if name.suffix.lower() not in MOVIES:
        filters = f"scale={size[0]}:{size[1]}:{_TO_YUV.replace('bilinear', 'area')},format=yuv444p,{_TAGS}"
        encoding = ("-vf", filters, "-preset", "ultrafast", "-crf", "8")
    arriving = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    with Ffmpeg(*arriving, *encoding, "-c:v", "libx264", *_BT709, str(path)) as ffmpeg:
        count = 0
        for frame in itertools.chain([checked], frames):
            _feed(ffmpeg, frame, name=name)
            count += 1
        _feed(ffmpeg, None, name=name)
    return Recording(path, *size, fps, count)


def _feed(ffmpeg: Ffmpeg, frame: np.ndarray | None, *, name: Path) -> None:
    """Write a frame, or finish after the last; failures become an OutputError in ffmpeg's words."""
    try:
        if frame is None:
            ffmpeg.finish()
        else:
            ffmpeg.write(frame)
    except OSError as error:
        raise OutputError(output_problem(name, ffmpeg.complaint())) from error


def _thumbnail(frames: Iterator[np.ndarray], *, fps: Fraction, path: Path, name: Path) -> Recording:
    """Keep the frame at THUMBNAIL_AT, or the last of a shorter clip."""
    [frame] = deque(itertools.islice(frames, round(THUMBNAIL_AT * fps) + 1), maxlen=1)
    with writing(name):
        Image.fromarray(frame).save(path)
    return Recording(path, frame.shape[1], frame.shape[0], fps, 1)


# Movies


def _pack_movie(picture: Recording, parcel: Parcel) -> Recording:
    """Join picture and sound; where that is too large, encode again at the rate that fits."""
    whole = parcel.whole()
    _make(
        "-i", str(picture.path), *_sound(parcel), "-c:v", "copy", *_closing(parcel, picture), str(whole), parcel=parcel
    )
    bare = whole.stat().st_size
    sealed = parcel.seal(whole)
    if sealed <= parcel.limit:
        return picture._replace(path=whole)
    budget = parcel.limit - max(0, sealed - bare)
    for _ in range(_TRIES):
        made = _squeezed(picture, parcel, budget)
        if made is None:
            break
        if parcel.sizes[-1] <= parcel.limit:
            return made
        budget *= 0.98 * parcel.limit / parcel.sizes[-1]
    made = _encoded(picture, parcel, _MOVIE_STEPS[-1], ("-crf", "45"), _LEAST_SOUND)
    if parcel.sizes[-1] > parcel.limit:
        raise parcel.too_small()
    return made


def _squeezed(picture: Recording, parcel: Parcel, budget: float) -> Recording | None:
    """Encode twice at the bit rate that fills a budget of bytes; None if there is too little for any picture."""
    length = picture.length
    kilobits = 0.975 * budget * 8 / length / 1000
    affordable = (rate for rate in _SOUND_RATES if rate <= _SOUND_SHARE * kilobits)
    sound = next(affordable, _LEAST_SOUND) if parcel.track else 0
    tables = 0.12 * float(picture.fps) + (0.4 if parcel.track else 0)  # where each frame lies in the file, kbit/s
    rate = 1000 * (kilobits - sound - tables)
    if rate < 4000:
        return None
    wanted = rate / (_BITS_A_PIXEL * picture.width * picture.height * float(picture.fps))
    log = ("-b:v", f"{rate:.0f}", "-passlogfile", str(parcel.folder / "passes"))
    for step in _MOVIE_STEPS:
        if step.scale**2 / step.every > wanted and step is not _MOVIE_STEPS[-1]:
            continue
        with suppress(_TooFewBitsError):
            first = (*_smaller(picture, step), "-an", *log, "-pass", "1", "-f", "null", "-")
            _make("-i", str(picture.path), *first, parcel=parcel)
            return _encoded(picture, parcel, step, (*log, "-pass", "2"), sound)
    return None


def _encoded(picture: Recording, parcel: Parcel, step: Step, rate: Sequence[str], sound: int) -> Recording:
    """Encode a picture again, smaller, with its sound at some kbit/s, and seal the file."""
    whole = parcel.whole()
    result = _thinned(picture, step, even=True)._replace(path=whole)
    closing = _closing(parcel, result, sound=sound)
    _make(
        "-i", str(picture.path), *_sound(parcel), *_smaller(picture, step), *rate, *closing, str(whole), parcel=parcel
    )
    parcel.seal(whole)
    return result


def _smaller(picture: Recording, step: Step) -> tuple[str, ...]:
    """Return the arguments that encode a step of a picture as H.264."""
    result = _thinned(picture, step, even=True)
    size = f"scale={result.width}:{result.height}:{_TO_YUV.replace('bilinear', 'area')}"
    filters = f"{_keeping(step, result.fps)}{size},format=yuv420p,{_TAGS}"
    return ("-vf", filters, "-c:v", "libx264", "-preset", "fast", "-r", str(result.fps), *_BT709)


def _sound(parcel: Parcel) -> tuple[str, ...]:
    """Return the arguments that add the sound to a picture."""
    return ("-i", str(parcel.track), "-map", "0:v", "-map", "1:a") if parcel.track else ()


def _closing(parcel: Parcel, picture: Recording, *, sound: int = _SOUND_RATES[0]) -> tuple[str, ...]:
    """Return the arguments for all but the picture; the sound is cut to its length or followed by silence."""
    comment = ("-metadata", f"comment={parcel.comment}") if parcel.comment else ()
    mono = ("-ac", "1") if sound == _LEAST_SOUND else ()
    coding = ("-c:a", "aac", "-b:a", f"{sound}k", *mono, "-af", "apad", "-t", f"{picture.length:.6f}")
    return (*(coding if parcel.track else ()), *comment, "-movflags", "+faststart")


# Pictures that move without sound


def _first_that_fits(picture: Recording, parcel: Parcel, ladder: Sequence[Step], costs: Sequence[float]) -> Recording:
    """Return the file of the highest step that fits, or of one not far below.

    The size of each file tells which step to try next.
    """
    best, low, high = None, -1, len(ladder)
    guess = _BYTES_A_PIXEL.get(parcel.suffix, 0) * picture.width * picture.height * picture.frame_count
    wanted = parcel.limit / guess if guess else math.inf
    while low + 1 < high:
        index = next((i for i in range(low + 1, high) if costs[i] <= wanted), high - 1)
        made = _MAKERS[parcel.suffix](picture, parcel, ladder[index])
        size = parcel.seal(made.path)
        wanted = costs[index] * parcel.limit / size
        if size > parcel.limit:
            low = index
            continue
        best, high = made, index
        if size > _FULL * parcel.limit:
            break
    if best is None:
        raise parcel.too_small()
    return best


def _make_gif(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Encode a GIF with a palette of its own and ordered dithering, which stays still where the picture does."""
    whole, palette = parcel.whole(), parcel.folder / "palette.png"
    result = _thinned(picture, step)._replace(path=whole)
    small = f"{_keeping(step, result.fps)}scale={result.width}:{result.height}:flags=area+accurate_rnd,format=gbrp"
    source = ("-i", str(picture.path))
    chosen = f"{small},palettegen=max_colors={step.quality}:stats_mode=diff"
    _make(*source, "-vf", chosen, "-frames:v", "1", "-update", "1", str(palette), parcel=parcel)
    used = f"[0:v]{small}[s];[s][1:v]paletteuse=dither=bayer:bayer_scale=3:diff_mode=rectangle"
    last = round(100 * result.length) - round(100 * (result.frame_count - 1) / result.fps)  # hundredths of a second
    ending = ("-loop", "0", "-final_delay", str(last), str(whole))
    _make(*source, "-i", str(palette), "-filter_complex", used, *ending, parcel=parcel)
    if parcel.comment:
        with writing(parcel.name):
            _comment_gif(whole, parcel.comment)
    return result


def _comment_gif(path: Path, comment: str) -> None:
    """Put a comment into a GIF, right after its palette."""
    data, text = path.read_bytes(), comment.encode()
    head = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    blocks = (text[start : start + 255] for start in range(0, len(text), 255))
    extension = b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    path.write_bytes(data[:head] + extension + data[head:])


def _make_webp(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Encode an animated WebP that repeats for ever."""
    whole = parcel.whole()
    result = _thinned(picture, step)._replace(path=whole)
    small = f"{_keeping(step, result.fps)}scale={result.width}:{result.height}:flags=area+accurate_rnd,format=bgra"
    coding = ("-c:v", "libwebp_anim", "-quality", str(step.quality), "-compression_level", "4", "-loop", "0")
    kind = ("-f", "webp")  # named, as a % in the folder's name would make ffmpeg expect numbered pictures
    _make("-i", str(picture.path), "-vf", small, *coding, *kind, str(whole), parcel=parcel)
    return result


def _make_png(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Write a still."""
    whole = parcel.whole()
    result = _thinned(picture, step)._replace(path=whole)
    with writing(parcel.name), Image.open(picture.path) as image:
        image.resize((result.width, result.height), Image.Resampling.LANCZOS).save(whole, optimize=True)
    return result


def _thinned(picture: Recording, step: Step, *, even: bool = False) -> Recording:
    """Return what a picture becomes at a step."""
    width, height = _scaled(picture.width, picture.height, step.scale)
    if even:
        width, height = (max(2, side - side % 2) for side in (width, height))
    count = -(-picture.frame_count // step.every)
    return Recording(picture.path, width, height, picture.fps / step.every, count)


def _keeping(step: Step, fps: Fraction) -> str:
    """Return the filters that keep one frame of `every`, if not all."""
    return f"select=not(mod(n\\,{step.every})),setpts=N/({fps})/TB," if step.every > 1 else ""


def _make(*arguments: str, parcel: Parcel) -> None:
    """Run ffmpeg on files of our own."""
    done = run(*arguments)
    if b"requested bitrate is too low" in done.stderr:
        raise _TooFewBitsError
    if done.returncode:
        raise OutputError(output_problem(parcel.name, last_words(done.stderr)))


_MAKERS = {".gif": _make_gif, ".webp": _make_webp, ".png": _make_png}


def _ladder(*rows: tuple[float, int, int]) -> list[Step]:
    return [Step(*row) for row in rows]


_MOVIE_STEPS = _ladder(
    (1, 1, 0), (0.75, 1, 0), (0.5, 1, 0), (0.5, 2, 0), (0.375, 2, 0), (0.25, 2, 0), (0.25, 3, 0)
)  # fmt: skip
_COLOURS = {256: 1.0, 128: 0.85, 64: 0.7, 32: 0.55, 16: 0.42}
_QUALITIES = {80: 1.0, 65: 0.75, 50: 0.62, 35: 0.5, 25: 0.42, 15: 0.33, 8: 0.26, 0: 0.18}
_LADDERS = {  # from the best to the smallest, by kind: steps, and how large each quality makes a file
    ".gif": (
        _ladder(
            (1, 1, 256), (1, 1, 128), (0.85, 1, 128), (0.85, 2, 128), (0.7, 2, 128), (0.6, 2, 64), (0.5, 2, 64),
            (0.5, 3, 64), (0.4, 3, 32), (0.3, 3, 32), (0.25, 4, 16), (0.2, 6, 16),
        ),
        _COLOURS,
    ),
    ".webp": (
        _ladder(
            (1, 1, 80), (1, 1, 65), (1, 1, 50), (1, 2, 50), (0.8, 2, 50), (0.8, 2, 35), (0.65, 2, 35), (0.5, 2, 35),
            (0.5, 3, 25), (0.4, 3, 25), (0.3, 4, 15), (0.2, 6, 8),
        ),
        _QUALITIES,
    ),
    "sticker": (
        _ladder(
            (1, 1, 80), (1, 1, 65), (1, 1, 50), (1, 2, 50), (1, 2, 35), (1, 2, 25), (1, 2, 15), (1, 3, 15), (1, 3, 8),
            (1, 4, 8), (1, 5, 0), (1, 8, 0),
        ),
        _QUALITIES,
    ),
    ".png": (_ladder((1, 1, 0), (0.75, 1, 0), (0.5, 1, 0), (0.35, 1, 0), (0.25, 1, 0), (0.125, 1, 0)), {0: 1.0}),
}  # fmt: skip


# Animated WebP in: not every ffmpeg decodes it


def webp_times(path: Path) -> list[float] | None:
    """Return when each frame of an animated WebP ends, in seconds; None if the file is no such thing.

    A frame that says it lasts no time, or next to none, is shown for a tenth of a second, as in browsers.
    """
    times, total = [], 0
    if path.suffix.lower() != ".webp":
        return None
    with path.open("rb") as file:
        head = file.read(12)
        while head[:4] == b"RIFF" and head[8:] == b"WEBP" and len(chunk := file.read(24)) == 24:
            kind, size = struct.unpack_from("<4sI", chunk)
            if kind == b"ANMF":
                length = int.from_bytes(chunk[20:23], "little")
                total += length if length > WEBP_LEAST else WEBP_DEFAULT
                times.append(total / 1000)
            file.seek(size + size % 2 - 16, 1)
    return times or None


def webp_frames(path: Path) -> Iterator[np.ndarray]:
    """Decode the frames of an animated WebP, each uint8 RGB (H, W, 3), transparent parts on white.

    Raises:
        InputError: If the file breaks off.
    """
    try:
        with Image.open(path) as image:
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                frame = image.convert("RGBA")
                yield np.array(Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame).convert("RGB"))
    except (OSError, EOFError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} can't be read as a video ({error}): it is damaged; get it again.") from error
