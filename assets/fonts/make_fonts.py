"""Cuts the bundled fonts out of the published ones: make_fonts.py FOLDER, where npm packages are unpacked.

FOLDER holds @expo-google-fonts/{anton,sofia-sans-extra-condensed,noto-sans,noto-sans-arabic,noto-sans-hebrew,
noto-sans-thai,noto-sans-devanagari,black-han-sans,noto-sans-jp} and twemoji-colr-font, each as npm unpacks it. Hints
are left out, since captions are drawn without; so are the kanji beyond JIS X 0208 and what is not a letter of Noto
Sans. Needs fontTools and brotli.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset

HERE = Path(__file__).parent
NEEDLESS = ["BASE", "DSIG", "FFTM", "MATH", "STAT", "VORG", "gasp", "meta", "vhea", "vmtx"]
ROWS = range(0xA1, 0xF5)  # of JIS X 0208, as EUC-JP writes them
CELLS = [bytes([row, cell]) for row in ROWS for cell in range(0xA1, 0xFF)]
JAPANESE = {ord(letter) for cell in CELLS if (letter := cell.decode("euc_jp", "ignore"))}
JAPANESE |= {*range(0x20, 0x7F), *range(0x3000, 0x3100), *range(0x31F0, 0x3200), *range(0xFF01, 0xFFA0)}
LATIN = {*range(0x20, 0x250), *range(0x2B0, 0x530), *range(0x1E00, 0x2070), *range(0x20A0, 0x20D0)}
LATIN |= {*range(0x2100, 0x2150)}
FONTS: dict[str, tuple[str, str, set[int] | None]] = {
    "Anton-Regular.ttf": ("anton", "400Regular", None),
    "SofiaSansExtraCondensed-Black.ttf": ("sofia-sans-extra-condensed", "900Black", None),
    "NotoSans-SemiBold.ttf": ("noto-sans", "600SemiBold", LATIN),
    "NotoSansArabic-Black.ttf": ("noto-sans-arabic", "900Black", None),
    "NotoSansHebrew-Black.ttf": ("noto-sans-hebrew", "900Black", None),
    "NotoSansThai-Black.ttf": ("noto-sans-thai", "900Black", None),
    "NotoSansDevanagari-Black.ttf": ("noto-sans-devanagari", "900Black", None),
    "BlackHanSans-Regular.ttf": ("black-han-sans", "400Regular", None),
    "NotoSansJP-Black.ttf": ("noto-sans-jp", "900Black", JAPANESE),
    "TwemojiMozilla.ttf": ("twemoji-colr-font", "", None),
}


def cut(source: Path, out: Path, letters: set[int] | None) -> None:
    """Write a font of some letters, or of all, that keeps its names and what shaping needs."""
    options = subset.Options(hinting=False, notdef_outline=True, glyph_names=False, name_IDs=["*"])
    options.layout_features = ["ccmp", "kern", "locl", "mark", "mkmk"] if letters else ["*"]
    options.drop_tables += NEEDLESS
    font = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=letters or font.getBestCmap())
    subsetter.subset(font)
    font.flavor = None
    font.save(out)
    print(f"{out.name}: {out.stat().st_size:,} bytes, {len(font.getGlyphOrder())} glyphs")


def main() -> None:
    """Cut them all."""
    folder = Path(sys.argv[1])
    for name, (package, weight, letters) in FONTS.items():
        found = [path for path in folder.rglob(f"{weight or '.'}/*") if path.suffix in (".ttf", ".woff2")]
        [source] = [path for path in found if package in path.relative_to(folder).parts]
        cut(source, HERE / name, letters)


if __name__ == "__main__":
    main()
