"""The lines of a song with the time of every word, read from .lrc and .srt files."""

from __future__ import annotations

import html
import itertools
import logging
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from memegen.base.errors import InputError
from memegen.base.files import expanded, reason_of
from memegen.look.encodings import decode_text

MAX_BYTES = 2**20  # of a lyrics file; the longest opera is shorter
LONGEST_LINE = 8.0  # seconds after which a line ends if nothing else ends it
MOST_ROWS = 3  # of one line: the words, how they sound, and what they mean

_TIME = r"(?:(\d{1,3})\s*:\s*)?(\d{1,3})\s*:\s*(\d{1,2})(?:\s*[.,:]\s*(\d{1,3}))?"
_LINE_TAG = re.compile(rf"\[\s*{_TIME}\s*\]\s*")
_WORD_TAG = re.compile(rf"[<\[]\s*{_TIME}\s*[>\]]")
_SOME_TAG = re.compile(r"\[\s*([A-Za-z#]\w*)\s*:(.*)\]")
_SRT_SPAN = re.compile(rf"{_TIME}\s*-+\s*>\s*{_TIME}(?:\s.*)?")
_LIKE_A_SPAN = re.compile(r".*->.*|[\d\s.,:][\d\s.,]*+:[\d\s.,:]+")
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ENTITY = re.compile(r"&(?:amp;)?#?\w{1,20};")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}|[<\[][\d\s]*:[\d\s.,:]*[>\]]")
_log = logging.getLogger(__name__)


class Word(NamedTuple):
    """A word or syllable with the space after it, and when it is sung, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Line:
    """A line of a song: its words, in the order they are sung; a translation's rows are sung at the same time."""

    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(word.text for word in self.words)

    @property
    def start(self) -> float:
        """When its first word is sung, in seconds."""
        return min(word.start for word in self.words)

    @property
    def end(self) -> float:
        """When its last word ends, in seconds."""
        return max(word.end for word in self.words)


class _Cue(NamedTuple):
    """The number of a row, counted from 0, its pieces, each with its time, and when it ends if nothing follows."""

    row: int
    pieces: Sequence[tuple[str, float]]
    end: float

    @property
    def start(self) -> float:
        return self.pieces[0][1]


def read_lyrics(path: str | Path) -> tuple[Line, ...]:
    """Read the lines of a song, in the order they are sung.

    Rows whose time can't be read are skipped, with one warning in the log.

    Args:
        path: A .lrc file, its words timed with `<mm:ss.xx>` or not, or a .srt file. Words without times of their own
            share the line's time by their length.

    Raises:
        InputError: The file is missing, of another kind, in an unknown encoding, or has nothing to sing.
    """
    file = expanded(path)
    readers = {".lrc": _read_lrc, ".srt": _read_srt}
    if file.suffix.lower() not in readers:
        raise InputError(f"{path} is not a lyrics file: use one that ends in .lrc or .srt.")
    rows = [row.strip() for row in _text_of(file).splitlines()]
    skipped: list[int] = []
    lines = tuple(_lines(readers[file.suffix.lower()](rows, skipped), skipped))
    if not lines:
        raise InputError(f"{path} has no lines to sing: give each one a time, such as [00:12.50], and words.")
    if skipped:
        first = min(skipped)
        one = "1 row of %s has no usable time and was skipped, row %d (%r)."
        some = f"{len(skipped)} rows of %s have no usable time and were skipped, the first is row %d (%r)."
        _log.warning(some if len(skipped) > 1 else one, file.name, first + 1, rows[first][:60])
    return lines


def _lines(cues: Sequence[_Cue], skipped: list[int]) -> Iterator[Line]:
    """Yield lines: cues of one time are rows of one line, which ends where the next begins, or earlier."""
    cues = sorted(cues, key=lambda cue: cue.start)
    groups = [list(group) for _, group in itertools.groupby(cues, key=lambda cue: cue.start)]
    for group, after in itertools.zip_longest(groups, groups[1:]):
        sung = [cue for cue in group if any(text.strip() for text, _ in cue.pieces)]
        skipped += [cue.row for cue in sung[MOST_ROWS:]]
        words: list[Word] = []
        for cue in sung[:MOST_ROWS]:
            end = min(cue.end, after[0].start if after else math.inf)
            if words:  # a translation is sung as long as the words it translates
                end = words[-1].end
                words[-1] = words[-1]._replace(text=words[-1].text + "\n")
            words += _words(cue.pieces, end)
        if words:
            yield Line(tuple(words))


def _words(pieces: Sequence[tuple[str, float]], end: float) -> Sequence[Word]:
    """Return the words of a row, each with its own time or a share of the row's."""
    texts, times = zip(*pieces, strict=True)
    if len(pieces) == 1:
        return _dealt_out(texts[0], times[0], end)
    spans = itertools.pairwise([*times, max(end, times[-1])])
    return _without_blanks(Word(text, *span) for text, span in zip(texts, spans, strict=True) if text)


def _without_blanks(words: Iterator[Word]) -> Sequence[Word]:
    """Append pieces that are only space to the word before, and strip both ends of the line."""
    kept: list[Word] = []
    for word in words:
        if word.text.strip():
            kept.append(word)
        elif kept:
            kept[-1] = kept[-1]._replace(text=kept[-1].text + word.text)
    kept[0] = kept[0]._replace(text=kept[0].text.lstrip())
    kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
    return kept


def _dealt_out(text: str, start: float, end: float) -> Sequence[Word]:
    """Divide a span among the words of a text by their number of letters."""
    words = re.findall(r"\S+\s*", text.strip())
    shares = list(itertools.accumulate((len(word.strip()) for word in words), initial=0))
    times = [start + (end - start) * share / shares[-1] for share in shares]
    return [Word(word, *span) for word, span in zip(words, itertools.pairwise(times), strict=True)]


def _seconds(time: Sequence[str | None]) -> float:
    """Return the time of hours, minutes, seconds and digits of a fraction, of which the outer two may be missing."""
    hours, minutes, seconds, fraction = (part or "0" for part in time)
    return int(hours) * 3600 + int(minutes) * 60 + float(f"{seconds}.{fraction}")


def _text_of(file: Path) -> str:
    """Decode a file: by its byte order mark, as UTF-16 or UTF-8, or else by what is the most likely text."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"The lyrics {file} can't be read ({reason_of(error)}): check the path.") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES // 2**20} MB, too large for lyrics: choose another file.")
    text = decode_text(data)
    if text is None:
        raise InputError(f"{file} is in an unknown encoding: save it as UTF-8.")
    # YouTube writes some entities twice over: &amp;#39; is an apostrophe.
    text = _ENTITY.sub(lambda entity: html.unescape(html.unescape(entity[0])), text).replace("\xa0", " ")
    return unicodedata.normalize("NFC", _CONTROL.sub(" ", text))


# .lrc


def _read_lrc(rows: Sequence[str], skipped: list[int]) -> list[_Cue]:
    """Read `[mm:ss.xx]words`; a time without words ends the line before it."""
    offset = 0.0
    cues: list[_Cue] = []
    for number, row in enumerate(rows):
        rest, starts = row, []
        while tag := _LINE_TAG.match(rest):
            starts.append(_lrc_seconds(tag))
            rest = rest[tag.end() :]
        if starts:
            texts = [_MARKUP.sub("", text) for text in _WORD_TAG.split(rest)[::5]]  # without the parts of the times
            times = [starts[0], *map(_lrc_seconds, _WORD_TAG.finditer(rest))]
            if times != sorted(times):  # times that go backwards say nothing: share the line's time
                texts, times = ["".join(texts)], times[:1]
            for start in starts:  # the times of words are those of the first time that the line is sung
                pieces = [(text, time + (start - starts[0])) for text, time in zip(texts, times, strict=True)]
                cues.append(_Cue(number, pieces, start + LONGEST_LINE))
        elif (note := _SOME_TAG.fullmatch(row)) and note[1].lower() == "offset":
            try:
                offset = int(note[2]) / 1000  # makes everything earlier
            except (ValueError, OverflowError):
                skipped.append(number)
        elif row and not note:
            skipped.append(number)
    return [
        cue._replace(pieces=[(text, time - offset) for text, time in cue.pieces], end=cue.end - offset) for cue in cues
    ]


def _lrc_seconds(tag: re.Match[str]) -> float:
    """Return the time of a tag: three parts without a dot are minutes, seconds and hundredths, not hours."""
    hours, minutes, seconds, fraction = tag.groups()
    return _seconds((hours, minutes, seconds, fraction) if fraction or not hours else (None, hours, minutes, seconds))


# .srt


def _read_srt(rows: Sequence[str], skipped: list[int]) -> list[_Cue]:
    """Read cues: a number, `hh:mm:ss,mmm --> hh:mm:ss,mmm`, and words up to the next cue, across blank rows."""
    heads = [number for number in range(len(rows)) if _begins_cue(rows, number)]
    skipped += [number for number in range((heads or [len(rows)])[0]) if rows[number] and not rows[number].isdecimal()]
    cues = []
    for head, after in itertools.pairwise([*heads, len(rows)]):
        if after < len(rows) and after - 1 > head and rows[after - 1].isdecimal():
            after -= 1  # the number of the next cue
        texts = {number: rows[number] for number in range(head + 1, after) if rows[number]}
        span = _SRT_SPAN.fullmatch(rows[head])
        start, end = (_seconds(span.groups()[:4]), _seconds(span.groups()[4:])) if span else (0, 0)
        if start < end:
            cues.append(_Cue(head, [(_MARKUP.sub("", "\n".join(texts.values())), start)], end))
        else:
            skipped += texts or [head] * (not rows[head].isdecimal())
    return cues


def _begins_cue(rows: Sequence[str], number: int) -> bool:
    """Return whether a row holds the times of a cue, if malformed, or is the number of a cue that lost its times."""
    alone = rows[number].isdecimal() and number > 0 and not rows[number - 1]
    return alone or _LIKE_A_SPAN.fullmatch(rows[number]) is not None
