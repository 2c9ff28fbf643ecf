"""make_meme(): the stages in order."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from memegen.animator import Animator, engine_options, load_animator
from memegen.base.errors import InputError, NoPictureError
from memegen.base.options import sort_options, takes_options
from memegen.base.progress import Progress, counted
from memegen.face.options import Acting, Ending
from memegen.face.watching import kept_file, watch
from memegen.fomm.options import FommOptions
from memegen.look.compose import compose
from memegen.look.cutout import cut_out
from memegen.look.options import Look
from memegen.media.destinations import Destination, destination_of, fill_in
from memegen.media.encoders import check_limit, check_transparent, final_size, parse_size
from memegen.media.fitting import broken_limits, paced
from memegen.media.options import BELOW, BOTH, TARGET, Cut, Sound
from memegen.media.subjects import open_subject, still_of
from memegen.media.video import Audio, Video, open_video, output_file, span_of, write_video
from memegen.provenance.credentials import marking
from memegen.provenance.metadata import Marks
from memegen.provenance.watermark import embed
from memegen.singer.miming import mimed_clip
from memegen.singer.options import Singing
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

OPTIONS = (Cut, Singing, Acting, Look, Sound, FommOptions)
"""Every option of a meme; the command line and the form read these declarations too."""


@takes_options(*OPTIONS)
def make_meme(
    photo: PhotoSource | Video,
    template: Songs = "daisy-bell",
    *,
    out: str | Path | None = None,
    engine: str | Path | Animator = "mesh",
    progress: Progress | None = None,
    **options: Any,
) -> Video:
    """Make a photo sing.

    Args:
        photo: A path, an http(s) address, the bytes of a file, an array or a PIL image; see `read_image`. Or a target
            video, as a path, an address or from `open_video`: the face in it sings. It keeps its size and rate.
        template: The song: a template's name, or the path or address of any video, whose picture drives the photo, or
            of any sound file, which a drawn singer performs. For a duet, which face sings which:
            `{0: "daisy-bell", 1: "clip.mp4"}`; the first gives the frame rate, the words and the credit.
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
    duet = isinstance(template, Mapping)
    words = fill_in(options, Path(out or "").suffix, duet=duet)
    cut, singing, acting, look, sound, _ = sort_options(words, *OPTIONS)
    place = destination_of(words)
    subject = open_subject(photo, progress)
    found = resolve_songs(template, progress, singing=singing)
    roles = _open_songs(found, cut, progress, duet=duet, room=_room(words, look)).timed_for(subject, acting.ending)
    with ExitStack() as stack:
        path = output_file(out, stack, inputs=[_file_of(photo), cut.audio, *roles.files], suffix=place.suffix)
        check_limit(path, parse_size(cut.max_size), roles.length / float(roles.lead.fps))
        check_transparent(path, look.cutout)
        animator = _animator(engine, progress, engine_options(words if isinstance(engine, str | Path) else options))
        frames = animator.animate(subject, roles.driving)
        frames = counted(frames, stage="Singing", total=roles.length, progress=progress)
        meme = write_clip(
            path,
            frames,
            dress=(look, cut, sound, place),
            photo=still_of(subject),
            driving=roles.lead,
            lyrics=roles.template.lyrics,
            audio=None if cut.mute else _heard(cut.audio, roles, subject),
            number=roles.template.mark,
            marks=_marks(animator, roles.template, subject),
        )
        weakref.finalize(meme, stack.pop_all().close)
    return meme


def write_clip(
    path: Path,
    frames: Iterator[Image],
    *,
    dress: tuple[Look, Cut, Sound, Destination],
    photo: Image,
    driving: Video,
    lyrics: Path | None,
    audio: Audio | Sequence[Audio] | None,
    number: int,
    marks: Marks,
) -> Video:
    """Put frames into their look, mark them, and write them with their sound.

    Args:
        path: The file to write, checked.
        frames: uint8 RGB, at the rate of `driving`.
        dress: What was chosen for the picture, the file and its sound, and where it is to be posted.
        photo: uint8 RGB, as `compose` needs it.
        driving: The clip that drives them.
        lyrics: The template's own.
        audio: Where the sound comes from.
        number: What the invisible mark says.
        marks: What the others say.

    Raises:
        MemegenError: Something of the look can't be used, or the file can't be written.
    """
    look, cut, sound, place = dress
    limit = final_size(path, *(place.side or LARGEST,) * 2)
    frames = cut_out(frames) if look.cutout else frames
    frames = compose(frames, look, photo=photo, fps=driving.fps, driving=driving, lyrics=lyrics, size_limit=limit)
    frames, fps = paced(frames, driving.fps, place)
    clip = write_video(
        path,
        embed(frames, number),
        fps=fps,
        audio=audio,
        sound=replace(sound, offset=sound.offset + 1000 * look.lead),
        max_size=cut.max_size,
        keep_size=look.format == "sticker",
        **marking(marks),
    )
    for words in broken_limits(clip, place):
        _log.warning("%s: %s.", place.title, words)
    return clip


def follow_singers(songs: Songs, options: Mapping[str, Any], progress: Progress | None = None) -> list[Path]:
    """Follow the faces of the songs' clips ahead, as `make_meme` with these options will need them.

    Returns:
        The files that keep the tracks; none for a bundled track.

    Raises:
        MemegenError: A song or option can't be used.
    """
    words = fill_in(options)
    cut, singing, _, look, *_ = sort_options(words, *OPTIONS)
    found = resolve_songs(songs, progress, singing=singing)
    clips = [open_song(song, cut, progress, room=_room(words, look)) for song in found.values()]
    for clip in clips:
        watch(clip, progress)
    return [file for file in map(kept_file, clips) if file.is_file()]


class _Roles(NamedTuple):
    """The songs of a meme, opened.

    Attributes:
        template: The first song, which gives the words and the credit.
        clips: The opened span of each face's song, by the face's number; of a single song under 0.
        duet: Whether each face has its own.
        files: The songs' own files, which are not to be overwritten.
    """

    template: Template
    clips: dict[int, Video]
    duet: bool
    files: Sequence[Path]

    def timed_for(self, subject: Image | Video, ending: Ending) -> _Roles:
        """Return the songs at the rate of a target video, and no longer than one that ends the clip."""
        if not isinstance(subject, Video):
            return self
        most = subject.duration if ending == "cut" else math.inf
        return self._replace(
            clips={
                number: replace(clip, fps=subject.fps, duration=min(clip.duration, most))
                for number, clip in self.clips.items()
            }
        )

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


def resolve_songs(
    songs: Songs, progress: Progress | None = None, *, singing: Singing | None = None
) -> dict[int, Template]:
    """Find the clip of each song, downloading those that are not on this machine.

    Args:
        songs: As in `make_meme`.
        progress: Told how far a download is.
        singing: As in `load_template`; for all of them.

    Returns:
        The clip of each face's song, by the face's number; of a single song under 0.

    Raises:
        InputError: It is no template, no file and no http(s) address, or the duet is empty.
        DownloadError: A clip could not be downloaded.
    """
    parts = songs if isinstance(songs, Mapping) else {0: songs}
    if not parts:
        raise InputError("The duet is empty: give at least one face its clip.")
    return {number: resolve_driving(song, singing=singing, progress=progress) for number, song in parts.items()}


def _file_of(photo: object) -> object:
    return photo.path if isinstance(photo, Video) else photo


def _heard(audio: str | Path | None, roles: _Roles, subject: Image | Video) -> Audio | list[Audio]:
    """Return where the sound comes from, for `write_video`."""
    songs: list[Audio] = list(dict.fromkeys(roles.clips.values()))
    if audio not in (TARGET, BOTH):
        return audio or songs
    if not isinstance(subject, Video):
        raise InputError(f"The audio is {audio!r}, but a photo has no sound: give a sound file, or leave it out.")
    own = span_of(subject)
    if own is None or audio == TARGET:
        return [subject] if audio == TARGET else songs
    return [*songs, own._replace(gain=BELOW)]


def _room(words: Mapping[str, Any], look: Look) -> float:
    """Return how many seconds of a song are used where the user does not say."""
    place = destination_of(words)
    return min(place.length, place.longest - look.lead)


def _open_songs(
    found: Mapping[int, Template], cut: Cut, progress: Progress | None, *, duet: bool, room: float
) -> _Roles:
    """Open the songs that were found."""
    clips = {number: open_song(song, cut, progress, room=room) for number, song in found.items()}
    return _Roles(next(iter(found.values())), clips, duet, [song.local_path for song in found.values()])


def open_song(clip: Template, cut: Cut, progress: Progress | None = None, *, room: float = math.inf) -> Video:
    """Open the part of a song that is used: of its clip, or of one in which the drawn singer performs its sound.

    Args:
        clip: The song, with its file on this machine.
        cut: Which part, and whether its sound is to be performed although it has a picture.
        progress: Told how far the singer is.
        room: At most so many seconds are used where the user does not say how many.

    Raises:
        InputError: The file can't be read, or the part is not in it.
    """
    begin, duration = clip.start if cut.start is None else cut.start, cut.duration
    if duration is None and clip.end is not None and begin < clip.end:
        duration = clip.end - begin
    path, crop, driving = clip.local_path, clip.crop, None
    with suppress(NoPictureError):
        driving = None if cut.from_sound else open_video(path, start=begin, duration=duration)
    if driving is None:
        path = mimed_clip(path, until=None if duration is None else begin + duration, progress=progress)
        driving, crop = open_video(path, start=begin, duration=duration), None
    if cut.duration is None and driving.duration > room:
        count = math.floor(room * driving.fps)
        count -= count % EVEN if count > 2 * EVEN else 0
        driving = replace(driving, duration=float(count / driving.fps))
    return driving if crop is None else driving.cropped(crop)


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


def _marks(engine: Animator, song: Template, subject: Image | Video) -> Marks:
    kind = "video" if isinstance(subject, Video) else "photo"
    return Marks(engine=engine.name, template=song.public_name, credit=song.credit, subject=kind)
