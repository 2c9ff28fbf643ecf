"""Words as people type them, made singable: punctuation set aside, numbers and symbols in words, the rest refused."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from memegen.base.errors import InputError
from memegen.base.files import check_file, reason_of
from memegen.singer.pronunciation import Spoken, pronounce
from memegen.singer.spelling import LETTERS

MOST_LETTERS = 3000  # of a text
LONGEST = 120  # letters of a word

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_SMALL = f"{_ONES} eighteen nineteen".split()
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_DIGITS = {
    "es": ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"],
    "it": ["zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove"],
    "de": ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
    "ja": ["zero", "ichi", "ni", "san", "yon", "go", "roku", "nana", "hachi", "kyuu"],
}
_AND = {"en": "and", "es": "y", "it": "e", "de": "und", "ja": "to"}
_LATIN = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}

_log = logging.getLogger(__name__)


def read_words(words: str | Path) -> list[str]:
    """Return the lines of a text, or of a .txt file.

    Raises:
        InputError: The file can't be read, or the text is too long.
    """
    text = str(words)
    if isinstance(words, Path) or re.search(r"\.(txt|lrc)$", text.strip(), re.IGNORECASE):
        file = check_file(words, kind="text")
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else reason_of(error)
            raise InputError(f"The words in {words} can't be read: {reason}. Save them as a text file.") from error
        text = re.sub(r"\[[^\]\n]*\]|<[\d:.]+>", "", text)  # the times of an .lrc file
    if len(text) > MOST_LETTERS:
        raise InputError(f"The words have {len(text)} letters: give at most {MOST_LETTERS}.")
    return [line.strip() for line in re.split(r"\n|/", text) if line.strip()]


def sung_words(line: str, language: str) -> list[list[Spoken]]:
    """Return the syllables of each word of a line; their texts together are the line as it was typed.

    Raises:
        InputError: A word can't be sung; the message names all of these in the line.
    """
    found, refused, left = [], [], []
    for typed in line.split():
        try:
            said = [part for piece in _pieces(typed, language) for part in pronounce(piece, language)]
        except ValueError:
            refused.append(typed)
            continue
        if said:
            found.append(_lettered(typed, said))
        else:
            left.append(typed)
    if refused:
        named = ", ".join(repr(word) for word in refused[:5])
        raise InputError(f"These words can't be sung: {named}. Write them in Latin letters.")
    if left:
        _log.warning("Left out of the song, as nobody can sing it: %s.", " ".join(left))
    return found


def _pieces(typed: str, language: str) -> Iterator[str]:
    """Yield what is said of a word as it was typed: words in letters that `spelling` can read.

    Raises:
        ValueError: It has letters of a script that can't be read, or is longer than any word.
    """
    if len(typed) > LONGEST:
        raise ValueError
    for piece in re.findall(r"\d+|&|[^\W\d_]+(?:['’][^\W\d_]+)*['’]?", unicodedata.normalize("NFC", typed)):
        if piece == "&":
            yield _AND[language]
        elif piece.isdigit():
            yield from number_words(piece, language)
        else:
            yield _latin(piece.replace("’", "'"), language)


def _latin(word: str, language: str) -> str:
    """Write a word in the letters of a language.

    Raises:
        ValueError: It has letters of another script.
    """
    letters = ""
    for letter in word:
        low = letter.lower()
        if low.isascii() or low in LETTERS[language]:
            letters += letter
            continue
        plain = _LATIN.get(low) or unicodedata.normalize("NFKD", low)
        plain = "".join(part for part in plain if not unicodedata.combining(part))
        if not plain.isascii():
            raise ValueError
        letters += plain
    return letters


def number_words(digits: str, language: str) -> list[str]:
    """Say a number: in English as people do, years too; in other languages digit by digit."""
    digits = "".join(str(unicodedata.digit(digit)) for digit in digits)
    if language != "en":
        return [_DIGITS[language][int(digit)] for digit in digits]
    number = int(digits)
    if (digits[0] == "0" and len(digits) > 1) or number >= 10**9:
        return [_SMALL[int(digit)] for digit in digits]
    if 1100 <= number < 2100 and number // 100 % 10 and len(digits) == 4:
        rest = number % 100
        return [*_counted(number // 100), *(_year_end(rest))]
    if 2010 <= number < 2100:
        return [*_counted(20), *_counted(number % 100)]
    return _counted(number)


def _year_end(rest: int) -> list[str]:
    return ["hundred"] if rest == 0 else ["oh", _SMALL[rest]] if rest < 10 else _counted(rest)


def _counted(number: int) -> list[str]:
    """Say a number below a thousand million."""
    if number < 20:
        return [_SMALL[number]]
    if number < 100:
        return [_TENS[number // 10 - 2], *(_counted(number % 10) if number % 10 else [])]
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            return [*_counted(number // size), name, *(_counted(number % size) if number % size else [])]
    return []


def _lettered(typed: str, said: Sequence[Spoken]) -> list[Spoken]:
    """Give syllables their letters as they were typed, with punctuation; the first gets all where these differ."""
    letters = "".join(one.text for one in said)
    start = typed.lower().find(letters.lower())
    if start < 0:
        return [said[0]._replace(text=typed), *(one._replace(text="") for one in said[1:])]
    texts, place = [], 0
    for one in said:
        texts.append(typed[start + place : start + place + len(one.text)])
        place += len(one.text)
    texts[0] = typed[:start] + texts[0]
    last = max(k for k, text in enumerate(texts) if text)
    texts[last] += typed[start + place :]
    joined = [f"{text}-" if text and any(texts[k + 1 :]) else text for k, text in enumerate(texts)]
    return [one._replace(text=text) for one, text in zip(said, joined, strict=True)]
