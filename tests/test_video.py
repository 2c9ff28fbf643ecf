"""Clips in and out, checked with clips made on the spot and with ffmpeg's own word on the results."""

from __future__ import annotations

import gc
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import RATE, clicks, describe, ffmpeg, make_clicks, make_clip, samples_of, time_of, turn_upright

from memegen.base.errors import InputError, OutputError, UnavailableError
from memegen.media import ffmpeg as ffmpeg_module
from memegen.media import video
from memegen.media.video import Video, check_output, open_video, write_video

NTSC = Fraction(30000, 1001)


def plain(count: int = 5, *, height: int = 48, width: int = 64) -> Iterator[np.ndarray]:
    for index in range(count):
        yield np.full((height, width, 3), 40 * index % 256, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def sounding(folder: Path) -> Path:
    return make_clip(folder / "sounding.mp4", fps="30000/1001", seconds=3, sound=make_clicks(folder / "clicks.wav"))


@pytest.fixture(scope="module")
def silent(folder: Path) -> Path:
    return make_clip(folder / "silent.mp4")


def fake_ffmpeg(folder: Path, script: str) -> str:
    path = folder / "fake-ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return started


# Looking at a clip


@pytest.mark.parametrize(
    ("rate", "exact"),
    [
        ("24000/1001", Fraction(24000, 1001)),
        ("30000/1001", NTSC),
        ("60000/1001", Fraction(60000, 1001)),
        ("25", Fraction(25)),
        ("30", Fraction(30)),
        ("12.5", Fraction(25, 2)),
        ("240", Fraction(60)),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frame_rates_are_exact(tmp_path: Path, rate: str, exact: Fraction, suffix: str) -> None:
    clip = open_video(make_clip(tmp_path / f"clip.{suffix}", size="16x16", fps=rate, seconds=1))
    assert clip.fps == exact
    assert clip.frame_count == pytest.approx(exact, abs=1)


def test_a_long_ntsc_clip_does_not_drift(tmp_path: Path) -> None:
    source = tmp_path / "minute.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=s=16x16:r=30000/1001:d=60", str(source))
    clip = open_video(source)
    assert clip.frame_count == 1799  # 60 s at 30000/1001 begin a 1799th frame
    assert sum(1 for _ in clip.frames()) == 1799
    copy = write_video(tmp_path / "copy.mp4", clip.frames(), fps=clip.fps)
    assert open_video(copy.path) == copy
    assert copy.duration == pytest.approx(1799 * 1001 / 30000)


def test_frames_are_upright_rgb_of_their_own(silent: Path) -> None:
    clip = open_video(silent)
    frames = list(clip.frames())
    assert len(frames) == clip.frame_count == 50
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    assert [time_of(frame) - time_of(frames[0]) for frame in frames] == pytest.approx(
        [index / 25 for index in range(50)], abs=0.03
    )
    assert len(list(clip.frames())) == 50  # a fresh decoder each time


def test_colours_survive_writing_and_reading(tmp_path: Path) -> None:
    colours = np.array([[200, 30, 30], [30, 160, 60], [40, 60, 200], [230, 190, 170]], np.uint8)
    frame = np.repeat(np.repeat(colours.reshape(2, 2, 3), 64, 0), 64, 1)
    clip = write_video(tmp_path / "colours.mp4", [frame] * 3, fps=25)
    read = next(clip.frames())
    for row in (32, 96):
        for column in (32, 96):
            assert np.abs(read[row, column].astype(int) - frame[row, column]).max() <= 4
    assert "bt709" in describe(clip.path)


def test_changing_rates_become_one_without_drift(tmp_path: Path) -> None:
    uneven = "select='lt(t,2)+not(mod(n,3))'"  # two seconds at 30 frames a second, two at 10
    clip = open_video(make_clip(tmp_path / "uneven.mp4", fps="30", seconds=4, filters=uneven))
    frames = list(clip.frames())
    assert len(frames) == clip.frame_count
    assert clip.duration == pytest.approx(4, abs=0.11)
    shown = np.array([time_of(frame) for frame in frames])
    expected = np.arange(len(frames)) / float(clip.fps)
    assert np.abs(shown - shown[0] - expected).max() < 0.11  # never more than a frame of the slow part off
    assert shown[-1] - shown[0] == pytest.approx(expected[-1], abs=0.11)


def test_phone_clips_stand_upright(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "phone.mp4", filters="drawbox=x=0:y=0:w=16:h=12:color=white:t=fill")
    clip = open_video(turn_upright(source))
    assert (clip.width, clip.height) == (48, 64)
    frame = next(clip.frames())
    assert frame.shape == (64, 48, 3)
    assert frame[8, 42].min() > 200  # the white corner has moved from top left to top right
    assert frame[8, 5].max() < 60


def test_wide_pixels_are_made_square(tmp_path: Path) -> None:
    clip = open_video(make_clip(tmp_path / "wide.mp4", filters="setsar=4/3"))
    assert (clip.width, clip.height) == (85, 48)
    assert next(clip.frames()).shape == (48, 85, 3)


def test_frames_can_be_decoded_smaller(silent: Path) -> None:
    clip = open_video(silent)
    assert next(clip.frames(max_side=32)).shape == (24, 32, 3)
    assert next(clip.frames(max_side=640)).shape == (48, 64, 3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mpg"])
@pytest.mark.parametrize(("start", "first"), [(1.21, 36), (3.42, 102)])
def test_spans_begin_and_end_on_time(tmp_path: Path, suffix: str, start: float, first: int) -> None:
    options = ("-g", "60")
    source = make_clip(tmp_path / f"clip.{suffix}", fps="30000/1001", seconds=4.3, options=options)
    whole = [time_of(frame) for frame in open_video(source).frames()]
    clip = open_video(source, start=start, duration=0.8)
    assert clip.start == pytest.approx(first / NTSC)
    assert clip.frame_count == 24
    shown = [time_of(frame) for frame in clip.frames()]
    assert shown == pytest.approx(whole[first : first + 24], abs=0.012)  # the very frames, none doubled or dropped


def test_a_span_ends_with_the_clip(silent: Path) -> None:
    assert open_video(silent, duration=1e300) == open_video(silent)
    clip = open_video(silent, start=1.52, duration=10)
    assert clip.duration == pytest.approx(0.48)
    assert sum(1 for _ in clip.frames()) == clip.frame_count == 12


@pytest.mark.parametrize(
    ("start", "duration", "message"),
    [
        (-1, None, "has to be 0 or more"),
        (float("nan"), None, "has to be 0 or more"),
        (0, 0, "has to be more than 0"),
        (0, -3, "has to be more than 0"),
        (0, float("inf"), "has to be more than 0"),
        (7, None, "past the end"),
        (0, 0.03, "selected part .* has fewer than two frames"),
    ],
)
def test_spans_outside_the_clip_are_refused(silent: Path, start: float, duration: float | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_video(silent, start=start, duration=duration)


# Clips that can't be used


def test_files_that_are_no_clips(tmp_path: Path, folder: Path) -> None:
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.touch()
    text.write_text("dame da ne\n" * 50)
    sound = make_clicks(tmp_path / "sound.wav")
    cases = {
        tmp_path / "none.mp4": "no video at",
        tmp_path: "is a folder",
        empty: "is empty",
        text: "can't be read as a video",
        sound: "sound but no picture",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            open_video(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_song_with_a_cover_is_no_clip(tmp_path: Path) -> None:
    cover, song = tmp_path / "cover.png", tmp_path / "song.mp3"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", str(cover))
    tracks = ["-i", str(make_clicks(tmp_path / "song.wav")), "-i", str(cover), "-map", "0:a", "-map", "1:v"]
    ffmpeg(*tracks, "-c:v", "copy", "-disposition:v", "attached_pic", str(song))
    with pytest.raises(InputError, match="sound but no picture"):
        open_video(song)


def test_a_still_and_a_clip_without_frames(tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", str(still))
    with pytest.raises(InputError, match="one frame"):
        open_video(still)
    with pytest.raises(InputError, match="one frame"):
        open_video(write_video(tmp_path / "one.mp4", plain(1), fps=25).path)
    header = tmp_path / "header.avi"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32:d=1", "-frames:v", "0", str(header))
    with pytest.raises(InputError, match=r"header\.avi (can't be read|is empty)"):
        open_video(header)


def test_a_download_that_broke_off(tmp_path: Path) -> None:
    noise = "noise=alls=60:allf=t"
    whole = make_clip(tmp_path / "whole.mp4", seconds=4, filters=noise, options=("-movflags", "+faststart"))
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match=r"half\.mp4 is incomplete, it breaks off after \d\.\d+ s of 4\.00 s"):
        open_video(half)
    good = open_video(half, duration=1)
    assert sum(1 for _ in good.frames()) == 25
    no_index = make_clip(tmp_path / "no_index.mp4", seconds=4, filters=noise)
    no_index.write_bytes(no_index.read_bytes()[: no_index.stat().st_size // 2])
    with pytest.raises(InputError, match=r"no_index\.mp4 can't be read as a video: it is damaged, incomplete"):
        open_video(no_index)


def test_a_file_that_shrinks_later_names_the_time(tmp_path: Path) -> None:
    options = ("-movflags", "+faststart")
    source = make_clip(tmp_path / "clip.mp4", seconds=4, filters="noise=alls=60:allf=t", options=options)
    clip = open_video(source)
    os.truncate(source, source.stat().st_size // 3)
    with pytest.raises(InputError, match=r"clip\.mp4 can't be read past \d\.\d\d s: get the file again"):
        list(clip.frames())


# Writing


def test_a_written_clip_plays_everywhere(tmp_path: Path, sounding: Path) -> None:
    clip = open_video(sounding)
    result = write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    told = describe(result.path)
    assert re.search(r"Video: h264.*yuv420p\(tv, bt709", told)
    assert "bt709/unknown" not in told
    assert "Audio: aac" in told
    data = result.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert open_video(result.path) == result
    assert result.has_audio
    assert result.fps == NTSC
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v", ".MP4"])
def test_every_known_ending_works(tmp_path: Path, suffix: str) -> None:
    result = write_video(tmp_path / f"out{suffix}", plain(), fps=29.97)
    assert result.fps == NTSC
    assert open_video(result.path).frame_count == 5
    assert not result.has_audio


def test_odd_sizes_lose_one_row_and_column(tmp_path: Path) -> None:
    result = write_video(tmp_path / "odd.mp4", plain(height=49, width=67), fps=25)
    assert (result.width, result.height) == (66, 48)
    assert next(result.frames()).shape == (48, 66, 3)


def test_views_that_are_not_contiguous_can_be_written(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(128, dtype=np.uint8)[None, :, None], 48, 0).repeat(3, 2)
    result = write_video(tmp_path / "flipped.mp4", [ramp[:, ::-1]] * 2, fps=25)
    assert np.abs(next(result.frames()).astype(int) - ramp[:, ::-1]).max() < 8


@pytest.mark.parametrize("start", [0.0, 0.7123, 1.5])
def test_sound_stays_with_the_picture(tmp_path: Path, sounding: Path, start: float) -> None:
    clip = open_video(sounding, start=start)
    result = write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    expected = [time - clip.start for time in (1.0, 2.0) if time > clip.start]
    assert clicks(result.path) == pytest.approx(expected, abs=0.005)
    assert len(samples_of(result.path)) / RATE == pytest.approx(result.duration, abs=0.022)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "pcm_s16le"), ("mpg", "mp2")])
def test_sound_that_begins_late_stays_late(tmp_path: Path, suffix: str, codec: str) -> None:
    sound, options = make_clicks(tmp_path / "clicks.wav", seconds=2, at=(1.0,)), ("-c:a", codec)
    source = make_clip(tmp_path / f"late.{suffix}", seconds=3, sound=sound, sound_delay=0.5, options=options)
    clip = open_video(source, start=0.2)
    result = write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    assert clicks(result.path) == pytest.approx([1.3], abs=0.005)


def test_sound_late_in_a_long_clip(tmp_path: Path) -> None:
    sound = make_clicks(tmp_path / "clicks.wav", seconds=40, at=(33.25,))
    source = make_clip(tmp_path / "long.mp4", size="16x16", fps="10", seconds=40, sound=sound)
    clip = open_video(source, start=32.4, duration=2)
    result = write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    assert clicks(result.path) == pytest.approx([0.85], abs=0.005)


@pytest.mark.parametrize(("seconds", "heard"), [(0.5, [0.2]), (9.0, [0.2, 1.0])])
def test_sound_is_exactly_as_long_as_the_picture(tmp_path: Path, seconds: float, heard: list[float]) -> None:
    song = make_clicks(tmp_path / "song.wav", seconds=seconds, at=tuple(t for t in (0.2, 1.0, 5.0) if t < seconds))
    result = write_video(tmp_path / "out.mp4", plain(50), fps=25, audio=song)
    assert clicks(result.path) == pytest.approx(heard, abs=0.005)
    assert len(samples_of(result.path)) / RATE == pytest.approx(2.0, abs=0.022)
    assert "Duration: 00:00:02.0" in describe(result.path)


def test_the_sound_of_another_clip_can_be_used(tmp_path: Path, sounding: Path) -> None:
    result = write_video(tmp_path / "out.mp4", plain(40), fps=25, audio=str(sounding))
    assert clicks(result.path) == pytest.approx([1.0], abs=0.005)


def test_a_silent_driver_is_said_so(tmp_path: Path, silent: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = open_video(silent)
    assert not clip.has_audio
    with caplog.at_level(logging.INFO):
        result = write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    assert not result.has_audio
    assert "Audio" not in describe(result.path)
    assert "silent.mp4 has no sound" in caplog.text


def test_a_span_after_the_sound_is_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sound = make_clicks(tmp_path / "clicks.wav", seconds=1, at=(0.5,))
    clip = open_video(make_clip(tmp_path / "clip.mp4", seconds=3, sound=sound), start=2)
    with caplog.at_level(logging.INFO):
        result = write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    assert not result.has_audio
    assert "ends before the selected part" in caplog.text


def test_unusable_sound_is_refused_before_any_work(tmp_path: Path, silent: Path) -> None:
    def untouched() -> Iterator[np.ndarray]:
        pytest.fail("a frame was made")
        yield from plain()

    text = tmp_path / "song.mp3"
    text.write_text("not a song")
    for sound, message in {
        silent: "has no sound",
        text: "has no sound",
        tmp_path / "none.mp3": "no sound file",
    }.items():
        with pytest.raises(InputError, match=message):
            write_video(tmp_path / "out.mp4", untouched(), fps=25, audio=sound)


@pytest.mark.parametrize(
    "name", ["-dash.mp4", "with space.mp4", "ütf-8 歌.mp4", "a:b.mp4", "100%d.mp4", "it's [1].mp4"]
)
def test_awkward_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sounding: Path, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    driving = Path("in", name)
    driving.write_bytes(sounding.read_bytes())
    clip = open_video(driving, duration=0.3)
    result = write_video(name, clip.frames(), fps=clip.fps, audio=clip)
    assert result.path == tmp_path / name
    assert open_video(name).frame_count == 9
    write_video("second.mp4", clip.frames(), fps=clip.fps, audio=name)


# Nothing is lost


def test_refused_outputs(tmp_path: Path, silent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.mp4").mkdir()
    cases = {
        "out.avi": r"unknown ending: use one of \.mp4, \.mov, \.m4v, \.webm, \.gif, \.webp, \.apng, \.png",
        "out": "unknown ending",
        "missing/out.mp4": "There is no folder",
        "folder.mp4": "is a folder",
        f"{'x' * 300}.mp4": "can't be a file name",
        f"{'x' * 300}/out.mp4": "can't be a file name",
    }
    for name, message in cases.items():
        with pytest.raises(OutputError, match=message):
            write_video(tmp_path / name, plain(), fps=25)
    with pytest.raises(OutputError, match=r"There is no folder .*~nobody-has-this-name"):
        check_output("~nobody-has-this-name/out.mp4")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="read-only"):
        check_output(tmp_path / "out.mp4")


def test_a_folder_where_nothing_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"can't be written .*Permission denied"):
        write_video(tmp_path / "out.mp4", plain(), fps=25)


def test_an_input_is_never_overwritten(tmp_path: Path, sounding: Path) -> None:
    driving = tmp_path / "driving.mp4"
    driving.write_bytes(sounding.read_bytes())
    link = tmp_path / "link.mp4"
    link.symlink_to(driving)
    clip = open_video(driving)
    for path in (driving, link):
        with pytest.raises(OutputError, match="also an input"):
            write_video(path, clip.frames(), fps=clip.fps, audio=clip)
        with pytest.raises(OutputError, match="also an input"):
            write_video(path, plain(), fps=25, audio=driving)
    with pytest.raises(OutputError, match="also an input"):
        clip.save(driving)
    assert driving.read_bytes() == sounding.read_bytes()
    assert check_output(tmp_path / "new.mp4", inputs=[driving, "https://host/x.mp4"]) == tmp_path / "new.mp4"
    long = f"https://host/{'x' * 5000}.mp4"
    assert check_output(link, inputs=[long]) == link


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, RuntimeError])
def test_a_failed_run_leaves_no_trace(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]], error: type[BaseException]
) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")

    def failing() -> Iterator[np.ndarray]:
        yield from plain(3)
        raise error

    with pytest.raises(error):
        write_video(out, failing(), fps=25)
    assert out.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [out]
    assert processes
    assert all(process.poll() is not None for process in processes)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frames to write"),
        ([*plain(2), *plain(1, width=32)], "Frame 2 is 32 x 48, but the first is 64 x 48"),
        ([np.zeros((48, 64, 3))], "Frame 0 is float64"),
        ([np.zeros((48, 64), np.uint8)], "Frame 0 is uint8"),
    ],
)
def test_frames_that_do_not_fit(tmp_path: Path, frames: list[np.ndarray], message: str) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")
    with pytest.raises(InputError, match=message):
        write_video(out, iter(frames), fps=25)
    assert out.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("fps", [0, -25, float("nan"), Fraction(0)])
def test_impossible_frame_rates(tmp_path: Path, fps: float) -> None:
    with pytest.raises(InputError, match="can't have"):
        write_video(tmp_path / "out.mp4", plain(), fps=fps)


@pytest.mark.parametrize("step", ["encoding", "mixing"])
def test_a_full_disk(tmp_path: Path, sounding: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")
    (tmp_path / "bin").mkdir()
    real = ffmpeg_module.ffmpeg_exe()
    full = 'echo "av_interleaved_write_frame(): No space left on device" >&2; exit 228'
    when = "*libx264*" if step == "encoding" else "*apad*"
    fake = fake_ffmpeg(tmp_path / "bin", f'case "$*" in {when}) {full};; esac; exec "{real}" "$@"')
    monkeypatch.setattr(ffmpeg_module, "ffmpeg_exe", lambda: fake)
    with pytest.raises(OutputError, match="The disk is full"):
        write_video(out, plain(400), fps=25, audio=sounding)
    assert out.read_bytes() == b"earlier"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bin", "out.mp4"]


def test_words_of_ffmpeg_are_only_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="memegen")
    fake = fake_ffmpeg(tmp_path, 'echo "[libx264 @ 0x7f] the encoder fell over" >&2; exit 1')
    monkeypatch.setattr(ffmpeg_module, "ffmpeg_exe", lambda: fake)
    with pytest.raises(OutputError, match=r"out\.mp4 can't be written: write to another folder\.$"):
        write_video(tmp_path / "out.mp4", plain(), fps=25)
    assert "the encoder fell over" in caplog.text


def test_no_ffmpeg_at_all(silent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with pytest.raises(UnavailableError, match="imageio-ffmpeg"):
        open_video(silent)


# Processes


def test_decoders_end_with_their_generator(silent: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    clip = open_video(silent)
    processes.clear()
    frames = clip.frames()
    next(frames)
    assert processes[0].poll() is None or processes[0].returncode == 0
    frames.close()
    assert processes[0].returncode is not None
    list(clip.frames())
    assert processes[1].returncode is not None


def test_a_failed_write_ends_the_decoder_behind_it(
    tmp_path: Path, silent: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    clip = open_video(silent)
    frames = clip.frames()
    next(frames)
    with pytest.raises(InputError):
        write_video(tmp_path / "out.mp4", _and_then_a_small_one(frames), fps=25)
    frames.close()
    assert all(process.poll() is not None for process in processes)


def _and_then_a_small_one(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield next(frames)
    yield next(frames)[:8]


def test_a_talkative_decoder_never_stalls(silent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = open_video(silent)
    size = clip.frame_count * clip.width * clip.height * 3
    fake = fake_ffmpeg(tmp_path, f"yes a warning | head -c 2000000 >&2; head -c {size} /dev/zero")
    monkeypatch.setattr(ffmpeg_module, "ffmpeg_exe", lambda: fake)
    assert sum(1 for _ in clip.frames()) == clip.frame_count


def test_nothing_is_left_open(tmp_path: Path, sounding: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    clip = open_video(sounding)
    write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip)
    gc.collect()  # a ResourceWarning would be an error here
    assert all(process.poll() is not None for process in processes)


# Sound


def test_sound_is_made_without_a_word(tmp_path: Path, sounding: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "out.mp4", plain(), fps=25, audio=sounding)
    assert capfd.readouterr() == ("", "")


# Saving and showing


def test_save_copies_a_whole_clip(tmp_path: Path, sounding: Path) -> None:
    path = open_video(sounding).save(tmp_path / "copy.mp4")
    assert path == tmp_path / "copy.mp4"
    assert path.read_bytes() == sounding.read_bytes()
    with pytest.raises(OutputError, match="unknown ending"):
        open_video(sounding).save(tmp_path / "copy.avi")


def test_save_cuts_a_span(tmp_path: Path, sounding: Path) -> None:
    for start, duration in ((0.8, 1.0), (0.0, 1.5)):
        saved = open_video(open_video(sounding, start=start, duration=duration).save(tmp_path / "cut.mp4"))
        assert saved.duration == pytest.approx(duration, abs=0.02)
        assert clicks(saved.path) == pytest.approx([1.0 - round(start * NTSC) / NTSC], abs=0.005)


def test_a_failed_save_keeps_what_was_there(tmp_path: Path, sounding: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="The disk is full"):
        open_video(sounding).save(out)
    assert out.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [out]


def test_a_clip_plays_inline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_video(tmp_path / '<b>&"me".mp4', plain(), fps=25)
    page = clip._repr_html_()
    assert page.startswith("<video controls")
    assert 'src="data:video/mp4;base64,' in page
    assert 'title="&lt;b&gt;&amp;&quot;me&quot;.mp4"' in page
    assert "max-width: 100%" in page
    monkeypatch.setattr(video, "INLINE_BYTES", 10)
    assert "too large to play here" in clip._repr_html_()
    clip.path.unlink()
    assert "no longer there" in clip._repr_html_()


def test_a_video_is_a_value(silent: Path) -> None:
    assert open_video(silent) == open_video(str(silent))
    assert isinstance(open_video(silent), Video)
    assert len({open_video(silent), open_video(silent)}) == 1


def test_real_talking_heads() -> None:
    clips = sorted(Path(__file__).parents[1].parent.joinpath("shared", "media", "grid").glob("*.mpg"))
    if not clips:
        pytest.skip("the talking heads are not here")
    clip = open_video(clips[0])
    assert (clip.fps, clip.width, clip.height, clip.has_audio) == (25, 360, 288, True)
    assert sum(1 for _ in clip.frames()) == clip.frame_count == 75


def test_a_decoder_left_open_does_not_abort_python(silent: Path) -> None:
    script = (
        "import sys\nfrom memegen import open_video\nframes = open_video(sys.argv[1]).frames()\nnext(frames)\n"
        "class Cycle: pass\ncycle = Cycle()\ncycle.me, cycle.frames = cycle, frames\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(silent)], check=False).returncode == 0


def test_a_crop_shows_its_part_and_stays_within_the_picture(silent: Path) -> None:
    whole = open_video(silent)
    part = whole.cropped((8, 4, 40, 9999))
    assert (part.width, part.height) == (32, whole.height - 4)
    for cropped, frame in zip(part.frames(), whole.frames(), strict=True):
        assert np.abs(cropped.astype(int) - frame[4:, 8:40]).mean() < 4
    with pytest.raises(InputError, match="leaves nothing"):
        whole.cropped((9000, 0, 9100, 50))
