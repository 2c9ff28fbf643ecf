"""Runs ffmpeg: the only module that starts a process, and the messages for its failures."""

from __future__ import annotations

import io
import logging
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Self, cast

import numpy as np

from memegen.base.errors import OutputError, UnavailableError

SEEK_LEAD = 3  # seconds; without an index a seek may land late, on a frame that needs an earlier one
EXACT = "flags=bilinear+accurate_rnd+full_chroma_int"  # without it every round trip darkens the picture by a grey level

_log = logging.getLogger(__name__)
_AUDIO = re.compile(r"^\s*Stream #\S+ Audio:.*", re.MULTILINE)


class Ffmpeg:
    """One ffmpeg process that is written to or read from frame by frame; it ends with its `with` block.

    A thread reads its messages, so that a full pipe never stops it; the last few are kept.
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
        if sys.is_finalizing():  # joining a thread now would abort Python
            return
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(BrokenPipeError):
                cast(IO[bytes], pipe).close()

    def read_into(self, frame: np.ndarray) -> int:
        """Fill a frame and return the number of bytes read: fewer than it holds at the end of the stream."""
        stream = cast(io.BufferedReader, self._process.stdout)
        return stream.readinto(frame.data.cast("B"))

    def write(self, frame: np.ndarray) -> None:
        """Write a frame without copying it.

        Raises:
            OSError: ffmpeg has ended; the error has its message.
        """
        try:
            cast(IO[bytes], self._process.stdin).write(np.ascontiguousarray(frame).data.cast("B"))
        except OSError as error:
            raise OSError(self.complaint()) from error

    def finish(self) -> None:
        """Close ffmpeg's input and wait for it to end.

        Raises:
            OSError: It failed; the error has its message.
        """
        with suppress(BrokenPipeError):
            cast(IO[bytes], self._process.stdin).close()
        if self._process.wait():
            raise OSError(self.complaint())

    def complaint(self) -> str:
        """Wait for ffmpeg to end and return its last messages; they are logged as well."""
        self._process.wait()
        self._reader.join()
        tell(messages := b"".join(self._messages))
        return last_words(messages)


def ffmpeg_exe() -> str:
    """Return the path of the ffmpeg in imageio-ffmpeg.

    Raises:
        UnavailableError: There is none.
    """
    import imageio_ffmpeg

    with suppress(RuntimeError):
        exe: str = imageio_ffmpeg.get_ffmpeg_exe()
        if shutil.which(exe):
            return exe
    raise UnavailableError("No ffmpeg was found: run pip install --force-reinstall imageio-ffmpeg.")


def _command(arguments: Iterable[str], *, level: str) -> list[str]:
    return [ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", level, "-y", *arguments]


def run(*arguments: str, level: str = "error") -> subprocess.CompletedProcess[bytes]:
    """Run ffmpeg to its end, in its own session, so that Ctrl-C stops Python first."""
    return subprocess.run(
        _command(arguments, level=level),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        start_new_session=True,
    )


def make(*arguments: str, name: Path, level: str = "error") -> str:
    """Run ffmpeg on temporary files and return its messages.

    Raises:
        OutputError: It failed; the message is about the file called `name`, which is made of them.
    """
    done = run(*arguments, level=level)
    if done.returncode:
        tell(done.stderr)
        raise OutputError(output_problem(name, last_words(done.stderr)))
    return done.stderr.decode("utf-8", "replace")


def reading(file: Path) -> list[str]:
    """Return the arguments that read a local file of any name, and nothing from the network."""
    return ["-protocol_whitelist", "file", "-i", f"file:{file}"]


def last_words(messages: bytes) -> str:
    """Return the last two useful messages of ffmpeg, without memory addresses."""
    lines = [re.sub(r"^\[[^\]]*\] ", "", line) for line in messages.decode("utf-8", "replace").splitlines()]
    telling = [line for line in lines if line.strip() and not line.startswith("Error opening input file")]
    return "; ".join(telling[-2:])[:300] or "ffmpeg gave no reason"


def tell(messages: bytes) -> None:
    """Log ffmpeg's last messages for those who ask for details; they are of little use to others."""
    _log.debug("ffmpeg says: %s", last_words(messages))


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the part of ffmpeg's messages that describes its input."""
    return done.stderr.decode("utf-8", "replace").partition("Stream mapping:")[0]


def output_problem(file: Path, error: object) -> str:
    """Return the message for a file that can't be written."""
    if "no space left" in str(error).lower():
        return f"The disk is full, so {file} was not written: free some space, or write to another disk."
    reason = getattr(error, "strerror", None)
    return f"{file} can't be written{f' ({reason})' if reason else ''}: write to another folder."


def sound_streams(words: str) -> list[str]:
    """Return ffmpeg's descriptions of the sound tracks of a file, from its description of the whole."""
    return _AUDIO.findall(words)
