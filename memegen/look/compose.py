"""Put frames into their look: a canvas, captions, sung lines, a still with a title, and the label "Made with AI"."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memegen.base.arrays import Image
from memegen.base.errors import InputError
from memegen.face.detection import detect_faces
from memegen.look.canvas import Size, beside, canvas_size, lay_out, safe_area
from memegen.look.captions import Block, Box, Colour, Stamp, caption, check_letters, draw, on_plate, tidy
from memegen.look.lyrics import Line, read_lyrics
from memegen.look.options import Look

if TYPE_CHECKING:
    from memegen.media.video import Video

Interval = tuple[float, float]
LABEL = "Made with AI · memegen"
SHORT_LABEL = "AI"  # where the picture is too narrow for more
LIT: Colour = (255, 214, 10)  # the word that is being sung

# Letter sizes, as shares of the frame's shorter side: the largest of each kind of text, and the smallest of all
_CAPTION, _TITLE, _SUNG, _SMALLEST = 0.12, 0.14, 0.08, 0.032
# How high a text may be, as a share of the safe area: two rows of the largest letters, or more of smaller ones
_ROOM, _ROOM_WITH_SONG, _SUNG_ROOM = 0.25, 0.17, 0.17
# Where the eyes are in a detected face, as shares of its height, with room for nods; smaller faces, as a share of the
# frame's height, are not minded: a crowd would leave no room for words.
_EYES, _SMALL_FACE = (0.2, 0.58), 0.1
_LABEL = 0.022  # as a share of the height
_LABEL_PIXELS = 11  # never smaller
# Seconds: how much earlier a line shows than it is sung, how long it fades, and how long a word takes to light up
_EARLY, _FADE, _LIGHT = 0.6, 0.15, 0.1


def compose(
    frames: Iterable[Image],
    look: Look,
    *,
    photo: Image,
    fps: Fraction | float,
    driving: Video | None = None,
    lyrics: str | Path | None = None,
    size_limit: Size | None = None,
) -> Iterator[Image]:
    """Put frames into a look, one by one.

    Args:
        frames: uint8 RGB (H, W, 3), all of one size; they are not changed. RGBA (H, W, 4) stay so, without bars.
        look: What to put them into.
        photo: uint8 RGB (H, W, 3), for blurred bars and the still at the beginning.
        fps: Frames a second.
        driving: The clip that drives them: needed to show it, and to know where in the song they begin.
        lyrics: The template's own, for `subtitles=True`.
        size_limit: Largest width and height of the result; text is drawn for its size.

    Returns:
        Frames of one even size: `look.lead_frames(fps)` before the meme's own. If the look changes nothing, the same
        frames.

    Raises:
        InputError: A text is too long or has letters that no font has, lyrics are missing or malformed, or there is
            no driving clip to show. Raised before the first frame is taken.
    """
    lines = _lines(look, lyrics, driving)
    for text in (look.top, look.bottom, look.intro, *(line.text for line in lines)):
        check_letters(text)
    check_letters(_label_text(look), style="label")
    if look.side_by_side and driving is None:
        raise InputError("There is no driving clip to show beside the meme: leave side by side out.")
    _check_fit(look, lines, (photo.shape[1], photo.shape[0]), driving, size_limit)
    return _composed(iter(frames), look, lines, photo, fps, driving, size_limit)


def _check_fit(look: Look, lines: Sequence[Line], photo: Size, driving: Video | None, size_limit: Size | None) -> None:
    """Refuse a text that is too long before any frame is made; frames are like the photo, or square."""
    problem: InputError | None = None
    for size in (photo, (min(photo), min(photo))):
        shown = beside(size, (driving.width, driving.height)) if driving and look.side_by_side else size
        try:
            _Texts(look, lines, canvas_size(look.format, shown, size_limit))
        except InputError as error:
            problem = problem or error
        else:
            return
    if problem:
        raise problem


def _composed(
    frames: Iterator[Image],
    look: Look,
    lines: Sequence[Line],
    photo: Image,
    fps: Fraction | float,
    driving: Video | None,
    size_limit: Size | None,
) -> Iterator[Image]:
    first = next(frames, None)
    if first is None:
        return
    meme = (first.shape[1], first.shape[0])
    frames = itertools.chain([first], frames)
    fits = size_limit is None or (meme[0] <= size_limit[0] and meme[1] <= size_limit[1])
    if replace(look, cutout=False) == Look(label=False) and fits:
        yield from frames
        return
    shown = driving if look.side_by_side else None
    driver = (shown.width, shown.height) if shown else None
    size = canvas_size(look.format, beside(meme, driver) if driver else meme, size_limit)
    clear = first.shape[2] == 4
    canvas = lay_out(size, meme, photo, bars=look.bars, driver=driver, clear=clear)
    texts = _Texts(look, lines, size, eyes=_eyes(first, canvas.meme) if look != Look() else ())
    if look.lead:
        still = lay_out(size, (photo.shape[1], photo.shape[0]), photo, bars=look.bars, clear=clear).fill(photo)
        texts.write_title(still)
        yield from (still.copy() for _ in range(look.lead_frames(fps)))
    pictures = shown.frames(max_side=max(canvas.size)) if shown else None
    start = driving.start if driving else 0.0
    with closing(pictures) if pictures else nullcontext():  # ends the decoder when the meme is the shorter one
        for number, (frame, picture) in enumerate(zip(frames, _held(pictures or ()), strict=False)):
            whole = canvas.fill(frame, picture)
            texts.write(whole, start + number / float(fps))
            yield whole


def _held(pictures: Iterable[Image]) -> Iterator[Image | None]:
    """Pass pictures on and repeat the last, or None: in a duet another singer's clip may be longer."""
    picture = None
    for picture in pictures:
        yield picture
    yield from itertools.repeat(picture)


def _label_text(look: Look) -> str:
    return look.label if isinstance(look.label, str) else LABEL if look.label else ""


def _lines(look: Look, lyrics: str | Path | None, driving: Video | None) -> list[Line]:
    """Read the lines that are sung within the driving span."""
    if look.subtitles is False or look.subtitles == "":
        return []
    source = lyrics if look.subtitles is True else look.subtitles
    if source is None:
        remedy = {"subtitles": "WORDS.lrc"}
        raise InputError("The song comes without its words: leave the subtitles out.", remedy=remedy)
    begin, length = (driving.start, driving.duration) if driving else (0.0, float("inf"))
    return [line for line in read_lyrics(source) if line.end > begin and line.start < begin + length]


def _eyes(frame: Image, place: Box) -> list[Box]:
    """Return where the eyes of the larger faces in a frame are, once it is laid out at a place of a canvas."""
    (left, top, right, bottom), (height, width) = place, frame.shape[:2]
    across, down = (right - left) / width, (bottom - top) / height
    found = detect_faces(np.ascontiguousarray(frame[..., :3]))
    faces = [face for face in found if face.height * down >= _SMALL_FACE * (bottom - top)]
    upper, lower = _EYES
    return [
        (
            round(left + face.left * across),
            round(top + (face.top + upper * face.height) * down),
            round(left + face.right * across),
            round(top + (face.top + lower * face.height) * down),
        )
        for face in faces
    ]


class _Texts:
    """All texts of a look, set for a size: the label in its corner, then captions, then sung lines in what is left.

    Captions and sung lines keep off the eyes: they are set smaller, or at the other edge, where they would cover them.
    """

    def __init__(self, look: Look, lines: Sequence[Line], size: Size, eyes: Sequence[Box] = ()) -> None:
        self._size, self._area, self._eyes = size, safe_area(size), eyes
        self._label = self._labelled(look)
        label = [self._label] if self._label else []
        self._title = self._set(look.intro, "title", _TITLE, _ROOM, label)
        top = self._set(look.top, "top caption", _CAPTION, _ROOM, label, below=False)
        room = _ROOM_WITH_SONG if lines else _ROOM
        bottom = self._set(look.bottom, "bottom caption", _CAPTION, room, label)
        self._captions = [stamp for stamp in (self._label, top, bottom) if stamp]
        place = partial(self._placed, others=self._captions)
        blocks = [self._sung(line.text, f"subtitle {tidy(line.text)[:40]!r}") for line in lines]
        self._song = [_SungLine(*one, place) for one in zip(lines, _shown(lines), blocks, strict=True)]
        self._times = [line.span[0] for line in self._song]

    def write(self, frame: Image, time: float) -> None:
        """Write captions and the sung line onto a frame, in place; the time is that of the song, in seconds."""
        for stamp in self._captions:
            stamp.blend(frame)
        number = bisect.bisect_right(self._times, time) - 1
        if number >= 0:
            self._song[number].write(frame, time)

    def write_title(self, frame: Image) -> None:
        """Write the title and the label onto the still, in place."""
        for stamp in (self._title, self._label):
            if stamp:
                stamp.blend(frame)

    def _set(
        self, text: str, what: str, size: float, room: float, others: Sequence[Stamp], below: bool = True
    ) -> Stamp | None:
        if not tidy(text):
            return None
        for edge in (below, not below):
            with suppress(InputError):
                stamp = self._placed(draw(self._block(text, what, size, room, edge, others=others)), others, edge)
                if not any(_overlap(stamp.box, eyes, 0) for eyes in self._eyes):
                    return stamp
        return self._placed(draw(self._block(text, what, size, room, below, clear=False)), others, below)

    def _block(
        self,
        text: str,
        what: str,
        size: float,
        room: float,
        below: bool = True,
        *,
        others: Sequence[Stamp] = (),
        clear: bool = True,
    ) -> Block:
        """Set a text into a share of the safe area's height; if `clear`, into what lies between its edge and the eyes.

        Raises:
            InputError: It does not fit.
        """
        left, top, right, bottom = self._area
        height = int(room * (bottom - top))
        if clear and self._eyes:
            height = min(height, self._free(others, below))
        # Centred in the whole frame, so the wider margin counts on both sides; buttons are beside the lower half only.
        margin = max(left, self._size[0] - right) if below else left
        smallest = max(_SMALLEST * min(self._size), 9.0)
        return caption(
            text,
            width=self._size[0] - 2 * margin,
            height=height,
            size=max(size * min(self._size), smallest),
            smallest=smallest,
            what=what,
        )

    def _free(self, others: Sequence[Stamp], below: bool) -> int:
        """Return how many pixels there are between the eyes and the lower or upper edge, or what is there already."""
        highest, lowest = min(eyes[1] for eyes in self._eyes), max(eyes[3] for eyes in self._eyes)
        edges = [self._area[3], *(one.top for one in others if one.top >= lowest)] if below else [highest]
        outline = round(0.02 * min(self._size))  # letters have one, and it is no part of their block
        return max(min(edges) - (lowest if below else self._area[1]) - outline, 0)

    def _sung(self, text: str, what: str) -> Block:
        """Set a line of the song below the eyes, or if it does not fit there, anywhere."""
        with suppress(InputError):
            return self._block(text, what, _SUNG, _SUNG_ROOM, others=self._captions)
        return self._block(text, what, _SUNG, _SUNG_ROOM, clear=False)

    def _placed(self, stamp: Stamp, others: Sequence[Stamp], below: bool = True) -> Stamp:
        """Put a text at the lower or upper edge of the safe area, or nearer to the middle if something is there."""
        left, top, right, bottom = stamp.box
        x = (self._size[0] - (right - left)) / 2
        stamp = stamp.at(x, self._area[3] - (bottom - top) if below else self._area[1])
        gap = max(round(0.012 * min(self._size)), 1)
        for other in sorted(others, key=lambda other: -other.top if below else other.top):
            if _overlap(stamp.box, other.box, gap):
                y = other.top - gap - (bottom - top) if below else other.box[3] + gap
                stamp = stamp.at(x, y)
        return stamp

    def _labelled(self, look: Look) -> Stamp | None:
        """Draw the label in its corner, shortened if it would be too small to read."""
        text = _label_text(look)
        if not text:
            return None
        left, top, right, bottom = self._area
        letters = max(_LABEL * min(self._size[1], 1.5 * self._size[0]), _LABEL_PIXELS)
        padding = (max(round(0.5 * letters), 1), max(round(0.3 * letters), 1))
        room = right - left - 2 * padding[0]
        try:
            block = _label_block(text, room, letters, letters if look.label is True else 0.7 * letters)
        except InputError:
            if look.label is not True:  # the user's own words are not replaced
                raise
            block = _label_block(SHORT_LABEL, max(room, 12), letters, 4.0)
        stamp = on_plate(draw(block, outline=0), padding=padding)
        upper, leftmost = look.label_corner.startswith("top"), look.label_corner.endswith("left")
        height, width = stamp.paint.shape[:2]
        return stamp.at(left if leftmost else right - width, top if upper else bottom - height)


def _label_block(text: str, width: int, size: float, smallest: float) -> Block:
    return caption(text, width=width, height=int(1.8 * size), size=size, smallest=smallest, what="label", style="label")


@dataclass
class _SungLine:
    """A line of a song: set at once, so that errors come early, and drawn when it first shows."""

    line: Line
    span: Interval
    block: Block
    place: Callable[[Stamp], Stamp]

    def write(self, frame: Image, time: float) -> None:
        """Write the line onto a frame, in place, and light up the word that is sung at a time."""
        appear, vanish = self.span
        visible = min((time - appear) / _FADE, (vanish - time) / _FADE, 1.0)
        if visible <= 0:
            return
        whole, lit = self.stamps
        whole.blend(frame, visible)
        half = _LIGHT / 2
        for word, stamp in zip(self.line.words, lit, strict=True):
            light = min((time - word.start + half) / _LIGHT, (word.end + half - time) / _LIGHT, 1.0)
            stamp.blend(frame, light * visible)

    @cached_property
    def stamps(self) -> tuple[Stamp, list[Stamp]]:
        """The line, and each of its words alone and lit."""
        plain = draw(self.block)
        placed = self.place(plain)
        across, down = placed.left - plain.left, placed.top - plain.top
        words = [draw(self.block, fill=LIT, outline=0, only=word) for word in _letters(self.line)]
        return placed, [word.moved(across, down) for word in words]


def _letters(line: Line) -> list[set[int]]:
    """Return for each word the indices of its letters in the tidied line."""
    # Tidying a line and its words one by one gives the same letters; only the space between them differs.
    ends = itertools.accumulate(len("".join(tidy(word.text).split())) for word in line.words)
    places = [number for number, char in enumerate(tidy(line.text)) if not char.isspace()]
    return [set(places[begin:end]) for begin, end in itertools.pairwise([0, *ends])]


def _shown(lines: Sequence[Line]) -> list[Interval]:
    """Return when each line shows: a little longer than it is sung, but never two at once."""
    spans = []
    begin = -math.inf
    for line, after in itertools.zip_longest(lines, lines[1:]):
        appear = max(line.start - _EARLY, begin)
        vanish = line.end + _EARLY
        if after is not None:  # make room for the next line, but not before this one is sung, if possible
            vanish = min(vanish, max(after.start - _EARLY, min(line.end, after.start - _FADE)))
        spans.append((appear, max(vanish, appear)))
        begin = max(vanish, appear)
    return spans


def _overlap(one: Box, other: Box, gap: int) -> bool:
    """Return whether two boxes are closer to each other than a gap."""
    apart = one[2] + gap <= other[0] or other[2] + gap <= one[0]
    return not (apart or one[3] + gap <= other[1] or other[3] + gap <= one[1])
