"""Lyrics: lines and words with their times from .lrc and .srt, and files that are no such thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from memegen.base.downloads import asset
from memegen.base.errors import InputError
from memegen.look.lyrics import Line, Word, read_lyrics


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


@pytest.mark.parametrize(
    "data",
    [
        "\ufeff[00:01.00]Žlutý".encode(),
        "[00:01.00]Žlutý".encode("cp1252", "ignore"),
        "[00:01.00]Žlutý".encode("utf-16"),
    ],
)
def test_encodings(tmp_path: Path, data: bytes) -> None:
    [line] = read_lyrics(written(tmp_path, data))
    assert line.text in ("Žlutý", "lutý", "Žlut")
    assert line.start == 1


@pytest.mark.parametrize(
    ("text", "name", "number", "why"),
    [
        ("[00:01.00]a\nno time\n", "a.lrc", 2, "start it with a time"),
        ("[00:01.00]a\n\n[0x:02]b\n", "a.lrc", 3, "start it with a time"),
        ("[offset:soon]\n", "a.lrc", 1, "number of milliseconds"),
        ("[00:01.00]<00:02.00>a<00:01.50>b\n", "a.lrc", 1, "goes backwards"),
        ("1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n00:00:03 -> 4\nb\n", "a.srt", 6, "a cue needs a row"),
        ("1\n00:00:02,000 --> 00:00:01,000\na\n", "a.srt", 2, "ends before it begins"),
        ("words\n", "a.srt", 1, "a cue needs a row"),
        ("1\n", "a.srt", 1, "a cue needs a row"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, text: str, name: str, number: int, why: str) -> None:
    path = written(tmp_path, text, name)
    with pytest.raises(InputError, match=rf"^Line {number} of .*{name} is malformed \(.*\): .*{why}"):
        read_lyrics(path)


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "a.lrc", "no lines to sing"),
        (b"[ti:only a title]\n", "a.lrc", "no lines to sing"),
        (b"[00:01.00]a", "a.txt", r"not a lyrics file: use one that ends in \.lrc or \.srt"),
        (b"[00:01.00]\x81", "a.lrc", "save it as UTF-8"),
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
