"""The answer that is remembered: asked for once, kept where only its owner can read it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from memegen.base.errors import OutputError
from memegen.cli import main
from memegen.look.captions.fonts import system_fonts
from memegen.provenance import consent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMEGEN_CONFIG", str(tmp_path / "config" / "memegen"))
    return tmp_path / "config" / "memegen"


def test_a_yes_is_remembered(folder: Path) -> None:
    assert not consent.remembered()
    assert not folder.exists()  # asking leaves nothing behind
    for _ in range(2):
        consent.remember()
        assert consent.remembered()
    [file] = folder.iterdir()
    assert file.read_bytes() == b""
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cant_be_written_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEMEGEN_CONFIG", str(tmp_path / "file" / "memegen"))
    assert not consent.remembered()
    with caplog.at_level(logging.WARNING):
        consent.remember()
    assert "Not a directory): confirm each time, or name another folder in MEMEGEN_CONFIG." in caplog.text
    assert not consent.remembered()
    photo = str(tmp_path / "photo.jpg")
    Path(photo).write_text("not a photo")
    assert main(["make", photo, "--i-have-permission"]) == 1  # the yes given each time is enough
    assert "is not a picture" in capsys.readouterr().err
    assert main(["make", photo]) == 1
    assert consent.QUESTION in capsys.readouterr().err


def test_a_folder_that_cant_be_looked_into_remembers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    consent.remember()
    monkeypatch.setattr(Path, "is_file", refused)
    assert not consent.remembered()


def test_without_the_variable_the_usual_folder_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MEMEGEN_CONFIG")
    assert consent.config_dir().name == "memegen"
    monkeypatch.setenv("MEMEGEN_CONFIG", "~/elsewhere")
    assert consent.config_dir() == tmp_path / "elsewhere"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_config_path", homeless)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("MEMEGEN_CONFIG")
    with pytest.raises(OutputError, match="no home folder for the settings: name a folder in MEMEGEN_CONFIG"):
        consent.remembered()
    assert all(Path(font).is_absolute() for font in system_fonts.__wrapped__())
