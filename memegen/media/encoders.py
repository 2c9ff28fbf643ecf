"""Encoders: frames become a file that players know, no larger than allowed, which appears only when it is complete."""

from __future__ import annotations

import itertools
import math
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from memegen.base.arrays import Image
from memegen.base.errors import InputError, OutputError
from memegen.media.ffmpeg import EXACT, Ffmpeg, make, output_problem
from memegen.media.gif import after_gif_header

Finish = Callable[[Path], object]

MOVIES = (".mp4", ".mov", ".m4v")
SOUNDING = (*MOVIES, ".webm")  # can have sound
SUFFIXES = (*SOUNDING, ".gif", ".webp", ".apng", ".png")
TRANSPARENT = (".webm", ".webp", ".apng", ".png")  # can be transparent
LONGEST_SIDE = {".gif": 480, ".webp": 720, ".apng": 480}  # pixels; other files keep the size of the frames
MOST_FPS = {".gif": 15, ".webp": 30, ".apng": 15}  # frames are left out evenly until the rate fits
STICKER = (512, 512)  # a WebP of this size is a sticker
STICKER_BYTES = 499_999  # messengers take less than 500 kB
THUMBNAIL_AT = 1.0  # seconds; by then the first word is sung

# Frames are RGB; the matrix used for the conversion and the tags that name it have to agree.
_TO_YUV = f"out_color_matrix=bt709:out_range=tv:{EXACT}"
_SHRINK_TO_YUV = _TO_YUV.replace("bilinear", "area")
_TAGS = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
_H264 = (
    "-c:v", "libx264", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
    "-flags", "+cgop",
)  # fmt: skip
_VP9 = (
    "-c:v", "libvpx-vp9", "-b:v", "0", "-deadline", "good", "-cpu-used", "4", "-row-mt", "1", "-colorspace", "bt709",
    "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
)  # fmt: skip
# In B-frames small blocks would cost a sixth of the time; with two such frames in a row, not three, no detail is lost.
_TO_MOVIE = ("-vf", _TAGS, "-preset", "veryfast", "-x264-params", "bframes=2:partitions=p8x8,i8x8,i4x4", "-crf", "17")
# Luma and the differences of blue and red from it (Rec. 709), in the levels of video, of RGB levels and 1
_LUMA = np.array([0.2126, 0.7152, 0.0722])
_BLUE, _RED = ((primary - _LUMA) / (2 - 2 * primary @ _LUMA) for primary in np.eye(3)[[2, 0]])
_YUV = np.column_stack([[219 / 255 * _LUMA, 224 / 255 * _BLUE, 224 / 255 * _RED], [16, 128, 128]])
# Instagram refuses edit lists, an index at the end and open groups of pictures. Without an edit list the first frame is
# at 0 only if B-frames have negative offsets, and the sound is in place only if the AAC encoder's first packet, which
# begins before 0, is left out. That costs the sound's first 10 to 20 ms, a fade-in; the rest stays the same.
_PLAIN = ("-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0")
_FROM_ZERO = ("-bsf:a", r"noise=drop=lt(pts\,0)")  # despite its name this adds no noise: it only drops packets
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}

_SOUND_RATES = (160, 128, 96, 64, 48, 32)  # kbit/s
_SOUND_SHARE = 0.2  # of a file with a limit
_LEAST_SOUND = 24  # kbit/s, in mono
_LEAST_BYTES, _LEAST_RATE = 2000, 1000  # a clip, and each second of it, at the very least: half of the smallest seen
_AIM, _FULL = 0.95, 0.88  # of the limit: where to aim, and what is near enough
_USUAL_SLOPE = 0.95  # of the logarithm of a picture's size over that of its cost, until two files have shown it
# Of each frame at the best quality, for a singing head
_BYTES_A_PIXEL = {".gif": 0.2, ".webp": 0.06, ".webm": 0.03, ".apng": 0.25}


class Recording(NamedTuple):
    """A file of moving pictures: its size in pixels, rate and number of frames, and whether parts are transparent."""

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int
    clear: bool = False

    @property
    def length(self) -> float:
        """Length in seconds."""
        return float(self.frame_count / self.fps)


class Step(NamedTuple):
    """One step down to a smaller file.

    Attributes:
        scale: Factor for both sides.
        every: Keep one frame of this many.
        quality: As the kind of file has it: rate factor, number of colours, or percent.
        cost: Roughly how large the file gets, compared with other steps of the same ladder.
    """

    scale: float
    every: int
    quality: int
    cost: float


@dataclass
class Parcel:
    """What turns a recorded picture into the file to write.

    Attributes:
        name: The file to write, for its kind and for messages.
        folder: Where to put temporary files.
        track: The sound, a wav file that begins with the picture; None for a silent clip.
        coded: The same as the best that a movie has; None where that is still to be made.
        comment: Text for the comment of a movie or a GIF.
        finish: Called with each complete file; it may change it in place.
        limit: Most bytes of the file after that.
        keep_size: Whether its width and height are fixed, as those of stickers are.
        sizes: Bytes of the files made so far.
    """

    name: Path
    folder: Path
    track: Path | None = None
    coded: Path | None = None
    comment: str | None = None
    finish: Finish | None = None
    limit: float = math.inf
    keep_size: bool = False
    sizes: list[int] = field(default_factory=list)

    @property
    def suffix(self) -> str:
        """The ending, which decides the kind of file."""
        return self.name.suffix.lower()

    def at(self, step: Step, picture: Recording) -> Recording:
        """Return what a picture becomes at a step, in a file that is still to be made."""
        width, height = _scaled(picture.width, picture.height, step.scale)
        if self.suffix in SOUNDING:  # pictures in 4:2:0 have even sides
            width, height = (max(2, side - side % 2) for side in (width, height))
        path = self.folder / f"whole-{len(self.sizes)}{self.suffix}"
        return Recording(path, width, height, picture.fps / step.every, -(-picture.frame_count // step.every))

    def seal(self, whole: Path) -> int:
        """Finish a complete file and return its size in bytes."""
        if self.finish is not None:
            self.finish(whole)
        self.sizes.append(whole.stat().st_size)
        return self.sizes[-1]


def parse_size(size: str | int | None) -> float:
    """Return the number of bytes of a size; infinity for None.

    A text has a unit: 10MB is 10,000,000, 8MiB is 8,388,608. A number counts bytes.

    Raises:
        InputError: It is not a size, has no unit, or is not above 0.
    """
    if size is None:
        return math.inf
    text = size if isinstance(size, str) else f"{size} bytes"
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmg]i?)b?|b|bytes)\s*", text, re.IGNORECASE)
    value = float(found[1]) * _BYTES[(found[2] or "").lower()] if found else 0.0
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", text):
        raise InputError(f"The size {text.strip()} has no unit: write 10MB or 500kB.")
    if value < 1:
        raise InputError(f"A file can't have the size {size!r}: give one such as 10MB, 500 kB or 8MiB.")
    return value


def check_limit(path: Path, limit: float, length: float) -> None:
    """Refuse a limit that no clip of a singing face meets, before the work begins.

    Args:
        path: The file to write.
        limit: The most bytes that it may take.
        length: Length of the picture in seconds.

    Raises:
        OutputError: It is too small.
    """
    least = _LEAST_BYTES + _LEAST_RATE * length if path.suffix.lower() != ".png" else 1
    if limit < least:
        raise OutputError(
            f"A clip of {length:.1f} s does not fit in {limit / 1000:g} kB: allow at least "
            f"{math.ceil(least / 1000)} kB, or make it shorter."
        )


def check_transparent(path: Path, clear: bool) -> None:
    """Refuse a file for transparent frames that can't be transparent.

    Raises:
        InputError: It can't.
    """
    if clear and path.suffix.lower() not in TRANSPARENT:
        raise InputError(f"{path.name} can't be transparent: write one of {', '.join(TRANSPARENT)}.")


def final_size(path: str | Path, width: int, height: int) -> tuple[int, int]:
    """Return the width and height in pixels of a file to which frames of some size are written."""
    suffix = Path(path).suffix.lower()
    if suffix in SOUNDING:
        return width - width % 2, height - height % 2
    return _scaled(width, height, min(1.0, LONGEST_SIDE.get(suffix, math.inf) / max(width, height)))


def thinning(path: str | Path, fps: Fraction) -> int:
    """Return n where one frame of n is kept, so that the file's rate divides that of the frames."""
    return max(1, math.ceil(fps / MOST_FPS.get(Path(path).suffix.lower(), math.inf)))


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Turn an OSError in the block, such as a full disk, into an OutputError about a file."""
    try:
        yield
    except OSError as error:
        raise OutputError(output_problem(file, error)) from error


def record(frames: Iterable[Image], *, fps: Fraction, name: Path, folder: Path) -> Recording:
    """Encode frames as they come, without visible loss, in the size and at the rate of the file to write.

    For a thumbnail, no frame after the one that is shown is asked for.

    Args:
        frames: uint8 RGB (H, W, 3) or, for a kind of file that can be transparent, RGBA (H, W, 4), all of one size.
        fps: Frames a second.
        name: The file to write, for its kind and for messages.
        folder: Where to put the picture.

    Raises:
        InputError: There are no frames, they differ in size or kind, or the file can't be transparent and they are.
        OutputError: The disk is full, or ffmpeg fails.
    """
    iterator = iter(frames)
    try:
        first = next(iterator, None)
        if first is None:
            raise InputError(f"There are no frames to write to {name}: the clip they come from is empty.")
        check_transparent(name, first.shape[2:] == (4,))
        every = thinning(name, fps)
        alike = _checked(itertools.chain([first], iterator), first)
        if name.suffix.lower() == ".png":
            return _thumbnail(alike, fps=fps, path=folder / "picture.png", name=name)
        return _stream(itertools.islice(alike, 0, None, every), first, fps=fps / every, name=name, folder=folder)
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def pack(picture: Recording, parcel: Parcel) -> Recording:
    """Make the file out of a recorded picture: the best step of its ladder that fits the limit.

    The size of each file tells which step to try next.

    Raises:
        OutputError: It can't be written, or not that small; the message says how small is possible.
    """
    ladder = _steps(picture, parcel)
    guess = _BYTES_A_PIXEL.get(parcel.suffix, 0) * picture.width * picture.height * picture.frame_count
    wanted, slope = parcel.limit / guess if guess else math.inf, _USUAL_SLOPE
    best, before, low, high = None, (0.0, 0.0), -1, len(ladder)
    while low + 1 < high:
        index = next((i for i in range(low + 1, high) if ladder[i].cost <= wanted), high - 1)
        if best is not None and ladder[index].cost > wanted:  # every better step would be too large
            break
        made = _MAKERS.get(parcel.suffix, _make_movie)(picture, parcel, ladder[index])
        cost, size = ladder[index].cost, parcel.seal(made.path)
        # Cost is about the picture alone: leave out the sound of this file, and of the next. Silence takes fewer bytes
        # than its rate says, so at most three quarters of a file count as sound.
        aim = _AIM * parcel.limit
        sound, following = (_sound_bytes(parcel, step, picture) for step in (ladder[index], ladder[1]))
        seen, room = max(size - sound, size / 4), max(aim - following, aim / 4)
        if before[1]:  # the last two files tell how fast size follows cost for this picture
            slope = min(max(math.log(seen / before[1]) / math.log(cost / before[0]), 0.5), 2.0)
        before = cost, seen
        wanted = cost * math.pow(room / seen, 1 / slope)
        if size > parcel.limit:
            low = index
            continue
        best, high = made, index
        if size > _FULL * parcel.limit:
            break
    if best is None:
        raise OutputError(
            f"{parcel.name} does not fit in {parcel.limit / 1000:g} kB: the smallest possible is "
            f"{math.ceil(parcel.sizes[-1] / 1000)} kB; allow that much, or make the clip shorter."
        )
    return best


def _steps(picture: Recording, parcel: Parcel) -> list[Step]:
    """Return the ladder for a file; a WebP sticker gets its limit, too."""
    if parcel.suffix == ".webp" and (picture.width, picture.height) == STICKER:
        parcel.limit, parcel.keep_size = min(parcel.limit, STICKER_BYTES), True
    if parcel.keep_size and parcel.suffix in STICKER_LADDERS:
        return STICKER_LADDERS[parcel.suffix]
    return LADDERS.get(parcel.suffix, MOVIE_LADDER)


# Frames in


def _checked(frames: Iterable[Image], first: Image) -> Iterator[Image]:
    """Pass frames on; refuse one that is not RGB or RGBA or not the size of the first."""
    for index, frame in enumerate(frames):
        if frame.ndim != 3 or frame.shape[2] not in (3, 4) or frame.dtype != np.uint8 or min(frame.shape[:2]) < 2:
            raise InputError(f"Frame {index} is {frame.dtype} {frame.shape}: give uint8 RGB, (height, width, 3).")
        if frame.shape != first.shape:
            now, then = (f"{f.shape[1]} x {f.shape[0]}" for f in (frame, first))
            raise InputError(f"Frame {index} is {now}, but the first is {then}: give all frames the same size.")
        yield frame


def _stream(frames: Iterator[Image], first: Image, *, fps: Fraction, name: Path, folder: Path) -> Recording:
    """Encode frames as H.264: for movies as they will be, for other kinds finer and already in their size.

    Transparent frames become FFV1, which keeps every bit.
    """
    checked = next(frames)  # raises for a first frame without height and width
    height, width, channels = first.shape
    size, clear = final_size(name, width, height), channels == 4
    path, kind, encoding = folder / "picture.mp4", "rgb24", [*_TO_MOVIE, *_H264]
    if clear:
        path, kind = folder / "picture.mkv", "rgba"
        encoding = ["-vf", f"scale={size[0]}:{size[1]}:flags=area+accurate_rnd,format=bgra", "-c:v", "ffv1"]
    elif name.suffix.lower() not in MOVIES:
        filters = f"scale={size[0]}:{size[1]}:{_SHRINK_TO_YUV},format=yuv444p,{_TAGS}"
        encoding = ["-vf", filters, "-preset", "ultrafast", "-crf", "8", *_H264]
    else:
        (width, height), kind = size, "yuv420p"
    arriving = ["-f", "rawvideo", "-pix_fmt", kind, "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    with Ffmpeg(*arriving, *encoding, str(path)) as ffmpeg:
        count = 0
        for frame in itertools.chain([checked], frames):
            pixels = _planes(frame[:height, :width]) if kind == "yuv420p" else frame
            with writing(name):  # but not around the frames, whose errors are their own
                ffmpeg.write(pixels)
            count += 1
        with writing(name):
            ffmpeg.finish()
    return Recording(path, *size, fps, count, clear)


def _planes(frame: Image) -> Image:
    """Convert a frame with even sides to the planes of 4:2:0 video, one after another; ffmpeg takes four times as long.

    Args:
        frame: uint8 RGB (H, W, 3).

    Returns:
        uint8 (H * W * 3 / 2,): the luma, then the differences of blue and of red from it, each for 2 x 2 pixels.
    """
    import cv2

    small = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    # All three at once are computed faster than one alone.
    luma, (_, blue, red) = cv2.extractChannel(cv2.transform(frame, _YUV), 0), cv2.split(cv2.transform(small, _YUV))
    return np.concatenate([plane.ravel() for plane in (luma, blue, red)])


def _thumbnail(frames: Iterator[Image], *, fps: Fraction, path: Path, name: Path) -> Recording:
    """Keep the frame at THUMBNAIL_AT, or the last of a shorter clip."""
    [frame] = deque(itertools.islice(frames, round(THUMBNAIL_AT * fps) + 1), maxlen=1)
    _write_png(path, frame, name=name)
    return Recording(path, frame.shape[1], frame.shape[0], fps, 1)


def _write_png(path: Path, picture: Image, *, name: Path) -> None:
    """Write a still as small as PNG can hold it."""
    import imageio.v3 as iio

    with writing(name), path.open("wb") as file:
        iio.imwrite(file, picture, extension=".png", plugin="pillow", optimize=True)


# Files out


def _make_movie(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Join picture and sound; below the first step the picture is encoded again and the sound gets fewer bits."""
    made = parcel.at(step, picture)
    video, sound = ["-c:v", "copy"], _sound_rate(parcel, step, picture)
    if step.cost < 1:
        size = f"scale={made.width}:{made.height}:{_SHRINK_TO_YUV}"
        filters = f"{_keeping(step, made.fps)}{size},format=yuv420p,{_TAGS}"
        video = ["-vf", filters, "-preset", "fast", "-crf", str(step.quality), "-r", str(made.fps), *_H264]
    inputs, audio = _with_sound(picture, parcel, made, sound)
    audio += [*_FROM_ZERO] if parcel.track else []
    make(*inputs, *video, *audio, *_comment(parcel), *_PLAIN, str(made.path), name=parcel.name)
    return made


def _make_webm(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Encode a WebM: VP9, transparent where the picture is, and Opus."""
    made = parcel.at(step, picture)
    # VP9 keeps opacity in a second picture, which has no place for frames that are never shown.
    pixels, alone = ("yuva420p", ("-auto-alt-ref", "0")) if picture.clear else ("yuv420p", ())
    filters = f"{_keeping(step, made.fps)}scale={made.width}:{made.height}:{_SHRINK_TO_YUV},format={pixels},{_TAGS}"
    inputs, audio = _with_sound(picture, parcel, made, _sound_rate(parcel, step, picture))
    coding = ("-vf", filters, *_VP9, *alone, "-crf", str(step.quality), "-r", str(made.fps))
    make(*inputs, *coding, *audio, *_comment(parcel), str(made.path), name=parcel.name)
    return made


def _with_sound(picture: Recording, parcel: Parcel, made: Recording, rate: int) -> tuple[list[str], list[str]]:
    """Return ffmpeg's arguments for picture and sound: the inputs, and how the sound is encoded, in kbit/s."""
    inputs = ["-i", str(picture.path)]
    if not parcel.track:
        return inputs, []
    ready = parcel.coded if rate == _SOUND_RATES[0] else None
    inputs += ["-i", str(ready or parcel.track), "-map", "0:v", "-map", "1:a"]
    if ready:
        return inputs, ["-c:a", "copy"]
    mono = ("-ac", "1") if rate == _LEAST_SOUND else ()
    codec = "aac" if parcel.suffix in MOVIES else "libopus"
    return inputs, ["-c:a", codec, *mono, *_as_long(made.length, rate)]


def coded_sound(track: Path | None, length: float, *, name: Path) -> Path | None:
    """Encode a sound as the best that a movie has, ahead of its picture; None for other files and silent clips.

    Args:
        track: A wav file that begins with the picture.
        length: Of the picture, seconds.
        name: The file to write, for its kind and for messages.

    Raises:
        OutputError: ffmpeg fails.
    """
    if track is None or name.suffix.lower() not in MOVIES:
        return None
    coded = track.with_suffix(".m4a")
    make("-i", str(track), "-c:a", "aac", *_as_long(length, _SOUND_RATES[0]), str(coded), name=name)
    return coded


def _as_long(length: float, rate: int) -> list[str]:
    """Return ffmpeg's arguments for a sound of so many seconds, with silence at its end, and of so many kbit/s."""
    return ["-b:a", f"{rate}k", "-af", "apad", "-t", f"{length:.6f}"]


def _comment(parcel: Parcel) -> tuple[str, ...]:
    return ("-metadata", f"comment={parcel.comment}") if parcel.comment else ()


def _sound_rate(parcel: Parcel, step: Step, picture: Recording) -> int:
    """Return the rate of a movie's sound in kbit/s, 0 without; below the first step it has a share of the file."""
    if not parcel.track or step.cost == 1:
        return _SOUND_RATES[0] if parcel.track else 0
    affordable = _SOUND_SHARE * parcel.limit / 125 / picture.length
    rates = _SOUND_RATES if step.quality <= (_USUAL_VP9 if parcel.suffix == ".webm" else _USUAL_CRF) else ()
    return next((rate for rate in rates if rate <= affordable), _LEAST_SOUND)


def _sound_bytes(parcel: Parcel, step: Step, picture: Recording) -> float:
    return 125 * _sound_rate(parcel, step, picture) * picture.length


def _make_gif(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Encode a GIF with its own palette and ordered dithering, which does not flicker where the picture is still."""
    made = parcel.at(step, picture)
    last = round(100 * made.length) - round(100 * (made.frame_count - 1) / made.fps)  # hundredths of a second
    ending = ("-loop", "0", "-final_delay", str(last), str(made.path))
    _in_few_colours(picture, parcel, step, _small(step, made, "gbrp"), "bayer:bayer_scale=3", ending)
    if parcel.comment:
        with writing(parcel.name):
            _comment_gif(made.path, parcel.comment)
    return made


def _make_apng(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Encode an animated PNG that repeats for ever, with its own palette; a pixel is transparent or it is not."""
    made = parcel.at(step, picture)
    packing = ("-pred", "none", "-compression_level", "9")
    ending = (*packing, "-plays", "0", "-final_delay", str(1 / made.fps), "-f", "apng", str(made.path))
    # Neither dithering nor prediction: PNG packs even areas of a few colours better without.
    _in_few_colours(picture, parcel, step, _small(step, made, "bgra"), "none", ending)
    return made


def _in_few_colours(
    picture: Recording, parcel: Parcel, step: Step, small: str, dither: str, ending: Sequence[str]
) -> None:
    """Encode a picture with a palette made for it, of as many colours as the step says."""
    palette, source = parcel.folder / "palette.png", ("-i", str(picture.path))
    chosen = f"{small},palettegen=max_colors={step.quality}:stats_mode=diff"
    make(*source, "-vf", chosen, "-frames:v", "1", "-update", "1", str(palette), name=parcel.name)
    used = f"[0:v]{small}[s];[s][1:v]paletteuse=dither={dither}:diff_mode=rectangle"
    make(*source, "-i", str(palette), "-filter_complex", used, *ending, name=parcel.name)


def _comment_gif(path: Path, comment: str) -> None:
    """Put a comment into a GIF, right after its palette, in blocks of at most 255 bytes."""
    data, text = path.read_bytes(), comment.encode()
    head = after_gif_header(data)
    blocks = (text[start : start + 255] for start in range(0, len(text), 255))
    extension = b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    path.write_bytes(data[:head] + extension + data[head:])


def _make_webp(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Encode an animated WebP that repeats for ever."""
    made = parcel.at(step, picture)
    coding = ("-c:v", "libwebp_anim", "-quality", str(step.quality), "-compression_level", "4", "-loop", "0")
    kind = ("-f", "webp")  # named, as a % in the folder's name would make ffmpeg expect numbered pictures
    small = _small(step, made, "bgra")
    make("-i", str(picture.path), "-vf", small, *coding, *kind, str(made.path), name=parcel.name)
    return made


def _make_png(picture: Recording, parcel: Parcel, step: Step) -> Recording:
    """Write a still."""
    from PIL import Image as Pillow

    made = parcel.at(step, picture)
    with Pillow.open(picture.path) as still:
        small = still.resize((made.width, made.height), Pillow.Resampling.LANCZOS)
    _write_png(made.path, np.asarray(small), name=parcel.name)
    return made


def _small(step: Step, made: Recording, pixels: str) -> str:
    """Return the filters that bring a picture to a step's rate and size, in RGB."""
    return f"{_keeping(step, made.fps)}scale={made.width}:{made.height}:flags=area+accurate_rnd,format={pixels}"


def _keeping(step: Step, fps: Fraction) -> str:
    """Return the filters that keep one frame of `every`, if not all."""
    return f"select=not(mod(n\\,{step.every})),setpts=N/({fps})/TB," if step.every > 1 else ""


_MAKERS = {
    ".webm": _make_webm,
    ".gif": _make_gif,
    ".webp": _make_webp,
    ".apng": _make_apng,
    ".png": _make_png,
}


def _ladder(weight: Callable[[int], float], *rows: tuple[float, int, int]) -> list[Step]:
    """Return steps from the best to the smallest, given how large each quality makes a file.

    Fewer pixels are harder to predict from each other, so size falls a little slower than area and rate do.
    """
    return [Step(*row, weight(row[2]) * math.pow(row[0], 1.8) / math.pow(row[1], 0.9)) for row in rows]


_COLOURS = {256: 1.0, 128: 0.85, 64: 0.7, 32: 0.55, 16: 0.42}.__getitem__
_EVEN_COLOURS = {256: 1.0, 128: 0.76, 64: 0.62, 48: 0.55, 32: 0.47, 24: 0.42, 16: 0.38}.__getitem__  # not dithered
_PERCENT = {80: 1.0, 65: 0.75, 50: 0.62, 35: 0.5, 25: 0.42, 15: 0.33, 8: 0.26, 0: 0.18}.__getitem__
_USUAL_CRF, _USUAL_VP9 = 34, 48  # above, a smaller picture looks better
# Rate factors of H.264: six more halve the file. The first step is the picture as it was recorded.
MOVIE_LADDER = _ladder(
    lambda crf: math.pow(2, (17 - crf) / 6),
    *((1, 1, crf) for crf in range(17, 35)),
    *((0.75, 1, crf) for crf in range(30, 35)),
    *((0.5, 1, crf) for crf in range(28, 35)),
    *((0.5, 2, crf) for crf in range(29, 35)),
    *((0.375, 2, crf) for crf in range(30, 35)),
    *((0.25, 2, crf) for crf in range(28, 35)),
    *((0.25, 3, crf) for crf in range(31, 46)),
)
_HALVING = 9  # VP9: by how much its rate factor grows while the file shrinks to a half
_vp9 = partial(_ladder, lambda crf: math.pow(2, (22 - crf) / _HALVING))
LADDERS = {
    ".webm": _vp9(
        *((1, 1, crf) for crf in range(22, 50, 3)), (0.75, 1, 46), (0.75, 1, 49), (0.5, 1, 43), (0.5, 1, 46),
        (0.5, 1, 49), (0.5, 2, 46), (0.5, 2, 49), (0.375, 2, 46), (0.375, 2, 50), (0.25, 2, 47), (0.25, 2, 51),
        (0.25, 3, 54), (0.25, 3, 58), (0.25, 3, 63),
    ),
    ".gif": _ladder(
        _COLOURS, (1, 1, 256), (1, 1, 128), (0.85, 1, 128), (0.85, 2, 128), (0.7, 2, 128), (0.6, 2, 64), (0.5, 2, 64),
        (0.5, 3, 64), (0.4, 3, 32), (0.3, 3, 32), (0.25, 4, 16), (0.2, 6, 16),
    ),
    ".webp": _ladder(
        _PERCENT, (1, 1, 80), (1, 1, 65), (1, 1, 50), (1, 2, 50), (0.8, 2, 50), (0.8, 2, 35), (0.65, 2, 35),
        (0.5, 2, 35), (0.5, 3, 25), (0.4, 3, 25), (0.3, 4, 15), (0.2, 6, 8),
    ),
    ".apng": _ladder(
        _EVEN_COLOURS, (1, 1, 256), (1, 1, 128), (1, 1, 64), (0.85, 1, 64), (0.7, 1, 64), (0.6, 1, 64), (0.6, 1, 32),
        (0.5, 1, 32), (0.5, 2, 32), (0.4, 2, 32), (0.3, 3, 32), (0.25, 4, 16), (0.2, 6, 16),
    ),
    ".png": _ladder(
        lambda _: 1.0, (1, 1, 0), (0.75, 1, 0), (0.5, 1, 0), (0.35, 1, 0), (0.25, 1, 0), (0.125, 1, 0)
    ),
}  # fmt: skip
STICKER_LADDERS = {  # all in one size
    ".webm": _vp9(*((1, 1, crf) for crf in range(22, 62, 3)), (1, 2, 58), (1, 2, 63), (1, 3, 63), (1, 4, 63)),
    ".webp": _ladder(
        _PERCENT, (1, 1, 80), (1, 1, 65), (1, 1, 50), (1, 2, 50), (1, 2, 35), (1, 2, 25), (1, 2, 15), (1, 3, 15),
        (1, 3, 8), (1, 4, 8), (1, 5, 0), (1, 8, 0),
    ),
    ".apng": _ladder(
        _EVEN_COLOURS, *((1, 1, colours) for colours in (256, 128, 64, 48, 32, 24, 16)),
        *((1, every, colours) for every in (2, 3, 4, 6, 8, 12) for colours in (24, 16)),
    ),
}  # fmt: skip
