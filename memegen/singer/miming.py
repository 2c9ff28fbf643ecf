"""The singer mimes to a sound file: a driving clip from a song, kept in the cache."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memegen.base.downloads import cache_dir
from memegen.base.errors import InputError
from memegen.base.progress import Progress, counted
from memegen.media.sound import sound_blocks, sound_length
from memegen.media.video import write_video
from memegen.singer.hearing import HEARD_RATE, STEP, hear
from memegen.singer.improvising import HEARD_FPS, improvise
from memegen.singer.puppet import draw_puppet
from memegen.singer.recital import Recital

LONGEST_SONG = 15 * 60.0  # seconds
MIMED_VERSION = 1  # part of every key: raise it when the same sound would be performed otherwise
MIMED_KEPT = 20  # clips in the cache; the oldest are removed

_log = logging.getLogger(__name__)


def mimed_clip(path: Path, *, until: float | None = None, progress: Progress | None = None) -> Path:
    """Return a clip in which the singer performs a sound; a new one takes about an eighth of its length on two cores.

    Args:
        path: A sound or video file.
        until: Where to stop, in seconds from its beginning; None is its end.
        progress: Told how far it is.

    Raises:
        InputError: There is no sound in it, or more than LONGEST_SONG seconds.
        OutputError: The cache can't be written.
    """
    with path.open("rb") as stream:
        content = file_digest(stream, "sha256").hexdigest()
    key = sha256(repr((MIMED_VERSION, content, until)).encode()).hexdigest()[:32]
    file = cache_dir() / "mimed" / f"{key}.mp4"
    if not file.is_file():
        recital = mime(path, until=until, progress=progress)
        file.parent.mkdir(parents=True, exist_ok=True)
        frames: Iterable[NDArray[np.uint8]] = draw_puppet(recital)
        frames = counted(frames, stage="Drawing the singer", total=len(recital), progress=progress)
        write_video(file, frames, fps=recital.fps, audio=path)
        for old in sorted(file.parent.glob("*.mp4"), key=lambda one: one.stat().st_mtime)[:-MIMED_KEPT]:
            old.unlink(missing_ok=True)
    return file


def mime(path: Path, *, until: float | None = None, progress: Progress | None = None) -> Recital:
    """Let the singer perform a sound.

    Args:
        path: A sound or video file.
        until: As in `mimed_clip`.
        progress: Told how far the sound was heard.

    Raises:
        InputError: As in `mimed_clip`.
    """
    length = sound_length(path) if until is None else min(until, sound_length(path))
    if length > LONGEST_SONG:
        raise InputError(
            f"{path.name} is {length / 60:.0f} minutes long, and the singer performs at most the first "
            f"{LONGEST_SONG / 60:.0f}: choose a part of these with a start and a length."
        )
    # What the file says of its length may be wrong: what is heard counts.
    heard = hear(_told(sound_blocks(path, length=LONGEST_SONG if until is None else until), length, progress))
    seconds = len(heard.level) * STEP / HEARD_RATE
    if seconds < 1 / HEARD_FPS:
        raise InputError(f"{path.name} has a sound track, but nothing in it: choose another file.")
    recital = improvise(heard, seconds)
    if not any(recital.tracks["jaw"]):
        _log.warning("%s is silent, so the face stays still.", path.name)
    return recital


def _told(
    blocks: Iterator[NDArray[np.float32]], length: float, progress: Progress | None
) -> Iterator[NDArray[np.float32]]:
    """Pass the blocks on, and tell how far they are."""
    done = 0
    for block in blocks:
        done += len(block)
        if progress is not None:
            progress("Listening to the song", min(round(done / HEARD_RATE), round(length)), max(round(length), 1))
        yield block
