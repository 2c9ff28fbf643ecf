"""Many photos at once: each gets its clip or its reason, and nothing is made twice."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from http_server import HttpServer
from PIL import Image

from memegen import batch
from memegen.animator import Animator, load_animator
from memegen.base.errors import InputError, OutputError
from memegen.batch import Outcome, clip_names, find_photos, make_batch, write_report
from memegen.media.video import open_video

SHORT = {"duration": 0.12, "mute": True}


@pytest.fixture
def classroom(tmp_path: Path, small_photo: Path) -> Path:
    """A folder with two photos of a face, one of nothing, and a list of names."""
    folder = tmp_path / "class"
    folder.mkdir()
    shutil.copy(small_photo, folder / "ann.png")
    shutil.copy(small_photo, folder / "Zoe.PNG")
    cv2.imwrite(str(folder / "desk.png"), np.full((200, 200, 3), 90, np.uint8))
    (folder / "names.txt").write_text("Ann, Zoe")
    return folder


def test_everybody_gets_a_clip_or_a_reason(classroom: Path, tmp_path: Path) -> None:
    outcomes = list(make_batch([classroom], "daisy-bell", tmp_path / "new" / "clips", **SHORT))
    assert [(outcome.photo.name, outcome.status) for outcome in outcomes] == [
        ("Zoe.PNG", "made"),
        ("ann.png", "made"),
        ("desk.png", "failed"),
    ]
    for outcome in outcomes[:2]:
        assert open_video(outcome.clip).frame_count == 3
        assert outcome.message == ""
        assert outcome.seconds > 0
    assert outcomes[2].message.startswith("No face was found")
    assert sorted(path.name for path in (tmp_path / "new" / "clips").iterdir()) == ["Zoe.mp4", "ann.mp4"]


def test_resume_makes_only_what_is_missing(classroom: Path, tmp_path: Path) -> None:
    (tmp_path / "ann.mp4").write_bytes(b"made yesterday")
    outcomes = list(make_batch([classroom], "daisy-bell", tmp_path, resume=True, **SHORT))
    assert [outcome.status for outcome in outcomes] == ["made", "kept", "failed"]
    assert (tmp_path / "ann.mp4").read_bytes() == b"made yesterday"
    [again, *_] = make_batch([classroom], "daisy-bell", tmp_path, resume=True, **SHORT)
    assert again.status == "kept"


def test_without_resume_clips_are_made_again(small_photo: Path, tmp_path: Path) -> None:
    (tmp_path / "me.mp4").write_bytes(b"made yesterday")
    [outcome] = make_batch([small_photo], "daisy-bell", tmp_path, **SHORT)
    assert outcome.status == "made"
    assert open_video(outcome.clip).frame_count == 3


def test_the_singer_is_watched_once(small_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))  # another test may have watched him
    stages: list[str] = []

    def note(stage: str, done: int, total: int) -> None:
        if done == total:
            stages.append(stage)

    photos = [small_photo, small_photo, small_photo]
    outcomes = list(make_batch(photos, "daisy-bell", tmp_path, progress=note, duration=0.16, mute=True))
    assert [outcome.status for outcome in outcomes] == ["made"] * 3
    assert stages.count("Watching the singer") == 1
    assert stages.count("Singing") == 3
    first, *others = (outcome.clip.read_bytes() for outcome in outcomes)
    assert len({len(clip) for clip in (first, *others)}) == 1


def test_clips_are_named_after_photos_and_never_alike(tmp_path: Path) -> None:
    photos = [Path("a/me.jpg"), Path("b/me.png"), Path("ME.webp"), Path("me-2.jpg"), Path("you.jpg")]
    names = [path.name for path in clip_names(photos, tmp_path, ".gif")]
    assert names == ["me.gif", "me-2.gif", "ME-3.gif", "me-2-2.gif", "you.gif"]


def test_a_clip_never_replaces_a_photo(classroom: Path) -> None:
    shutil.copy(classroom / "ann.png", classroom / "ANN.jpg")
    before = (classroom / "ann.png").read_bytes()
    outcomes = list(make_batch([classroom], "daisy-bell", classroom, suffix=".png", **SHORT))
    assert [outcome.clip.name for outcome in outcomes] == ["ANN-2.png", "Zoe-2.png", "ann-3.png", "desk-2.png"]
    assert (classroom / "ann.png").read_bytes() == before


def test_photos_are_found_in_folders(classroom: Path, tmp_path: Path) -> None:
    assert [path.name for path in find_photos([classroom, classroom / "ann.png"])] == [
        "Zoe.PNG",
        "ann.png",
        "desk.png",
        "ann.png",
    ]
    (classroom / "._ann.png").write_bytes(b"what a Mac leaves beside a file")
    assert len(find_photos([classroom])) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"The folder .*empty has no photos"):
        find_photos([tmp_path / "empty"])
    with pytest.raises(InputError, match="There are no photos"):
        find_photos([])


def test_any_picture_in_a_folder_is_a_photo_and_the_rest_is_named(
    tmp_path: Path, small_photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    picture = Image.open(small_photo).convert("RGB")
    for name in ("a.jfif", "b.jpe", "c.mpo", "d", "e.odd"):
        picture.save(folder / name, "JPEG")
    (folder / "f.jxl").write_bytes(b"\xff\x0a" + bytes(40))
    (folder / "notes.txt").write_text("not a photo")
    outcomes = list(make_batch([folder], "daisy-bell", tmp_path / "out", suffix=".png", **SHORT))
    assert {Path(one.photo).name: one.status for one in outcomes} == {
        **dict.fromkeys(("a.jfif", "b.jpe", "c.mpo", "d", "e.odd"), "made"),
        "f.jxl": "failed",
    }
    assert "is a JPEG XL photo" in outcomes[-1].message
    assert "mixed, as they are not photos: notes.txt." in caplog.text


def test_photos_from_the_web(tmp_path: Path, small_photo: Path) -> None:
    with HttpServer() as server:
        address = server.add("/faces/anna%20b.png", small_photo.read_bytes()) + "?token=secret&size=" + "9" * 300
        outcomes = list(make_batch([address, small_photo], "daisy-bell", tmp_path, suffix=".png", **SHORT))
    assert [one.status for one in outcomes] == ["made", "made"], outcomes
    assert [one.clip.name for one in outcomes] == ["anna_b.png", f"{small_photo.stem}.png"]
    assert outcomes[0].photo == address


def test_the_engine_is_loaded_once(small_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(name: str, **options: Any) -> Animator:
        loaded.append(f"{name} {sorted(options)}")
        return load_animator(name, **options)

    monkeypatch.setattr(batch, "load_animator", load)
    made = list(make_batch([small_photo] * 2, "daisy-bell", tmp_path, engine="mesh", motion=0.5, **SHORT))
    assert [outcome.status for outcome in made] == ["made", "made"]
    assert loaded == ["mesh ['motion', 'progress']"]


def test_a_bad_template_stops_before_the_first_photo(
    small_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(batch, "make_meme", lambda *photo, **_: made.append(photo))
    with pytest.raises(InputError, match="no template"):
        next(make_batch([small_photo], "daisy-bel", tmp_path))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"can't be made .*: choose another"):
        next(make_batch([small_photo], "daisy-bell", tmp_path / "file"))
    assert made == []


def test_the_report_has_a_line_for_each_photo(classroom: Path, tmp_path: Path) -> None:
    outcomes = list(make_batch([classroom], "daisy-bell", tmp_path, **SHORT))
    report = write_report(tmp_path / "report.csv", outcomes)
    with report.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["made", "made", "failed"]
    assert [Path(row["photo"]).name for row in rows] == ["Zoe.PNG", "ann.png", "desk.png"]
    assert rows[2]["message"] == outcomes[2].message
    assert float(rows[0]["seconds"]) >= 0
    odd = Outcome(Path(os.fsdecode(b"m\xff.png")), Path("m.mp4"), "made", 1.0)
    assert "m\\udcff.png" in write_report(report, [odd]).read_text("utf-8")
    with pytest.raises(OutputError, match="can't be written"):
        write_report(tmp_path / "nowhere" / "report.csv", outcomes)
