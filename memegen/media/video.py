"""Reads and writes clips: streams of frames at one constant, rational frame rate."""

from __future__ import annotations

import html
import logging
import math
import mimetypes
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from memegen.base.arrays import Image
from memegen.base.errors import InputError, OutputError
from memegen.base.files import check_file, expanded, reason_of, whole_file
from memegen.base.html import data_address
from memegen.media.animations import is_animation, on_background, read_animation
from memegen.media.editing import clip_of, pictures_of, write_sound
from memegen.media.encoders import (
    MOVIES,
    SOUNDING,
    SUFFIXES,
    Finish,
    Parcel,
    coded_sound,
    pack,
    parse_size,
    record,
    writing,
)
from memegen.media.ffmpeg import EXACT, SEEK_LEAD, Ffmpeg, reading
from memegen.media.options import Sound
from memegen.media.probe import PLAIN, Decoding, look, rate, rational, scan, settle, usual_size
from memegen.media.sound import SoundSpan, checked_track, find_track, sound_of, soundtrack

MISSING = 0.2  # seconds that may be missing at the end of a file
MAX_FPS = 60  # a faster clip is halved until it fits: nobody sees more, and each frame costs the animator
INLINE_BYTES = 64 * 2**20  # largest clip put into a notebook's page

_log = logging.getLogger(__name__)


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
        decoding: How the file's frames and sound are decoded.
        finish: What is done to each complete file that is made of the clip; see `write_video`.
    """

    path: Path
    fps: Fraction
    width: int
    height: int
    duration: float
    has_audio: bool
    start: float = 0.0
    corner: tuple[int, int] | None = None
    decoding: Decoding = PLAIN
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
        shrink = min(1.0, (max_side or math.inf) / max(self.width, self.height))
        width, height = max(1, round(self.width * shrink)), max(1, round(self.height * shrink))
        if is_animation(self.path):
            yield from self._animated(width, height)
            return
        import cv2

        frame, count = None, self.frame_count
        planes = np.empty((4 if self.decoding.alpha else 3, height, width), np.uint8)
        with Ffmpeg(*self._arguments(width, height)) as ffmpeg:
            for index in range(count):
                if ffmpeg.read_into(planes) == planes.nbytes:
                    green, blue, red, *alpha = planes
                    frame = np.asarray(cv2.merge([red, green, blue, *alpha]), np.uint8)
                elif frame is None or count - index > max(MISSING * self.fps, 2):
                    ffmpeg.complaint()
                    reached = self.start + index / float(self.fps)
                    raise InputError(
                        f"{self.path} can't be read past {reached:.2f} s: get the file again, or use only the part "
                        "before."
                    )
                else:  # a file may end a little early
                    frame = frame.copy()
                yield on_background(frame) if self.decoding.alpha else frame

    def _arguments(self, width: int, height: int) -> list[str]:
        """Return ffmpeg's arguments for the span as raw frames of a size.

        The seek goes some seconds before the span, as streams without an index need. It goes half a frame off the
        grid and the rate rounds down, so that jitter in the file's times never drops or doubles a frame.
        """
        how, fps = self.decoding, float(self.fps)
        first = round(self.start * self.fps)
        lead = min(first, round(SEEK_LEAD * self.fps))
        half, rounding = (0.5, "down") if first > lead or how.picture_at else (0.0, "near")
        seek = ["-ss", f"{how.picture_at + (first - lead - half) / fps:.6f}"] if half else []
        steady = f"fps={self.fps}:start_time={lead / fps:.6f}:round={rounding},setpts=PTS-STARTPTS"
        part = f"crop={self.width}:{self.height}:{self.corner[0]}:{self.corner[1]}:exact=1," if self.corner else ""
        kind = "gbrap" if how.alpha else "gbrp"  # in planes: ffmpeg has no fast code for the others
        scaled = f"scale={width}:{height}:{EXACT}{how.matrix},setsar=1,{how.colours}format={kind}"
        filters = f"{how.filters}{steady},{how.bars}{part}{scaled}"
        count = ["-r", str(self.fps), "-frames:v", str(self.frame_count)]
        # Without this a change of size begins the filters anew, and with them the count of frames.
        source = ["-reinit_filter", "0", *seek, *how.decoder, *reading(self.path)]
        return [*source, "-map", "0:V:0", "-vf", filters, *count, "-f", "rawvideo", "-", *self._sound_beside(lead)]

    def _sound_beside(self, lead: int) -> list[str]:
        """Return arguments that read the sound and drop it: some clocks start with the first packet that is read."""
        if not self.has_audio or self.decoding.picture_at:
            return []
        until = f"{self.duration + lead / self.fps:.6f}"
        return ["-map", "0:a", "-c", "copy", "-t", until, "-f", "null", "-"]

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
        end = self.duration + 0.75 / self.fps
        whole = not (self.start or self.corner or _length(self.path, until=end) > end)
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

        spans = [span] if (span := span_of(self)) else []
        with TemporaryDirectory(prefix="memegen-") as name:
            track = soundtrack(spans, length=self.duration, sound=None, folder=Path(name), name=self.path)
            return clip_of(open_at, fps=self.fps, count=self.frame_count, track=track)

    def to_html(self, *, label: str = "", playing: bool = False, more: str = "") -> str:
        """Return HTML that plays the clip, with the clip itself in it.

        Args:
            label: What to call it, for screen readers and as a tooltip; the file's name when empty.
            playing: Whether it plays at once, muted and again and again; browsers allow no sound before a click.
            more: Further attributes of the element.
        """
        name = html.escape(self.path.name, quote=True)
        if not self.path.is_file():
            return f"<p>{name} is no longer there.</p>"
        if self.path.stat().st_size > INLINE_BYTES:
            return f"<p>{name} is too large to play here; it is at {html.escape(str(self.path))}.</p>"
        kind = mimetypes.guess_type(self.path.name)[0] or "video/mp4"
        kind = "image/apng" if self.path.suffix.lower() == ".apng" else kind
        kind = "video/mp4" if self.path.suffix.lower() in MOVIES else kind
        title = html.escape(label, quote=True) or name
        source = data_address(self.path, kind)
        look = f'width="{min(self.width, 640)}" style="max-width: 100%; height: auto" {more} src="{source}"'
        if kind.startswith("image/"):
            return f'<img title="{title}" alt="{title}" {look}>'
        how = "autoplay muted loop" if playing else "controls"
        return f'<video {how} playsinline title="{title}" aria-label="{title}" {look}></video>'

    def _repr_html_(self) -> str:
        """Return HTML that plays the clip in a notebook."""
        return self.to_html()


Audio = Video | SoundSpan | str | Path


def open_video(path: str | Path, *, start: float = 0.0, duration: float | None = None) -> Video:
    """Open a clip, or a span of it, and find out its size, rate and length.

    Args:
        path: Any video file that ffmpeg reads, or an animated GIF, WebP or PNG.
        start: Where the span begins, in seconds; moved to the nearest frame.
        duration: Length of the span in seconds; it ends with the clip at the latest. None: to the end.

    Raises:
        InputError: There is no such file, it is not a video, it breaks off, it has fewer than two frames, or the span
            is not within it.
        NoPictureError: It has sound but no picture.
    """
    if not 0 <= start < math.inf:
        raise InputError(f"The start is {start} s: it has to be 0 or more.")
    if duration is not None and not 0 < duration < math.inf:
        raise InputError(f"The duration is {duration} s: it has to be more than 0.")
    file = check_file(path, kind="video")
    picture = look(file)
    until = math.inf if duration is None else start + duration
    with ThreadPoolExecutor(1) as aside:
        track = aside.submit(find_track, file, picture.sounds) if picture.sounds else None
        packets = scan(file, picture, until=until)
    if packets.number < 2:
        raise InputError(f"{path} is a still picture of one frame: a clip has to move, so choose another.")
    fps = rate(picture, packets)
    while fps > MAX_FPS:
        fps /= 2
    decoding = settle(file, picture, packets)
    length = packets.length(fps) - decoding.picture_at
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
    width, height = usual_size(picture, packets)
    return Video(
        path=file,
        fps=fps,
        width=width,
        height=height,
        duration=float((last - first) / fps),
        has_audio=bool(picture.sounds),
        start=float(first / fps),
        decoding=decoding._replace(track=track.result()) if track else decoding,
    )


def write_video(
    path: str | Path,
    frames: Iterable[Image],
    *,
    fps: Fraction | float,
    audio: Audio | Sequence[Audio] | None = None,
    sound: Sound | None = None,
    max_size: str | int | None = None,
    keep_size: bool = False,
    comment: str | None = None,
    finish: Finish | None = None,
) -> Video:
    """Encode frames as they come; the file appears only when it is complete.

    The ending decides the kind: .mp4, .mov and .m4v hold H.264 and AAC, which every player knows, .webm VP9 and Opus;
    .gif, .webp and .apng move without sound, at most 480, 720 and 480 pixels long and at 15, 30 and 15 frames a second;
    a .webp of 512 x 512 is a sticker of less than 500 kB; .png is a still of what is seen after a second, and no frame
    after it is asked for. Frames may have transparent parts in .webm, .webp, .apng and .png.

    Args:
        path: The file to write.
        frames: uint8 RGB (H, W, 3) or RGBA (H, W, 4), all of one size; a movie loses an odd last row or column.
        fps: Frames a second; 29.97 and similar rates become the exact rate: 30000/1001.
        audio: Where the sound comes from: the span of a Video, or a sound or video file from its beginning; several
            are heard together. It is cut to the length of the picture, or followed by silence. A Video without sound
            gives a silent clip.
        sound: What is done to it; nothing when None.
        max_size: The most that the file may take: "10MB", "500 kB", "8MiB", or an int of bytes. Quality, size, frame
            rate and colours go down until it fits.
        keep_size: Whether a .webm, .webp or .apng keeps its width and height whatever the limit, as stickers must.
        comment: Text for the comment that a movie or a GIF carries.
        finish: Called with the path of the complete file before it gets its name, to change it in place; again with a
            new file where one turns out too large. The limit holds for the changed file.

    Raises:
        InputError: There are no frames, they differ in size, the sound can't be read, or a value can't be used.
        OutputError: The file can't be written there, or not that small; an existing one is then kept.
    """
    several = [] if audio is None else [audio] if isinstance(audio, Video | SoundSpan | str | Path) else list(audio)
    limit = parse_size(max_size)
    file = check_output(path, inputs=[one if isinstance(one, str | Path) else one.path for one in several])
    rate = fps if isinstance(fps, Fraction) else rational(fps)
    if rate <= 0:
        raise InputError(f"A clip can't have {fps} frames a second: use a number such as 25.")
    spans = [span for one in several if (span := span_of(one))]
    spans = spans if file.suffix.lower() in SOUNDING else []
    with whole_file(file, guard=writing) as part, _heard(spans, sound, part.parent, file) as heard:
        folder = part.parent
        picture = record(frames, fps=rate, name=file, folder=folder)
        sounds = heard(picture.length)
        parcel = Parcel(file, folder, *sounds, comment=comment, finish=finish, limit=limit, keep_size=keep_size)
        whole = pack(picture, parcel)
        whole.path.replace(part)
    return Video(file, whole.fps, whole.width, whole.height, whole.length, parcel.track is not None, finish=finish)


@contextmanager
def _heard(
    spans: Sequence[SoundSpan], sound: Sound | None, folder: Path, name: Path
) -> Iterator[Callable[[float], tuple[Path | None, Path | None]]]:
    """Make a clip's sound while its picture is made.

    Yields:
        A function of the picture's length in seconds. It waits, and returns what `Parcel` calls track and coded.
    """
    likely = max((span.length for span in spans), default=math.inf) + max(sound.offset if sound else 0, 0) / 1000

    def make(length: float) -> tuple[Path | None, Path | None]:
        track = soundtrack(spans, length=length, sound=sound, folder=folder, name=name) if spans else None
        return track, coded_sound(track, length, name=name)

    with ThreadPoolExecutor(1) as aside:
        # A picture is mostly as long as the sound that comes with it. If it is not, the sound is made again.
        early = aside.submit(make, likely) if likely < math.inf else None

        def heard(length: float) -> tuple[Path | None, Path | None]:
            fits = early is not None and abs(length - likely) < 1e-6
            return early.result() if early and fits else aside.submit(make, length).result()

        yield heard


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
    told = getattr(clip, "fps", None)
    if not told or not clip.duration:
        raise InputError(f"The moviepy clip has the duration {clip.duration} s and {told} frames a second: set both.")
    fps, file = rational(told), check_output(path)
    with TemporaryDirectory(prefix="memegen-") as name:
        audio = (
            write_sound(clip.audio, Path(name, "sound.wav"), length=clip.duration) if clip.audio is not None else None
        )
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
        raise OutputError(f"{path} can't be a file name ({reason_of(error)}): choose another.") from error
    if not folder_there:
        raise OutputError(f"There is no folder {file.parent}: create it, or write to another.")
    if not os.access(file.parent, os.W_OK):
        raise OutputError(f"The folder {file.parent} is read-only: write to another.")
    if file.is_dir():
        raise OutputError(f"{path} is a folder: give the name of a file in it.")
    if there and any(_is_same(file, expanded(other)) for other in inputs):
        raise OutputError(f"{path} is also an input and would be overwritten: choose another name.")
    return file


def output_file(out: str | Path | None, stack: ExitStack, *, inputs: Iterable[object], suffix: str) -> Path:
    """Return where to write a clip, checked as by `check_output`; if `out` is None a temporary file.

    Args:
        out: The file to write.
        stack: Removes the temporary file.
        inputs: What is still to be read; those that are paths must not be overwritten.
        suffix: The ending of the temporary file.

    Raises:
        OutputError: It can't be written there.
    """
    if out is None:
        folder = TemporaryDirectory(prefix="memegen-", ignore_cleanup_errors=True)
        out = Path(stack.enter_context(folder), f"meme{suffix}")
    return check_output(out, inputs=[file for file in inputs if isinstance(file, str | Path)])


def _length(file: Path, *, until: float) -> float:
    """Return the length of a clip's picture in seconds, read up to a time."""
    picture = look(file)
    packets = scan(file, picture, until=until)
    return packets.length(rate(picture, packets))


def _is_same(file: Path, other: Path) -> bool:
    """Return whether two names are the same file; an address is none."""
    try:
        return file.samefile(other)
    except (OSError, ValueError):
        return False


def span_of(audio: Audio) -> SoundSpan | None:
    """Return the sound of a source, after checking that it is there; None for a silent clip."""
    if isinstance(audio, SoundSpan):
        return audio
    if not isinstance(audio, Video):
        return sound_of(audio)
    if not audio.has_audio:
        _log.info("%s has no sound, so it adds none.", audio.path.name)
        return None
    track = checked_track(audio.path, audio.decoding.track)
    return SoundSpan(audio.path, audio.start + audio.decoding.sound_at, audio.duration, track)
