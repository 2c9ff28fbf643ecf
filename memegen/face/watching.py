"""Driving clips watched once: what is found in a clip is kept on disk, for the next photo and for both engines."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Image
from memegen.base.downloads import asset, cache_file
from memegen.base.errors import OutputError
from memegen.base.files import whole_file
from memegen.base.networks import let_networks_go
from memegen.base.progress import Progress, counted
from memegen.face.tracking import FaceTrack, track_face
from memegen.media.probe import PLAIN
from memegen.media.video import Video

DRIVING_SIDE = 640  # long side at which driving frames are read, pixels: enough for landmarks and for a mouth
KEPT = 50  # analyses in the cache; the oldest are removed

# Part of every key: raise it when tracking or cropping gives other numbers, and run `make assets`. It is not a checksum
# of the code, which every change of a comment would alter; a test compares the bundled track with a new one instead.
VERSION = 4

TRACK = ("landmarks", "found")  # the arrays of a kept track

Arrays = dict[str, NDArray[Any]]


def watch(clip: Video, progress: Progress | None, follow: Callable[..., FaceTrack] = track_face) -> FaceTrack:
    """Follow the face in a driving clip, unless its track is bundled or was kept the last time.

    Args:
        clip: The driving clip.
        progress: Told how far it is; never called when the track is known.
        follow: `track_face`, or `align_clip` of landmarks68.

    Raises:
        NoFaceError: The face is in less than half of the frames.
    """
    kept = _bundled(clip) if follow is track_face else None
    if kept is None:
        kept = recall(clip, follow.__name__, names=TRACK, make=lambda: _followed(clip, progress, follow))
    return FaceTrack([*kept["landmarks"]], kept["found"].tolist())


def _followed(clip: Video, progress: Progress | None, follow: Callable[..., FaceTrack]) -> Arrays:
    with closing(read_clip(clip, "Watching the singer", progress)) as frames:
        track = follow(frames, fps=float(clip.fps), start=clip.start, name=str(clip.path))
    let_networks_go()  # each thread had one of each: drawing needs the memory
    # Emptied while it is copied, so that a long clip's track is not in memory twice.
    landmarks = np.empty((len(track.landmarks), *track.landmarks[0].shape), np.float32)
    for number in reversed(range(len(landmarks))):
        landmarks[number] = track.landmarks.pop()
    return {"landmarks": landmarks, "found": np.array(track.found)}


def read_clip(clip: Video, stage: str, progress: Progress | None) -> Generator[Image, None, None]:
    """Read a driving clip's frames, uint8 RGB with a long side of at most DRIVING_SIDE, and report each."""
    return counted(clip.frames(max_side=DRIVING_SIDE), stage=stage, total=clip.frame_count, progress=progress)


def recall(clip: Video, how: str, *, names: tuple[str, ...], make: Callable[[], Arrays]) -> Arrays:
    """Load what was found in a clip the last time, or find it, and keep it if the cache can be written.

    Args:
        clip: A span of a file; files are told apart by their content.
        how: What else the result depends on, such as the checkpoint.
        names: The arrays' names.
        make: Finds the arrays.
    """
    try:
        file = kept_file(clip, how)
    except OutputError:  # a user without a home folder
        return make()
    folder = file.parent
    found = _load(file, *names)
    if found is None:
        found = make()
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with whole_file(file) as part:
                np.savez(part, **found)  # type: ignore[arg-type]
            for old in sorted(folder.glob("*.npz"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
                old.unlink()
    return found


def kept_file(clip: Video, how: str = track_face.__name__) -> Path:
    """Return where what was found in a clip is kept: its track, unless `how` is another. It may not exist.

    Raises:
        OutputError: The user has no home folder.
    """
    return cache_file("analyses", f"{_digest(span_key(clip), how)}.npz")


def span_key(clip: Video) -> str:
    """Name a span by the file's content, everything that decides which pixels are read, and VERSION."""
    file = clip.path.stat()
    content = _checksum(clip.path, file.st_size, file.st_mtime_ns)
    size = (clip.width, clip.height, clip.corner)
    unusual = () if clip.decoding == PLAIN else (clip.decoding,)
    return _digest(VERSION, content, clip.fps, clip.start, clip.frame_count, *size, *unusual)


def save_track(clip: Video, file: Path, *, step: float = 0.0) -> None:
    """Follow the face in a template's span and write its track, to be bundled; `make assets` calls this.

    Args:
        clip: The span.
        file: Where to write, .npz.
        step: What landmarks are rounded to, pixels; 0 keeps every bit. A landmark that moves by a thousandth of a pixel
            already moves an edge in some frame, but a step of 1/64 halves the file.
    """
    track = _followed(clip, None, track_face)
    if step:
        track["landmarks"] = np.round(track["landmarks"] / step) * step
    # Floats of one size are as many steps apart as their bit patterns. From frame to frame these steps are small, so
    # their high bytes are nearly all alike, and compress to nothing once they stand together.
    steps = track["landmarks"].astype("<f4").view("<i4")
    steps[1:] = np.diff(steps, axis=0)
    planes = np.moveaxis(steps.view(np.uint8).reshape(*steps.shape, 4), -1, 0)
    np.savez_compressed(file, clip=np.array(span_key(clip)), planes=planes, found=track["found"])


def _bundled(clip: Video) -> Arrays | None:
    """Load the bundled track of just this span; None when there is none."""
    for file in asset("portrait.jpg").parent.glob("templates/*.track.npz"):
        if track := _load(file, "planes", "found", clip=span_key(clip)):
            steps = np.ascontiguousarray(np.moveaxis(track["planes"], 0, -1)).view("<i4")[..., 0]
            return {"landmarks": steps.cumsum(0, dtype="<i4").view("<f4"), "found": track["found"]}
    return None


def _load(file: Path, *names: str, clip: str | None = None) -> Arrays | None:
    """Read kept arrays; None when there are none, when they are damaged, or when they are of another clip."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            return {name: data[name] for name in names} if clip is None or data["clip"] == clip else None
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None


def _digest(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:32]


@lru_cache(maxsize=64)
def _checksum(path: Path, size: int, modified: int) -> str:
    """Compute the checksum of a file's content; again when its size or time has changed."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
