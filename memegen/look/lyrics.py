"""The lines of a song with the time of every word, read from .lrc and .srt files."""

from __future__ import annotations

import codecs
import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from memegen.base.errors import InputError
from memegen.base.files import expanded

MAX_BYTES = 2**20  # of a lyrics file; the longest opera is shorter
LONGEST_LINE = 8.0  # seconds after which a line ends if nothing else ends it

_TIME = r"(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)"
_LINE_TAG = re.compile(rf"\[{_TIME}\]\s*")
_WORD_TAG = re.compile(rf"<{_TIME}>")
_SOME_TAG = re.compile(r"\[([A-Za-z#]\w*):(.*)\]\s*$")
_SRT_TIME = r"(\d{1,3}):(\d{2}):(\d{2})[,.](\d{1,3})"
_SRT_SPAN = re.compile(rf"{_SRT_TIME}\s*-->\s*{_SRT_TIME}(?:\s.*)?$")
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")


class Word(NamedTuple):
    """A word or syllable with the space after it, and when it is sung, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Line:
    """A line of a song: its words, in the order they are sung."""

    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(word.text for word in self.words)

    @property
    def start(self) -> float:
        """When its first word is sung, in seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """When its last word ends, in seconds."""
        return self.words[-1].end


def read_lyrics(path: str | Path) -> tuple[Line, ...]:
    """Read the lines of a song, in the order they are sung.

    Args:
        path: A .lrc file, its words timed with `<mm:ss.xx>` or not, or a .srt file. Words without times of their own
            share the line's time by their length.

    Raises:
        InputError: The file is missing, of another kind, or malformed; the message names the line.
    """
    file = expanded(path)
    readers = {".lrc": _read_lrc, ".srt": _read_srt}
    if file.suffix.lower() not in readers:
        raise InputError(f"{path} is not a lyrics file: use one that ends in .lrc or .srt.")
    lines = readers[file.suffix.lower()](_text_of(file).splitlines(), file)
    if not lines:
        raise InputError(f"{path} has no lines to sing: give each one a time, such as [00:12.50], and words.")
    return tuple(sorted(lines, key=lambda line: line.start))


def _text_of(file: Path) -> str:
    """Decode a file: by its byte order mark, as UTF-8, or else as Windows encodes Western languages."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The lyrics {file} can't be read ({reason}): check the path.") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES // 2**20} MB, too large for lyrics: choose another file.")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            return unicodedata.normalize("NFC", _CONTROL.sub(" ", data.decode(encoding)))
        except UnicodeDecodeError:
            continue
    raise InputError(f"{file} is in an unknown encoding: save it as UTF-8.")


def _complaint(file: Path, number: int, row: str, advice: str) -> InputError:
    shown = row if len(row) <= 60 else row[:59] + "…"
    return InputError(f"Line {number} of {file} is malformed ({shown!r}): {advice}.")


# .lrc


def _read_lrc(rows: Sequence[str], file: Path) -> list[Line]:
    """Read `[mm:ss.xx]words`; a time without words ends the line before it."""
    offset = 0.0
    found: list[list[tuple[str, float]]] = []
    for number, row in enumerate(rows, 1):
        rest, starts = row.strip(), []
        while tag := _LINE_TAG.match(rest):
            starts.append(_seconds(tag))
            rest = rest[tag.end() :]
        if starts:
            texts = _WORD_TAG.split(rest)[::3]  # without the minutes and seconds of the tags between them
            times = [starts[0], *map(_seconds, _WORD_TAG.finditer(rest))]
            if times != sorted(times):
                raise _complaint(file, number, row, "a word's time goes backwards")
            # The times of words are those of the first time that the line is sung.
            moved = ([time + (start - starts[0]) for time in times] for start in starts)
            found += [list(zip(texts, again, strict=True)) for again in moved]
        elif note := _SOME_TAG.match(rest):
            offset = _offset(note, offset, _complaint(file, number, row, "the offset is a number of milliseconds"))
        elif rest:
            raise _complaint(file, number, row, "start it with a time, such as [00:12.50]")
    found.sort(key=lambda pieces: pieces[0][1])
    ends = [*(pieces[0][1] for pieces in found[1:]), math.inf]
    return [
        _line([(text, time - offset) for text, time in pieces], end - offset)
        for pieces, end in zip(found, ends, strict=False)
        if any(text.strip() for text, _ in pieces)
    ]


def _seconds(tag: re.Match[str]) -> float:
    """Return the time of a tag, whose fraction may come after a dot or a colon."""
    return int(tag[1]) * 60 + float(tag[2].replace(":", "."))


def _offset(note: re.Match[str], offset: float, complaint: InputError) -> float:
    """Return the seconds by which an offset tag makes lyrics earlier; other tags change nothing."""
    if note[1].lower() != "offset":
        return offset
    try:
        return int(note[2]) / 1000
    except ValueError:
        raise complaint from None


def _line(pieces: Sequence[tuple[str, float]], end: float) -> Line:
    """Make a line of pieces, each with its time, which ends where the next line begins, or earlier."""
    texts, times = zip(*pieces, strict=True)
    end = min(end, times[0] + LONGEST_LINE)
    if len(pieces) == 1:
        return Line(_dealt_out(texts[0], times[0], end))
    spans = itertools.pairwise([*times, max(end, times[-1])])
    return Line(_without_blanks(Word(text, *span) for text, span in zip(texts, spans, strict=True) if text))


def _without_blanks(words: Iterator[Word]) -> tuple[Word, ...]:
    """Append pieces that are only space to the word before, and strip both ends of the line."""
    kept: list[Word] = []
    for word in words:
        if word.text.strip():
            kept.append(word)
        elif kept:
            kept[-1] = kept[-1]._replace(text=kept[-1].text + word.text)
    kept[0] = kept[0]._replace(text=kept[0].text.lstrip())
    kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
    return tuple(kept)


def _dealt_out(text: str, start: float, end: float) -> tuple[Word, ...]:
    """Divide a span among the words of a text by their number of letters."""
    words = re.findall(r"\S+\s*", text.strip())
    shares = list(itertools.accumulate((len(word.strip()) for word in words), initial=0))
    times = [start + (end - start) * share / shares[-1] for share in shares]
    return tuple(Word(word, *span) for word, span in zip(words, itertools.pairwise(times), strict=True))


# .srt


def _read_srt(rows: Sequence[str], file: Path) -> list[Line]:
    """Read cues: a number, `hh:mm:ss,mmm --> hh:mm:ss,mmm`, and words up to an empty row."""
    lines = []
    for number, block in _blocks(rows):
        at = 1 if len(block) > 1 and block[0].strip().isdigit() else 0
        span = _SRT_SPAN.match(block[at].strip())
        if not span:
            raise _complaint(file, number + at, block[at], "a cue needs a row such as 00:00:12,500 --> 00:00:15,000")
        start, end = (_srt_seconds(span.groups()[part : part + 4]) for part in (0, 4))
        if end <= start:
            raise _complaint(file, number + at, block[at], "it ends before it begins")
        text = _MARKUP.sub("", "\n".join(row.strip() for row in block[at + 1 :])).strip()
        if text:
            lines.append(Line(_dealt_out(text, start, end)))
    return lines


def _blocks(rows: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield runs of rows that are not empty, each with the number of its first row, counted from 1."""
    for blank, group in itertools.groupby(enumerate(rows, 1), key=lambda row: not row[1].strip()):
        if not blank:
            block = list(group)
            yield block[0][0], [row for _, row in block]


def _srt_seconds(parts: Sequence[str]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
