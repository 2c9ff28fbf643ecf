"""From letters to glyphs: HarfBuzz shapes runs of one font and direction, so text is the same on every machine."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from memegen.look.captions.fonts import EM, INVISIBLE, Style, choose_fonts, open_font

# Joiners of no width, Thai and Lao vowels that lean on a consonant, skin colours, and the tags of regional flags.
_JOINERS = {0x200C, 0x200D, 0x0E33, 0x0EB3, *range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080)}
# Soft hyphens, grapheme joiners, and overrides of direction, with which a text could be made to read differently.
_DROPPED = {0xAD, 0x34F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}

Run = tuple[int, int, str, int]  # first letter, end, font, bidi level


class Glyph(NamedTuple):
    """A shape of a font, its place in letter sizes, y upwards, and the index of the letter it stands for."""

    font: str
    number: int
    x: float
    y: float
    letter: int


@dataclass(frozen=True)
class Row:
    """A row of shaped text in letter sizes; `top` and `bottom` of its ink count upwards from the baseline."""

    glyphs: tuple[Glyph, ...]
    width: float
    top: float
    bottom: float


def tidy(text: str) -> str:
    """Return text as it is set: in composed form (NFC), without control characters, one space between words."""
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", " "))
    dropped = {char for char in composed if unicodedata.category(char) == "Cc" or ord(char) in _DROPPED} - {"\n"}
    shown = "".join(char for char in composed if char not in dropped)
    rows = [" ".join(row.split()) for row in shown.strip().split("\n")]
    seen = any(ord(char) not in INVISIBLE for row in rows for char in row)
    return "\n".join(rows) if seen else ""


def clusters(text: str) -> list[str]:
    """Split text into what people see as one letter: accents, emoji sequences and flags stay whole."""
    found: list[str] = []
    for char in text:
        before = found.pop() if found and _joins(found[-1], char) else ""
        found.append(before + char)
    return found


def _joins(cluster: str, char: str) -> bool:
    if unicodedata.category(char)[0] == "M" or ord(char) in _JOINERS:
        return not cluster.isspace()
    # A flag is two regional indicators; a virama ties the next Indic consonant to the one before.
    flags = 0x1F1E6 <= ord(char) <= 0x1F1FF and len(cluster) == 1 and 0x1F1E6 <= ord(cluster) <= 0x1F1FF
    virama = unicodedata.combining(cluster[-1]) == 9 and unicodedata.category(char) == "Lo"
    return flags or virama or cluster[-1] == "\u200d"


@lru_cache(4096)
def shape_row(text: str, style: Style) -> Row:
    """Shape one row: runs of one font and direction, in the order they are seen from left to right.

    Raises:
        InputError: No font has some of its letters.
    """
    glyphs: list[Glyph] = []
    pen, top, bottom = 0.0, 0.6, 0.0  # the least height, so that rows of small letters are evenly apart
    for start, end, font, level in _visual(_runs(text, style)):
        for glyph, advance, over, under in _shape_run(text, start, end, font, level):
            glyphs.append(glyph._replace(x=glyph.x + pen))
            pen += advance
            top, bottom = max(top, over), min(bottom, under)
    return Row(tuple(glyphs), pen, top, bottom)


def _runs(text: str, style: Style) -> list[Run]:
    """Cut text where the font or the direction changes."""
    levels, runs, end = _levels(text), list[Run](), 0
    for cluster, font in choose_fonts(clusters(text), style):
        start, end = end, end + len(cluster)
        if runs and runs[-1][2:] == (font, levels[start]):
            start = runs.pop()[0]
        runs.append((start, end, font, levels[start]))
    return runs


def _visual(runs: Sequence[Run]) -> list[Run]:
    """Put runs in the order in which they are seen (rule L2 of the Unicode Bidirectional Algorithm)."""
    ordered = list(runs)
    # From the deepest level to the lowest odd one, reverse every stretch of runs at that level or deeper.
    for level in range(max((run[3] for run in runs), default=0), 0, -1):
        groups = [(deep, list(group)) for deep, group in itertools.groupby(ordered, key=lambda run: run[3] >= level)]
        ordered = [run for deep, group in groups for run in (reversed(group) if deep else group)]
    return ordered


def _levels(text: str) -> list[int]:
    """Return the bidi level of each letter: even from left to right, odd from right to left."""
    if not any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text):
        return [0] * len(text)
    from bidi import algorithm

    # The algorithm would remove some characters, and levels would no longer match letters: it gets accents instead.
    whole = "".join("\u0300" if unicodedata.bidirectional(char) in algorithm.X9_REMOVED else char for char in text)
    storage = algorithm.get_empty_storage()
    storage["base_level"] = algorithm.get_base_level(whole)
    storage["base_dir"] = ("L", "R")[storage["base_level"]]
    algorithm.get_embedding_levels(whole, storage)
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    return [char["level"] for char in storage["chars"]]


def _shape_run(text: str, start: int, end: int, name: str, level: int) -> Iterator[tuple[Glyph, float, float, float]]:
    """Yield each glyph of a run, placed relative to the pen, its advance, and the top and bottom of its ink."""
    import uharfbuzz as hb

    font, buffer = open_font(name), hb.Buffer()
    buffer.add_codepoints([ord(char) for char in text], item_offset=start, item_length=end - start)
    buffer.guess_segment_properties()
    buffer.language = "ru"  # the same on every machine; Sofia Sans has Bulgarian shapes for other languages
    buffer.direction = "rtl" if level % 2 else "ltr"
    hb.shape(font, buffer, {})
    for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        extents = font.get_glyph_extents(info.codepoint)
        top = (extents.y_bearing + place.y_offset) / EM if extents else 0.0
        bottom = top + extents.height / EM if extents else 0.0
        glyph = Glyph(name, info.codepoint, place.x_offset / EM, place.y_offset / EM, info.cluster)
        yield glyph, place.x_advance / EM, top, bottom
