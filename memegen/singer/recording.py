"""Clips of the drawn singer: written to a file, or kept in the cache for each wish."""

from __future__ import annotations

import tempfile
import wave
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Image
from memegen.base.downloads import cache_dir
from memegen.base.errors import OutputError
from memegen.base.files import reason_of
from memegen.base.progress import Progress, counted
from memegen.media.video import Video, write_video
from memegen.singer.acting import perform
from memegen.singer.fitting import write_score
from memegen.singer.options import Singing
from memegen.singer.puppet import draw_puppet
from memegen.singer.score import FPS
from memegen.singer.tunes import TUNES
from memegen.singer.voice import SAMPLE_RATE, VOICES, song
from memegen.singer.wording import read_words

VERSION = 2  # part of every key: raise it when the same words would be sung or drawn otherwise
KEPT = 50  # clips in the cache; the oldest are removed


def sung_clip(name: str, singing: Singing, *, progress: Progress | None = None) -> Path:
    """Return a clip in which the singer sings a tune as it is wished for; a new wish takes a few seconds.

    Args:
        name: One of `TUNES`.
        singing: Name, words, voice.
        progress: Told how many frames are drawn.

    Raises:
        InputError: The words can't be sung to the tune.
        OutputError: The cache can't be written.
    """
    words = read_words(singing.words) if singing.words else []
    wish = (VERSION, TUNES[name], singing.name, words, singing.voice, singing.language)
    file = cache_dir() / "sung" / f"{name}-{sha256(repr(wish).encode()).hexdigest()[:32]}.mp4"
    if file.is_file() and file.with_suffix(".lrc").is_file():
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_clip(file, name, singing, draw=draw_puppet, progress=progress)
    except OSError as error:
        raise OutputError(
            f"The song can't be kept in {file.parent} ({reason_of(error)}): set MEMEGEN_CACHE to another folder."
        ) from error
    for old in sorted(file.parent.glob("*.mp4"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".lrc").unlink(missing_ok=True)
    return file


def write_clip(
    path: Path,
    name: str,
    singing: Singing,
    *,
    draw: Callable[..., Iterator[Image]],
    max_size: str | None = None,
    progress: Progress | None = None,
) -> Video:
    """Write a clip of the singer, and its words beside it as .lrc.

    Args:
        path: The clip.
        name: One of `TUNES`.
        singing: Name, words, voice.
        draw: `draw_puppet`, which takes a few milliseconds a frame, or `draw_singer`, which takes far more.
        max_size: As in `write_video`.
        progress: Told how many frames are drawn.

    Raises:
        InputError: The words can't be sung to the tune.
        OutputError: The file can't be written.
    """
    score = write_score(TUNES[name], singing)
    frames = draw(perform(score), wall=TUNES[name].wall)
    frames = counted(frames, stage="Drawing the singer", total=score.frames, progress=progress)
    with tempfile.TemporaryDirectory(prefix="memegen-") as folder:
        sound = write_samples(Path(folder, "song.wav"), song(score, VOICES[singing.voice]))
        clip = write_video(path, frames, fps=FPS, audio=sound, max_size=max_size)
    path.with_suffix(".lrc").write_text(score.lyrics(), encoding="utf-8")
    return clip


def write_samples(path: Path, samples: NDArray[np.floating]) -> Path:
    """Write samples (N,) or (N, 2) in [-1, 1] at `SAMPLE_RATE` as a 16-bit wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path
