"""Many photos, one song: everything is loaded and analysed once, and a photo that fails does not stop the rest."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memegen.animator import Animator, engine_options, load_animator
from memegen.base.errors import InputError, MemegenError, OutputError
from memegen.base.files import expanded, is_address, plain_stem, reason_of, whole_file
from memegen.base.options import takes_options
from memegen.base.progress import Progress
from memegen.media.destinations import destination_of, fill_in
from memegen.media.encoders import SUFFIXES
from memegen.media.images import is_picture
from memegen.meme import OPTIONS, Songs, make_meme, resolve_songs

PHOTO_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2",
    ".bmp", ".gif", ".tif", ".tiff", ".tga",
}  # fmt: skip

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one photo.

    Attributes:
        photo: The photo's file or web address.
        clip: The clip's file; there is one unless the photo failed.
        status: "made", "kept" (it was there already) or "failed".
        seconds: How long it took.
        error: Why it failed; else None.
    """

    photo: Path | str
    clip: Path
    status: Literal["made", "kept", "failed"]
    seconds: float
    error: MemegenError | None = None

    @property
    def message(self) -> str:
        """Why it failed, in one sentence; else empty."""
        return str(self.error or "")


def find_photos(sources: Sequence[str | Path]) -> list[Path | str]:
    """List the photos that files, folders and web addresses stand for.

    Those of a folder come by name, without subfolders and hidden files. One without an ending, or with an unknown one,
    counts if it begins like a picture; what is left out is said.

    Raises:
        InputError: A folder has no photos, or there are none at all.
    """
    photos: list[Path | str] = []
    for source in sources:
        if is_address(source):
            photos.append(source.strip())
        elif (path := expanded(source)).is_dir():
            photos += _photos_in(path)
        else:
            photos.append(path)
    if not photos:
        raise InputError("There are no photos: give some files, or a folder of them.")
    return photos


def _photos_in(folder: Path) -> list[Path]:
    """List the photos of a folder, and name what is left out in a warning."""
    files = sorted(path for path in folder.glob("[!.]*") if path.is_file())
    counts = {path: path.suffix.lower() in PHOTO_SUFFIXES or is_picture(path) for path in files}
    photos = [path for path in files if counts[path]]
    if not photos:
        raise InputError(f"The folder {folder} has no photos: give another, or the photos themselves.")
    if left := [path.name for path in files if not counts[path]]:
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        _log.warning("Left out of %s, as they are not photos: %s%s.", folder, ", ".join(left[:5]), more)
    return photos


def check_suffix(suffix: str) -> None:
    """Check that there are clips with an ending.

    Raises:
        OutputError: There are none; the message lists the endings.
    """
    if suffix.lower() not in SUFFIXES:
        raise OutputError(f"There is no kind of clip {suffix!r}: use one of {', '.join(SUFFIXES)}.")


@takes_options(*OPTIONS)
def make_batch(
    photos: Sequence[str | Path],
    template: Songs,
    folder: str | Path,
    *,
    suffix: str | None = None,
    resume: bool = False,
    engine: str | Path | Animator = "mesh",
    progress: Progress | None = None,
    **options: Any,
) -> Iterator[Outcome]:
    """Make every photo sing, one after another.

    Args:
        photos: Files, folders of them, and web addresses.
        template: As in `make_meme`; it is downloaded, and the engine loaded, once, before the first photo.
        folder: Where the clips go, each under its photo's name; made if it is missing.
        suffix: The kind of file; see `write_video`. None: what the destination takes, else .mp4.
        resume: Keep clips that are there already. A clip appears only when it is whole, so none is half made.
        engine: As in `make_meme`.
        progress: As in `make_meme`.
        **options: As in `make_meme`.

    Yields:
        One outcome for each photo, as soon as it is known.

    Raises:
        MemegenError: There are no photos, the template or the engine can't be had or used, the folder can't be made, or
            there is no such kind of file.
    """
    words = fill_in(options, suffix or "")
    suffix = suffix or destination_of(words).suffix
    check_suffix(suffix)
    files = find_photos(photos)
    songs = resolve_songs(template, progress)
    target = expanded(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} can't be made ({reason_of(error)}): choose another.") from error
    if isinstance(engine, str | Path):
        chosen = engine_options(words)
        engine = load_animator(engine, progress=progress, **chosen)
        options = {word: value for word, value in options.items() if word not in chosen}
    clip = songs if isinstance(template, Mapping) else songs[0]
    for photo, out in zip(files, clip_names(files, target, suffix), strict=True):
        begun = time.monotonic()
        if resume and out.is_file():
            yield Outcome(photo, out, "kept", 0.0)
            continue
        try:
            make_meme(photo, clip, out=out, engine=engine, progress=progress, **options)
        except MemegenError as error:
            yield Outcome(photo, out, "failed", time.monotonic() - begun, error)
        else:
            yield Outcome(photo, out, "made", time.monotonic() - begun)


def clip_names(photos: Sequence[Path | str], folder: Path, suffix: str) -> list[Path]:
    """Name each photo's clip after it; the second `me` in a list becomes `me-2`, whatever its folder or ending.

    No clip gets the name of a photo in the same folder.
    """
    files = [photo for photo in photos if isinstance(photo, Path)]
    beside = (photo for photo in files if photo.absolute().parent.resolve() == folder.resolve())
    taken = {photo.stem.casefold() for photo in beside if photo.suffix.casefold() == suffix.casefold()}
    names = []
    for photo in photos:
        stem = photo.stem if isinstance(photo, Path) else plain_stem(photo)
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(folder / f"{name}{suffix}")
    return names


def write_report(path: str | Path, outcomes: Sequence[Outcome]) -> Path:
    """Write a CSV table with a line for each photo.

    Raises:
        OutputError: The file can't be written.
    """
    file = expanded(path)
    try:
        with (
            whole_file(file) as part,
            part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream,
        ):
            table = csv.writer(stream)
            table.writerow(["photo", "clip", "status", "seconds", "message"])
            table.writerows([o.photo, o.clip, o.status, f"{o.seconds:.1f}", o.message] for o in outcomes)
    except OSError as error:
        raise OutputError(f"The report {path} can't be written ({reason_of(error)}): choose another place.") from error
    return file
