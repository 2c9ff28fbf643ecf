"""Text in rows: wrapped, as large as fits, and never too small to read."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from memegen.base.errors import InputError
from memegen.look.captions.fonts import Style, choose_fonts
from memegen.look.captions.shaping import Glyph, Row, clusters, shape_row, tidy

MAX_LETTERS = 1000  # a longer text is refused without trying

_STEP = 0.95  # ratio of one size that is tried to the one before
_LEADING = 1.12  # from row to row, in letter sizes
_GAP = 0.16  # least space between the ink of two rows, in letter sizes: room for their outlines
# Where Japanese and Chinese rows may not begin or end (kinsoku shori, JIS X 4051).
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
    text: str, *, width: int, height: int, size: float, smallest: float, what: str = "caption", style: Style = "caption"
) -> Block:
    """Set text, wrapped and as large as fits, with centred rows.

    Args:
        text: What was typed, in any script; line breaks in it are kept.
        width: Width of the room for it, in pixels.
        height: Height of the room for it, in pixels.
        size: Largest letter size, in pixels.
        smallest: Smallest letter size that is still readable, in pixels.
        what: What the text is, for messages.
        style: "caption", bold and condensed as in memes, or "label", plain for small print.

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

        def overflows(letters: int) -> bool:
            return _fitted(words[:letters].strip(), width, height, smallest, smallest, style) is None

        few = bisect.bisect_left(range(1, min(len(words), MAX_LETTERS)), True, key=overflows)
        raise InputError(
            f"The {what} is too long to read: of its {len(words)} letters, about {few} fit on {width} x {height} "
            "pixels. Shorten it."
        )
    return block


def check_letters(text: str, *, style: Style = "caption") -> None:
    """Check that there is a font for every letter of a text.

    Raises:
        InputError: No font has some letters; the message names them.
    """
    for row in tidy(text).split("\n"):
        choose_fonts(clusters(row), style)


def _fitted(text: str, width: int, height: int, size: float, smallest: float, style: Style) -> Block | None:
    """Set text at the largest size that fits; words are broken only if the text fits at no size without."""
    for hard in (False, True):
        tried = max(size, smallest)
        while tried >= smallest:
            rows = _wrapped(text, width / tried, style, hard)
            block = rows and _stacked(_balanced(text, rows, width / tried, style, hard), tried)
            if block and block.height <= height and block.width <= width:
                return block
            # The last size tried is exactly the smallest.
            tried = tried * _STEP if tried * _STEP > smallest or tried == smallest else smallest
    return None


def _wrapped(text: str, limit: float, style: Style, hard: bool) -> list[tuple[int, str]] | None:
    """Break text into rows, each with the index of its first letter; None if a piece is wider than the limit."""
    rows: list[tuple[int, str]] = []
    start = 0
    for paragraph in text.split("\n"):
        begin, end, used = start, start, 0.0
        for piece in _pieces(paragraph, hard):
            needed = shape_row(piece.rstrip(), style).width  # a space may hang over the end of a row
            if needed > limit:
                return None
            if used + needed > limit:
                rows.append((begin, text[begin:end].rstrip()))
                begin, used = end, 0.0
            end += len(piece)
            used += shape_row(piece, style).width
        rows.append((begin, text[begin:end].rstrip()))
        start += len(paragraph) + 1
    return rows


def _balanced(text: str, rows: list[tuple[int, str]], limit: float, style: Style, hard: bool) -> list[tuple[int, Row]]:
    """Make rows about equally long: the smallest limit that gives no more rows."""
    if len(rows) > 1 + text.count("\n"):
        tries = (_wrapped(text, share * limit, style, hard) for share in (0.6, 0.7, 0.8, 0.9))
        rows = next((narrow for narrow in tries if narrow and len(narrow) == len(rows)), rows)
    return [(start, shape_row(row, style)) for start, row in rows]


def _stacked(rows: Sequence[tuple[int, Row]], size: float) -> Block:
    """Put rows below one another, centred, far enough apart for their highest and deepest letters."""
    widest = max(row.width for _, row in rows)
    baseline = rows[0][1].top
    glyphs: list[Glyph] = []
    for number, (start, row) in enumerate(rows):
        if number:
            baseline += max(_LEADING, row.top - rows[number - 1][1].bottom + _GAP)
        for glyph in row.glyphs:
            x, y = glyph.x + (widest - row.width) / 2, baseline - glyph.y  # from y upwards to y downwards
            glyphs.append(glyph._replace(x=x * size, y=y * size, letter=start + glyph.letter))
    height = baseline - rows[-1][1].bottom
    return Block(tuple(glyphs), size, int(np.ceil(widest * size)), int(np.ceil(height * size)))


@lru_cache(64)
def _pieces(text: str, hard: bool) -> tuple[str, ...]:
    """Split a paragraph into words with the space after them; East Asian or `hard` to break, into single letters."""
    pieces = [""]
    for cluster in clusters(text):
        if pieces[-1] and _may_break(pieces[-1][-1], cluster, hard):
            pieces.append("")
        pieces[-1] += cluster
    return tuple(pieces)


def _may_break(before: str, cluster: str, hard: bool) -> bool:
    """Return whether a row may end between a letter and the next cluster."""
    if cluster.isspace() or cluster[0] in _NOT_FIRST:
        return False
    return before.isspace() or (before not in _NOT_LAST and (hard or _is_east_asian(before) or _is_east_asian(cluster)))


def _is_east_asian(cluster: str) -> bool:
    """Return whether a letter is a kana, a kanji or of full width, around which rows may break."""
    code = ord(cluster[0])
    return 0x2E80 <= code < 0xA4D0 or 0xF900 <= code < 0xFB00 or 0xFF00 <= code < 0xFFF0 or 0x20000 <= code < 0x40000
