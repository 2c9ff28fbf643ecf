"""Sound: what is heard when, how loud, and that it stays with the picture from end to end."""

from __future__ import annotations

import math
import re
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from media import RATE, clicks, make_clicks, make_flash, noise, samples_of

from memegen.base.downloads import asset
from memegen.base.errors import InputError
from memegen.media.options import Sound
from memegen.media.sound import SoundSpan as Span
from memegen.media.sound import soundtrack
from memegen.media.video import open_video, write_video


def make_wav(path: Path, samples: np.ndarray) -> Path:
    """Write samples in [-1, 1] at 48 kHz, the same left and right."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((samples * 32767).astype(np.int16).repeat(2).tobytes())
    return path


def tone(seconds: float, *, level: float = 0.05, pitch: float = 440.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)


def loudness(path: Path) -> tuple[float, float]:
    """Return a sound's integrated loudness, LUFS, and true peak, dBTP."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stderr.decode()
    summary = said.rpartition("Summary:")[2]
    loud, peak = re.search(r"I:\s+(\S+) LUFS", summary), re.search(r"Peak:\s+(\S+) dBFS", summary)
    assert loud
    assert peak
    return float(loud[1]), float(peak[1])


def track(folder: Path, *sources: Path | Span, length: float, **options: Any) -> Path | None:
    spans = [source if isinstance(source, Span) else Span(source) for source in sources]
    (folder / "track").mkdir(exist_ok=True)
    sound = Sound(**{"loudness": None, **options})
    return soundtrack(spans, length=length, sound=sound, folder=folder / "track", name=folder / "out.mp4")


def heard(*args: Any, **options: Any) -> list[float]:
    path = track(*args, **options)
    assert path
    return clicks(path)


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with clicks at 0.5 and 1.0."""
    return make_clicks(tmp_path_factory.mktemp("ticks") / "ticks.wav", seconds=2.0, at=(0.5, 1.0))


# What is heard when


@pytest.mark.parametrize(
    ("options", "times"),
    [
        ({}, [0.5, 1.0]),
        ({"offset": 250}, [0.75, 1.25]),
        ({"offset": -250.0}, [0.25, 0.75]),
        ({"offset": -700}, [0.3]),
        ({"loop": True}, [0.5, 1.0, 2.5, 3.0]),
        ({"loop": True, "offset": 300}, [0.8, 1.3, 2.8, 3.3]),
        ({"loop": True, "offset": -600}, [0.4, 1.8, 3.2]),
    ],
)
def test_offsets_and_loops_are_exact(tmp_path: Path, ticks: Path, options: dict[str, Any], times: list[float]) -> None:
    assert heard(tmp_path, ticks, length=3.4, **options) == pytest.approx(times, abs=0.0005)


def test_a_span_is_cut_to_the_sample_and_repeated_as_it_is(tmp_path: Path, ticks: Path) -> None:
    assert heard(tmp_path, Span(ticks, 0.25, 0.6), length=2.0) == pytest.approx([0.25, 0.75], abs=0.0005)
    looped = heard(tmp_path, Span(ticks, 0.25, 0.6), length=2.0, loop=True)
    assert looped == pytest.approx([0.25, 0.85, 1.45], abs=0.0005)
    path = track(tmp_path, Span(ticks, 0.25), length=1.0)
    assert path
    assert len(samples_of(path)) == RATE


@pytest.mark.parametrize("offset", [5000, -5000])
def test_sound_moved_out_of_the_picture_is_none(tmp_path: Path, ticks: Path, offset: float) -> None:
    assert track(tmp_path, ticks, length=2.0, offset=offset) is None


def test_fades_go_up_and_down_in_a_line(tmp_path: Path) -> None:
    song = make_wav(tmp_path / "song.wav", tone(5.0, level=0.5))
    path = track(tmp_path, song, length=3.0, fade_in=1.0, fade_out=0.5)
    assert path
    samples = samples_of(path)

    def level(time: float) -> float:
        return float(np.abs(samples[round(time * RATE) :][:480]).max() / 0.5)

    assert [level(time) for time in (0.0, 0.5, 1.5, 2.75, 2.985)] == pytest.approx([0, 0.5, 1, 0.5, 0], abs=0.05)


def test_a_short_song_fades_out_at_its_own_end(tmp_path: Path) -> None:
    song = make_wav(tmp_path / "song.wav", tone(1.0, level=0.5))
    path = track(tmp_path, song, length=3.0, offset=200, fade_out=9.0)
    assert path
    samples = np.abs(samples_of(path))
    assert samples[: round(0.19 * RATE)].max() < 0.001
    assert samples[round(1.15 * RATE) :].max() < 0.05
    assert 0.2 < samples[round(0.55 * RATE) : round(0.65 * RATE)].max() < 0.4


def test_a_duet_is_heard_together_and_never_overdriven(tmp_path: Path, ticks: Path) -> None:
    other = make_clicks(tmp_path / "other.wav", seconds=1.0, at=(0.75,))
    assert heard(tmp_path, ticks, other, length=2.0) == pytest.approx([0.5, 0.75, 1.0], abs=0.0005)
    loud = [make_wav(tmp_path / f"{pitch}.wav", tone(2.0, level=0.9, pitch=pitch)) for pitch in (440, 441)]
    path = track(tmp_path, *loud, length=2.0)
    assert path
    assert loudness(path)[1] <= -1.0


# How loud


@pytest.mark.parametrize("level", [0.01, 0.1, 0.9])
def test_loudness_is_what_was_asked_for(tmp_path: Path, level: float) -> None:
    steady = make_wav(tmp_path / "steady.wav", tone(3.0, level=level, pitch=997))
    path = track(tmp_path, steady, length=3.0, loudness=-14.0)
    assert path
    assert samples_of(path).max() == pytest.approx(
        10 ** (-14 / 20), rel=0.02
    )  # 0 LUFS is a full 997 Hz tone, by definition
    assert loudness(path)[0] == pytest.approx(-14.0, abs=0.1)


def test_a_real_song_is_levelled_through_the_encoder(tmp_path: Path) -> None:
    singer = open_video(asset("templates/daisy-bell.mp4"), duration=6.0)
    result = write_video(tmp_path / "out.mp4", noise(150), fps=25, audio=singer, sound=Sound())
    measured, peak = loudness(result.path)
    assert measured == pytest.approx(-14.0, abs=1.0)
    assert peak <= -1.0
    before, after = samples_of(singer.path)[: 6 * RATE], samples_of(result.path)[: 6 * RATE]
    size = min(len(before), len(after))
    assert np.corrcoef(before[:size], after[:size])[0, 1] > 0.95


def test_peaks_are_held_back_without_moving_them(tmp_path: Path, ticks: Path) -> None:
    path = track(tmp_path, ticks, length=2.0, loudness=-10.0)
    assert path
    assert loudness(path)[1] <= -1.0
    assert clicks(path) == pytest.approx([0.5, 1.0], abs=0.0005)


def test_silence_stays_silent_and_short_sounds_survive(tmp_path: Path) -> None:
    silence = track(tmp_path, make_wav(tmp_path / "silence.wav", np.zeros(RATE)), length=1.0, loudness=-14.0)
    assert silence
    assert not samples_of(silence).any()
    short = track(tmp_path, make_wav(tmp_path / "short.wav", tone(0.08)), length=1.0, loudness=-14.0)
    assert short
    assert len(samples_of(short)) == round(0.08 * RATE)
    assert samples_of(short).max() == pytest.approx(0.05, abs=0.002)


def test_a_room_is_not_turned_into_a_roar(tmp_path: Path) -> None:
    hiss = np.random.default_rng(0).normal(0, 0.0003, 2 * RATE)
    path = track(tmp_path, make_wav(tmp_path / "hiss.wav", hiss), length=2.0, loudness=-14.0)
    assert path
    assert loudness(path)[0] < -30


def test_nothing_is_changed_without_being_asked(tmp_path: Path) -> None:
    song = tone(1.0, level=0.3)
    path = track(tmp_path, make_wav(tmp_path / "song.wav", song), length=1.0)
    assert path
    assert np.abs(samples_of(path) - song).max() < 0.001


# Into the clip


def test_a_clip_takes_sounds_of_every_kind(tmp_path: Path, ticks: Path) -> None:
    driving = tmp_path / "driving.mp4"
    time = make_flash(driving, frame=30)
    clip = open_video(driving, start=0.4)
    out = tmp_path / "out.mp4"
    both = write_video(out, noise(50), fps=25, audio=[clip, str(ticks)], sound=Sound(offset=100, loudness=None))
    assert clicks(both.path) == pytest.approx([0.6, time - 0.4 + 0.1, 1.1], abs=0.005)
    part = open_video(driving, start=0.8, duration=1)
    looped = write_video(out, noise(75), fps=25, audio=part, sound=Sound(loop=True, loudness=None))
    assert clicks(looped.path) == pytest.approx([0.4, 1.4, 2.4], abs=0.005)
    assert len(samples_of(looped.path)) / RATE == pytest.approx(looped.duration, abs=1 / 25)
    silent = open_video(write_video(tmp_path / "silent.mp4", noise(5), fps=25).path)
    assert not write_video(out, noise(5), fps=25, audio=[silent, silent]).has_audio
    assert write_video(out, noise(25), fps=25, audio=[silent, ticks]).has_audio
    assert not write_video(out, noise(5), fps=25, audio=[]).has_audio


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset": math.nan}, "offset is nan: give a number of milliseconds"),
        ({"fade_in": -1}, "fade in is -1: give 0 or more seconds"),
        ({"fade_out": math.inf}, "fade out is inf"),
        ({"loudness": 3.0}, "loudness is 3: give -40 to -5 LUFS"),
        ({"loudness": math.nan}, "loudness is nan"),
    ],
)
def test_settings_that_make_no_sense(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sound(**options)


# With the picture


@pytest.mark.parametrize(
    ("fps", "jitter", "frame"),
    [
        ("24000/1001", 0.0, 37),
        ("25", 0.0, 36),
        ("30000/1001", 0.0, 43),
        ("60000/1001", 0.0, 77),
        ("30", 0.012, 36),
        ("24", 0.009, 52),
        ("60", 0.012, 100),
    ],
)
@pytest.mark.parametrize("start", [0.0, 0.4])
def test_a_flash_and_its_click_stay_together(tmp_path: Path, fps: str, jitter: float, frame: int, start: float) -> None:
    source = tmp_path / "in.mp4"
    time = make_flash(source, fps=fps, frame=frame, jitter=jitter)
    clip = open_video(source, start=start)
    result = open_video(write_video(tmp_path / "out.mp4", clip.frames(), fps=clip.fps, audio=clip).path)
    flash = next(index for index, image in enumerate(result.frames()) if image.mean() > 110) / float(result.fps)
    [click] = clicks(result.path)
    assert abs(flash - click) < 0.020
    assert click == pytest.approx(time - clip.start, abs=0.005)


def test_the_sound_is_made_while_the_picture_is(tmp_path: Path) -> None:
    clip = open_video(asset("templates/daisy-bell.mp4"), duration=0.4)
    seen: list[Path] = []

    def pictures() -> Iterator[np.ndarray]:
        for frame in clip.frames():
            for _ in range(600):  # the last picture waits for the sound
                seen[:] = tmp_path.rglob("sound-0.wav")
                if seen:
                    break
                time.sleep(0.05)
            yield frame

    made = write_video(tmp_path / "made.mp4", pictures(), fps=clip.fps, audio=clip)
    assert seen
    assert made.has_audio
