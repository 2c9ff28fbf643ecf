"""The registry of driving clips, as data; and how a name, path or address becomes a clip on this machine."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

from memegen.base.downloads import Mirror, asset, cache_file, fetch, fetch_url
from memegen.base.errors import InputError
from memegen.base.files import check_file, expanded
from memegen.base.options import did_you_mean
from memegen.base.progress import Progress
from memegen.singer.options import Singing
from memegen.singer.tunes import TUNES

LYRICS_SUFFIXES = (".lrc", ".srt")


@dataclasses.dataclass(frozen=True)
class Template:
    """A driving clip with its song, times and credit.

    Attributes:
        name: What the user types.
        title: What people call it.
        credit: Whose performance and song it is.
        licence: What may be done with it, or what to check first.
        mirrors: Where to download a clip that is not bundled, best first.
        bundled: The asset's name of a bundled clip.
        start: Where the performance begins in the clip, in seconds.
        end: Where it ends, in seconds; None is the clip's own end.
        crop: Left, top, right and bottom of the square around the performer, in pixels; None is to find the face.
        path: The clip on this machine; None until the template is loaded.
        own: Whether it is a user's own clip; its name is private.
    """

    name: str
    title: str
    credit: str
    licence: str
    mirrors: tuple[Mirror, ...] = ()
    bundled: str | None = None
    start: float = 0.0
    end: float | None = None
    crop: tuple[float, float, float, float] | None = None
    path: Path | None = None
    own: bool = False

    @property
    def public_name(self) -> str:
        """What the marks in a finished clip call the template."""
        return "own clip" if self.own else self.name

    @property
    def mark(self) -> int:
        """The 32-bit number that stands for the template in the invisible mark."""
        return zlib.crc32(self.public_name.encode())

    @property
    def lyrics(self) -> Path | None:
        """The timed words beside the clip, under its name with .lrc or .srt; None if there are none."""
        words = (self.local_path.with_suffix(suffix) for suffix in LYRICS_SUFFIXES)
        return next((file for file in words if file.is_file()), None)

    @property
    def local_path(self) -> Path:
        """The clip on this machine, of a loaded template."""
        if self.path is None:
            raise InputError(f"The template {self.name} is not loaded: call load_template({self.name!r}).")
        return self.path


TEMPLATES: tuple[Template, ...] = (
    *(
        Template(
            name=name,
            title=tune.title,
            credit=f'Drawn, performed and sung by the memegen project. Song: "{tune.title}" ({tune.author}).',
            licence=f"Clip and recording: MIT, as memegen. Song: public domain, {tune.free}",
            bundled=f"templates/{name}.mp4",
        )
        for name, tune in TUNES.items()
    ),
    Template(
        name="baka-mitai",
        title="Baka Mitai (Dame Da Ne)",
        credit='Song: "Baka Mitai" from the game series Ryu ga Gotoku (Yakuza) by SEGA. '
        "Performance: Dobbsyrules, in the well-known Dame Da Ne clip. Both belong to their makers.",
        licence="Song and clip belong to SEGA and others; check before posting.",
        mirrors=(
            Mirror(
                "https://raw.githubusercontent.com/FuouM/ComfyUI-FirstOrderMM/"
                "a957f6e8fed623c89ababdda938692f118b836e0/samples/damedane.mp4",
                "03cb4f14024591ea11e87bb5d4a5c822c65cc9b39c8f6f0233ca61c6d2ea6db7",
            ),
            # other cuts of the same performance
            Mirror(
                "https://raw.githubusercontent.com/alanzhu39/dame-da-ne-bot/"
                "1e494eecb0b7917ec2359e7673b2fbd22baeb0cb/files/04.mp4",
                "f58e50b79cc3890b4ce01918364cddcd17953f10c741e02e64bf7604d1d19b3f",
            ),
            Mirror(
                "https://raw.githubusercontent.com/logg926/fyp_fast/"
                "1f4378e8352e7ce9920b693880360a23c14f44a5/damedane.mp4",
                "653543e27143291d47c0101c16072f2a5b67ed655e556450e050a5672ed570c9",
            ),
            Mirror(
                "https://raw.githubusercontent.com/NikolaTesla17/botkaMaitai/"
                "ac495dcebb8baa0c7449b9f47832fe8953d0feb0/pythonBotLinux/firstOrder/automatic/inputCropped/1.mp4",
                "34d6b9cd952674ec910fbdb9b1b2209d8e386bd3aa855ff6a874d18b49919fa5",
            ),
        ),
    ),
)


def load_template(name: str, *, singing: Singing | None = None, progress: Progress | None = None) -> Template:
    """Return a known template with its clip on this machine; one that is not bundled is downloaded at first use.

    Args:
        name: One of the names in `TEMPLATES`.
        singing: Whose name, which words and which voice, for one of the tunes that the drawn singer knows.
        progress: Told how far a download or a drawing is, see `Progress`.

    Raises:
        InputError: There is no such template (the message lists those there are), or it can't be sung like that.
        DownloadError: The clip could not be downloaded.
        UnavailableError: The installation lacks the bundled clip.
    """
    template = next((template for template in TEMPLATES if template.name == name), None)
    if template is None:
        raise InputError(f"There is no template {name!r}. {_known(name)}")
    return _located(template, singing, progress=progress)


def resolve_driving(
    source: str | Path | Template, *, singing: Singing | None = None, progress: Progress | None = None
) -> Template:
    """Return the template, with a local path, that a user's driving clip stands for.

    Args:
        source: A template's name, the path or http(s) address of any video, or a `Template`. A name goes before a file
            of the same name in the current folder: write `./daisy-bell` for the file.
        singing: As in `load_template`.
        progress: As in `load_template`.

    Raises:
        InputError: It is not a template, a file or an http(s) address, or it can't be sung as it is wished for.
        DownloadError: The clip could not be downloaded.
        UnavailableError: The installation lacks the bundled clip.
    """
    if isinstance(source, Template):
        return _located(source, singing, progress=progress)
    if _is_name(source):
        return load_template(source, singing=singing, progress=progress)
    if _is_url(source):
        own = _own(fetch_url(source, progress=progress), credit=source.strip())
    else:
        own = _own(_existing_file(source), credit="your own clip")
    return _located(own, singing, progress=progress)


def check_driving(source: str | Path, singing: Singing | None = None) -> None:
    """Check that a driving clip is a template, an address or a video file that is there; downloads nothing.

    Raises:
        InputError: It is none of these, the file can't be read, or it can't be sung as it is wished for.
    """
    if not _is_name(source) and not _is_url(source):
        check_file(_existing_file(source), kind="video")
    if singing not in (None, Singing()):
        from memegen.singer.fitting import write_score

        write_score(TUNES[_tune_of(source)], singing or Singing())


def read_duet(parts: Sequence[str]) -> dict[int, str]:
    """Read who sings what: `0=daisy-bell`, `1=clip.mp4`; a mapping for `make_meme`.

    Raises:
        InputError: A part is not a face's number, an equals sign and a song, or a face has two songs.
    """
    songs: dict[int, str] = {}
    for part in parts:
        face, _, song = (word.strip() for word in part.partition("="))
        if not (face.isdecimal() and song):
            raise InputError(
                f"{part.strip()!r} does not say which face sings what: in a duet every face needs its own song, "
                "as in 0=daisy-bell and 1=clip.mp4, counted from 0 at the left."
            )
        if int(face) in songs:
            raise InputError(f"Face {face} has two songs: give it one.")
        songs[int(face)] = song
    return songs


def _located(template: Template, singing: Singing | None, *, progress: Progress | None) -> Template:
    """Return the template with its clip's path on this machine, sung as it is wished for."""
    if singing not in (None, Singing()):
        return dataclasses.replace(template, path=_sung(template, singing or Singing(), progress=progress))
    if template.path is not None:
        return template
    if template.bundled is not None:
        return dataclasses.replace(template, path=asset(template.bundled))
    path = fetch(cache_file("templates", f"{template.name}.mp4"), template.mirrors, progress=progress)
    return dataclasses.replace(template, path=path)


def _sung(template: Template, singing: Singing, *, progress: Progress | None) -> Path:
    """Return a clip of a tune as it is wished for."""
    from memegen.singer.recording import sung_clip

    return sung_clip(_tune_of("" if template.own else template.name), singing, progress=progress)


def _tune_of(source: str | Path) -> str:
    """Return the name of a tune that can be sung in other ways."""
    if isinstance(source, str) and source in TUNES:
        return source
    raise InputError(
        "Only the drawn singer can sing another name, other words or in another voice: leave these out, or choose one "
        f"of its tunes: {', '.join(TUNES)}."
    )


def _is_name(source: str | Path) -> TypeGuard[str]:
    return any(template.name == source for template in TEMPLATES)


def _is_url(source: str | Path) -> TypeGuard[str]:
    return isinstance(source, str) and re.match(r"\s*(?!file:)[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


def _own(path: Path, *, credit: str) -> Template:
    return Template(name=path.stem, title=path.stem, credit=credit, licence="yours to know", path=path, own=True)


def _existing_file(source: str | Path) -> Path:
    path = expanded(source)
    try:
        path.stat()
    except (OSError, ValueError) as error:  # missing, forbidden, or no possible name
        raise InputError(f"There is no template or video file {str(source)!r}. {_known(str(source))}") from error
    if not path.is_file():
        raise InputError(f"{str(source)!r} is not a file: give a video file inside it, or a template. {_known()}")
    return path


def _known(name: str = "") -> str:
    """List the templates, first the one that `name` may stand for."""
    names = [template.name for template in TEMPLATES]
    also = "the path or web address of any video or sound file works too"
    return f"{did_you_mean(name, names)}Known templates: {', '.join(names)}; {also}."
