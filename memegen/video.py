"""Clips in and out: the only module that runs ffmpeg, as a stream and at one constant, rational frame rate."""

from __future__ import annotations

import base64
import html
import io
import itertools
import logging
import math
import mimetypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
import wave
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, NamedTuple, Self, cast

import numpy as np

from memegen.errors import InputError, OutputError, UnavailableError
from memegen.images import check_file

OUTPUT_SUFFIXES = (".mp4", ".mov", ".m4v")
MAX_FPS = 60  # a faster clip is halved until it fits: nobody sees more, and each frame costs the animator
INLINE_BYTES = 64 * 2**20  # largest clip put into a notebook's page
SAMPLE_RATE = 48000
SEEK_LEAD = 3  # seconds; a seek in a stream without an index may land late, on a picture that needs an earlier one

_log = logging.getLogger(__name__)
_AUDIO = re.compile(r"^\s*Stream #\S+ Audio:", re.MULTILINE)
_DAMAGE = re.compile(r"partial file|ended prematurely|corrupt", re.IGNORECASE)
# Frames are RGB; the matrix used for the conversion and the tags that name it have to agree.
_EXACT = "flags=bilinear+accurate_rnd+full_chroma_int"  # else every round trip darkens the picture by a grey level
_EVEN_YUV = f"crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0,scale=out_color_matrix=bt709:out_range=tv:{_EXACT},format=yuv420p"
_TAGS = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
_TO_H264 = ("-vf", f"{_EVEN_YUV},{_TAGS}", "-c:v", "libx264", "-preset", "veryfast", "-crf", "17")
_BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")


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
    """

    path: Path
    fps: Fraction
    width: int
    height: int
    duration: float
    has_audio: bool
    start: float = 0.0
    corner: tuple[int, int] | None = None

    @property
    def frame_count(self) -> int:
        """How many frames `frames` yields."""
        return round(self.duration * self.fps)

    def frames(self, *, max_side: int | None = None) -> Iterator[np.ndarray]:
        """Decode the span with a decoder of its own, which ends with the generator.

        Args:
            max_side: Longest side in pixels of the frames; a larger picture is scaled down while it is decoded.

        Yields:
            `frame_count` upright frames, uint8 RGB (height, width, 3), each a new array.

        Raises:
            InputError: If the file breaks off; the message names the time that was reached.
        """
        width, height = _fit(self.width, self.height, max_side=max_side)
        with _Ffmpeg(*self._decoding(width, height)) as ffmpeg:
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

        A seek lands some seconds early, as streams without an index need, and half a frame off the grid with the
        rate rounding down, so that jitter in the file's times never drops or doubles a frame. A file that ends a
        little early is filled with its last frame.
        """
        first = round(self.start * self.fps)
        lead = min(first, round(SEEK_LEAD * self.fps))
        half, rounding = (0.5, "down") if first > lead else (0.0, "near")
        seek = ["-ss", f"{(first - lead - half) / float(self.fps):.6f}"] if half else []
        rate = f"fps={self.fps}:start_time={lead / float(self.fps):.6f}:round={rounding},setpts=PTS-STARTPTS"
        size = f"scale={width}:{height}:{_EXACT},setsar=1,format=rgb24"
        part = f"crop={self.width}:{self.height}:{self.corner[0]}:{self.corner[1]}:exact=1," if self.corner else ""
        filters = f"{rate},tpad=stop_mode=clone:stop_duration=1,{part}{size}"
        count = ["-r", str(self.fps), "-frames:v", str(self.frame_count)]
        return [*seek, *_input(self.path), "-map", "0:V:0", "-vf", filters, *count, "-f", "rawvideo", "-"]

    def cropped(self, box: tuple[float, float, float, float]) -> Video:
        """Show a part of the picture only.

        Args:
            box: Left, top, right and bottom, in pixels; what lies outside the picture is cut off.

        Raises:
            InputError: If nothing of the picture is in the box.
        """
        left, top = (max(round(value), 0) for value in box[:2])
        right, bottom = min(round(box[2]), self.width), min(round(box[3]), self.height)
        if right - left < 2 or bottom - top < 2:
            raise InputError(f"The crop {box} leaves nothing of {self.path}, {self.width} x {self.height} pixels.")
        x, y = self.corner or (0, 0)
        return replace(self, width=right - left, height=bottom - top, corner=(x + left, y + top))

    def save(self, path: str | Path) -> Path:
        """Write the clip to a file of its own: copied where possible, encoded again if it is a span or another kind.

        Raises:
            InputError: If the clip can't be read.
            OutputError: If the file can't be written there; an existing one is then kept.
        """
        file = check_output(path, inputs=[self.path])
        if self.start or self.corner or file.suffix.lower() != self.path.suffix.lower() or self._is_cut_short():
            return write_video(file, self.frames(), fps=self.fps, audio=self if self.has_audio else None).path
        with _replacing(file) as part:
            try:
                shutil.copyfile(self.path, part)
            except OSError as error:
                raise OutputError(_output_problem(file, error)) from error
        return file

    def _is_cut_short(self) -> bool:
        """Tell whether the file goes on after the span."""
        return _scan(self.path).length(self.fps) > self.duration + 0.75 / self.fps

    def _repr_html_(self) -> str:
        """Play inline in a notebook."""
        name = html.escape(self.path.name, quote=True)
        if not self.path.is_file():
            return f"<p>{name} is no longer there.</p>"
        if self.path.stat().st_size > INLINE_BYTES:
            return f"<p>{name} is too large to play here; it is at {html.escape(str(self.path))}.</p>"
        kind = "video/mp4" if self.path.suffix.lower() in OUTPUT_SUFFIXES else mimetypes.guess_type(self.path.name)[0]
        data = base64.b64encode(self.path.read_bytes()).decode("ascii")
        return (
            f'<video controls playsinline title="{name}" aria-label="{name}" width="{min(self.width, 640)}" '
            f'style="max-width: 100%; height: auto" src="data:{kind or "video/mp4"};base64,{data}"></video>'
        )


def open_video(path: str | Path, *, start: float = 0.0, duration: float | None = None) -> Video:
    """Look at a clip, or a span of it, decoding no more than its first frame.

    Args:
        path: Any video file that ffmpeg reads.
        start: Where the span begins, in seconds; moved to the nearest frame.
        duration: Length of the span in seconds; it ends with the clip at the latest. None: to the end.

    Raises:
        InputError: If there is no such file, it is no video, breaks off, has fewer than two frames, or the span is
            not within it.
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
    fps = _at_most(picture.fps or _rational(packets.rate), MAX_FPS)
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
        raise InputError(f"Less than two frames of {path} are in the part asked for: make it longer.")
    span = float((last - first) / fps)
    return Video(file, fps, picture.width, picture.height, span, picture.has_audio, float(first / fps))


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    fps: Fraction | float,
    audio: Video | str | Path | None = None,
) -> Video:
    """Encode frames as they come, as H.264 and AAC that every player knows; the file appears only when it is whole.

    Args:
        path: The file to write: .mp4, .mov or .m4v.
        frames: uint8 RGB arrays (H, W, 3), all of one size; an odd last row or column is cut off.
        fps: Frames a second; 29.97 and its like are taken as the exact rate they stand for.
        audio: Where the sound comes from: the span of a Video, or a sound or video file from its beginning. It is
            cut to the length of the picture, or followed by silence. A Video without sound gives a silent clip.

    Raises:
        InputError: If there are no frames, they don't fit together, or the sound can't be read.
        OutputError: If the file can't be written there; an existing one is then kept.
    """
    inputs = [] if audio is None else [audio.path if isinstance(audio, Video) else audio]
    file = check_output(path, inputs=inputs)
    rate = fps if isinstance(fps, Fraction) else _rational(fps)
    if rate <= 0:
        raise InputError(f"A clip can't have {fps} frames a second: use a number such as 25.")
    sound = _sound_source(audio)
    with _replacing(file) as part:
        picture = part.with_stem("picture")
        height, width, count = _encode(picture, frames, fps=rate, name=file)
        length = float(count / rate)
        track = sound and _soundtrack(sound[0], start=sound[1], length=length, folder=part.parent, name=file)
        if track:
            _mux(picture, track, part, length=length, name=file)
        else:
            picture.replace(part)
    return Video(file, rate, width, height, length, track is not None)


def check_output(path: str | Path, *, inputs: Sequence[str | Path] = ()) -> Path:
    """Return the absolute path of a clip to write, after making sure that it can be written there.

    Args:
        path: The file to write.
        inputs: Files that are still to be read and must not be overwritten.

    Raises:
        OutputError: If its ending is unknown, its folder is missing or read-only, or it is one of the inputs.
    """
    file = Path(path).expanduser().absolute()
    if file.suffix.lower() not in OUTPUT_SUFFIXES:
        raise OutputError(f"{path} has an unknown ending: use one of {', '.join(OUTPUT_SUFFIXES)}.")
    if not file.parent.is_dir():
        raise OutputError(f"There is no folder {file.parent}: create it, or write to another.")
    if not os.access(file.parent, os.W_OK):
        raise OutputError(f"The folder {file.parent} is read-only: write to another.")
    try:
        exists = file.exists()
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} can't be a file name ({error}): choose another.") from error
    if file.is_dir():
        raise OutputError(f"{path} is a folder: give the name of a file in it.")
    if exists and any(Path(other).exists() and file.samefile(other) for other in inputs):
        raise OutputError(f"{path} is also an input and would be overwritten: choose another name.")
    return file


class _Ffmpeg:
    """One ffmpeg process fed or read frame by frame; it ends with its `with` block.

    Its messages are read as they come, so that it never stalls on them; the last few are kept.
    """

    def __init__(self, *arguments: str) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            _command(arguments, level="error"), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        self._messages: deque[bytes] = deque(maxlen=20)
        self._reader = threading.Thread(target=self._messages.extend, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if sys.is_finalizing():  # a generator that outlived its readers: joining a thread would abort Python
            return
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(BrokenPipeError):
                cast(IO[bytes], pipe).close()

    def read_into(self, frame: np.ndarray) -> int:
        """Fill a frame and return how many bytes came; fewer than it holds at the end of the stream."""
        stream = cast(io.BufferedReader, self._process.stdout)
        return stream.readinto(frame.data.cast("B"))

    def write(self, frame: np.ndarray) -> None:
        """Feed a frame without copying it; OSError when ffmpeg has gone."""
        cast(IO[bytes], self._process.stdin).write(np.ascontiguousarray(frame).data.cast("B"))

    def finish(self) -> None:
        """Tell ffmpeg that all frames are there and wait for it; OSError if it did not succeed."""
        cast(IO[bytes], self._process.stdin).close()
        if self._process.wait():
            raise OSError(self.complaint())

    def complaint(self) -> str:
        """Return why it stopped, in its own words, once it has."""
        self._process.wait()
        self._reader.join()
        return _last_words(b"".join(self._messages))


class _Picture(NamedTuple):
    """What ffmpeg says of a file, and what its first frame shows; fps is None and duration 0 where not said."""

    width: int
    height: int
    fps: Fraction | None
    duration: float
    has_audio: bool


class _Packets(NamedTuple):
    """The packets of a picture stream: how many, their average rate, when the last one ends (0: not said)."""

    number: int
    rate: float
    end: float
    broken: bool

    def length(self, fps: Fraction) -> float:
        """Return the length of the picture in seconds."""
        return self.end or float(self.number / fps)


def _ffmpeg_exe() -> str:
    """Return the ffmpeg that travels with imageio-ffmpeg."""
    import imageio_ffmpeg

    with suppress(RuntimeError):
        exe: str = imageio_ffmpeg.get_ffmpeg_exe()
        if shutil.which(exe):
            return exe
    raise UnavailableError("No ffmpeg was found: run pip install --force-reinstall imageio-ffmpeg.")


def _command(arguments: Iterable[str], *, level: str) -> list[str]:
    return [_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", level, "-y", *arguments]


def _run(*arguments: str, level: str = "error") -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg to its end, on its own so that Ctrl-C reaches only us."""
    return subprocess.run(
        _command(arguments, level=level),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        start_new_session=True,
    )


def _input(file: Path) -> list[str]:
    """Return the arguments that read a local file, whatever its name looks like, and nothing that it points to."""
    return ["-protocol_whitelist", "file", "-i", f"file:{file}"]


def _last_words(messages: bytes) -> str:
    """Return the most telling of ffmpeg's messages, without its memory addresses."""
    lines = [re.sub(r"^\[[^\]]*\] ", "", line) for line in messages.decode("utf-8", "replace").splitlines()]
    telling = [line for line in lines if line.strip() and not line.startswith("Error opening input file")]
    return "; ".join(telling[-2:])[:300] or "ffmpeg gave no reason"


def _look(file: Path) -> _Picture:
    """Decode the first frame: its size is that of all, turned upright and with square pixels."""
    square = "scale=trunc(iw*sar+0.5):ih,setsar=1,format=rgb24"
    shot = _run(
        *_input(file), "-map", "0:V:0", "-vf", square, "-frames:v", "1", "-c:v", "ppm", "-f", "image2pipe", "-",
        level="info",
    )  # fmt: skip
    said = _said(shot)
    size = re.match(rb"P6\s+(\d+)\s+(\d+)\s", shot.stdout)
    if size is None:
        if _AUDIO.search(said) and not re.search(r"Video:(?!.*attached pic)", said):
            raise InputError(f"{file} has sound but no picture: use it as the sound, and a video as the clip.")
        raise InputError(
            f"{file} can't be read as a video ({_last_words(shot.stderr)}): it is damaged, incomplete or no video; "
            "get it again or use another."
        )
    stream = re.search(r"^\s*Stream #\S+ Video:(?!.*attached pic).*?([\d.]+)(k?) fps", said, re.MULTILINE)
    clock = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said)
    fps = _rational(float(stream[1]) * (1000 if stream[2] else 1)) if stream else None
    duration = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock else 0.0
    return _Picture(int(size[1]), int(size[2]), fps, duration, _AUDIO.search(said) is not None)


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return what ffmpeg said of its input, and not of its output."""
    return done.stderr.decode("utf-8", "replace").partition("Stream mapping:")[0]


def _scan(file: Path, *, until: float = math.inf) -> _Packets:
    """Count a clip's packets and read their times, without decoding, up to a time in seconds."""
    limit = ["-t", f"{until + 1:.3f}"] if until < math.inf else []
    listing = _run(*limit, *_input(file), "-map", "0:V:0", "-c", "copy", "-f", "framecrc", "-", level="warning")
    lines = listing.stdout.decode("ascii", "replace").splitlines()
    base = next((Fraction(line.split()[2]) for line in lines if line.startswith("#tb 0:")), Fraction(1))
    rows = (line.split(",") for line in lines if line[:1].isdigit())
    packets = sorted((int(row[2]), int(row[3])) for row in rows)  # time and length, in units of base
    broken = _DAMAGE.search(listing.stderr.decode("utf-8", "replace")) is not None
    if len(packets) < 2 or packets[0][0] <= -(2**62):  # ffmpeg's "no time given"
        return _Packets(len(packets), 0.0, 0.0, broken)
    (first, _), (last, length) = packets[0], packets[-1]
    step = Fraction(last - first, len(packets) - 1)
    return _Packets(
        len(packets), float(1 / (step * base)) if step else 0.0, float((last + (length or step)) * base), broken
    )


def _rational(fps: float) -> Fraction:
    """Return the exact rate that a rounded one stands for: 29.97 is 30000/1001."""
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


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """Yield a name in a new folder beside the file; what is there at the end of the block becomes the file."""
    try:
        folder = tempfile.TemporaryDirectory(dir=file.parent, prefix=".memegen-")
    except OSError as error:
        raise OutputError(_output_problem(file, error)) from error
    with folder:
        part = Path(folder.name, f"whole{file.suffix}")
        yield part
        try:
            part.replace(file)
        except OSError as error:
            raise OutputError(_output_problem(file, error)) from error


def _output_problem(file: Path, error: object) -> str:
    """Return a sentence for a failure to write."""
    if "no space left" in str(error).lower():
        return f"The disk is full, so {file} was not written: free some space, or write to another disk."
    return f"{file} can't be written ({error}): write to another folder."


def _encode(picture: Path, frames: Iterable[np.ndarray], *, fps: Fraction, name: Path) -> tuple[int, int, int]:
    """Encode frames without sound; return the picture's height, width and number of frames."""
    iterator = iter(frames)
    try:
        first = next(iterator, None)
        if first is None:
            raise InputError(f"There are no frames to write to {name}: the clip they come from is empty.")
        _check_frame(first, first, index=0)
        height, width = first.shape[:2]
        arriving = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
        with _Ffmpeg(*arriving, *_TO_H264, *_BT709, "-movflags", "+faststart", str(picture)) as ffmpeg:
            count = 0
            for frame in itertools.chain([first], iterator):
                _check_frame(frame, first, index=count)
                _feed(ffmpeg, frame, name=name)
                count += 1
            _feed(ffmpeg, None, name=name)
        return height - height % 2, width - width % 2, count
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _feed(ffmpeg: _Ffmpeg, frame: np.ndarray | None, *, name: Path) -> None:
    """Write a frame, or finish after the last; failures become an OutputError in ffmpeg's words."""
    try:
        if frame is None:
            ffmpeg.finish()
        else:
            ffmpeg.write(frame)
    except OSError as error:
        raise OutputError(_output_problem(name, ffmpeg.complaint())) from error


def _check_frame(frame: np.ndarray, first: np.ndarray, *, index: int) -> None:
    """Refuse a frame that is not RGB or not the size of the first."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or min(frame.shape[:2]) < 2:
        raise InputError(f"Frame {index} is {frame.dtype} {frame.shape}: give uint8 RGB, (height, width, 3).")
    if frame.shape != first.shape:
        now, then = (f"{f.shape[1]} x {f.shape[0]}" for f in (frame, first))
        raise InputError(f"Frame {index} is {now}, but the first is {then}: give all frames the same size.")


def _mux(picture: Path, track: Path, whole: Path, *, length: float, name: Path) -> None:
    """Join picture and sound; the sound is cut to the length or followed by silence."""
    both = ["-i", str(picture), "-i", str(track), "-map", "0:v", "-map", "1:a", "-c:v", "copy"]
    sound = ["-c:a", "aac", "-b:a", "160k", "-af", "apad", "-t", f"{length:.6f}"]
    done = _run(*both, *sound, "-movflags", "+faststart", str(whole))
    if done.returncode:
        raise OutputError(_output_problem(name, _last_words(done.stderr)))


def _sound_source(audio: Video | str | Path | None) -> tuple[Path, float] | None:
    """Return the file that the sound comes from and where it begins there, in seconds; None for a silent clip."""
    if audio is None:
        return None
    if isinstance(audio, Video):
        if audio.has_audio:
            return audio.path, audio.start
        _log.info("%s has no sound, so the new clip is silent.", audio.path.name)
        return None
    file = check_file(audio, kind="sound file")
    if not _AUDIO.search(_said(_run(*_input(file), level="info"))):
        raise InputError(f"{audio} has no sound that can be read: choose another file, or none for a silent clip.")
    return file, 0.0


def _soundtrack(source: Path, *, start: float, length: float, folder: Path, name: Path) -> Path | None:
    """Cut the sound of a span out of a file; None if it has ended before.

    ffmpeg decodes it first, because moviepy ignores where in a clip the sound begins; moviepy then makes the cut.
    """
    decoded, track = folder / "decoded.wav", folder / "track.wav"
    skip = max(0, math.floor(start) - SEEK_LEAD)
    seek = ["-ss", str(skip)] if skip else []
    until = ["-t", f"{start - skip + length:.6f}"]
    timed = ["-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ar", str(SAMPLE_RATE), "-ac", "2"]
    # Some streams start their clock at the first packet of what is mapped: map the picture too, to drop it.
    dropped = ["-map", "0:a:0", "-map", "0:V:0?", "-c", "copy", *until, "-f", "null", "-"]
    done = _run(*seek, *_input(source), *timed, *until, str(decoded), *dropped)
    if done.returncode:
        problem = _last_words(done.stderr)
        if "no space left" in problem.lower():
            raise OutputError(_output_problem(name, problem))
        raise InputError(f"The sound of {source} can't be read ({problem}): choose another file, or leave it silent.")
    with wave.open(str(decoded)) as sound:
        available = sound.getnframes() / SAMPLE_RATE
    if available <= start - skip:
        _log.info("The sound of %s ends before the part that is used, so the new clip is silent.", source.name)
        return None
    try:
        _cut_sound(decoded, track, start=start - skip, end=start - skip + length)
    except OSError as error:
        raise OutputError(_output_problem(name, error)) from error
    return track


def _cut_sound(source: Path, track: Path, *, start: float, end: float) -> None:
    """Cut a sound file with moviepy, 1 or 2, which spell the one thing we need differently."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moviepy 1 has invalid escapes in its source
        try:
            from moviepy import AudioFileClip
        except ImportError:
            from moviepy.editor import AudioFileClip
    clip = AudioFileClip(str(source), fps=SAMPLE_RATE)
    try:
        cut = clip.subclipped if hasattr(clip, "subclipped") else clip.subclip
        # Past its end, moviepy repeats or breaks.
        cut(start, min(end, clip.duration)).write_audiofile(str(track), fps=SAMPLE_RATE, logger=None)
    finally:
        process = clip.reader.proc
        clip.close()
        with process:  # moviepy 1 doesn't wait for it, and 2 may leave its pipes open
            pass
