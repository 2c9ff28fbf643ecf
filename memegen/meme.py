"""make_meme(): the stages in order."""

from __future__ import annotations

import tempfile
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, Unpack, cast

from memegen.animator import Animator, load_animator
from memegen.base.errors import InputError, UnavailableError
from memegen.base.progress import Progress, counted
from memegen.look.compose import Look, LookOptions, compose
from memegen.media.encoders import final_size
from memegen.media.images import read_image
from memegen.media.sound import LOUDNESS, SoundOptions
from memegen.media.video import Video, check_output, open_video, write_video
from memegen.provenance.credentials import available, find_signer, seal
from memegen.provenance.metadata import Marks
from memegen.provenance.watermark import embed
from memegen.templates import Template, resolve_driving

if TYPE_CHECKING:
    from memegen.base.arrays import Image
    from memegen.face.detection import Which
    from memegen.media.images import PhotoSource

Song = str | Path | Template
LARGEST = 8192  # pixels; no side of a clip is longer


class Extras(LookOptions, SoundOptions, total=False):
    """What a meme is put into and what is done to its sound: the words of `Look` and of `SoundOptions`."""


def make_meme(
    photo: PhotoSource,
    template: Song | Mapping[int, Song] = "daisy-bell",
    *,
    out: str | Path | None = None,
    engine: str | Path | Animator = "mesh",
    start: float | None = None,
    duration: float | None = None,
    face: Which = None,
    framing: Literal["photo", "face"] = "photo",
    audio: str | Path | None = None,
    mute: bool = False,
    expression: float = 1.0,
    motion: float = 1.0,
    max_size: str | int | None = None,
    progress: Progress | None = None,
    **extras: Unpack[Extras],
) -> Video:
    """Make a photo sing.

    Args:
        photo: A path, an http(s) address, the bytes of a file, an array or a PIL image; see `read_image`.
        template: The driving clip: a template's name, or the path or address of any video. For a duet, which face
            sings which: `{0: "daisy-bell", 1: "clip.mp4"}`; the first gives the frame rate, the words and the credit.
        out: The file to write; its ending decides the kind, see `write_video`. None writes a temporary .mp4 that lives
            as long as the result: `save` it.
        engine: A name or file for `load_animator`, or what it gave; then `face`, `framing`, `expression` and `motion`
            are its own.
        start: Where to begin in the driving clip, seconds; None for the template's own start.
        duration: How much of it to use, seconds; None for all.
        face: Which face of the photo, counted from 0 at the left; "all"; the largest when None.
        framing: "photo" shows all of the photo, "face" a square around what moves.
        audio: A sound or video file whose sound replaces the driving clip's.
        mute: Leave the sound out.
        expression: Gain of mouth, brows and eyes; 1 is the driver's own.
        motion: Gain of the head's movement; 1 is the driver's own.
        max_size: The most that the file may take, such as "10MB".
        progress: Called as `progress(stage, done, total)` with frames.
        **extras: Captions, subtitles, format, intro and label, see `Look`; offset, fades, loudness (-14 LUFS when left
            out) and loop of the sound, see `SoundOptions`.

    Returns:
        The clip: it plays in a notebook, and `save` keeps it, as another kind of file if asked.

    Raises:
        MemegenError: Something can't be used or done; the message says what, and what to do next.
    """
    look, sound = _sorted(extras)
    picture = read_image(photo)
    roles = _open_songs(template, start, duration, progress=progress is not None)
    with ExitStack() as stack, _letting_go():
        path = _output(out, stack, inputs=[photo, audio, *(clip.path for clip in roles.songs)])
        engine = _loaded(engine, face=face, framing=framing, expression=expression, motion=motion, progress=progress)
        frames = engine.animate(picture, roles.clips if isinstance(template, Mapping) else roles.lead)
        frames = counted(frames, stage="Singing", total=roles.length, progress=progress)
        frames = _dressed(frames, look, picture, roles, final_size(path, LARGEST, LARGEST))
        meme = write_video(
            path,
            embed(frames, roles.template.mark),
            fps=roles.lead.fps,
            audio=None if mute else audio or roles.songs,
            sound=sound,
            max_size=max_size,
            **_marking(engine, roles.template),
        )
        weakref.finalize(meme, stack.pop_all().close)
    return meme


@contextmanager
def _letting_go() -> Iterator[None]:
    """Let go of what an error holds: notebooks keep the last one, and with it decoders that wait to be read."""
    try:
        yield
    except BaseException as error:
        held: BaseException | None = error
        while held is not None:
            traceback.clear_frames(held.__traceback__)
            held = held.__context__
        raise


class _Marking(TypedDict):
    comment: str
    finish: Callable[[Path], None]


class _Songs(NamedTuple):
    """Who sings what.

    Attributes:
        template: The first song, which gives the words and the credit.
        clips: The opened span of each face's song, by the face's number; of a single song under 0.
    """

    template: Template
    clips: dict[int, Video]

    @property
    def lead(self) -> Video:
        """The first clip: it gives the frame rate."""
        return next(iter(self.clips.values()))

    @property
    def songs(self) -> list[Video]:
        """Each clip once."""
        return list(dict.fromkeys(self.clips.values()))

    @property
    def length(self) -> int:
        """How many frames the longest takes, at the lead's rate."""
        return max(round(clip.duration * self.lead.fps) for clip in self.clips.values())


def _open_songs(
    template: Song | Mapping[int, Song], start: float | None, duration: float | None, *, progress: bool
) -> _Songs:
    """Find and open what is sung."""
    songs = template if isinstance(template, Mapping) else {0: template}
    if not songs:
        raise InputError("The duet is empty: give at least one face its clip.")
    found = {number: resolve_driving(song, progress=progress) for number, song in songs.items()}
    clips = {number: _span(song, start, duration) for number, song in found.items()}
    return _Songs(next(iter(found.values())), clips)


def _dressed(
    frames: Iterator[Image], look: Look, photo: Image, roles: _Songs, limit: tuple[int, int]
) -> Iterator[Image]:
    """Put the frames into their look."""
    driving, lyrics = roles.lead, roles.template.lyrics
    return compose(frames, look, photo=photo, fps=driving.fps, driving=driving, lyrics=lyrics, size_limit=limit)


def _sorted(extras: Extras) -> tuple[Look, SoundOptions]:
    """Tell the words of the look from those of the sound."""
    words: dict[str, object] = dict(extras)
    unknown = words.keys() - Extras.__annotations__.keys()
    if unknown:
        raise TypeError(f"make_meme() got an unexpected keyword argument {min(unknown)!r}")
    look = Look(**{word: words[word] for word in LookOptions.__annotations__ if word in words})  # type: ignore[arg-type]
    sound = {"loudness": LOUDNESS} | {word: words[word] for word in SoundOptions.__annotations__ if word in words}
    sound["offset"] = extras.get("offset", 0.0) + 1000 * look.lead
    return look, cast(SoundOptions, sound)


def _loaded(engine: str | Path | Animator, **options: Any) -> Animator:
    return load_animator(engine, **options) if isinstance(engine, str | Path) else engine


def _marking(engine: Animator, song: Template) -> _Marking:
    """What the file says of its making, as words for `write_video`; a signer that can't be read is told at once."""
    if available():
        with suppress(UnavailableError):  # which leaves the clip unsigned, with a warning
            find_signer()
    marks = Marks(engine=engine.name, template=song.public_name, credit=song.credit)
    return {"comment": marks.sentence, "finish": partial(seal, marks=marks)}


def _span(clip: Template, start: float | None, duration: float | None) -> Video:
    """Open the part of a driving clip that is used."""
    begin = clip.start if start is None else start
    if duration is None and clip.end is not None and begin < clip.end:
        duration = clip.end - begin
    driving = open_video(clip.local_path, start=begin, duration=duration)
    return driving if clip.crop is None else driving.cropped(clip.crop)


def _output(out: str | Path | None, stack: ExitStack, *, inputs: Iterable[object]) -> Path:
    """Where to write, checked; a temporary file, which the stack takes away, when None."""
    if out is None:
        folder = tempfile.TemporaryDirectory(prefix="memegen-", ignore_cleanup_errors=True)
        out = Path(stack.enter_context(folder), "meme.mp4")
    return check_output(out, inputs=[file for file in inputs if isinstance(file, str | Path)])
