"""How words are said: their syllables, and the sounds of each, from a dictionary (English) and from rules."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from memegen.base.downloads import asset
from memegen.singer.score import GLIDES
from memegen.singer.spelling import spell

VOWELS = {
    "IY", "IH", "E", "EH", "AE", "A", "AA", "AO", "O", "AH", "AX", "UH", "UW", "UE", "OE", "ER", *GLIDES,
}  # fmt: skip

# Two consonants that can begin a syllable; three can if the first is S or SH and the last two can.
_STARTS = {
    *(f"{stop} {liquid}" for stop in ("P", "B", "K", "G", "F") for liquid in ("L", "R", "DX")),
    *(f"{stop} {liquid}" for stop in ("T", "D", "TH", "V") for liquid in ("R", "DX")),
    *(f"{hiss} {other}" for hiss in ("S", "SH") for other in ("P", "T", "K", "M", "N", "L", "W", "F", "V", "R", "DX")),
    *(f"{other} W" for other in ("K", "G", "T", "D", "HH", "TH")),
    *(f"{other} Y" for other in ("P", "B", "T", "D", "K", "G", "M", "N", "L", "F", "V", "HH", "S", "DX")),
    "T S", "P F", "K N", "K V",
}  # fmt: skip

_NAMES = {
    "a": "EY1", "b": "B IY1", "c": "S IY1", "d": "D IY1", "e": "IY1", "f": "EH1 F", "g": "JH IY1", "h": "EY1 CH",
    "i": "AY1", "j": "JH EY1", "k": "K EY1", "l": "EH1 L", "m": "EH1 M", "n": "EH1 N", "o": "OW1", "p": "P IY1",
    "q": "K Y UW1", "r": "AA1 R", "s": "EH1 S", "t": "T IY1", "u": "Y UW1", "v": "V IY1", "w": "D AH1 B AH L Y UW",
    "x": "EH1 K S", "y": "W AY1", "z": "Z IY1",
}  # fmt: skip

# English endings: what to look up without them, and the sounds they add
_ENDINGS = (
    ("'s", "", "Z"), ("s'", "", "Z"), ("s", "", "Z"), ("es", "", "IH Z"), ("ies", "y", "Z"), ("ing", "", "IH NG"),
    ("ing", "e", "IH NG"), ("in'", "", "IH N"), ("ed", "", "D"), ("ed", "e", "D"), ("er", "", "ER"), ("er", "e", "ER"),
    ("ly", "", "L IY"), ("y", "", "IY"), ("ish", "", "IH SH"), ("less", "", "L AH S"), ("ness", "", "N AH S"),
)  # fmt: skip


class Spoken(NamedTuple):
    """One syllable of a word: its letters, its sounds around the vowel, and whether it is the stressed one."""

    text: str
    onset: tuple[str, ...]
    vowel: str
    coda: tuple[str, ...]
    stressed: bool


def pronounce(word: str, language: str, *, sounds: str | None = None) -> list[Spoken]:
    """Return the syllables of a word.

    Args:
        word: As it is written, without punctuation; letters that `spelling` can read.
        language: "en", "es", "it", "de" or "ja".
        sounds: Its sounds, if they are known: names of `Phone`, a 1 after the stressed vowel.
    """
    low = re.sub(r"(.)\1\1+", r"\1", word.lower())  # as in "sooo"
    said = (
        sounds.split() if sounds else _english(low, loud=word.isupper()) if language == "en" else spell(low, language)
    )
    names = [name.rstrip("1") for name in said]
    if not any(name in VOWELS for name in names):  # as in "hmm" and "psst"
        said, names = [*said, "AH"], [*names, "AH"]
    spans = syllables(names)
    main = next((k for k, (a, b) in enumerate(spans) if any(name.endswith("1") for name in said[a:b])), None)
    if main is None:
        main = _stress(low, len(spans), language)
    return [
        _syllable(text, names[a:b], stressed=k == main)
        for k, ((a, b), text) in enumerate(zip(spans, split_letters(word, len(spans)), strict=True))
    ]


def _syllable(text: str, names: Sequence[str], *, stressed: bool) -> Spoken:
    middle = next(k for k, name in enumerate(names) if name in VOWELS)
    return Spoken(text, tuple(names[:middle]), names[middle], tuple(names[middle + 1 :]), stressed)


def syllables(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return where each syllable begins and ends: a vowel takes all the consonants before it that can begin one."""
    vowels = [k for k, name in enumerate(names) if name in VOWELS]
    starts = [0]
    for before, vowel in pairwise(vowels):
        first = vowel
        while first > before + 1 and _can_begin(names[first - 1 : vowel]):
            first -= 1
        starts.append(first)
    return list(zip(starts, [*starts[1:], len(names)], strict=True))


def _can_begin(cluster: Sequence[str]) -> bool:
    if len(cluster) == 1:
        return cluster[0] != "NG"
    if len(cluster) == 2:
        return " ".join(cluster) in _STARTS
    return len(cluster) == 3 and cluster[0] in ("S", "SH") and all(_can_begin(cluster[k : k + 2]) for k in (0, 1))


def _stress(word: str, count: int, language: str) -> int:
    """Which syllable is stressed, where no dictionary says so."""
    if language == "de" or count == 1:
        return 0
    if language in ("es", "it") and (accent := re.search("[áéíóúàèìòù]", word)):
        return min(len(re.findall("[aeiouáéíóúàèìòù]+", word[: accent.end()])) - 1, count - 1)
    return count - 1 if language == "es" and not re.search("[aeiouns]$", word) else count - 2


def _english(low: str, *, loud: bool) -> list[str]:
    """Return the sounds of an English word: looked up, put together from known words, spelled out, or by rules."""
    if known := _known(low):
        return known
    letters = low.replace("'", "")
    if len(letters) == 1 or ((loud or not re.search("[aeiouy]", letters)) and len(letters) <= 4):
        return [name for letter in letters for name in _NAMES.get(letter, "").split()]
    return spell(low, "en")


def _known(word: str) -> list[str]:
    """Look up a word, a word with an ending, or two words written as one; nothing if it is none of these."""
    if said := _dictionary().get(word):
        return said.split()
    for ending, instead, sounds in _ENDINGS:
        stem = word.removesuffix(ending) + instead
        if word.endswith(ending) and len(stem) > 2 and (said := _dictionary().get(stem)):
            return [*said.split(), *sounds.split()]
    for cut in range(len(word) - 3, 2, -1):
        halves = [_dictionary().get(part) for part in (word[:cut], word[cut:])]
        if all(halves):
            return " ".join(half for half in halves if half).split()
    return []


@lru_cache(maxsize=1)
def _dictionary() -> dict[str, str]:
    """The English dictionary: a word and its sounds."""
    text = gzip.decompress(asset("words/english.gz").read_bytes()).decode()
    return dict(line.split(" ", 1) for line in text.splitlines())


_LETTERS_OF_VOWEL = re.compile("[aeiouyáéíóúàèìòùäöüâêîôûāēīōū]+", re.IGNORECASE)
_PAIRS = ("ch", "ck", "gh", "ph", "qu", "sh", "th", "gn", "ll", "rr")


def split_letters(word: str, count: int) -> list[str]:
    """Split a written word between its syllables; where that is not clear, the first gets all of it.

    Args:
        word: As it is written.
        count: How many syllables it has.
    """
    groups = [*_LETTERS_OF_VOWEL.finditer(word)]
    if len(groups) == count + 1 and re.search("[^aeiouy]e[sd]?$", word.lower()):
        groups.pop()  # a silent e
    if count == 1 or len(groups) != count:
        return [word, *[""] * (count - 1)]
    cuts = [0]
    for before, after in pairwise(groups):
        between = word[before.end() : after.start()]
        kept = 2 if between[-2:].lower() in _PAIRS else 1
        cuts.append(after.start() - min(kept, len(between)))
    return [word[a:b] for a, b in zip(cuts, [*cuts[1:], len(word)], strict=True)]
