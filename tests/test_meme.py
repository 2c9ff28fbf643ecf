"""make_meme(): a photo and a clip in, a clip with its song out, and nothing lost when something fails."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from media import RATE, clicks, describe, ffmpeg, make_clicks, samples_of

from memegen import make_meme
from memegen.base.downloads import asset
from memegen.base.errors import InputError, NoFaceError, OutputError
from memegen.face.tracking import track_face
from memegen.media.video import Video, open_video, write_video
from memegen.provenance.inspection import inspect
from memegen.provenance.watermark import embed
from memegen.templates import Template, load_template

CLIP = asset("templates/daisy-bell.mp4")


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.fixture(scope="module")
def short(small_photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Video:
    """A meme of one second, made from a file with a template's name, without the visible label."""
    out = tmp_path_factory.mktemp("meme") / "me.mp4"
    return make_meme(small_photo, "daisy-bell", out=out, duration=1.0, label=False)


@pytest.fixture
def template() -> Template:
    return Template(name="mine", title="", credit="me", licence="mine", start=1.0, end=1.4, path=CLIP, own=True)


# The whole way


def test_a_photo_sings(short: Video, small_portrait: np.ndarray, sung: list[np.ndarray]) -> None:
    assert short == open_video(short.path)
    assert (short.width, short.height) == (204, 240)
    assert short.fps == 25
    assert short.frame_count == 25
    frames = list(short.frames())
    assert difference(frames[0], small_portrait[:, :204]) < 8
    marked = embed((frame[:, :204] for frame in sung), load_template("daisy-bell").mark)
    for frame, expected in zip(frames, marked, strict=True):
        assert difference(frame, expected) < 4
    points = np.array(track_face(frames).landmarks)
    assert np.ptp(np.linalg.norm(points[:, 13] - points[:, 14], axis=1)) > 5  # pixels, of a mouth 25 wide


def test_the_song_is_there_and_as_long_as_the_picture(short: Video) -> None:
    assert short.has_audio
    heard = samples_of(short.path)
    assert len(heard) / RATE == pytest.approx(short.duration, abs=0.045)
    original = samples_of(CLIP)[: len(heard)]
    assert np.abs(heard).max() > 0.1
    assert np.corrcoef(heard[: RATE * 9 // 10], original[: RATE * 9 // 10])[0, 1] > 0.9
    assert "h264" in describe(short.path)
    assert "aac" in describe(short.path)


def test_the_sound_begins_where_the_picture_does(tmp_path: Path, small_photo: Path) -> None:
    clip = tmp_path / "clicking.mp4"
    sound = make_clicks(tmp_path / "clicks.wav", seconds=3, at=(1.2, 1.5))
    ffmpeg("-i", str(CLIP), "-i", str(sound), "-map", "0:v", "-map", "1:a", "-t", "3", str(clip))
    meme = make_meme(small_photo, clip, out=tmp_path / "out.mp4", start=1.0, duration=0.6)
    assert meme.start == 0
    assert clicks(meme.path) == pytest.approx([0.2, 0.5], abs=0.01)


@pytest.mark.parametrize(
    ("fps", "times"), [("24000/1001", ""), ("25", ""), ("30000/1001", ""), ("60000/1001", ""), ("30", "jitter")]
)
def test_a_flash_and_its_click_stay_together(tmp_path: Path, small_photo: Path, fps: str, times: str) -> None:
    clip, sound = tmp_path / "flash.mp4", tmp_path / "click.wav"
    rate = Fraction(fps)
    number = round(Fraction(7, 10) * rate)
    moved = 0.012 * np.sin(1.7 * number) if times else 0.0
    make_clicks(sound, seconds=1.2, at=(float(number / rate) + moved,))
    flash = f"drawbox=w=90:h=90:color=white:t=fill:enable='between(n,{number},{number + 3})'"
    picture = f"fps={fps},scale=256:256,drawbox=w=90:h=90:color=black:t=fill,{flash},settb=1/90000"
    picture += ",setpts='PTS+0.012*sin(1.7*N)/TB'" if times else ""
    late = ("-fps_mode", "vfr", "-enc_time_base", "1:90000", "-video_track_timescale", "90000") if times else ()
    ffmpeg(
        "-t", "1.2", "-i", str(CLIP), "-i", str(sound), "-map", "0:v", "-map", "1:a", "-vf", picture, *late, str(clip)
    )
    meme = make_meme(small_photo, clip, out=tmp_path / "out.mp4", side_by_side=True, label=False)
    bright = [frame[8:60, 8:60].mean() for frame in meme.frames()]
    seen = next(index for index, value in enumerate(bright) if value > 128) / float(meme.fps)
    [heard] = clicks(meme.path)
    assert abs(seen - heard) < 0.020


def test_an_intro_moves_the_song_with_the_picture(tmp_path: Path, small_photo: Path) -> None:
    clip = tmp_path / "clicking.mp4"
    sound = make_clicks(tmp_path / "clicks.wav", seconds=1, at=(0.2,))
    ffmpeg("-i", str(CLIP), "-i", str(sound), "-map", "0:v", "-map", "1:a", "-t", "0.6", str(clip))
    meme = make_meme(small_photo, clip, out=tmp_path / "out.mp4", intro="Daisy Bell")
    assert meme.frame_count == 40
    assert clicks(meme.path) == pytest.approx([1.2], abs=0.01)


def test_rational_frame_rates_are_kept(tmp_path: Path, small_photo: Path) -> None:
    clip = tmp_path / "ntsc.mp4"
    ffmpeg("-i", str(CLIP), "-t", "0.5", "-r", "30000/1001", str(clip))
    meme = make_meme(small_photo, clip, out=tmp_path / "out.mp4")
    assert meme.fps == Fraction(30000, 1001)
    assert open_video(meme.path).fps == Fraction(30000, 1001)
    assert meme.frame_count == open_video(clip).frame_count


def test_a_photo_may_come_as_bytes_or_as_an_array(
    tmp_path: Path, small_photo: Path, small_portrait: np.ndarray
) -> None:
    sources = (small_photo, str(small_photo), small_photo.read_bytes(), small_portrait)
    memes = [
        make_meme(source, "daisy-bell", out=tmp_path / f"{number}.mp4", duration=0.12, mute=True)
        for number, source in enumerate(sources)
    ]
    first, *others = (np.array(list(meme.frames())) for meme in memes)
    assert all(np.array_equal(first, other) for other in others)


# Sound


def test_mute(tmp_path: Path, small_photo: Path) -> None:
    meme = make_meme(small_photo, "daisy-bell", out=tmp_path / "out.mp4", duration=0.2, mute=True)
    assert not meme.has_audio
    assert "Audio" not in describe(meme.path)


@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_a_sound_of_ones_own(tmp_path: Path, small_photo: Path, seconds: float) -> None:
    song = make_clicks(tmp_path / "song.wav", seconds=seconds, at=(0.1, 0.25))
    meme = make_meme(small_photo, "daisy-bell", out=tmp_path / "out.mp4", start=2.0, duration=0.6, audio=song)
    assert clicks(meme.path) == pytest.approx([0.1, 0.25], abs=0.01)
    assert len(samples_of(meme.path)) / RATE == pytest.approx(0.6, abs=0.045)


def test_a_silent_driver_makes_a_silent_clip(
    tmp_path: Path, small_photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = tmp_path / "silent.mp4"
    ffmpeg("-i", str(CLIP), "-t", "0.3", "-an", str(clip))
    with caplog.at_level(logging.INFO, logger="memegen"):
        meme = make_meme(small_photo, clip, out=tmp_path / "out.mp4")
    assert not meme.has_audio
    assert "silent.mp4 has no sound" in caplog.text


def test_a_sound_file_that_is_none_is_refused(tmp_path: Path, small_photo: Path) -> None:
    words = tmp_path / "song.txt"
    words.write_text("la la la")
    with pytest.raises(InputError, match=r"song\.txt has no sound that can be read"):
        make_meme(small_photo, "daisy-bell", out=tmp_path / "out.mp4", duration=0.2, audio=words)
    assert not (tmp_path / "out.mp4").exists()


# Which part, and where to


def test_a_template_has_its_own_span(tmp_path: Path, small_photo: Path, template: Template) -> None:
    meme = make_meme(small_photo, template, out=tmp_path / "out.mp4", mute=True)
    plain = make_meme(small_photo, CLIP, out=tmp_path / "plain.mp4", start=1.0, duration=0.4, mute=True)
    assert meme.frame_count == 10
    assert all(np.array_equal(a, b) for a, b in zip(meme.frames(), plain.frames(), strict=True))


@pytest.mark.parametrize(
    ("span", "count"), [({"start": 1.2}, 5), ({"duration": 0.2}, 5), ({"start": 2.0, "duration": 0.24}, 6)]
)
def test_the_user_may_ask_for_another_span(
    tmp_path: Path, small_photo: Path, template: Template, span: dict[str, float], count: int
) -> None:
    meme = make_meme(small_photo, template, out=tmp_path / "out.mp4", mute=True, **span)  # type: ignore[arg-type]
    assert meme.frame_count == count


def test_a_start_past_the_templates_end_goes_on_to_the_clips_end(
    tmp_path: Path, small_photo: Path, template: Template
) -> None:
    meme = make_meme(small_photo, template, out=tmp_path / "out.mp4", start=11.6, mute=True)
    assert meme.duration == pytest.approx(open_video(CLIP).duration - 11.6, abs=0.021)
    with pytest.raises(InputError, match=r"^The start, 50 s, is past the end of .*daisy-bell\.mp4, which is 11\.92 s"):
        make_meme(small_photo, template, out=tmp_path / "out.mp4", start=50.0)


def test_without_a_place_the_clip_lives_as_long_as_the_result(tmp_path: Path, small_photo: Path) -> None:
    meme = make_meme(small_photo, "daisy-bell", duration=0.2)
    path = meme.path
    assert path.is_file()
    assert "<video" in meme._repr_html_()
    kept = meme.save(tmp_path / "kept.mp4")
    assert open_video(kept).frame_count == 5
    del meme
    gc.collect()
    assert not path.exists()
    assert not path.parent.exists()
    assert open_video(kept).has_audio


def test_a_clip_with_a_place_stays(tmp_path: Path, small_photo: Path) -> None:
    make_meme(small_photo, "daisy-bell", out=tmp_path / "out.mp4", duration=0.2)
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_no_temporary_folder_is_left_after_a_failure(
    tmp_path: Path, small_photo: Path, faceless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(NoFaceError):
        make_meme(small_photo, faceless)
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_is_kept_holds_no_decoder(
    tmp_path: Path, small_photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "Singing":
            raise RuntimeError(stage)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    with pytest.raises(RuntimeError) as kept:
        make_meme(small_photo, out=tmp_path / "out.mp4", duration=0.4, side_by_side=True, progress=stop)
    assert kept.value.__traceback__ is not None
    assert len(started) > 3
    assert all(process.returncode is not None for process in started)


def test_progress_is_told_for_each_stage(tmp_path: Path, small_photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))  # another test may have watched the singer
    told: list[tuple[str, int, int]] = []
    make_meme(
        small_photo,
        "daisy-bell",
        out=tmp_path / "out.mp4",
        duration=0.4,
        progress=lambda stage, done, total: told.append((stage, done, total)),
    )
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["Watching the singer", "Singing"]
    for stage in stages:
        assert [(done, total) for name, done, total in told if name == stage] == [(n, 10) for n in range(1, 11)]


# What can go wrong


@pytest.mark.parametrize("which", ["photo", "driver", "audio"])
def test_an_input_is_never_overwritten(tmp_path: Path, small_photo: Path, which: str) -> None:
    files = {"photo": small_photo, "driver": CLIP, "audio": CLIP}
    victim = tmp_path / "victim.mp4"
    shutil.copy(files[which], victim)
    files[which] = victim
    before = victim.read_bytes()
    with pytest.raises(OutputError, match=r"victim\.mp4 is also an input and would be overwritten"):
        make_meme(files["photo"], files["driver"], out=victim, audio=files["audio"], duration=0.2)
    assert victim.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["victim.mp4"]


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("stage", ["Watching the singer", "Singing"])
def test_an_earlier_clip_survives_a_failure_in_the_middle(
    tmp_path: Path,
    small_photo: Path,
    error: type[BaseException],
    stage: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path_factory.mktemp("cache")))  # the singer has been watched before
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")

    def fail(now: str, done: int, total: int) -> None:
        if (now, done) == (stage, 3):
            raise error("in the middle")

    with pytest.raises(error):
        make_meme(small_photo, "daisy-bell", out=out, duration=0.4, progress=fail)
    assert out.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [out]


def test_a_driver_that_breaks_off_while_it_is_read(tmp_path: Path, small_photo: Path) -> None:
    driver, out = tmp_path / "driver.mp4", tmp_path / "out.mp4"
    fast = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-movflags", "+faststart")
    ffmpeg("-i", str(CLIP), "-t", "2", *fast, str(driver))
    out.write_bytes(b"earlier")

    def shrink(stage: str, done: int, total: int) -> None:
        if stage == "Watching the singer" and done == total:
            os.truncate(driver, driver.stat().st_size // 8)

    with pytest.raises(InputError, match=r"driver\.mp4 can't be read past \d\.\d\d s"):
        make_meme(small_photo, driver, out=out, duration=1.6, progress=shrink)
    assert out.read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["driver.mp4", "out.mp4"]


def test_a_driver_without_a_face_names_the_time(tmp_path: Path, small_photo: Path, faceless: Path) -> None:
    with pytest.raises(NoFaceError, match=r"No face was found in .*nobody\.mp4 between 0\.2 s and 0\.6 s"):
        make_meme(small_photo, faceless, out=tmp_path / "out.mp4", start=0.2, duration=0.4)
    assert list(tmp_path.iterdir()) == []


def test_a_driver_with_a_face_some_of_the_time(
    tmp_path: Path, small_photo: Path, singer: Video, caplog: pytest.LogCaptureFixture
) -> None:
    frames = list(singer.frames())[:15]
    frames[5:9] = [np.full_like(frames[0], 127)] * 4
    clip = write_video(tmp_path / "gaps.mp4", frames, fps=25)
    meme = make_meme(small_photo, clip.path, out=tmp_path / "out.mp4")
    assert meme.frame_count == 15
    assert "out of sight in 4 of 15 frames" in caplog.text


def test_a_photo_without_a_face(tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match="No face was found in the photo: try"):
        make_meme(np.full((64, 64, 3), 90, np.uint8), "daisy-bell", out=tmp_path / "out.mp4", duration=0.2)
    assert list(tmp_path.iterdir()) == []


def test_a_face_is_chosen_by_number(tmp_path: Path, small_portrait: np.ndarray) -> None:
    couple = np.hstack([small_portrait, cv2.resize(small_portrait, None, fx=1, fy=1)])
    with pytest.raises(InputError, match=r"Face 2 was asked for, but the photo has 2"):
        make_meme(couple, "daisy-bell", out=tmp_path / "out.mp4", duration=0.2, face=2)


def test_the_crop_of_a_template_chooses_the_performer(
    tmp_path: Path, singer: Video, small_portrait: np.ndarray
) -> None:
    frames = list(singer.frames(max_side=256))[:12]
    bystander = cv2.resize(frames[0], (320, 320))
    scene = [np.full((320, 576, 3), 127, np.uint8) for _ in frames]
    for picture, frame in zip(scene, frames, strict=True):
        picture[:, :320], picture[:256, 320:] = bystander, frame
    clip = write_video(tmp_path / "two.mp4", scene, fps=25)
    template = Template("t", "t", "t", "t", crop=(320, 0, 576, 256), path=clip.path)
    meme = make_meme(small_portrait, template, out=tmp_path / "out.mp4", mute=True)
    mouths = [np.linalg.norm(mesh[13] - mesh[14]) for mesh in track_face(meme.frames()).landmarks]
    assert max(mouths) > 3 * max(min(mouths), 1)


# Marks


def test_a_certificate_that_is_not_there_is_told_before_the_first_frame(
    tmp_path: Path, small_photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMEGEN_CERTIFICATE", str(tmp_path / "gone.pem"))
    monkeypatch.setenv("MEMEGEN_KEY", str(tmp_path / "gone.key"))
    stages: list[str] = []
    with pytest.raises(InputError, match=r"gone\.pem"):
        make_meme(small_photo, out=tmp_path / "out.mp4", duration=0.2, progress=lambda stage, *_: stages.append(stage))
    assert stages == []


def test_every_kind_of_file_says_what_it_is(tmp_path: Path, small_photo: Path) -> None:
    for ending in (".mp4", ".gif", ".webp", ".png"):
        meme = make_meme(small_photo, out=tmp_path / f"me{ending}", duration=0.4)
        report = inspect(meme.path)
        assert report.template == "daisy-bell", ending
        assert report.credentials.state == "intact", ending
        assert report.metadata.source_type is not None
        assert report.metadata.source_type.endswith("compositeSynthetic")
        assert "daisy-bell" in str(report.metadata.description)
        saved = inspect(meme.save(tmp_path / "copy.mov")) if ending == ".mp4" else report
        assert (saved.template, saved.credentials.state) == ("daisy-bell", "intact")


def test_nothing_of_the_user_is_told(tmp_path: Path, small_portrait: np.ndarray) -> None:
    home = tmp_path / "Ann Smith's secrets"
    home.mkdir()
    exif = PIL.Image.Exif()
    exif[0x013B], exif[0x010F] = "Ann Smith, artist", "Annphone"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.5)  # where it was taken
    PIL.Image.fromarray(small_portrait).save(home / "ann.jpg", exif=exif)
    shutil.copy(CLIP, home / "my song.mp4")
    meme = make_meme(home / "ann.jpg", home / "my song.mp4", out=home / "out.mp4", duration=0.2)
    data = meme.path.read_bytes()
    for secret in (b"Ann Smith", b"ann.jpg", b"secrets", b"my song", b"Annphone", str(tmp_path).encode()):
        assert secret not in data, secret
