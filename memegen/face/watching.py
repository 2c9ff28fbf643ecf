"""Driving clips watched once: what is found in a clip is kept on disk, for the next photo and for both engines."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Image
from memegen.base.downloads import asset, cache_dir
from memegen.base.errors import OutputError
from memegen.base.files import whole_file
from memegen.base.progress import Progress, counted
from memegen.face.tracking import FaceTrack, track_face
from memegen.media.video import Video

DRIVING_SIDE = 640  # long side at which driving frames are read, pixels: enough for landmarks and for a mouth
STEPS = 1024  # per pixel: the resolution of a kept track
KEPT = 100  # files in the cache; the oldest are removed

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

    def make() -> Arrays:
        frames = read_clip(clip, "Watching the singer", progress)
        return pack(follow(frames, fps=float(clip.fps), start=clip.start, name=str(clip.path)))

    bundled = asset("portrait.jpg").parent.glob("templates/*.track.npz") if follow is track_face else ()
    known = (_load(file, clip=span_key(clip)) for file in bundled)
    return _unpack(next(filter(None, known), None) or recall(clip, follow.__name__, make=make))


def read_clip(clip: Video, stage: str, progress: Progress | None) -> Iterator[Image]:
    """Read a driving clip's frames, uint8 RGB with a long side of at most DRIVING_SIDE, and report each."""
    return counted(clip.frames(max_side=DRIVING_SIDE), stage=stage, total=clip.frame_count, progress=progress)


def recall(clip: Video, *how: str, make: Callable[[], Arrays]) -> Arrays:
    """Load what was found in a clip the last time, or find it and keep it if the cache can be written.

    Args:
        clip: A span of a file; files are told apart by their content.
        how: What else the result depends on, such as the checkpoint.
        make: Finds it.
    """
    try:
        folder = cache_dir() / "analyses"
    except OutputError:  # a user without a home folder
        return make()
    file = folder / f"{sha256(repr((span_key(clip), how, _code())).encode()).hexdigest()[:32]}.npz"
    found = _load(file)
    if found is None:
        found = make()
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with whole_file(file) as part:
                np.savez_compressed(part, **found)  # type: ignore[arg-type]
            for old in sorted(folder.glob("*.npz"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
                old.unlink()
    return found


def span_key(clip: Video) -> str:
    """Name a span of a clip by the file's content and by everything that decides which pixels are read."""
    file = clip.path.stat()
    content = _checksum(clip.path, file.st_size, file.st_mtime_ns)
    return sha256(repr({**vars(clip), "path": content, "finish": None}).encode()).hexdigest()


def pack(track: FaceTrack) -> Arrays:
    """Turn a track into arrays that compress well: each landmark's step since the frame before, in 1/1024 pixel."""
    steps = np.empty((len(track.found), *track.landmarks[0].shape), "<i4")
    before = np.zeros(steps.shape[1:], "<i4")
    for row, landmarks in zip(steps, track.landmarks, strict=True):
        now = np.rint(landmarks * STEPS).astype("<i4")
        row[:], before = now - before, now
    # Steps are small: their high bytes are nearly all alike, and compress to nothing once they stand together.
    planes = np.moveaxis(steps.view(np.uint8).reshape(*steps.shape, 4), -1, 0)
    return {"planes": planes, "found": np.array(track.found)}


def _unpack(arrays: Arrays) -> FaceTrack:
    """Undo `pack`, to within 1/2048 pixel."""
    now, landmarks = np.int32(0), []
    for step in arrays["planes"].swapaxes(0, 1):
        now = now + np.ascontiguousarray(np.moveaxis(step, 0, -1)).view("<i4")[..., 0]
        landmarks.append((now / STEPS).astype(np.float32))
    return FaceTrack(landmarks, arrays["found"].tolist())


def _load(file: Path, *, clip: str | None = None) -> Arrays | None:
    """Read kept arrays; None when there are none, when they are damaged, or when they are of another clip."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            return dict(data) if clip is None or data["clip"] == clip else None
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None


@lru_cache(maxsize=64)
def _checksum(path: Path, size: int, modified: int) -> str:
    """Checksum of a file's content; computed again when its size or time has changed."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _code() -> str:
    """Checksum of everything that decides what is found: the package's source, its networks, OpenCV's version."""
    models, package = asset("models/face_mesh.npz").parent, Path(__file__).parents[1]
    digest = sha256(cv2.__version__.encode())
    for file in sorted([*package.rglob("*.py"), *models.glob("face_*"), *models.glob("*.tflite")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()
