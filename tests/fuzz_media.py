"""Damage small files of every kind that memegen reads, and report those that it does not refuse in its own words.

    python tests/fuzz_media.py --seconds 600 --seed 1
    python tests/fuzz_media.py --seed 1 --only 1234    # make and read one damaged file again

The same seed makes the same damages. (Signed files are new in each run: their signature holds the time.) Each file is
read in a worker process. One is a finding if its reader raises another error than InputError or UnavailableError, dies,
warns, takes too long or too much memory, or if its message holds the words of ffmpeg, Pillow or Python.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import logging
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, features

sys.path.insert(0, str(Path(__file__).parent))

from media import ffmpeg, make_clicks, make_clip, noise

ROOT = Path(__file__).parents[1]
PACKAGE = str(ROOT / "memegen")  # where a finding is, if it is in memegen itself
KEPT = 3  # files of each finding
FOREIGN = re.compile(
    # of ffmpeg
    r"invalid data|moov atom|0x[0-9a-f]|error submitting|error opening|error while|codec|last message repeated|"
    r"update your ffmpeg|ffmpeg|libav|\[\w+ @|stream #|"
    # of the readers of pictures, signatures and checkpoints
    r"identify image|truncated|broken data|unrecognized|(?<!\.)decoder|libpng|libheif|could not be parsed|jumb\b|"
    r"dtype|\btensor|"
    # of Python
    r"traceback|errno|exception|object at|not well-formed|nonetype|index out of range|unpack|ascii|<class|broadcast|"
    r"must be |\bexpected |bytes-like|overflow|struct\.",
    re.IGNORECASE,
)
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # never shown to users

Reader = Callable[[Path], object]


class Seed(NamedTuple):
    """A whole file: its kind, its ending, and what is in it."""

    kind: str
    suffix: str
    data: bytes


class Limits(NamedTuple):
    """What one file may take: seconds and bytes."""

    seconds: float = 8.0
    memory: int = 2**30


LIMITS = Limits()


class Outcome(NamedTuple):
    """What a reader did with a file: "read", "refused" or else the finding; what it said, the seconds and the bytes."""

    state: str
    details: str = ""
    seconds: float = 0.0
    memory: int = 0

    @property
    def is_finding(self) -> bool:
        """Whether it is neither read nor refused as it should be."""
        return self.state not in ("read", "refused")


# Readers; they import memegen when they are called, so that the worker has its variables first.


def read_picture(path: Path) -> object:
    from memegen import read_image

    return read_image(path)


def read_clip(path: Path) -> object:
    from memegen import open_video

    return sum(1 for _ in open_video(path).frames())


def read_sound(path: Path) -> object:
    from memegen.media.options import Sound
    from memegen.media.sound import sound_of, soundtrack

    span = sound_of(path)
    with tempfile.TemporaryDirectory() as folder:
        return soundtrack([span], length=2.0, sound=Sound(), folder=Path(folder), name=Path("meme.mp4"))


def read_words(path: Path) -> object:
    from memegen.look.lyrics import read_lyrics

    return read_lyrics(path)


def read_checkpoint(path: Path) -> object:
    from memegen.fomm.checkpoint import load_networks

    return load_networks(path)


def read_marks(path: Path) -> object:
    from memegen import inspect

    report = inspect(path)
    report.to_json()
    report.lines()
    ours = (report.credentials.reason, report.metadata.problem, report.problem)
    logging.getLogger("memegen").warning("%s", "; ".join(filter(None, ours)))  # these are messages, too
    return report


READERS: Mapping[str, Reader] = {
    "picture": read_picture,
    "animation": read_clip,
    "video": read_clip,
    "sound": read_sound,
    "lyrics": read_words,
    "checkpoint": read_checkpoint,
    "signed": read_marks,
}
SHARES = {"picture": 8, "animation": 4, "video": 4, "sound": 2, "lyrics": 8, "checkpoint": 2, "signed": 2}


# Seeds


def make_seeds(folder: Path) -> list[Seed]:
    """Make a small file of every kind that can be made here; the same files each time, except for those signed."""
    made = [*_pictures(), *_animations(), *_clips(folder), *_sounds(folder), *_lyrics(), *_checkpoints()]
    return [Seed(*one) for one in [*made, *_signed(folder)]]


Made = Iterator[tuple[str, str, bytes]]


def _dots(mode: str = "RGB", *, at: int = 0) -> Image.Image:
    """Return a small picture with many colours."""
    values = np.random.default_rng(at).integers(0, 256, (40, 48, 4), np.uint8)
    values[:, :24] = (200, 10 * at, 40, 255)
    return Image.fromarray(values).convert(mode)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _pictures() -> Made:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"  # on its side
    more = {"icc_profile": profile, "exif": exif.tobytes()}
    yield "picture", ".jpg", _saved(_dots(), "JPEG")
    yield "picture", ".jpg", _saved(_dots(), "JPEG", progressive=True, **more)
    yield "picture", ".jpg", _saved(_dots("CMYK"), "JPEG", icc_profile=profile)
    yield "picture", ".jpg", _saved(_dots(), "MPO", save_all=True, append_images=[_dots(at=1)])
    for mode in ("RGBA", "P", "L", "1", "I;16"):
        image = Image.fromarray(np.arange(48 * 40, dtype=np.uint16).reshape(40, 48)) if mode == "I;16" else _dots(mode)
        yield "picture", ".png", _saved(image, "PNG", **more)
    yield "picture", ".webp", _saved(_dots("RGBA"), "WEBP", lossless=True)
    yield "picture", ".webp", _saved(_dots(), "WEBP", **more)
    yield "picture", ".gif", _saved(_dots("P"), "GIF", transparency=3)
    for mode in ("RGB", "P", "1"):
        yield "picture", ".bmp", _saved(_dots(mode), "BMP")
    for coding in ("raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits"):
        yield "picture", ".tif", _saved(_dots(), "TIFF", compression=coding, **more)
    yield "picture", ".tga", _saved(_dots("RGBA"), "TGA", compression="tga_rle")
    yield "picture", ".ico", _saved(_dots("RGBA"), "ICO")
    yield "picture", ".ppm", _saved(_dots(), "PPM")
    if features.check("jpg_2000"):
        yield "picture", ".jp2", _saved(_dots(), "JPEG2000")
    if features.check("avif"):
        yield "picture", ".avif", _saved(_dots(), "AVIF", speed=10)
        yield "picture", ".avif", _saved(_dots("RGBA"), "AVIF", speed=10, **more)
    if find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
        yield "picture", ".heic", _saved(_dots(), "HEIF")
        yield "picture", ".heic", _saved(_dots("RGBA"), "HEIF", **more)


def _animations() -> Made:
    kinds = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"} | ({".avif": "AVIF"} if features.check("avif") else {})
    for suffix, kind in kinds.items():
        for mode in ("RGB", "RGBA"):
            first, *rest = (_dots("P" if suffix == ".gif" else mode, at=at) for at in range(5))
            yield "animation", suffix, _saved(first, kind, save_all=True, append_images=rest, duration=80, loop=0)


_CODING = {
    ".mp4": ("-c:v", "libx264", "-preset", "veryfast", "-movflags", "+faststart"),
    ".mov": ("-c:v", "mpeg4", "-c:a", "pcm_s16le"),
    ".webm": ("-c:v", "libvpx", "-deadline", "realtime"),
    ".mkv": ("-c:v", "libx264", "-preset", "veryfast", "-c:a", "flac"),
    ".avi": ("-c:v", "mpeg4"),
    ".ts": ("-c:v", "libx264", "-preset", "veryfast"),
    ".mpg": ("-c:v", "mpeg1video",),
}  # fmt: skip


def _clips(folder: Path) -> Made:
    sound = make_clicks(folder / "clicks.wav", seconds=1.0, at=(0.3,))
    for suffix, coding in _CODING.items():
        for tracks in (1, 2):
            also = ("-map", "0:v", *("-map", "1:a") * tracks)
            path = folder / f"clip{tracks}{suffix}"
            exact = ("-fflags", "+bitexact", "-flags", "+bitexact", "-g", "6", "-threads", "1")
            make_clip(path, seconds=0.8, sound=sound, options=(*also, *coding, *exact))
            yield "video", suffix, path.read_bytes()
    path = make_clip(folder / "hevc.mp4", seconds=0.8, options=("-c:v", "libx265", "-x265-params", "log-level=none"))
    yield "video", ".mp4", path.read_bytes()


def _sounds(folder: Path) -> Made:
    sound = make_clicks(folder / "short.wav", seconds=0.6, at=(0.2, 0.4))
    yield "sound", ".wav", sound.read_bytes()
    for suffix in (".mp3", ".m4a", ".ogg", ".flac", ".opus"):
        path = folder / f"sound{suffix}"
        ffmpeg("-i", str(sound), "-fflags", "+bitexact", "-flags", "+bitexact", str(path))
        yield "sound", suffix, path.read_bytes()


_LRC = """[ti:A song]
[offset:+250]
[00:01.00]First {line}, <00:01.50>sung <00:02.00>word <00:02.50>by word
[00:04.20][00:09.20]A line that comes twice
[00:04.20]Its translation
[00:12.00]
"""
_SRT = """1
00:00:01,000 --> 00:00:03,500
First {line}
and <i>a second</i> row

2
00:00:04,000 --> 00:00:06,000
Tom &amp;#39; &amp; Jerry
"""
_WORDS = {"utf-8-sig": "Ünïcödé", "utf-16": "строка", "cp1251": "строка песни", "gb18030": "我爱你中国", "utf-8": "♪"}


def _lyrics() -> Made:
    for encoding, line in _WORDS.items():
        for suffix, text in ((".lrc", _LRC), (".srt", _SRT)):
            yield "lyrics", suffix, text.replace("{line}", line).encode(encoding)
    for path in sorted((ROOT / "tests/cases").glob("*.[ls]r[ct]")):
        yield "lyrics", path.suffix, path.read_bytes()


def _checkpoints() -> Made:
    if not (find_spec("torch") and find_spec("safetensors")):
        return
    import torch
    from safetensors.torch import load_file

    tiny = ROOT / "assets/models/tiny_vox.safetensors"
    yield "checkpoint", ".safetensors", tiny.read_bytes()
    for zipped in (True, False):
        stream = io.BytesIO()
        torch.save({**load_file(tiny), "epoch": 9}, stream, _use_new_zipfile_serialization=zipped)
        yield "checkpoint", ".pth.tar", stream.getvalue()


def _signed(folder: Path) -> Made:
    from memegen.media.video import write_video
    from memegen.provenance.credentials import seal
    from memegen.provenance.metadata import Marks

    marks = Marks("mesh", "daisy-bell", "Sung by a program")
    for suffix in (".mp4", ".mov", ".gif", ".webp", ".png"):
        path = folder / f"signed{suffix}"
        write_video(path, noise(4), fps=25, comment=marks.sentence, finish=lambda path: seal(path, marks))
        yield "signed", suffix, path.read_bytes()


# Damages


def damaged(seeds: Sequence[Seed], number: int, *, seed: int) -> Seed:
    """Return the damaged file of a number: one of the seeds with one to three damages."""
    chance = random.Random(f"{seed}/{number}")
    kinds = sorted({one.kind for one in seeds})
    kind = chance.choices(kinds, [SHARES.get(kind, 1) for kind in kinds])[0]
    like = [one for one in seeds if one.kind == kind]
    chosen, other = chance.choice(like), chance.choice(like)
    data = bytearray(chosen.data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        choice = DAMAGES + (TEXT_DAMAGES * 2 if kind == "lyrics" else ())
        data = chance.choice(choice)(data, chance, other.data)
    whole = bytes(data)
    if whole.startswith(b"\x89PNG") and chance.random() < 0.7:
        whole = _with_sums(whole)
    return chosen._replace(data=whole)


def _place(data: bytes | bytearray, chance: random.Random) -> int:
    """Return a place in a file: anywhere, or near its beginning or end, where the headers and indexes are."""
    near = min(len(data), chance.choice((64, 400, 4000)))
    low, high = chance.choice(((0, len(data)), (0, near), (0, near), (len(data) - near, len(data))))
    return chance.randrange(low, max(high, low + 1))


def _span(data: bytes | bytearray, chance: random.Random) -> slice:
    start = _place(data, chance)
    return slice(start, start + chance.choice((1, 2, 4, 8, 30, 200, 2000, max(len(data) // 3, 1))))


def _flip(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    for _ in range(chance.choice((1, 1, 3, 10, 50)) if data else 0):
        data[_place(data, chance) % len(data)] ^= chance.choice((1, 2, 4, 8, 16, 32, 64, 128, 255))
    return data


def _zero(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    span = _span(data, chance)
    data[span] = bytes([chance.choice((0, 0, 255))]) * len(data[span])
    return data


def _cut_off(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    return data[: _place(data, chance)]


def _remove(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    del data[_span(data, chance)]
    return data


def _insert(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    place = _place(data, chance)
    data[place:place] = chance.randbytes(chance.choice((1, 4, 16, 300)))
    return data


def _repeat(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    place = _place(data, chance)
    data[place:place] = data[_span(data, chance)] * chance.choice((1, 1, 2, 20))
    return data


def _splice(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    return data[: _place(data, chance)] + other[_place(other, chance) :]


def _borrow(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    part = other[_span(other, chance)]
    place = _place(data, chance)
    data[place : place + len(part)] = part
    return data


def _extreme(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    """Set numbers to the largest, smallest or nearly so, of any size and order of bytes."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        size = chance.choice((1, 2, 2, 4, 4, 4, 8))
        most = 256**size - 1
        values = (0, 1, 2, most, most - 1, most // 2, most // 2 + 1, most // 16, 10_000 % (most + 1))
        place = _place(data, chance)
        number = chance.choice(values).to_bytes(size, "big")
        data[place : place + size] = number if chance.random() < 0.5 else number[::-1]
    return data


_PIECES = (
    "[00:01.00]", "[99:99.99]", "[999:99:99.999]", "<00:01>", "[-1:00]", "[00:00.00] ", "[ 1 : 1 ]", "[00:٣٤.00]x",
    "[offset:-x]", "[offset:1" + "0" * 30 + "]", "[offset:1" + "0" * 400 + "]", "[offset:1" + "0" * 5000 + "]",
    "00:00:01,000 --> 00:00:00,000", "00:00:01,000-->", "-->", "1\n", "٣", "²", "0" * 5000, "1:" * 9000,
    "&#x110000;", "&#99999999999;", "&#1" + "0" * 5000 + ";", "&amp;#0;", "&nbsp;", "{\\an8}", "<", ">", "[", "]",
    "[" * 300, "<a" * 300, "[00:01.00]" * 300, "<!---->" * 30, "\n", "\n\n", "\0", "\r", "\t", "\u2028", "\x85",
    "\u00a0", "\ufeff", "\ud7ff", "\u202e", "🎤", "e\u0301" * 20, "ﷺ",
)  # fmt: skip


def _edit_text(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    """Insert words that mean something in lyrics, or change digits."""
    encoding = chance.choice(("utf-8", "utf-8", "utf-16-le", "cp1251"))
    for _ in range(chance.choice((1, 2, 6))):
        place = _place(data, chance)
        place = chance.choice((place, data.rfind(b"\n", 0, place) + 1))
        data[place:place] = chance.choice(_PIECES).encode(encoding, "ignore")
    return data


def _edit_digits(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    for place in [place for place, value in enumerate(data) if 48 <= value < 58 and chance.random() < 0.2]:
        data[place : place + 1] = chance.choice((b"0", b"9", b"", b"59", b"-1", b" ", b".", b":"))
    return data


def _shuffle_rows(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    rows = data.split(b"\n")
    chance.shuffle(rows)
    return bytearray(chance.choice((b"\n", b"\r\n", b"\r", b"\n\n")).join(rows))


Damage = Callable[[bytearray, random.Random, bytes], bytearray]
DAMAGES: tuple[Damage, ...] = (_flip, _zero, _cut_off, _remove, _insert, _repeat, _splice, _borrow, _extreme, _extreme)
TEXT_DAMAGES: tuple[Damage, ...] = (_edit_text, _edit_text, _edit_digits, _shuffle_rows)


def _with_sums(data: bytes) -> bytes:
    """Return a PNG with the checksums that its chunks should have, so that what is damaged is read."""
    made, place = bytearray(data[:8]), 8
    while place + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, place)
        content = data[place + 4 : place + 8 + size]
        if len(content) < 4 + size:
            break
        made += data[place : place + 4] + content + struct.pack(">I", zlib.crc32(content))
        place += 12 + size
    return bytes(made + data[place:])


# The worker


class Worker:
    """A process that reads one file after another; a new one takes its place when it dies or hangs."""

    def __init__(self, readers: Mapping[str, Reader], folder: Path, limits: Limits) -> None:
        self.readers, self.folder, self.limits = readers, folder, limits
        self.words = folder / "stderr.txt"
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def read(self, kind: str, path: Path) -> Outcome:
        """Read a file; one that is slow or large is read again by a new worker, as others may use this machine."""
        outcome = self._read(kind, path)
        if outcome.state in ("slow", "large"):
            self.close()
            outcome = self._read(kind, path)
            self.close()
        return outcome

    def _read(self, kind: str, path: Path) -> Outcome:
        pipe = self._started()
        pipe.send((kind, path))
        try:
            if pipe.poll(self.limits.seconds + 0.5):
                outcome: Outcome = pipe.recv()
                return outcome
        except EOFError:
            code = self._process.exitcode if self._process else None
            self.close()
            return Outcome("died", f"exit code {code}; {self._tail()}")
        self.close()
        return Outcome("slow", self._tail(), seconds=self.limits.seconds)

    def close(self) -> None:
        """End the worker and the processes that it started."""
        if self._process and self._pipe:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None
            end_strays(self.folder)

    def _started(self) -> Connection:
        if self._process and self._pipe and self._process.is_alive():
            return self._pipe
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self.readers, self.folder, self.limits)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(120) or self._pipe.recv() != "ready":
            raise RuntimeError("the worker does not start")
        return self._pipe

    def _tail(self) -> str:
        return self.words.read_text(errors="replace")[-3000:] if self.words.is_file() else ""


def strays(folder: Path) -> list[int]:
    """Return the processes whose variables name a folder: those that a program with that folder started."""
    found, mark = [], str(folder).encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


def end_strays(folder: Path) -> None:
    """End these processes."""
    for process in strays(folder):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def serve(pipe: Connection, readers: Mapping[str, Reader], folder: Path, limits: Limits) -> None:
    """Read the files whose kind and path come, and answer with outcomes."""
    names = ("MEMEGEN_CACHE", "MEMEGEN_CONFIG", "TMPDIR")
    for name in names:
        (folder / name).mkdir(exist_ok=True)
        os.environ[name] = str(folder / name)
    with (folder / "stderr.txt").open("w") as stream:
        os.dup2(stream.fileno(), 2)
        faulthandler.enable(stream)
        if readers.keys() & READERS.keys():
            _warm_up()
        pipe.send("ready")
        with suppress(EOFError):
            while True:
                kind, path = pipe.recv()
                faulthandler.dump_traceback_later(limits.seconds - 0.5, file=stream)
                outcome = attempt(readers[kind], path, limits)
                faulthandler.cancel_dump_traceback_later()
                pipe.send(outcome)


def _warm_up() -> None:
    """Import what the readers import, which takes seconds the first time."""
    import memegen.provenance.watermark
    from memegen import inspect, open_video, read_image  # noqa: F401

    for name in ("cv2", "imageio.v3", "imageio.plugins.pillow", "c2pa", "pillow_heif", "PIL.ImageCms"):
        if find_spec(name.partition(".")[0]):
            __import__(name)
    if find_spec("torch") and find_spec("safetensors"):
        import torch

        import memegen.fomm.generator
        import memegen.fomm.keypoint_detector  # noqa: F401

        torch.set_num_threads(1)
    Image.init()


def _memory(what: str) -> int:
    """Return how much memory this process has (VmRSS) or has had at the most (VmHWM), in bytes; 0 if not on Linux.

    The peak in getrusage would begin with that of the process that started this one.
    """
    with suppress(OSError), Path("/proc/self/status").open() as lines:
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(what)), 0)
    return 0


def _largest_child() -> int:
    """Return the peak of the largest process that this one started, in bytes; at least that of this one by then."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Meter:
    """Measures the memory that is taken from now on."""

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self.before, self.children = _memory("VmRSS"), _largest_child()

    def taken(self) -> int:
        """Return what this process took more at the most, or all of a child that was larger than this process."""
        own, child = _memory("VmHWM"), _largest_child()
        return max(own - self.before, child if child > max(self.children, own) else 0)


def attempt(reader: Reader, path: Path, limits: Limits) -> Outcome:
    """Read one file and judge what happens."""
    said = io.StringIO()
    meter, begun = Meter(), time.monotonic()
    with _logged(said), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        state, details = _result(reader, path)
    seconds, memory = time.monotonic() - begun, meter.taken()
    shown = [warning for warning in warned if not issubclass(warning.category, QUIET)]
    if state in ("read", "refused"):
        words = f"{details}\n{said.getvalue()}".replace(str(path), "FILE").replace(path.name, "FILE")
        if foreign := FOREIGN.search(words):
            state, details = f"foreign words {foreign[0].lower()!r}", words.strip()
        elif shown:
            state, details = f"warned {shown[0].category.__name__}", f"{shown[0].filename}: {shown[0].message}"
        elif seconds > limits.seconds:
            state = "slow"
        elif memory > limits.memory:
            state = "large"
    return Outcome(state, details, seconds, memory)


def _result(reader: Reader, path: Path) -> tuple[str, str]:
    from memegen import InputError, UnavailableError

    try:
        reader(path)
    except (InputError, UnavailableError) as error:
        return "refused", str(error)
    except BaseException as error:
        calls = [call for call in traceback.extract_tb(error.__traceback__) if call.filename.startswith(PACKAGE)]
        place = f" at {Path(calls[-1].filename).name}:{calls[-1].lineno}" if calls else ""
        return f"raised {type(error).__name__}{place}", traceback.format_exc()[-3000:]
    return "read", ""


@contextmanager
def _logged(stream: io.StringIO) -> Iterator[None]:
    """Write memegen's warnings to a stream while the block runs."""
    handler, log = logging.StreamHandler(stream), logging.getLogger("memegen")
    handler.setLevel(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


# The run


class Tally:
    """What became of all files, and the folder where those that were findings are kept."""

    def __init__(self, seed: int, kept: Path) -> None:
        self.seed, self.kept = seed, kept
        self.kinds: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.findings: dict[tuple[str, str], list[str]] = {}
        self.longest, self.largest = (0.0, ""), (0, "")

    def add(self, number: int, made: Seed, path: Path, outcome: Outcome) -> None:
        """Count a file, and keep it if it is a finding."""
        self.kinds[made.kind] += 1
        self.states["finding" if outcome.is_finding else outcome.state] += 1
        self.longest = max(self.longest, (outcome.seconds, path.name))
        self.largest = max(self.largest, (outcome.memory, path.name))
        if outcome.is_finding:
            files = self.findings.setdefault((made.kind, outcome.state), [])
            files.append(path.name)
            if len(files) <= KEPT:
                self.kept.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, self.kept)
                about = f"{outcome.state}, {outcome.seconds:.1f} s, {outcome.memory >> 20} MB\n{outcome.details}\n"
                (self.kept / f"{path.name}.txt").write_text(about, errors="backslashreplace")
            if len(files) == 1:
                words = outcome.details.replace("\n", "\n    ")
                sys.stdout.write(f"{path.name}: {outcome.state}\n    {words}\n")
                sys.stdout.flush()

    def summary(self) -> str:
        """Return the result in one line, after a line for each finding."""
        lines = [
            f"{kind} {state}: {len(files)} files, such as {', '.join(files[:KEPT])}"
            for (kind, state), files in self.findings.items()
        ]
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        states = ", ".join(f"{self.states[state]} {state}" for state in ("read", "refused"))
        kept = f", kept in {self.kept}" if self.findings else ""
        most = f"longest {self.longest[0]:.1f} s ({self.longest[1]}), largest {self.largest[0] >> 20} MB"
        line = f"Seed {self.seed}: {self.kinds.total()} files ({kinds}): {states}, {self.states['finding']} findings"
        return "\n".join([*lines, f"{line} of {len(self.findings)} sorts{kept}; {most} ({self.largest[1]})."])


def fuzz(
    numbers: Sequence[int] | range,
    *,
    seed: int,
    kept: Path,
    seconds: float | None = None,
    readers: Mapping[str, Reader] = READERS,
    seeds: Sequence[Seed] | None = None,
    kinds: Sequence[str] = (),
    limits: Limits = LIMITS,
) -> Tally:
    """Read the damaged files of some numbers, or as many as the time allows."""
    tally = Tally(seed, kept)
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        made = [one for one in seeds or make_seeds(folder) if one.kind in (kinds or readers)]
        until = time.monotonic() + seconds if seconds else None
        worker = Worker(readers, folder, limits)
        try:
            for number in numbers:
                one = damaged(made, number, seed=seed)
                path = folder / f"{one.kind}-{seed}-{number}{one.suffix}"
                path.write_bytes(one.data)
                tally.add(number, one, path, worker.read(one.kind, path))
                path.unlink()
                if until and time.monotonic() > until:
                    break
        finally:
            worker.close()
    return tally


def main() -> int:
    """Read damaged files, and return whether there are findings."""
    parser = argparse.ArgumentParser(description="Give damaged files to memegen's readers.")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="the number of the first file")
    parser.add_argument("--only", type=int, help="the number of the only file")
    parser.add_argument("--kinds", nargs="+", choices=READERS, default=[], help="only these; changes the damages")
    parser.add_argument("--keep", type=Path, help="the folder for files that are findings; default: a new one")
    options = parser.parse_args()
    kept = options.keep or Path(tempfile.gettempdir()) / f"memegen-findings-{options.seed}-{os.getpid()}"
    numbers = range(options.start, sys.maxsize) if options.only is None else [options.only]
    tally = fuzz(numbers, seed=options.seed, kept=kept, seconds=options.seconds, kinds=options.kinds)
    sys.stdout.write(f"{tally.summary()}\n")
    return int(bool(tally.findings))


if __name__ == "__main__":
    sys.exit(main())
