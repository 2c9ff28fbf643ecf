"""Text on rows: wrapped, as large as fits, and no smaller than can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from memegen.base.errors import InputError
from memegen.look.captions.fonts import Style, choose_fonts
from memegen.look.captions.shaping import Glyph, Row, clusters, row_width, shape_row, tidy

MAX_LETTERS = 1000  # nothing longer is even tried

_STEP = 0.95  # from one size tried to the next
_LEADING = 1.12  # from line to line, in letter sizes
_GAP = 0.16  # least space between the ink of two lines, in letter sizes: room for their outlines
_NOT_FIRST = set("、。，．・：；？！）］｝」』】〉》〕…‥ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ,.;:?!)]}%°")
_NOT_LAST = set("（［｛「『【〈《〔([{")


@dataclass(frozen=True)
class Block:
    """Rows set at a size, in pixels from the block's top left corner; each glyph's y is that of its baseline."""

    glyphs: tuple[Glyph, ...]
    size: float
    width: int
    height: int


def caption(
    text: str,
    *,
    width: int,
    height: int,
    size: float,
    smallest: float,
    what: str = "caption",
    style: Style = "caption",
) -> Block:
    """Set text, wrapped and as large as fits, with centred lines.

    Args:
        text: What was typed, in any script; a line break in it is kept.
        width: Of the room there is, in pixels.
        height: Of the room there is, in pixels.
        size: Largest letter size, in pixels.
        smallest: Smallest letter size that can still be read, in pixels.
        what: What the text is, for messages.
        style: Bold and condensed as memes have it, or plain, for small print.

    Raises:
        InputError: The text is too long, empty, or no font has its letters; the message says how much fits, or which
            letters are missing.
    """
    words = tidy(text)
    if not words:
        raise InputError(f"The {what} has no letters: write something, or leave it out.")
    check_letters(words, style=style)
    block = _fitted(words, width, height, size, smallest, style) if len(words) <= MAX_LETTERS else None
    if block is None:
        few, many = 0, min(len(words), MAX_LETTERS)  # few fit, many do not
        while many - few > 1:
            middle = (few + many) // 2
            fits = _fitted(words[:middle].strip(), width, height, smallest, smallest, style) is not None
            few, many = (middle, many) if fits else (few, middle)
        raise InputError(
            f"The {what} is too long to be read: of its {len(words)} letters about {few} fit on {width} x {height} "
            "pixels, so shorten it."
        )
    return block


def check_letters(text: str, *, style: Style = "caption") -> None:
    """Make sure that there is a font for every letter of a text.

    Raises:
        InputError: There is none for some; the message says for which.
    """
    for row in tidy(text).split("\n"):
        choose_fonts(clusters(row), style)


def _fitted(text: str, width: int, height: int, size: float, smallest: float, style: Style) -> Block | None:
    """Set text at the largest size that fits; words are broken only where even the smallest size asks for it."""
    for hard in (False, True):
        tried = max(size, smallest)
        while tried >= smallest:
            rows = _wrapped(text, width / tried, style, hard)
            block = rows and _stacked(_balanced(text, rows, width / tried, style, hard), tried)
            if block and block.height <= height and block.width <= width:
                return block
            tried = tried * _STEP if tried * _STEP > smallest or tried == smallest else smallest
    return None


def _wrapped(text: str, limit: float, style: Style, hard: bool) -> list[tuple[int, str]] | None:
    """Break text into rows, each with the number of its first letter; None if a piece is wider than the limit."""
    rows: list[tuple[int, str]] = []
    start = 0
    for paragraph in text.split("\n"):
        begin, end, used = start, start, 0.0
        for piece in _pieces(paragraph, hard):
            needed = row_width(piece.rstrip(), style)
            if needed > limit:
                return None
            if used + needed > limit:
                rows.append((begin, text[begin:end].rstrip()))
                begin, used = end, 0.0
            end += len(piece)
            used += row_width(piece, style)
        rows.append((begin, text[begin:end].rstrip()))
        start += len(paragraph) + 1
    return rows


def _balanced(text: str, rows: list[tuple[int, str]], limit: float, style: Style, hard: bool) -> list[tuple[int, Row]]:
    """Make rows of about one length, by narrowing the limit while their number stays."""
    if len(rows) > 1 + text.count("\n"):
        for share in (0.6, 0.7, 0.8, 0.9):
            narrow = _wrapped(text, share * limit, style, hard)
            if narrow and len(narrow) == len(rows):
                rows = narrow
                break
    return [(start, shape_row(row, style)) for start, row in rows]


def _stacked(rows: Sequence[tuple[int, Row]], size: float) -> Block:
    """Put rows under one another, centred, far enough apart for their highest and deepest letters."""
    widest = max(row.width for _, row in rows)
    baseline = rows[0][1].top
    glyphs: list[Glyph] = []
    for number, (start, row) in enumerate(rows):
        if number:
            baseline += max(_LEADING, row.top - rows[number - 1][1].bottom + _GAP)
        for glyph in row.glyphs:
            x = glyph.x + (widest - row.width) / 2
            y = baseline - glyph.y
            glyphs.append(glyph._replace(x=x * size, y=y * size, letter=start + glyph.letter))
    height = baseline - rows[-1][1].bottom
    return Block(tuple(glyphs), size, int(np.ceil(widest * size)), int(np.ceil(height * size)))


@lru_cache(64)
def _pieces(text: str, hard: bool) -> tuple[str, ...]:
    """Split text into what stays on one row, with the space behind it: words, or letters where scripts have no spaces.

    Args:
        text: One paragraph.
        hard: Whether words may be broken between any two letters.
    """
    pieces = [""]
    for cluster in clusters(text):
        if pieces[-1] and _may_break(pieces[-1][-1], cluster, hard):
            pieces.append("")
        pieces[-1] += cluster
    return tuple(pieces)


def _may_break(before: str, cluster: str, hard: bool) -> bool:
    if cluster.isspace() or cluster[0] in _NOT_FIRST:
        return False
    return before.isspace() or (before not in _NOT_LAST and (hard or _is_east_asian(before) or _is_east_asian(cluster)))


def _is_east_asian(cluster: str) -> bool:
    """Tell whether a letter is a kana or a kanji, between which rows may break."""
    code = ord(cluster[0])
    return 0x2E80 <= code < 0xA4D0 or 0xF900 <= code < 0xFB00 or 0xFF00 <= code < 0xFFF0 or 0x20000 <= code < 0x40000
