"""Many photos, one song: everything is loaded and analysed once, and a photo that fails holds nobody else up."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from memegen.animator import load_animator
from memegen.base.errors import InputError, MemegenError, OutputError
from memegen.base.files import expanded, whole_file
from memegen.media.encoders import SUFFIXES
from memegen.meme import Song, make_meme
from memegen.templates import Template, resolve_driving

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".bmp", ".gif", ".tif", ".tiff"}


@dataclass(frozen=True)
class Outcome:
    """What became of one photo.

    Attributes:
        photo: The photo's file.
        clip: The clip's file; there is one unless the photo failed.
        status: "made", "kept" (it was there already) or "failed".
        seconds: How long it took.
        message: Why it failed, in one sentence; else empty.
    """

    photo: Path
    clip: Path
    status: Literal["made", "kept", "failed"]
    seconds: float
    message: str = ""


def find_photos(sources: Sequence[str | Path]) -> list[Path]:
    """List the photos that files and folders stand for; those of a folder by name, without subfolders and hidden files.

    Raises:
        InputError: A folder has no photos, or there are none at all.
    """
    photos: list[Path] = []
    for source in map(expanded, sources):
        inside = sorted(path for path in source.glob("[!.]*") if path.suffix.lower() in PHOTO_SUFFIXES)
        if source.is_dir() and not inside:
            raise InputError(f"The folder {source} has no photos: give another, or the photos themselves.")
        photos += inside if source.is_dir() else [source]
    if not photos:
        raise InputError("There are no photos: give some files, or a folder of them.")
    return photos


def make_batch(
    photos: Sequence[str | Path],
    template: Song | Mapping[int, Song],
    folder: str | Path,
    *,
    suffix: str = ".mp4",
    resume: bool = False,
    **options: Any,
) -> Iterator[Outcome]:
    """Make every photo sing, one after another.

    Args:
        photos: Files, and folders of them.
        template: As in `make_meme`; it is fetched, and the engine loaded, once, before the first photo.
        folder: Where the clips go, each under its photo's name; made if it is missing.
        suffix: The kind of file; see `write_video`.
        resume: Keep clips that are there already. A clip appears only when it is whole, so none is half made.
        **options: As in `make_meme`.

    Yields:
        One outcome for each photo, as soon as it is known.

    Raises:
        MemegenError: There are no photos, the template or the engine can't be had or used, the folder can't be made, or
            there is no such kind of file.
    """
    if suffix.lower() not in SUFFIXES:
        raise OutputError(f"There is no kind of clip {suffix!r}: use one of {', '.join(SUFFIXES)}.")
    files = find_photos(photos)
    progress = options.get("progress") is not None
    clip: Template | dict[int, Song]
    if isinstance(template, Mapping):
        clip = {face: resolve_driving(song, progress=progress) for face, song in template.items()}
    else:
        clip = resolve_driving(template, progress=progress)
    target = expanded(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} can't be made ({error}): choose another.") from error
    if isinstance(engine := options.get("engine", "mesh"), str | Path):
        knobs = ("face", "framing", "expression", "motion", "progress")
        options["engine"] = load_animator(engine, **{word: options[word] for word in knobs if word in options})
    for photo, out in zip(files, clip_names(files, target, suffix), strict=True):
        begun = time.monotonic()
        if resume and out.is_file():
            yield Outcome(photo, out, "kept", 0.0)
            continue
        try:
            make_meme(photo, clip, out=out, **options)
        except MemegenError as error:
            yield Outcome(photo, out, "failed", time.monotonic() - begun, str(error))
        else:
            yield Outcome(photo, out, "made", time.monotonic() - begun)


def clip_names(photos: Sequence[Path], folder: Path, suffix: str) -> list[Path]:
    """Name each photo's clip after it; the second `me` in a list becomes `me-2`, whatever its folder or ending.

    No clip gets the name of a photo in the same folder.
    """
    beside = (photo for photo in photos if photo.absolute().parent.resolve() == folder.resolve())
    taken = {photo.stem.casefold() for photo in beside if photo.suffix.casefold() == suffix.casefold()}
    names = []
    for photo in photos:
        name, number = photo.stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{photo.stem}-{number}"
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
            table = csv.DictWriter(stream, [field.name for field in fields(Outcome)])
            table.writeheader()
            table.writerows(asdict(outcome) | {"seconds": f"{outcome.seconds:.1f}"} for outcome in outcomes)
    except OSError as error:
        raise OutputError(f"The report {path} can't be written ({error}): choose another place.") from error
    return file
