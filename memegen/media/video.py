"""Reads and writes clips: streams of frames at one constant, rational frame rate."""

from __future__ import annotations

import html
import logging
import math
import mimetypes
import os
import re
import shutil
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from memegen.base.arrays import Image
from memegen.base.errors import InputError, OutputError
from memegen.base.files import check_file, expanded, whole_file
from memegen.base.html import data_address
from memegen.media.animations import is_animation, read_animation
from memegen.media.editing import clip_of, pictures_of, write_sound
from memegen.media.encoders import MOVIES, SUFFIXES, Finish, Parcel, pack, parse_size, record, writing
from memegen.media.ffmpeg import EXACT, SEEK_LEAD, Ffmpeg, last_words, reading, run, said, tells_of_sound
from memegen.media.options import Sound
from memegen.media.sound import SoundSpan, check_sound, soundtrack

LONGEST = 1e9  # seconds; ffmpeg gets no limit for a longer span, as it counts no further than 1e13
MAX_FPS = 60  # a faster clip is halved until it fits: nobody sees more, and each frame costs the animator
SMOOTH = 25  # frames a second that keep a picture within 20 ms of its sound, however uneven the clip
INLINE_BYTES = 64 * 2**20  # largest clip put into a notebook's page

_log = logging.getLogger(__name__)
_DAMAGE = re.compile(r"partial file|ended prematurely|corrupt", re.IGNORECASE)


@dataclass(frozen=True)
class Video:
    """A clip, or a span of one; it holds no frames and no open files.

    Attributes:
        path: The file.
        fps: Frames a second, constant and exact: 30000/1001 stays 30000/1001.
        width: Width in pixels of the upright picture.
        height: Height in pixels of the upright picture.
        duration: Length of the span in seconds, a whole number of frames.
        has_audio: Whether the file has sound.
        start: Where in the file the span begins, in seconds.
        corner: Left and top of the part that is shown, in pixels of the file's upright picture; None shows all of it.
        finish: What is done to each file made of the clip once it is whole; see `write_video`.
    """

    path: Path
    fps: Fraction
    width: int
    height: int
    duration: float
    has_audio: bool
    start: float = 0.0
    corner: tuple[int, int] | None = None
    finish: Finish | None = field(default=None, compare=False, repr=False)

    @property
    def frame_count(self) -> int:
        """How many frames `frames` yields."""
        return round(self.duration * self.fps)

    def frames(self, *, max_side: int | None = None) -> Generator[Image, None, None]:
        """Decode the span with a new decoder, which ends when the generator is closed.

        Args:
            max_side: Longest side in pixels of the frames; a larger picture is scaled down while it is decoded.

        Yields:
            `frame_count` upright frames, uint8 RGB (height, width, 3), each a new array.

        Raises:
            InputError: The file breaks off; the message names the time that was reached.
        """
        width, height = _fit(self.width, self.height, max_side=max_side)
        if is_animation(self.path):
            yield from self._animated(width, height)
            return
        with Ffmpeg(*self._decoding(width, height)) as ffmpeg:
            for index in range(self.frame_count):
                frame = np.empty((height, width, 3), np.uint8)
                if ffmpeg.read_into(frame) < frame.nbytes:
                    reached = self.start + index / float(self.fps)
                    raise InputError(
                        f"{self.path} can't be read past {reached:.2f} s ({ffmpeg.complaint()}): "
                        "get the file again, or use only the part before."
                    )
                yield frame

    def _decoding(self, width: int, height: int) -> list[str]:
        """Return ffmpeg's arguments for the span as raw RGB frames of a size.

        The seek goes some seconds before the span, as streams without an index need. It goes half a frame off the
        grid and the rate rounds down, so that jitter in the file's times never drops or doubles a frame. Where a file
        ends a little early, its last frame is repeated.
        """
        first = round(self.start * self.fps)
        lead = min(first, round(SEEK_LEAD * self.fps))
        half, rounding = (0.5, "down") if first > lead else (0.0, "near")
        seek = ["-ss", f"{(first - lead - half) / float(self.fps):.6f}"] if half else []
        rate = f"fps={self.fps}:start_time={lead / float(self.fps):.6f}:round={rounding}"
        size = f"scale={width}:{height}:{EXACT},setsar=1,format=rgb24"
        part = f"crop={self.width}:{self.height}:{self.corner[0]}:{self.corner[1]}:exact=1," if self.corner else ""
        filters = f"{rate},tpad=stop_mode=clone:stop_duration=1,setpts=PTS-STARTPTS,{part}{size}"
        count = ["-r", str(self.fps), "-frames:v", str(self.frame_count)]
        return [*seek, *reading(self.path), "-map", "0:V:0", "-vf", filters, *count, "-f", "rawvideo", "-"]

    def _animated(self, width: int, height: int) -> Generator[Image, None, None]:
        """Decode the span of an animated picture: each frame shows what the file shows at the middle of its time."""
        import cv2

        left, top = self.corner or (0, 0)
        shown, ends = np.empty((height, width, 3), np.uint8), -math.inf
        with closing(read_animation(self.path)) as pictures:
            for index in range(self.frame_count):
                middle = self.start + (index + 0.5) / self.fps
                while middle >= ends and (following := next(pictures, None)):
                    ends, picture = following
                    part = picture[top : top + self.height, left : left + self.width]
                    shown = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA))
                yield shown.copy()

    def cropped(self, box: tuple[float, float, float, float]) -> Video:
        """Return the same clip with a part of the picture only.

        Args:
            box: Left, top, right and bottom, in pixels; what lies outside the picture is cut off.

        Raises:
            InputError: Nothing of the picture is in the box.
        """
        left, top = (max(round(value), 0) for value in box[:2])
        right, bottom = min(round(box[2]), self.width), min(round(box[3]), self.height)
        if right - left < 2 or bottom - top < 2:
            raise InputError(f"The crop {box} leaves nothing of {self.path}, {self.width} x {self.height} pixels.")
        x, y = self.corner or (0, 0)
        return replace(self, width=right - left, height=bottom - top, corner=(x + left, y + top))

    def save(self, path: str | Path, *, max_size: str | int | None = None) -> Path:
        """Write the clip to a new file: copied where possible, encoded again if it is a span or another kind.

        Args:
            path: The file to write; its ending decides the kind, as in `write_video`.
            max_size: The most that the file may take, such as "10MB".

        Raises:
            InputError: The clip can't be read.
            OutputError: The file can't be written there, or not that small; an existing one is then kept.
        """
        limit = parse_size(max_size)
        file = check_output(path, inputs=[self.path])
        fits = self.path.is_file() and self.path.stat().st_size <= limit
        whole = not (self.start or self.corner or self._is_cut_short())
        if not whole or not fits or file.suffix.lower() != self.path.suffix.lower():
            sound = self if self.has_audio else None
            clip = write_video(file, self.frames(), fps=self.fps, audio=sound, max_size=max_size, finish=self.finish)
            return clip.path
        with writing(file), whole_file(file) as part:
            shutil.copyfile(self.path, part)
        return file

    def to_moviepy(self) -> Any:
        """Return the span as a moviepy clip, for editing with moviepy 1 or 2; `from_moviepy` writes the result.

        Its frames come from this module's decoder, upright and at the exact rate; its sound is held in memory, 12 MB
        a minute.

        Raises:
            InputError: The sound can't be read.
            UnavailableError: moviepy is not installed.
        """

        def open_at(index: int) -> Generator[Image, None, None]:
            later = float(index / self.fps)
            return replace(self, start=self.start + later, duration=self.duration - later).frames()

        spans = [span] if (span := _span(self)) else []
        with TemporaryDirectory(prefix="memegen-") as name:
            track = soundtrack(spans, length=self.duration, sound=None, folder=Path(name), name=self.path)
            return clip_of(open_at, fps=self.fps, count=self.frame_count, track=track)

    def _is_cut_short(self) -> bool:
        """Return whether the file goes on after a span that begins with it."""
        return _scan(self.path, until=self.duration).length(self.fps) > self.duration + 0.75 / self.fps

    def _repr_html_(self) -> str:
        """Return HTML that plays the clip in a notebook."""
        name = html.escape(self.path.name, quote=True)
        if not self.path.is_file():
            return f"<p>{name} is no longer there.</p>"
        if self.path.stat().st_size > INLINE_BYTES:
            return f"<p>{name} is too large to play here; it is at {html.escape(str(self.path))}.</p>"
        kind = mimetypes.guess_type(self.path.name)[0] or "video/mp4"
        kind = "video/mp4" if self.path.suffix.lower() in MOVIES else kind
        source = data_address(self.path, kind)
        look = f'width="{min(self.width, 640)}" style="max-width: 100%; height: auto" src="{source}"'
        if kind.startswith("image/"):
            return f'<img title="{name}" alt="{name}" {look}>'
        return f'<video controls playsinline title="{name}" aria-label="{name}" {look}></video>'


Audio = Video | str | Path


def open_video(path: str | Path, *, start: float = 0.0, duration: float | None = None) -> Video:
    """Open a clip, or a span of it, and find out its size, rate and length.

    Args:
        path: Any video file that ffmpeg reads, or an animated GIF, WebP or PNG.
        start: Where the span begins, in seconds; moved to the nearest frame.
        duration: Length of the span in seconds; it ends with the clip at the latest. None: to the end.

    Raises:
        InputError: There is no such file, it is not a video, it breaks off, it has fewer than two frames, or the span
            is not within it.
    """
    if not 0 <= start < math.inf:
        raise InputError(f"The start is {start} s: it has to be 0 or more.")
    if duration is not None and not 0 < duration < math.inf:
        raise InputError(f"The duration is {duration} s: it has to be more than 0.")
    file = check_file(path, kind="video")
    picture = _look(file)
    until = math.inf if duration is None else start + duration
    packets = _scan(file, until=until)
    if packets.number < 2:
        raise InputError(f"{path} is a still picture of one frame: a clip has to move, so choose another.")
    fps = _at_most(_rate(picture, packets), MAX_FPS)
    length = packets.length(fps)
    if packets.broken and min(until, picture.duration) - length > 0.5:
        raise InputError(
            f"{path} is incomplete, it breaks off after {length:.2f} s of {picture.duration:.2f} s: "
            "get the file again, or use only the part before."
        )
    first, last = round(start * fps), round(min(until, length) * fps)
    if first >= round(length * fps):
        raise InputError(f"The start, {start:g} s, is past the end of {path}, which is {length:.2f} s long.")
    if last - first < 2:
        raise InputError(f"The selected part of {path} has fewer than two frames: make it longer.")
    span = float((last - first) / fps)
    return Video(file, fps, picture.width, picture.height, span, picture.has_audio, float(first / fps))


def write_video(
    path: str | Path,
    frames: Iterable[Image],
    *,
    fps: Fraction | float,
    audio: Audio | Sequence[Audio] | None = None,
    sound: Sound | None = None,
    max_size: str | int | None = None,
    comment: str | None = None,
    finish: Finish | None = None,
) -> Video:
    """Encode frames as they come; the file appears only when it is complete.

    The ending decides the kind: .mp4, .mov and .m4v hold H.264 and AAC, which every player knows; .gif and .webp move
    without sound, at most 480 and 720 pixels long and at 15 and 30 frames a second; a .webp of 512 x 512 is a sticker
    of less than 500 kB; .png is a still of what is seen after a second, and no frame after it is asked for.

    Args:
        path: The file to write.
        frames: uint8 RGB arrays (H, W, 3), all of one size; a movie loses an odd last row or column.
        fps: Frames a second; 29.97 and its like are taken as the exact rate they stand for.
        audio: Where the sound comes from: the span of a Video, or a sound or video file from its beginning; several
            are heard together. It is cut to the length of the picture, or followed by silence. A Video without sound
            gives a silent clip.
        sound: What is done to it; nothing when None.
        max_size: The most that the file may take: "10MB", "500 kB", "8MiB" or bytes. Quality, size, frame rate and
            colours go down until it fits.
        comment: Text for the comment that a movie or a GIF carries.
        finish: Called with the path of the complete file before it gets its name, to change it in place; again with a
            new file where one turns out too large. The limit holds for the changed file.

    Raises:
        InputError: There are no frames, they differ in size, the sound can't be read, or a value can't be used.
        OutputError: The file can't be written there, or not that small; an existing one is then kept.
    """
    several = [] if audio is None else [audio] if isinstance(audio, Video | str | Path) else list(audio)
    limit = parse_size(max_size)
    file = check_output(path, inputs=[one.path if isinstance(one, Video) else one for one in several])
    rate = fps if isinstance(fps, Fraction) else _rational(fps)
    if rate <= 0:
        raise InputError(f"A clip can't have {fps} frames a second: use a number such as 25.")
    spans = [span for one in several if (span := _span(one))]
    with whole_file(file, guard=writing) as part:
        folder = part.parent
        picture = record(frames, fps=rate, name=file, folder=folder)
        track = None
        if spans and file.suffix.lower() in MOVIES:
            track = soundtrack(spans, length=picture.length, sound=sound, folder=folder, name=file)
        parcel = Parcel(file, folder, track=track, comment=comment, finish=finish, limit=limit)
        whole = pack(picture, parcel)
        whole.path.replace(part)
    return Video(file, whole.fps, whole.width, whole.height, whole.length, track is not None, finish=finish)


def from_moviepy(clip: Any, path: str | Path, *, max_size: str | int | None = None) -> Video:
    """Write a moviepy clip with memegen's encoder, at its exact frame rate and with its sound in place to the sample.

    moviepy itself writes rates with two decimals: at 23.976 frames a second the sound drifts by 10 ms a minute.

    Args:
        clip: A video clip of moviepy 1 or 2 with a duration and a frame rate, such as `Video.to_moviepy` gives.
        path: The file to write; its ending decides the kind, as in `write_video`.
        max_size: The most that the file may take, such as "10MB".

    Raises:
        InputError: The clip has no duration or no frame rate.
        OutputError: The file can't be written there, or not that small; an existing one is then kept.
    """
    if not getattr(clip, "fps", None) or not clip.duration:
        raise InputError(
            f"The moviepy clip has the duration {clip.duration} s and {getattr(clip, 'fps', None)} frames a second: "
            "set both first."
        )
    fps, file = _rational(clip.fps), check_output(path)
    with TemporaryDirectory(prefix="memegen-") as name:
        audio = write_sound(clip.audio, Path(name, "sound.wav"), length=clip.duration) if clip.audio else None
        return write_video(file, pictures_of(clip, fps), fps=fps, audio=audio, max_size=max_size)


def check_output(path: str | Path, *, inputs: Sequence[str | Path] = ()) -> Path:
    """Return the absolute path of a clip to write, after checking that it can be written there.

    Args:
        path: The file to write.
        inputs: Files that are still to be read and must not be overwritten.

    Raises:
        OutputError: Its ending is unknown, its folder is missing or read-only, or it is one of the inputs.
    """
    file = expanded(path).absolute()
    if file.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path} has an unknown ending: use one of {', '.join(SUFFIXES)}.")
    try:
        folder_there, there = file.parent.is_dir(), file.exists()
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} can't be a file name ({error}): choose another.") from error
    if not folder_there:
        raise OutputError(f"There is no folder {file.parent}: create it, or write to another.")
    if not os.access(file.parent, os.W_OK):
        raise OutputError(f"The folder {file.parent} is read-only: write to another.")
    if file.is_dir():
        raise OutputError(f"{path} is a folder: give the name of a file in it.")
    if there and any(_is_same(file, expanded(other)) for other in inputs):
        raise OutputError(f"{path} is also an input and would be overwritten: choose another name.")
    return file


def _is_same(file: Path, other: Path) -> bool:
    """Return whether two names are the same file; an address is none."""
    try:
        return file.samefile(other)
    except (OSError, ValueError):
        return False


class _Probe(NamedTuple):
    """What a file says of itself, and the size of its first frame; fps is None and duration 0 where it does not say."""

    width: int
    height: int
    fps: Fraction | None
    duration: float
    has_audio: bool


class _Packets(NamedTuple):
    """The packets of a picture stream: how many, their average rate, when the last one ends (0: unknown).

    The peak is the rate of the shortest tenth.
    """

    number: int
    rate: float
    end: float
    broken: bool
    peak: float = 0.0

    def length(self, fps: Fraction) -> float:
        """Return the length of the picture in seconds."""
        return self.end or float(self.number / fps)


def _look(file: Path) -> _Probe:
    """Decode the first frame: its size is that of all, turned upright and with square pixels."""
    if is_animation(file):
        with closing(read_animation(file)) as pictures:
            height, width = next(pictures)[1].shape[:2]
        return _Probe(width, height, None, 0.0, has_audio=False)
    square = "scale=trunc(iw*sar+0.5):ih,setsar=1,format=rgb24"
    shot = run(
        *reading(file), "-map", "0:V:0", "-vf", square, "-frames:v", "1", "-c:v", "ppm", "-f", "image2pipe", "-",
        level="info",
    )  # fmt: skip
    words = said(shot)
    size = re.match(rb"P6\s+(\d+)\s+(\d+)\s", shot.stdout)
    if size is None:
        if tells_of_sound(words) and not re.search(r"Video:(?!.*attached pic)", words):
            raise InputError(f"{file} has sound but no picture: use it as the sound, and a video as the clip.")
        raise InputError(
            f"{file} can't be read as a video ({last_words(shot.stderr)}): it is damaged, incomplete or not a video; "
            "get it again or use another."
        )
    stream = re.search(r"^\s*Stream #\S+ Video:(?!.*attached pic).*?([\d.]+)(k?) fps", words, re.MULTILINE)
    clock = re.search(r"Duration: (\d+):(\d+):([\d.]+)", words)
    fps = _rational(float(stream[1]) * (1000 if stream[2] else 1)) if stream else None
    duration = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock else 0.0
    return _Probe(int(size[1]), int(size[2]), fps, duration, tells_of_sound(words))


def _scan(file: Path, *, until: float = math.inf) -> _Packets:
    """Count a clip's packets and read their times, without decoding a movie, up to a time in seconds."""
    if is_animation(file):
        return _scan_animation(file, until=until + 1)
    limit = ["-t", f"{until + 1:.3f}"] if until < LONGEST else []
    listing = run(*limit, *reading(file), "-map", "0:V:0", "-c", "copy", "-f", "framecrc", "-", level="warning")
    lines = listing.stdout.decode("ascii", "replace").splitlines()
    base = next((Fraction(line.split()[2]) for line in lines if line.startswith("#tb 0:")), Fraction(1))
    rows = (line.split(",") for line in lines if line[:1].isdigit())
    packets = sorted((int(row[2]), int(row[3])) for row in rows)  # time and length, in units of base
    broken = _DAMAGE.search(listing.stderr.decode("utf-8", "replace")) is not None
    if len(packets) < 2 or packets[0][0] <= -(2**62):  # ffmpeg's "no time given"
        return _Packets(len(packets), 0.0, 0.0, broken)
    (first, _), (last, length) = packets[0], packets[-1]
    step = Fraction(last - first, len(packets) - 1)
    steps = sorted(later - time for (time, _), (later, _) in pairwise(packets))
    peak = float(1 / (quick * base)) if (quick := steps[len(steps) // 10]) else 0.0
    rate = float(1 / (step * base)) if step else 0.0
    return _Packets(len(packets), rate, float((last + (length or step)) * base), broken, peak)


def _scan_animation(file: Path, *, until: float) -> _Packets:
    """Return the same of an animated picture, where equal frames may be stored as one: the shortest give the rate."""
    times = [0.0]
    with closing(read_animation(file)) as pictures:
        while times[-1] < until and (following := next(pictures, None)):
            times.append(following[0])
    lengths = sorted(end - begin for begin, end in pairwise(times))
    # A GIF counts hundredths of a second: delays of 7, 7 and 6 are 15 frames a second.
    short = [length for length in lengths if length < lengths[len(lengths) // 10] + 0.0105]
    return _Packets(len(lengths), len(short) / sum(short), times[-1], broken=False)


def _rate(picture: _Probe, packets: _Packets) -> Fraction:
    """Return the rate of a clip; where it changes and is slow on average, that of its fast parts.

    A frame is then shown at most 20 ms early or late.
    """
    average = picture.fps or _rational(packets.rate)
    return Fraction(round(packets.peak)) if packets.peak > 1.3 * average and average < SMOOTH else average


def _rational(fps: float) -> Fraction:
    """Return the exact rate of a rounded one: 29.97 is 30000/1001."""
    if not 0 < fps < math.inf:
        raise InputError(f"A clip can't have {fps} frames a second: use a number such as 25.")
    whole = round(fps)
    if whole >= 12 and abs(whole * 1000 / 1001 - fps) < 0.006:
        return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(1000)


def _at_most(fps: Fraction, limit: int) -> Fraction:
    """Halve a rate until it is within the limit."""
    while fps > limit:
        fps /= 2
    return fps


def _fit(width: int, height: int, *, max_side: int | None) -> tuple[int, int]:
    """Return a size scaled down to a longest side."""
    shrink = min(1.0, (max_side or math.inf) / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _span(audio: Audio) -> SoundSpan | None:
    """Return the sound of a source, after checking that it is there; None for a silent clip."""
    if not isinstance(audio, Video):
        return SoundSpan(check_sound(audio))
    if audio.has_audio:
        return SoundSpan(audio.path, audio.start, audio.duration)
    _log.info("%s has no sound, so it adds none.", audio.path.name)
    return None
