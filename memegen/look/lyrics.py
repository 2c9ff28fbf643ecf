"""Song lines with the time of every word, read from .lrc and .srt files."""

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

MAX_BYTES = 2**20  # of a lyrics file; the longest opera stays below
LONGEST_LINE = 8.0  # seconds that a line stays where nothing says when it ends

_TIME = r"(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)"
_LINE_TAG = re.compile(rf"\[{_TIME}\]\s*")
_WORD_TAG = re.compile(rf"<{_TIME}>")
_SOME_TAG = re.compile(r"\[([A-Za-z#]\w*):(.*)\]\s*$")
_SRT_TIME = r"(\d{1,3}):(\d{2}):(\d{2})[,.](\d{1,3})"
_SRT_SPAN = re.compile(rf"{_SRT_TIME}\s*-->\s*{_SRT_TIME}(?:\s.*)?$")
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")


class Word(NamedTuple):
    """A word or syllable with the space behind it, and from when to when it is sung, in seconds."""

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
        path: A .lrc file, its words timed with `<mm:ss.xx>` or not, or a .srt file. Where words have no times of
            their own, the line's time is dealt out to them by their length.

    Raises:
        InputError: The file is missing, of another kind, or malformed; the message names the line.
    """
    file = expanded(path)
    readers = {".lrc": _read_lrc, ".srt": _read_srt}
    if file.suffix.lower() not in readers:
        raise InputError(f"{path} is no lyrics file: use one that ends in .lrc or .srt.")
    lines = readers[file.suffix.lower()](_text_of(file).splitlines(), file)
    if not lines:
        raise InputError(f"{path} has no lines to sing: give each one a time, such as [00:12.50], and words.")
    return tuple(sorted(lines, key=lambda line: line.start))


def _text_of(file: Path) -> str:
    """Decode a file: as its byte order mark says, as UTF-8, or else as Windows writes Western languages."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The lyrics {file} can't be read ({reason}): check the path.") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES // 2**20} MB, so it holds no lyrics: choose another file.")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            return unicodedata.normalize("NFC", _CONTROL.sub(" ", data.decode(encoding)))
        except UnicodeDecodeError:
            continue
    raise InputError(f"The letters of {file} are in no known encoding: save it as UTF-8.")


def _complaint(file: Path, number: int, row: str, advice: str) -> InputError:
    shown = row if len(row) <= 60 else row[:59] + "…"
    return InputError(f"Line {number} of {file} is malformed ({shown!r}): {advice}.")


# .lrc


def _read_lrc(rows: Sequence[str], file: Path) -> list[Line]:
    """Read `[mm:ss.xx]words`; a time without words ends the line before it."""
    offset = 0.0
    found: list[tuple[float, str]] = []
    for number, row in enumerate(rows, 1):
        rest, starts = row.strip(), []
        while tag := _LINE_TAG.match(rest):
            starts.append(_seconds(tag))
            rest = rest[tag.end() :]
        if starts:
            _check_words(rest, starts[0], complaint=_complaint(file, number, row, "a word's time goes backwards"))
            found += [(start, _moved(rest, start - starts[0])) for start in starts]
        elif note := _SOME_TAG.match(rest):
            offset = _offset(note, offset, _complaint(file, number, row, "the offset is a number of milliseconds"))
        elif rest:
            raise _complaint(file, number, row, "start it with a time, such as [00:12.50]")
    found.sort(key=lambda item: item[0])
    ends = [*(start for start, _ in found[1:]), math.inf]
    return [
        _line(words, start - offset, min(end, start + LONGEST_LINE) - offset, offset)
        for (start, words), end in zip(found, ends, strict=False)
        if _WORD_TAG.sub("", words).strip()
    ]


def _seconds(tag: re.Match[str]) -> float:
    """Return the time of a tag; hundredths may stand behind a dot or a colon."""
    return int(tag[1]) * 60 + float(tag[2].replace(":", "."))


def _moved(words: str, by: float) -> str:
    """Shift the times of words, for a line that is sung again later."""
    if not by:
        return words
    shifted = ((_seconds(tag) + by) for tag in _WORD_TAG.finditer(words))
    return _WORD_TAG.sub(lambda _: "<{:d}:{:06.3f}>".format(*_clock(next(shifted))), words)


def _clock(seconds: float) -> tuple[int, float]:
    minutes = int(seconds // 60)
    return minutes, seconds - 60 * minutes


def _check_words(words: str, start: float, *, complaint: InputError) -> None:
    times = [start, *(_seconds(tag) for tag in _WORD_TAG.finditer(words))]
    if times != sorted(times):
        raise complaint


def _offset(note: re.Match[str], offset: float, complaint: InputError) -> float:
    """Return the seconds by which an offset tag makes lyrics come earlier; other tags change nothing."""
    if note[1].lower() != "offset":
        return offset
    try:
        return int(note[2]) / 1000
    except ValueError:
        raise complaint from None


def _line(words: str, start: float, end: float, offset: float) -> Line:
    """Make a line of words that have times, or of words that share the line's."""
    pieces = _WORD_TAG.split(words)  # text, minutes, seconds, text, minutes, ...
    if len(pieces) == 1:
        return Line(_dealt_out(words, start, end))
    times = [_seconds(tag) - offset for tag in _WORD_TAG.finditer(words)]
    texts = [pieces[0], *pieces[3::3]]
    spans = list(zip(texts, [start, *times], [*times, max(end, times[-1])], strict=True))
    return Line(tuple(_without_blanks(Word(*span) for span in spans if span[0])))


def _without_blanks(words: Iterator[Word]) -> Iterator[Word]:
    """Hang pieces that are only space on the word before, leaving none at either end of the line."""
    kept: list[Word] = []
    for word in words:
        if word.text.strip():
            kept.append(word)
        elif kept:
            kept[-1] = kept[-1]._replace(text=kept[-1].text + word.text)
    kept[0] = kept[0]._replace(text=kept[0].text.lstrip())
    kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
    yield from kept


def _dealt_out(text: str, start: float, end: float) -> tuple[Word, ...]:
    """Deal a span out to the words of a text by their number of letters."""
    words = re.findall(r"\S+\s*", text.strip())
    shares = list(itertools.accumulate((len(word.strip()) for word in words), initial=0))
    times = [start + (end - start) * share / shares[-1] for share in shares]
    return tuple(Word(word, *span) for word, span in zip(words, itertools.pairwise(times), strict=True))


# .srt


def _read_srt(rows: Sequence[str], file: Path) -> list[Line]:
    """Read cues: a number, `hh:mm:ss,mmm --> hh:mm:ss,mmm`, and words until an empty row."""
    lines = []
    for number, block in _blocks(rows):
        at = 1 if len(block) > 1 and block[0].strip().isdigit() else 0
        span = _SRT_SPAN.match(block[at].strip())
        if not span:
            advice = "a cue needs a row such as 00:00:12,500 --> 00:00:15,000"
            raise _complaint(file, number + at, block[at], advice)
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
