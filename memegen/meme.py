"""make_meme(): the stages in order."""

from __future__ import annotations

import logging
import math
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from memegen.animator import Animator, engine_options, load_animator
from memegen.base.errors import InputError, UnavailableError
from memegen.base.options import sort_options, takes_options
from memegen.base.progress import Progress, counted
from memegen.face.options import Acting
from memegen.face.watching import kept_file, watch
from memegen.fomm.options import FommOptions
from memegen.look.compose import compose
from memegen.look.cutout import cut_out
from memegen.look.options import Look
from memegen.media.destinations import destination_of, fill_in
from memegen.media.encoders import check_limit, check_transparent, final_size, parse_size
from memegen.media.fitting import broken_limits, paced
from memegen.media.images import read_image
from memegen.media.options import Cut, Sound
from memegen.media.video import Video, check_output, open_video, write_video
from memegen.provenance.credentials import available, find_signer, seal
from memegen.provenance.metadata import Marks
from memegen.provenance.watermark import embed
from memegen.templates import Template, resolve_driving

if TYPE_CHECKING:
    from memegen.base.arrays import Image
    from memegen.media.images import PhotoSource

Song = str | Path | Template
Songs = Song | Mapping[int, Song]
"""One song, or a duet: a song for the number of each face."""

LARGEST = 8192  # pixels; no side of a clip is longer
EVEN = 12  # frames: a clip that is cut for a destination has a multiple of these, so that half or a third fit as well

_log = logging.getLogger(__name__)

OPTIONS = (Cut, Acting, Look, Sound, FommOptions)
"""Every option of a meme; the command line and the form read these declarations too."""


@takes_options(*OPTIONS)
def make_meme(
    photo: PhotoSource,
    template: Songs = "daisy-bell",
    *,
    out: str | Path | None = None,
    engine: str | Path | Animator = "mesh",
    progress: Progress | None = None,
    **options: Any,
) -> Video:
    """Make a photo sing.

    Args:
        photo: A path, an http(s) address, the bytes of a file, an array or a PIL image; see `read_image`.
        template: The driving clip: a template's name, or the path or address of any video. For a duet, which face
            sings which: `{0: "daisy-bell", 1: "clip.mp4"}`; the first gives the frame rate, the words and the credit.
        out: The file to write; its ending decides the kind, see `write_video`. None writes a temporary file, an .mp4
            unless the destination takes another kind, that lives as long as the result: `save` it.
        engine: A name or file for `load_animator`; then it is loaded with `face`, `framing`, `expression`, `motion` and
            the options of checkpoints. Or an engine that is loaded already, which has its own.
        progress: Called as `progress(stage, done, total)`, see `Progress`.
        **options: See below.

    Returns:
        The clip: it plays in a notebook, and `save` keeps it, as another kind of file if asked.

    Raises:
        MemegenError: Something can't be used or done; the message says what, and what to do next.
    """
    words = fill_in(options, Path(out or "").suffix, duet=isinstance(template, Mapping))
    cut, _, look, sound, _ = sort_options(words, *OPTIONS)
    place = destination_of(words)
    picture = read_image(photo)
    roles = _open_songs(template, cut, progress, _room(words, look))
    with ExitStack() as stack:
        inputs = [photo, cut.audio, *(clip.path for clip in roles.clips.values())]
        path = _output(out, stack, inputs=inputs, suffix=place.suffix)
        check_limit(path, parse_size(cut.max_size), roles.length / float(roles.lead.fps))
        check_transparent(path, look.cutout)
        animator = _animator(engine, progress, engine_options(words if isinstance(engine, str | Path) else options))
        frames = animator.animate(picture, roles.driving)
        frames = counted(frames, stage="Singing", total=roles.length, progress=progress)
        frames = _dressed(frames, look, picture, roles, final_size(path, *(place.side or LARGEST,) * 2))
        frames, fps = paced(frames, roles.lead.fps, place)
        meme = write_video(
            path,
            embed(frames, roles.template.mark),
            fps=fps,
            audio=None if cut.mute else cut.audio or list(dict.fromkeys(roles.clips.values())),
            sound=replace(sound, offset=sound.offset + 1000 * look.lead),
            max_size=cut.max_size,
            keep_size=look.format == "sticker",
            **_marking(animator, roles.template),
        )
        weakref.finalize(meme, stack.pop_all().close)
    for limit in broken_limits(meme, place):
        _log.warning("%s: %s.", place.title, limit)
    return meme


def follow_singers(songs: Songs, options: Mapping[str, Any], progress: Progress | None = None) -> list[Path]:
    """Follow the faces of the songs' clips ahead, as `make_meme` with these options will need them.

    Returns:
        The files that keep the tracks; none for a bundled track.

    Raises:
        MemegenError: A song or option can't be used.
    """
    words = fill_in(options)
    cut, _, look, *_ = sort_options(words, *OPTIONS)
    clips = _open_songs(songs, cut, progress, _room(words, look)).clips.values()
    for clip in clips:
        watch(clip, progress)
    return [file for file in map(kept_file, clips) if file.is_file()]


class _Marking(TypedDict):
    comment: str
    finish: Callable[[Path], None]


class _Roles(NamedTuple):
    """The songs of a meme, opened.

    Attributes:
        template: The first song, which gives the words and the credit.
        clips: The opened span of each face's song, by the face's number; of a single song under 0.
        duet: Whether each face has its own.
    """

    template: Template
    clips: dict[int, Video]
    duet: bool

    @property
    def lead(self) -> Video:
        """The first clip: it gives the frame rate."""
        return next(iter(self.clips.values()))

    @property
    def driving(self) -> Video | dict[int, Video]:
        """The driving clip or clips, as an animator takes them."""
        return self.clips if self.duet else self.lead

    @property
    def length(self) -> int:
        """How many frames the longest takes, at the lead's rate."""
        return max(round(clip.duration * self.lead.fps) for clip in self.clips.values())


def resolve_songs(songs: Songs, progress: Progress | None = None) -> dict[int, Template]:
    """Find the clip of each song, downloading those that are not on this machine.

    Args:
        songs: As in `make_meme`.
        progress: Told how far a download is.

    Returns:
        The clip of each face's song, by the face's number; of a single song under 0.

    Raises:
        InputError: It is no template, no file and no http(s) address, or the duet is empty.
        DownloadError: A clip could not be downloaded.
    """
    parts = songs if isinstance(songs, Mapping) else {0: songs}
    if not parts:
        raise InputError("The duet is empty: give at least one face its clip.")
    return {number: resolve_driving(song, progress=progress) for number, song in parts.items()}


def _room(words: Mapping[str, Any], look: Look) -> float:
    """Return how many seconds of a song are used where the user does not say."""
    place = destination_of(words)
    return min(place.length, place.longest - look.lead)


def _open_songs(songs: Songs, cut: Cut, progress: Progress | None, room: float) -> _Roles:
    found = resolve_songs(songs, progress)
    clips = {number: _open_span(song, cut, room) for number, song in found.items()}
    return _Roles(next(iter(found.values())), clips, isinstance(songs, Mapping))


def _open_span(clip: Template, cut: Cut, room: float) -> Video:
    """Open the part of a driving clip that is used: as long as the user says, or else at most `room` seconds."""
    begin, duration = clip.start if cut.start is None else cut.start, cut.duration
    if duration is None and clip.end is not None and begin < clip.end:
        duration = clip.end - begin
    driving = open_video(clip.local_path, start=begin, duration=duration)
    if cut.duration is None and driving.duration > room:
        count = math.floor(room * driving.fps)
        count -= count % EVEN if count > 2 * EVEN else 0
        driving = replace(driving, duration=float(count / driving.fps))
    return driving if clip.crop is None else driving.cropped(clip.crop)


def _animator(engine: str | Path | Animator, progress: Progress | None, chosen: Mapping[str, Any]) -> Animator:
    """Load the engine with its options, or return the one that is loaded already."""
    if isinstance(engine, str | Path):
        return load_animator(engine, progress=progress, **chosen)
    if chosen:
        raise InputError(
            f"The engine {engine.name} is loaded already, so {', '.join(chosen)} would change nothing: give that to "
            "load_animator, or give make_meme the engine's name."
        )
    return engine


def _dressed(
    frames: Iterator[Image], look: Look, photo: Image, roles: _Roles, limit: tuple[int, int]
) -> Iterator[Image]:
    """Put the frames into their look."""
    driving, lyrics = roles.lead, roles.template.lyrics
    frames = cut_out(frames) if look.cutout else frames
    return compose(frames, look, photo=photo, fps=driving.fps, driving=driving, lyrics=lyrics, size_limit=limit)


def _marking(engine: Animator, song: Template) -> _Marking:
    """Return the marks of the file as keywords for `write_video`.

    A signer that can't be read raises here, before the work begins.
    """
    if available():
        with suppress(UnavailableError):  # the clip stays unsigned, with a warning
            find_signer()
    marks = Marks(engine=engine.name, template=song.public_name, credit=song.credit)
    return {"comment": marks.sentence, "finish": partial(seal, marks=marks)}


def _output(out: str | Path | None, stack: ExitStack, *, inputs: Iterable[object], suffix: str) -> Path:
    """Return where to write, checked; a temporary file, which the stack removes, when None."""
    if out is None:
        folder = tempfile.TemporaryDirectory(prefix="memegen-", ignore_cleanup_errors=True)
        out = Path(stack.enter_context(folder), f"meme{suffix}")
    return check_output(out, inputs=[file for file in inputs if isinstance(file, str | Path)])
