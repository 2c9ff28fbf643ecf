"""Texts of any encoding: which reading of some bytes has the letters that a language uses most."""

from __future__ import annotations

import codecs
import itertools
import math
import re
from collections import Counter

# Letters of languages, the most frequent first, by encoding, with a handicap for encodings that are rare
_ALPHABETS: dict[str, tuple[float, str]] = {
    "cp1252": (0, "easnitrluodcpmévgfbhqàxèyjêçkwzôùûîâœïëüæ enirstadhulgocmbfkwzpvüäßöjyxqé "
               "eaonsrildtcumpbgvyqhfóíjzáéñxúükw aeosirdntmuclpgvbfhãqéçázíxjóêõâôúàkwyü "
               "eiaonltrscdupmgvfbzhqèàòùéìkyjxwî eanrtsildomkgvhfupäcböåyjxéwzqü "
               "erntasioldgkmvfpubhåyjøcæwzxéqóôèü arnieltskougmdíáfvhóéyðæúöþpbjýxc"),
    "cp1250": (2, "aioenrzwsctkydpmuljłgębóąhżśćfńźvxq oeantsilvrkdumpíchzáyjběéřžčgšýůúfňťďówxq "
               "oaenirvtslkdmpuchjbzáyýíčéžšúgľfťôňäďóĺŕxwq eatlsnkriozáégmbyvdhupjöőcófíüúűxwq "
               "eiarntulocsdpmăfvgîbşţhâzjxkwyq aioenrjstukvlmdpgzbcčhšžćfđyxwq"),
    "cp1254": (1, "aeinrlıkdtsmyuobüşvgzhcpçğöfjİâîûwqx"),
    "cp1257": (3, "aisteurkonmlpādvīzjēgbšņcūļfžķģčhxwyq iasoretnukmlpvdjgėbyųšžcąįūčęhfzxwq "
               "aiestlunokrdmvgpjhäbõüfcöyšžxwq"),
    "cp1251": (2, "оеаинтслрвкмпудяьыбгзйчжшхюэщцфёъ оаинвтекірслмдупзяьбгйчхцїжшюєщґф "
               "аиоентрсвлкдпмзгяъубчцйжщхфшюь аиоенрсуткјвдмплгзбшчцњжћђљхџф"),
    "cp1253": (2, "ατοιενρσκηπςυμλίόάγέδήωχθύφβξζώψϊΐϋΰ"),
    "cp1255": (2, "יוהלרבתמאשנעםדקחפסכגטצןזךףץ"),
    "cp1256": (2, "اليمونرتبةعدسفهكقأحجشطصىخإضذزثئءغظآؤپچژگ"),
    "cp874": (3, "านรอกเงมยลวดทสตะปบคหแจพชขใ่้ิีัุูไ์ืำ็โึถผศซธฉญณฟฝษภ"),
}  # fmt: skip
_ALPHABETS["koi8_u"] = (3, _ALPHABETS["cp1251"][1])
_ALPHABETS["iso8859_2"] = (3.5, _ALPHABETS["cp1250"][1])
_ALPHABETS["iso8859_7"] = (2.5, _ALPHABETS["cp1253"][1])
_LATIN = {"cp1252", "cp1250", "cp1254", "cp1257", "iso8859_2"}
# The signs that these standards put first, for they are common: the range of the first byte, the least second byte
_COMMON = {"gb18030": (0xB0, 0xD7, 0xA1), "big5hkscs": (0xA4, 0xC6, 0x40), "cp949": (0xB0, 0xC8, 0xA1),
           "cp932": (0x88, 0x97, 0x40), "euc_jp": (0xB0, 0xCF, 0xA1)}  # fmt: skip
_MARKS = set("\u00a0\u3000‘’“”„–—…«»·•、。，！？：；（）「」『』《》～ー¿¡´°€♪♫")
_MIXED = re.compile(r"[A-Za-z@\\^`{|}~][^\W\d_A-Za-z]|[^\W\d_A-Za-z][A-Za-z@\\^`{|}~]")


def decode_text(data: bytes) -> str | None:
    """Decode a text: by its byte order mark, as UTF-16 or UTF-8, or else as what is most likely; None if nothing is."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    first = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        first = "utf-16"
    elif max(even, odd) > max(4 * min(even, odd), len(data) / 20):  # of each digit and bracket one byte is zero
        first = "utf-16-le" if odd > even else "utf-16-be"
    for encoding in (first, "utf-8-sig"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return _most_likely(data)


def _most_likely(data: bytes) -> str | None:
    """Return the reading whose letters are the most common in one language, or None if none stands out.

    charset-normalizer, made for longer texts, misread half of the lyrics of one line (benchmarks/files.py).
    """
    readings: dict[str, float] = {}
    beginning = data[:20_000]  # cut as bytes: as many characters are more bytes in some encodings than in others
    for encoding in (*_ALPHABETS, *_COMMON):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        readings[text] = min(_cost(beginning.decode(encoding, "ignore"), encoding), readings.get(text, math.inf))
    (best, cost), (_, second) = sorted([*readings.items(), ("", math.inf)], key=lambda reading: reading[1])[:2]
    # Two readings that are nearly as likely are a guess; a rare letter for each byte beyond ASCII is mojibake.
    most = 1.6 * sum(bytes([byte]).isalpha() for byte in beginning) + 6 * sum(byte > 127 for byte in beginning)
    sure = second - cost >= 1.5 and cost < most
    return best if sure else None


def _cost(text: str, encoding: str) -> float:
    """Return how unlikely a text is: about the negative logarithm of its probability, letter by letter."""
    counts = Counter(char for char in text if char.isalpha() or not char.isascii())
    # A wrong reading has capitals inside words and letters of two scripts, or letters and signs of code, side by side.
    odd = sum(before.islower() and after.isupper() for before, after in itertools.pairwise(text))
    odd += 0 if encoding in _LATIN else len(_MIXED.findall(text))
    if encoding in _COMMON:
        return 4 * odd + sum(count * _sign_cost(char, encoding) for char, count in counts.items())
    handicap, alphabets = _ALPHABETS[encoding]
    costs = (
        sum(count * _letter_cost(char, letters, encoding in _LATIN) for char, count in counts.items())
        for letters in alphabets.split()
    )
    return handicap + 4 * odd + min(costs)


def _letter_cost(char: str, letters: str, latin: bool) -> float:
    """Return the cost of a letter by its rank in a language, which Zipf's law turns into a probability."""
    rank = max(letters.find(char), letters.find(char.lower())) + 1
    if char.isascii():  # reads the same in all encodings, so it counts less; it is not at home in other scripts
        return 0.4 * math.log(rank) + 0.24 if rank else 1 if latin else 1.6
    return math.log(rank) + 0.6 + 0.3 * char.isupper() if rank else 6 if char in _MARKS else 10


def _sign_cost(char: str, encoding: str) -> float:
    """Return the cost of a sign in an encoding of Chinese, Japanese or Korean, of which there are thousands."""
    if char.isascii() or char in _MARKS:
        return 1 if char.isascii() else 6
    if encoding in ("cp932", "euc_jp") and "ぁ" <= char <= "ヺ":
        return 4.5
    lead, last, second = _COMMON[encoding]
    data = char.encode(encoding)
    common = len(data) == 2 and lead <= data[0] <= last and data[1] >= second
    # Korean needs fewer signs than Chinese; Japanese has kana between them.
    return {"cp949": 6, "cp932": 8, "euc_jp": 8}.get(encoding, 7) if common else 14
