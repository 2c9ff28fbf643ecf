"""Lyrics: lines and words with their times from .lrc and .srt, and files that are no such thing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from memegen.base.downloads import asset
from memegen.base.errors import InputError
from memegen.look.compose import compose
from memegen.look.lyrics import Line, Word, read_lyrics
from memegen.look.options import Look


def written(folder: Path, text: str | bytes, name: str = "song.lrc") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def times(line: Line) -> list[tuple[str, float, float]]:
    return [(word.text, round(word.start, 3), round(word.end, 3)) for word in line.words]


def test_the_bundled_song() -> None:
    first, second = read_lyrics(asset("templates/daisy-bell.lrc"))
    assert first.text == "Daisy, Daisy, give me your answer, do."
    assert second.text == "I'm half crazy, all for the love of you."
    assert first.words[:2] == (Word("Dai", 0.4, 1.12), Word("sy, ", 1.12, 1.84))
    assert (first.start, first.end) == (0.4, 5.78)
    assert (second.start, second.end) == (6.16, 11.54)


def test_words_without_times_share_the_line_s(tmp_path: Path) -> None:
    first, second = read_lyrics(written(tmp_path, "[ti:x]\n\n[00:10.00]ab cdef\n[00:13,0]\n".replace(",", ".")
                                        + "[00:20.5] one \n"))  # fmt: skip
    assert times(first) == [("ab ", 10, 11), ("cdef", 11, 13)]
    assert times(second) == [("one", 20.5, 28.5)]


def test_a_time_without_words_ends_a_line_and_the_next_line_too(tmp_path: Path) -> None:
    lines = read_lyrics(written(tmp_path, "[00:05]b\n[00:01.00]a\n[00:06.00]\n[00:09]c"))
    assert [(line.text, line.start, line.end) for line in lines] == [("a", 1, 5), ("b", 5, 6), ("c", 9, 17)]


def test_a_line_sung_twice_keeps_the_times_of_its_words(tmp_path: Path) -> None:
    lines = read_lyrics(written(tmp_path, "[00:01.00][01:00.50]<00:01.00>la <00:01.50>lo<00:02.00>\n"))
    assert times(lines[0]) == [("la ", 1, 1.5), ("lo", 1.5, 2)]
    assert times(lines[1]) == [("la ", 60.5, 61), ("lo", 61, 61.5)]


def test_words_before_the_first_time_begin_with_the_line(tmp_path: Path) -> None:
    [line] = read_lyrics(written(tmp_path, "[00:01.00] Oh <00:02.00> my <00:03.00>\n"))
    assert times(line) == [("Oh ", 1, 2), (" my", 2, 3)]


@pytest.mark.parametrize(("tag", "start"), [("+500", 9.5), ("-250", 10.25), (" 0 ", 10.0)])
def test_an_offset_moves_everything(tmp_path: Path, tag: str, start: float) -> None:
    [line] = read_lyrics(written(tmp_path, f"[offset:{tag}]\n[00:10.00]<00:10.00>a<00:11.00>"))
    assert (line.start, line.end) == (start, start + 1)


def test_subtitles(tmp_path: Path) -> None:
    text = (
        "1\r\n00:00:01,000 --> 00:00:03,000 X1:10\r\n<i>ab</i> {\\an8}cd\r\nef\r\n\r\n\r\n"
        "7\n01:00:00.500 --> 01:00:01.500\nx\n\n3\n00:00:09,000 --> 00:00:10,000\n\n"
    )
    first, last = read_lyrics(written(tmp_path, text, "song.SRT"))
    assert first.text == "ab cd\nef"
    assert [word.start for word in first.words] == pytest.approx([1, 1 + 2 / 3, 1 + 4 / 3])
    assert (first.end, last.start, last.end) == (3, 3600.5, 3601.5)


CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("gbk.lrc", ["今天天气很好", "我们一起唱歌"]),
        ("windows1251.lrc", ["Сегодня хороший день", "Давай споём вместе"]),
        ("hours.lrc", ["first", "second"]),
        ("no_blank_rows.srt", ["first", "second"]),
        ("blank_row_in_cue.srt", ["Je suis la,\nj'arrive bientot.", "encore une ligne"]),
        ("youtube.srt", ["[Music]", "hello & welcome 'there' all"]),
    ],
)
def test_files_that_players_forgive(caplog: pytest.LogCaptureFixture, name: str, texts: list[str]) -> None:
    first, second = read_lyrics(CASES / name)
    assert [first.text, second.text] == texts
    assert first.end <= second.start
    assert not caplog.messages


@pytest.mark.parametrize(
    ("encodings", "text"),
    [
        ("utf-8 utf-8-sig utf-16 utf-16-le utf-16-be", "Žlutý kůň 今天"),
        ("gbk gb18030 utf-16-le", "月亮代表我的心\n你问我爱你有多深"),
        ("big5 gbk utf-16-be", "月亮代表我的心\n輕輕的一個吻"),
        ("big5hkscs", "佢哋唔係好鍾意食嘢\n你喺邊度呀"),
        ("shift_jis euc_jp", "夕焼け小焼けの赤とんぼ\nドレミの歌 baby"),
        ("euc_kr cp949", "나의 살던 고향은 꽃피는 산골\noh baby 사랑해"),
        ("cp1251 koi8_r", "Во поле берёза стояла\nРасцветали яблони и груши"),
        ("cp1251 koi8_u", "Несе Галя воду\nЇхав козак за Дунай"),
        ("cp1250 iso8859_2", "Szła dzieweczka do laseczka\nŻyję tak, jak chcę"),
        ("cp1250 iso8859_2", "Žlutý kůň běží přes řeku\nHolka modrooká"),
        ("cp1250 iso8859_2", "Tavaszi szél vizet áraszt, virágom, virágom\nHulló őszi levél, fűben fekszik"),
        ("cp1253", "Θάλασσα πλατιά\nΣ' αγαπώ γιατί μου μοιάζεις"),
        ("cp1254", "Çiçekli bahçemizin\nyollarında koşarken"),
        ("cp1255", "הבה נגילה ונשמחה\nעורו אחים בלב שמח"),
        ("cp1256", "طلع البدر علينا\nمن ثنيات الوداع"),
        ("cp874", "แม่สายสะอื้น\nรักเธอคนเดียว"),
        ("cp1252", "Déjà vu, ça va"),
        ("cp1252", "Non, rien de rien…\nJ’ai le cœur léger"),
        ("cp1252", "Über den Wolken\nSchöne Grüße"),
        ("cp1252", "¿Quién eres tú, corazón?\n¡Mañana!"),
        ("cp1252", "Don’t stop — “now”"),
    ],
)
def test_encodings(tmp_path: Path, encodings: str, text: str) -> None:
    timed = "".join(f"[00:{second:02}.00]{row}\n" for second, row in enumerate(text.split("\n")))
    for encoding in encodings.split():
        lines = read_lyrics(written(tmp_path, timed.encode(encoding)))
        assert "\n".join(line.text for line in lines) == text, encoding


@pytest.mark.parametrize(
    ("row", "start", "text"),
    [
        ("[00:12:50]a", 12.5, "a"),
        ("[ 00:12.50 ] a", 12.5, "a"),
        ("[00:12,5]a", 12.5, "a"),
        ("[01:00:02.25]a", 3602.25, "a"),
        ("[00:01.00]Tom &amp; J&amp;#39;s&nbsp;<i>R&B</i> &lt;3", 1, "Tom & J's R&B <3"),
        ("[00:01.00]a <00:1.>b", 1, "a b"),
        ("[00:02.00]<00:03.00>a <00:02.50>b", 2, "a b"),
        ("[00:02.00]<00:00.00>a <00:00.50>b", 2, "a b"),
    ],
)
def test_odd_tags(tmp_path: Path, row: str, start: float, text: str) -> None:
    [line] = read_lyrics(written(tmp_path, row))
    assert (line.text, line.start, line.end) == (text, start, start + 8)


def test_times_of_words_in_square_brackets(tmp_path: Path) -> None:
    [line] = read_lyrics(written(tmp_path, "[00:01.00]la [00:01.50]lo[00:02.00]"))
    assert times(line) == [("la ", 1, 1.5), ("lo", 1.5, 2)]


def test_rows_of_one_time_are_sung_together(tmp_path: Path) -> None:
    rows = "[00:01]<00:01>君<00:02>の<00:03>\n[00:01]ki mi no\n[00:01]your\n[00:05]x\n"
    first, _ = read_lyrics(written(tmp_path, rows))
    assert times(first)[:2] == [("君", 1, 2), ("の\n", 2, 3)]
    assert times(first)[2:] == [("ki ", 1, 1.667), ("mi ", 1.667, 2.333), ("no\n", 2.333, 3.0), ("your", 1, 3)]
    assert (first.text, first.start, first.end) == ("君の\nki mi no\nyour", 1, 3)
    frames = [np.zeros((360, 360, 3), np.uint8)] * 3
    look = Look(subtitles=str(tmp_path / "song.lrc"), label=False)
    before, early, late = compose(frames, look, photo=frames[0], fps=1)
    assert not before.any()
    assert early.any()
    assert (early != late).any()


@pytest.mark.parametrize(
    "time",
    [
        "00:00:01,000-->00:00:02,500",
        "00 : 00 : 01 , 000 --> 00:00:02 . 5",
        "00:01,000 --> 00:02,500 position:50%",
        "00:00:01 --> 0:0:02:500",
        "00:00:01,000 -> 00:00:02,500",
    ],
)
def test_odd_times_of_cues(tmp_path: Path, time: str) -> None:
    [line] = read_lyrics(written(tmp_path, f"1\n{time}\na\n", "song.srt"))
    assert (line.text, line.start, line.end) == ("a", 1, 2.5)


CUE = "1\n00:00:01,000 --> 00:00:02,000\n"


@pytest.mark.parametrize(
    ("text", "name", "sung", "skipped"),
    [
        (
            "Song by X\n[00:01.00]a\nThanks\n",
            "a.lrc",
            ["a"],
            "2 rows of a.lrc .*, the first is row 1 \\('Song by X'\\)",
        ),
        ("[00:01.00]a\n\n[0x:02]b\n", "a.lrc", ["a"], r"1 row of a.lrc .*, row 3 \('\[0x:02\]b'\)"),
        ("[offset:soon]\n[00:01.00]a\n", "a.lrc", ["a"], "row 1 "),
        ("[00:01]a\n[00:01]b\n[00:01]c\n[00:01]d", "a.lrc", ["a\nb\nc"], "row 4 "),
        (f"WEBVTT\n\n{CUE}a\n", "a.srt", ["a"], "row 1 .'WEBVTT'"),
        (f"{CUE}a\n\n2\n00:00:03 -> x\nb\n", "a.srt", ["a"], "row 7 .'b'"),
        (f"{CUE}a\n\n2\nb\n\n3\n00:00:03,0 --> 00:00:04,0\nc\n", "a.srt", ["a", "c"], "row 6 .'b'"),
        (f"{CUE}a\n2\n00:00:04,000 --> 00:00:03,000\nb\n", "a.srt", ["a"], "row 6 .'b'"),
        (f"{CUE}a\n2\n00:00:04,000 --> 00:00:04,000\nb\n", "a.srt", ["a"], "row 6 .'b'"),
        (f"{CUE}99\n\nred\n2\n00:00:03,0 --> 00:00:04,0\n5\n", "a.srt", ["99\nred", "5"], None),
        (f"{CUE}a\n".replace("\n", "\r\r\n"), "a.srt", ["a"], None),
        ("00:01,0 --> 00:02,0\n2\n\n00:02,0 --> 00:03,0\n1\n", "a.srt", ["2", "1"], None),
        (f"{CUE}a\n2\n00:00:01,000 --> 00:00:02,000\nb\n", "a.srt", ["a\nb"], None),
        (f"{CUE}5:15 train\n", "a.srt", ["5:15 train"], None),
    ],
)
def test_odd_rows_are_skipped_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, name: str, sung: list[str], skipped: str | None
) -> None:
    assert [line.text for line in read_lyrics(written(tmp_path, text, name))] == sung
    assert len(caplog.messages) == bool(skipped)
    assert not skipped or re.search(skipped, caplog.text)


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "a.lrc", "no lines to sing"),
        (b"[ti:only a title]\n", "a.lrc", "no lines to sing"),
        (b"[00:01.00]a", "a.txt", r"not a lyrics file: use one that ends in \.lrc or \.srt"),
        (b"[00:01.00]\x81", "a.lrc", "save it as UTF-8"),
        ("[00:01.00]Été".encode("mac_roman"), "a.lrc", "save it as UTF-8"),
        ("[00:01.00]Привет, мой друг".encode("cp866"), "a.lrc", "save it as UTF-8"),
        (b"no time\n", "a.lrc", "no lines to sing"),
        (b"words\n", "a.srt", "no lines to sing"),
        (b"1\n", "a.srt", "no lines to sing"),
        (b"1\n00:00:02,000 --> 00:00:01,000\na\n", "a.srt", "no lines to sing"),
        (b"\n" * (2**20 + 1), "a.lrc", "larger than 1 MB"),
    ],
)
def test_no_lyrics_in_it(tmp_path: Path, data: bytes, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_lyrics(written(tmp_path, data, name))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_lyrics(tmp_path / "none.lrc")
    (tmp_path / "folder.lrc").mkdir()
    with pytest.raises(InputError, match="can't be read"):
        read_lyrics(tmp_path / "folder.lrc")
