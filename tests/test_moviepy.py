"""The bridge to moviepy, with whichever of its versions is installed: frames and clicks stay where they are."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import clicks, make_clicks, make_clip, samples_of, time_of, turn_upright

import memegen
from memegen.base.errors import InputError, OutputError, UnavailableError
from memegen.media.video import Video, from_moviepy, open_video

pytest.importorskip("moviepy")


def cut(clip: Any, start: float, end: float) -> Any:
    return clip.subclipped(start, end) if hasattr(clip, "subclipped") else clip.subclip(start, end)


def later(clip: Any, start: float) -> Any:
    return clip.with_start(start) if hasattr(clip, "with_start") else clip.set_start(start)


@pytest.fixture(scope="module", params=["24000/1001", "25", "30000/1001"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Video:
    folder = tmp_path_factory.mktemp("moviepy")
    sound = make_clicks(folder / "clicks.wav", at=(0.5, 1.25, 2.0))
    return open_video(make_clip(folder / "in.mp4", fps=request.param, seconds=3, sound=sound), start=0.25)


def test_a_clip_goes_to_moviepy_and_back(tmp_path: Path, clip: Video) -> None:
    movie = clip.to_moviepy()
    assert movie.size in ([64, 48], (64, 48))
    assert movie.duration == pytest.approx(clip.duration)
    for index in (0, 30, 31, 7, 2):  # backwards too
        wanted = list(clip.frames())[index]
        assert np.array_equal(movie.get_frame(float(index / clip.fps)), wanted)
    back = from_moviepy(movie, tmp_path / "back.mp4")
    assert (back.fps, back.frame_count, back.has_audio) == (clip.fps, clip.frame_count, True)
    assert back == open_video(back.path)
    shown, wanted = ([time_of(frame) for frame in video.frames()] for video in (back, clip))
    assert shown == pytest.approx(wanted, abs=0.02)
    assert clicks(back.path) == pytest.approx([time - clip.start for time in (0.5, 1.25, 2.0)], abs=0.002)


def test_edits_keep_picture_and_sound_together(tmp_path: Path, clip: Video) -> None:
    from moviepy.video.compositing.CompositeVideoClip import CompositeVideoClip

    movie = clip.to_moviepy()
    first, second = cut(movie, 0.5, 1.5), cut(movie, 0.0, 0.5)
    both = CompositeVideoClip([first, later(second, first.duration)])
    result = from_moviepy(both, tmp_path / "out.mp4")
    assert result.fps == clip.fps
    assert result.duration == pytest.approx(1.5, abs=0.03)
    assert clicks(result.path) == pytest.approx([1.25 - clip.start - 0.5, 1.0 + 0.5 - clip.start], abs=0.003)
    frames = list(result.frames())
    assert time_of(frames[0]) == pytest.approx(clip.start + 0.5, abs=0.06)
    assert time_of(frames[-1]) == pytest.approx(clip.start + 0.5, abs=0.06)


def test_a_long_clip_does_not_drift(tmp_path: Path) -> None:
    """moviepy writes 23.976 as 23.98: after ten minutes its picture is 100 ms early."""
    from moviepy.audio.AudioClip import AudioClip
    from moviepy.video.VideoClip import VideoClip

    movie = VideoClip(lambda t: np.full((16, 16, 3), 255 * (t > 599), np.uint8), duration=600.6)
    movie.fps = 24000 / 1001
    sound = AudioClip(lambda t: np.stack([np.abs(t - 599) < 0.005] * 2, -1) * 0.9, duration=600.6, fps=8000)
    movie.audio = sound
    result = from_moviepy(movie, tmp_path / "out.mp4")
    assert (result.fps, result.frame_count) == (Fraction(24000, 1001), 14400)
    flash = next(index for index, frame in enumerate(result.frames()) if frame.mean() > 128) / result.fps
    [click] = clicks(result.path)
    assert click == pytest.approx(599, abs=0.006)
    assert float(flash) == pytest.approx(599, abs=0.042)


def test_any_moviepy_clip_can_be_written(tmp_path: Path) -> None:
    from moviepy.audio.AudioClip import AudioClip
    from moviepy.video.VideoClip import ColorClip

    movie = ColorClip((65, 48), color=(200, 30, 30), duration=0.5)
    with pytest.raises(InputError, match="None frames a second: set both"):
        from_moviepy(movie, tmp_path / "out.gif")
    movie.fps = 10
    with pytest.raises(OutputError, match="unknown ending"):
        from_moviepy(movie, tmp_path / "out.avi")
    assert memegen.from_moviepy(movie, tmp_path / "out.gif").frame_count == 5
    movie.audio = AudioClip(lambda t: 0.5 * np.sin(2 * np.pi * 440 * np.asarray(t)), duration=0.25, fps=22050)  # mono
    result = from_moviepy(movie, tmp_path / "out.mp4", max_size="100kB")
    assert (result.width, result.has_audio) == (64, True)
    assert np.abs(samples_of(result.path)[4800:9600]).max() == pytest.approx(0.5, abs=0.05)
    assert not np.abs(samples_of(result.path)[14400:]).max() > 0.05


def test_phone_clips_stay_upright(tmp_path: Path) -> None:
    source = turn_upright(make_clip(tmp_path / "phone.mp4"))
    movie = open_video(source).to_moviepy()
    assert movie.audio is None
    assert movie.get_frame(1.0).shape == (64, 48, 3)
    assert from_moviepy(movie, tmp_path / "out.mp4").height == 64


def test_without_moviepy_the_way_to_get_it_is_named(clip: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moviepy.video.VideoClip", None)
    with pytest.raises(UnavailableError, match=r'pip install "memegen-sings\[moviepy\]"'):
        clip.to_moviepy()
