"""Letters to sounds by rules, for languages that are written as they sound, and for English words in no dictionary."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Each pattern is tried in turn where a word has not been read yet; the first that fits gives the sounds.
_SHARED = {
    "([bdfgklmnpstvz])(?=\\1)": "",  # double letters sound once
    "b": "B", "d": "D", "f": "F", "g": "G", "k": "K", "l": "L", "m": "M", "n(?=[gkqx])": "NG", "n": "N", "p": "P",
    "q": "K", "s": "S", "t": "T", "v": "V", "w": "W", "x": "K S", "z": "Z", "h": "HH", "j": "JH", "c": "K", "y": "Y",
    "'": "",
}  # fmt: skip

_END = "(?=(?:s|d)?$)"  # of a word, or of one with an ending

ENGLISH = {
    "^[kgp](?=n)": "", "^w(?=r)": "", "^p(?=s)": "", "^m(?=c[^aeiou])": "M AH", "^x": "Z", "wh(?=o)": "HH", "wh": "W",
    "tch|ch": "CH", "ck": "K", "sh": "SH", "th": "TH", "ph": "F", "^gh": "G", "igh": "AY", "aigh|eigh": "EY",
    "[ao]ugh(?=t)": "AO", "ough": "OW", "gh": "", "dge?(?=$|[eiy])": "JH", "qu": "K W", "ng(?=$|s$)": "NG",
    "[ts]ion": "SH AH N", "ture$": "CH ER", "[ct]ial": "SH AH L", "[ct]ious": "SH AH S", "ism$": "IH Z AH M",
    "eaux?": "OW", "ous$": "AH S", "c(?=[eiy])": "S",
    "g(?=e|i[^n]|y)": "JH", "(?<=[aeiou])s(?=e)|(?<=[aeioubdglmnrvw])s$": "Z", "x$": "K S",
    "eer|ear|ier": "IH R", "air|are" + _END: "EH R", "oar|oor|ore|or": "AO R", "ar": "AA R", "our": "AW ER",
    "(?:er|ir|ur|yr)(?![aeiouy])e?": "ER", "ai|ay|ey(?=.)": "EY", "ee|ea|ei|ie(?=.)": "IY", "ey$|ie$": "IY",
    "oo": "UW", "ow$|oa|oe": "OW", "ou|ow": "AW", "oi|oy": "OY", "au|aw": "AO", "ue|ew|ui": "UW", "eu": "Y UW",
    "a(?=[^aeiouyrwx]e(?:s|d)?$)": "EY", "[iy](?=[^aeiouyrwx]e(?:s|d)?$)": "AY", "o(?=[^aeiouywx]e(?:s|d)?$)": "OW",
    "u(?=[^aeiouywx]e(?:s|d)?$)": "UW", "e(?=[^aeiouywx]e(?:s|d)?$)": "IY", "(?<=[td])ed$": "IH D", "(?<=.)ed$": "D",
    "(?<=[^aeioucghsxz])es$": "Z", "(?<=[cghsxz])es$": "IH Z",
    "(?<=[aeiouy][^aeiouy]{3})e$|(?<=[aeiouy][^aeiouy])e$|(?<=[aeiouy][^aeiouy][^aeiouy])e$": "",
    "(?<=[^aeiouy])le$": "AH L", "y(?=[aeiou])": "Y",
    "(?<=[^aeiou])y$": "IY", "i(?=[aeou])": "IY", "[iy]$": "IY", "o$": "OW", "u$": "UW", "a$": "AH",
    "e(?=[aou])": "IY", "e$": "IY", "a(?=[^aeiouy][aeiouy])": "AA", "o(?=[^aeiouy][aeiouy])": "OW",
    "i(?=[^aeiouy][aeiouy])": "IY", "u(?=[^aeiouy][aeiouy])": "UW",
    "a": "AE", "e": "EH", "i": "IH", "o": "AA", "u": "AH", "(?<=[^aeiou])y": "IH",
    "r": "R",
}  # fmt: skip

SPANISH = {
    "ch": "CH", "ll": "Y", "rr|^r|(?<=[nls])r": "DX R DX", "r": "DX", "ñ": "N Y", "qu(?=[eiéí])": "K",
    "(?<=qu)i(?=[aeo])": "Y",
    "gu(?=[eiéí])": "G", "gü": "G W", "g(?=[eiéí])|j": "X", "c(?=[eiéí])|z": "S", "v": "B", "h": "",
    "y$": "IY", "a[iy](?![aeo])": "AY", "e[iy](?![aeo])": "EY", "o[iy](?![aeo])": "OY", "au": "AW",
    "(?<=[bcdfglmnprstvz])i(?=[aeouáéóú])": "Y", "u(?=[aeioáéíó])": "W",
    "[aá]": "A", "[eé]": "E", "[ií]": "IY", "[oó]": "O", "[uúü]": "UW",
}  # fmt: skip

ITALIAN = {
    "gli(?=[aeou])": "L Y", "gli": "L Y IY", "gn": "N Y", "n(?=g[eièéì])": "N",
    "sc(?=[eèéi])i?(?=[aou]|[eèé]|i)": "SH", "ch": "K", "gh": "G",
    "c?ci(?=[aou])|c?c(?=[eèéi])": "CH", "g?gi(?=[aou])|g?g(?=[eèéi])": "JH", "qu": "K W", "zz?": "T S",
    "(?<=[aeiou])s(?=[aeiou])|s(?=[bdglmnrv])": "Z", "rr": "DX R DX", "r": "DX", "h": "",
    "a[iì](?![aeou])": "AY", "e[i](?![aeou])": "EY", "o[i](?![aeou])": "OY", "au": "AW",
    "(?<!^)i(?=[aeouàèéòù])": "Y", "u(?=[aeioàèéìò])": "W",
    "[aà]": "A", "[eèé]": "E", "[iìí]": "IY", "[oòó]": "O", "[uùú]": "UW",
}  # fmt: skip

GERMAN = {
    "tsch": "CH", "sch": "SH", "^s(?=[pt])": "SH", "chs": "K S", "(?<=[aou])ch": "X", "ch": "CX", "ck": "K", "ph": "F",
    "pf": "P F", "qu": "K V", "th": "T", "ig(?=$|[sltk])": "IH CX", "ng(?![aou])": "NG", "ß|ss": "S",
    "s(?=[aeiouäöüy])": "Z",
    "tz|z|c(?=[ei])": "T S", "v": "F", "w": "V", "j": "Y", "b(?=$|s?t$)": "P", "d$": "T", "g(?=$|s?t$)": "K",
    "rr|r(?=[aeiouäöü])": "DX", "(?<=.)er(?=s?$)|(?<=...)er(?=[^aeiouäöür])": "AX", "r": "DX",
    "[ea][iy]": "AY", "eu|äu": "OY", "au": "AW", "ieh?": "IY", "aa|ah": "A", "ee|eh": "E", "oo|oh": "O", "uh": "UW",
    "äh?": "EH", "öh?": "OE", "üh?": "UE", "ih": "IY", "(?<=.)e(?=[nlms]?$)": "AX",
    "(?<=^[bg])e(?=[bdfgklmnprstvwz])": "AX",
    "y": "UE",
    "i(?=[^aeiouäöü]{2}|[^aeiouäöü]$)": "IH", "u(?=[^aeiouäöü]{2}|m$)": "UH", "e(?=[^aeiouäöü]{2})": "EH",
    "o(?=[^aeiouäöü]{2})": "AO", "a": "A", "e": "E", "i": "IY", "o": "O", "u": "UW",
    "(?<=[aeiouäöü])h(?![aeiouäöü])": "", "h": "HH",
}  # fmt: skip

JAPANESE = {
    "([kstpcgdbz])(?=\\1|ch)": "", "sh|sy": "SH", "ch|ty": "CH", "ts": "T S", "n'": "N", "j": "JH", "f": "F",
    "r|l": "DX",
    "(?<=[kgnhbpmrl])y": "Y",
    "aa|ā|â|a": "A", "ee|ei|ē|ê|e": "E", "ii|ī|î|i": "IY", "oo|ou|ō|ô|o": "O", "uu|ū|û|u": "UW",
}  # fmt: skip

RULES: Mapping[str, dict[re.Pattern[str], list[str]]] = {
    language: {
        re.compile(pattern): sounds.split()
        for pattern, sounds in {**rules, **{k: v for k, v in _SHARED.items() if k not in rules}}.items()
    }
    for language, rules in {"en": ENGLISH, "es": SPANISH, "it": ITALIAN, "de": GERMAN, "ja": JAPANESE}.items()
}
LETTERS = {"en": "", "es": "ñáéíóúü", "it": "àèéìíòóùú", "de": "äöüß", "ja": "āēīōūâêîôû"}  # beyond a to z


def spell(word: str, language: str) -> list[str]:
    """Return the sounds of a word in lower case by rules.

    Args:
        word: Letters from a to z, those of `LETTERS`, and apostrophes.
        language: "en", "es", "it", "de" or "ja".
    """
    sounds: list[str] = []
    place = 0
    while place < len(word):
        found = ((match, said) for pattern, said in RULES[language].items() if (match := pattern.match(word, place)))
        match, said = next(found, (None, []))
        sounds += said
        place = max(match.end() if match else 0, place + 1)
    return sounds
