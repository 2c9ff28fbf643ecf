"""The font of each letter: from the bundled fonts in their order, then from those of the machine."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from memegen.base.downloads import asset
from memegen.base.errors import InputError
from memegen.base.files import expanded

Style = Literal["caption", "label"]

# In the order they are tried, each with the scale that makes its letters as tall as Anton's.
FONTS = {
    "Anton-Regular": 1.0,
    "SofiaSansExtraCondensed-Black": 1.22,
    "NotoSansJP-Black": 1.0,
    "NotoSansArabic-Black": 1.2,
    "NotoSansHebrew-Black": 1.2,
    "NotoSansThai-Black": 1.1,
    "NotoSansDevanagari-Black": 1.1,
    "BlackHanSans-Regular": 1.1,
    "NotoSans-SemiBold": 1.15,
    "TwemojiMozilla": 1.0,
}
EMOJI = "TwemojiMozilla"
PLAIN = "NotoSans-SemiBold"  # tried first for small print

EM = 4096  # units per letter size, in which text is measured before its size is known
# Letters without ink that no font needs to have: spaces of no width, marks of direction, variation selectors, tags.
INVISIBLE = {0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10), *range(0xE0020, 0xE0080)}


def choose_fonts(parts: Sequence[str], style: Style) -> list[tuple[str, str]]:
    """Choose a font for each cluster; spaces and punctuation stay in the font of the letters before them.

    Raises:
        InputError: No font has some of the letters.
    """
    chosen: list[tuple[str, str]] = []
    order = (PLAIN, *FONTS) if style == "label" else tuple(FONTS)
    last = order[0]
    for part in parts:
        whole = _font_for(part, last, order)
        for piece in (part,) if whole else part:  # stacked accents may each need another font
            font = whole or _font_for(piece, last, order) or ""
            chosen.append((piece, font))
            last = font or order[0]
    if missing := [piece for piece, font in chosen if not font]:
        raise InputError(
            f"No font here has {_named(missing)}: leave it out, or install a font that has it, such as a Noto font."
        )
    return chosen


def _font_for(part: str, last: str, order: Sequence[str]) -> str | None:
    """Choose the font of a cluster that follows letters of the font `last`."""
    # Emoji begin at U+1F000; older symbols become emoji by a variation selector or a keycap.
    emoji = ord(part[0]) >= 0x1F000 or "\ufe0f" in part or "\u20e3" in part
    follows = [last] if unicodedata.category(part[0])[0] in "ZPM" and last != EMOJI else []
    wanted = [EMOJI, *order] if emoji else [*follows, *order]
    return next((name for name in wanted if _covers(name, part)), None) or _system_font(part)


def _named(missing: Sequence[str]) -> str:
    """Name the first eight letters with their codes."""
    names = []
    for part in dict.fromkeys(missing):
        codes = " ".join(f"U+{ord(char):04X}" for char in part)
        names.append(f"{part} ({codes})" if part.isprintable() else codes)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


@cache
def _covers(name: str, part: str) -> bool:
    font = open_font(name)
    return all(font.get_nominal_glyph(ord(char)) is not None for char in part if ord(char) not in INVISIBLE)


@cache
def open_font(name: str) -> Any:
    """Open a bundled font by its name, or another by its path; its letters are measured in units of 1 / EM."""
    import uharfbuzz as hb

    path = asset(f"fonts/{name}.ttf") if name in FONTS else Path(name)
    font = hb.Font(hb.Face(hb.Blob.from_file_path(str(path))))
    scale = round(EM * FONTS.get(name, 1.1))
    font.scale = (scale, scale)
    return font


@cache
def _system_font(part: str) -> str | None:
    """Return a font of the machine that has what the bundled ones lack, preferably a bold one."""
    return next((path for path in system_fonts() if _usable(path) and _covers(path, part)), None)


@cache
def _usable(path: str) -> bool:
    """Return whether a font can be opened and has outlines, not only bitmaps."""
    try:
        return {"glyf", "CFF ", "CFF2"} & set(open_font(path).face.table_tags) != set()
    except (OSError, ValueError, RuntimeError):
        return False


@cache
def system_fonts() -> tuple[str, ...]:
    """Return the paths of the fonts installed on this machine, bold ones first."""
    windows = Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts")
    folders = {
        "win32": (windows, "~/AppData/Local/Microsoft/Windows/Fonts"),
        "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    }.get(sys.platform, ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts"))
    found = [path for folder in folders for path in expanded(folder).rglob("*")]
    fonts = [path for path in found if path.suffix.lower() in (".ttf", ".otf", ".ttc", ".otc")]
    bold = ("Black", "Bold", "Heavy")
    return tuple(map(str, sorted(fonts, key=lambda path: (not any(word in path.name for word in bold), path.name))))
