"""Paths as people type them, and files that appear only when they are whole."""

from __future__ import annotations

from pathlib import Path

import filelock
import pytest

from memegen.base.files import expanded, not_media, whole_file


def test_home_is_found_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert expanded("~/me.jpg") == Path("/somewhere/me.jpg")
    assert expanded(Path("me.jpg")) == Path("me.jpg")
    assert expanded("~nobody-has-this-name/me.jpg") == Path("~nobody-has-this-name/me.jpg")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    with whole_file(file) as part:
        part.write_text("first")
        assert not file.exists()
    with pytest.raises(ZeroDivisionError), whole_file(file) as part:
        part.write_text(f"second {1 / 0}")
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "missing" / "out.txt"):
        pass
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"), whole_file(tmp_path / "taken") as part:
        part.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_what_killed_programs_left_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    for name in (".memegen-dead", ".memegen-alive"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.mp4").write_bytes(b"half")
        (tmp_path / f"{name}.lock").touch()
    with filelock.FileLock(tmp_path / ".memegen-alive.lock"), whole_file(tmp_path / "out.txt") as part:
        part.write_text("whole")
        assert len(list(tmp_path.glob(".memegen-*"))) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [".memegen-alive", ".memegen-alive.lock", "out.txt"]
    with whole_file(tmp_path / "out.txt") as part:
        part.write_text("again")
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_a_page_is_known_by_its_first_word_however_many_comments_go_before() -> None:
    comments = b"<!-- saved -->\n" * 60
    assert not_media(comments + b"<html>") == "a web page"
    assert not_media(comments + b"<MPD>") == "a playlist"
    assert not_media(comments + b"<svg>") == ""
