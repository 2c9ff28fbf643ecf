"""A song without a video: what is heard in it, what the singer makes of it, and the meme that comes out."""

from __future__ import annotations

import wave
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from media import ffmpeg
from numpy.typing import NDArray

import memegen
from memegen.base.downloads import asset
from memegen.base.errors import InputError, NoPictureError
from memegen.media.options import Cut
from memegen.media.sound import sound_blocks, sound_length
from memegen.media.video import open_video
from memegen.meme import open_song
from memegen.singer.hearing import HEARD_RATE, STEPS, Ear, Heard, features, hear
from memegen.singer.improvising import improvise, phrase_ends
from memegen.singer.miming import mime, mimed_clip
from memegen.singer.puppet import draw_puppet
from memegen.singer.recital import Controls, Recital
from memegen.templates import resolve_driving

DAISY = asset("templates/daisy-bell.mp4")
SECONDS = 6
TIMES = np.arange(SECONDS * HEARD_RATE) / HEARD_RATE

Samples = NDArray[np.floating]


def stereo(sound: Samples) -> NDArray[np.float32]:
    return np.stack([sound, sound], 1).astype(np.float32)


def write(path: Path, sound: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(HEARD_RATE)
        file.writeframes(np.round(32767 * sound).astype("<i2").tobytes())
    return path


def vowels(starts: list[float], seconds: float = 0.3) -> Samples:
    """An "ah" at each start: harmonics of 120 Hz under two formants."""
    sound = np.zeros(len(TIMES))
    for k in range(1, 40):
        hertz = 120 * k
        gain = sum(np.exp(-(((hertz - formant) / 150) ** 2)) for formant in (750, 1200)) + 0.01
        sound += gain * np.sin(2 * np.pi * hertz * TIMES + k)
    on = sum(np.clip((TIMES - s) / 0.01, 0, 1) * np.clip((s + seconds - TIMES) / 0.01, 0, 1) for s in starts)
    return 0.1 * sound * on


def chords() -> Samples:
    """A guitar without a voice: a chord every half second, each string at its place."""
    mix = np.zeros((len(TIMES), 2))
    for beat in range(2 * SECONDS):
        since = np.clip(TIMES - beat / 2, 0, None)
        for string, midi in enumerate((45, 52, 57, 60, 64)):
            hertz = 440 * 2 ** ((midi + (5 if beat % 8 > 3 else 0) - 69) / 12)
            tone = sum(np.exp(-since * (3 + k)) / k * np.sin(2 * np.pi * k * hertz * since) for k in range(1, 9))
            mix += 0.05 * (tone * (since > 0))[:, None] * [string / 4, 1 - string / 4]
    return mix


@cache
def daisy() -> Heard:
    return hear(sound_blocks(DAISY))


def performed(sound: Samples) -> Recital:
    return improvise(hear([sound.astype(np.float32)]), len(sound) / HEARD_RATE)


def r(a: Samples, b: Samples) -> float:
    return float(np.corrcoef(a, b)[0, 1])


# What is heard


def test_blocks_of_any_length_give_the_same() -> None:
    short = hear(sound_blocks(DAISY, seconds=3.01))
    for track, other in zip(daisy(), short, strict=True):
        np.testing.assert_allclose(track, other, rtol=1e-4, atol=1e-5 * np.abs(track).max())
    assert len(daisy().level) == pytest.approx(11.92 * STEPS, abs=2)


def test_a_part_of_a_sound_is_exact(tmp_path: Path) -> None:
    clicks = np.zeros((SECONDS * HEARD_RATE, 2))
    clicks[HEARD_RATE // 2 :: HEARD_RATE] = 0.9
    file = write(tmp_path / "clicks.wav", clicks)
    part = np.concatenate([*sound_blocks(file, start=4.25, length=1.5)])
    assert len(part) == 1.5 * HEARD_RATE
    assert np.flatnonzero(np.abs(part[:, 0]) > 0.5).tolist() == [HEARD_RATE // 4, 5 * HEARD_RATE // 4]
    assert sound_length(file) == pytest.approx(SECONDS, abs=0.02)
    with pytest.raises(NoPictureError, match="make_meme takes it as a song"):
        open_video(file)


def test_what_is_learned_is_small_and_knows_the_singer() -> None:
    assert asset("models/hearing.npz").stat().st_size < 500_000
    mouths = Ear.load().mouths(features(daisy()))
    from memegen.singer.acting import perform
    from memegen.singer.drawing.mouth import gap
    from memegen.singer.fitting import write_score
    from memegen.singer.options import Singing
    from memegen.singer.tunes import TUNES

    score = perform(write_score(TUNES["daisy-bell"], Singing()))
    times = (np.arange(len(score)) + 0.5) / float(score.fps)
    told = np.interp(times, np.arange(len(mouths)) / STEPS, mouths[:, 0])
    assert r(told, np.array([gap(controls) for controls in score])) > 0.55


# What the singer makes of it


def test_silence_is_still() -> None:
    recital = performed(np.zeros((SECONDS * HEARD_RATE, 2)))
    assert len(recital) == SECONDS * 25
    assert {name for name, track in recital.tracks.items() if track.any()} == {"smile", "blink"}


def test_the_mouth_opens_with_each_vowel_and_in_time() -> None:
    starts = [0.6, 1.5, 2.1, 3.3, 4.4]
    recital = performed(stereo(vowels(starts)))
    jaw, frames = recital.tracks["jaw"], (np.arange(len(recital)) + 0.5) / 25
    inside = sum((frames > s) & (frames < s + 0.3) for s in starts).astype(float)
    assert jaw[inside > 0].mean() > 0.15
    assert jaw[inside == 0].mean() < 0.3 * jaw[inside > 0].mean()
    fine = np.arange(0.5, 5.5, 0.005)
    on = sum((fine > s) & (fine < s + 0.3) for s in starts).astype(float)
    lags = np.arange(-0.16, 0.161, 0.01)
    fits = [r(np.interp(fine + lag, frames, jaw), on) for lag in lags]
    assert abs(lags[int(np.argmax(fits))]) <= 0.04


def test_a_band_around_the_voice_changes_little() -> None:
    voice = vowels([0.6, 1.5, 2.1, 3.3, 4.4])
    band = chords()
    band *= np.sqrt(np.mean(voice[voice != 0] ** 2) / np.mean(band**2)) * 10 ** (-6 / 20)
    alone, mixed = (performed(sound).tracks["jaw"] for sound in (stereo(voice), voice[:, None] + band))
    assert r(alone, mixed) > 0.85


def test_music_without_a_voice_gives_a_hum_and_a_sway() -> None:
    recital = performed(chords())
    assert 0.01 < recital.tracks["jaw"][25:-25].mean() < 0.12
    assert np.abs(np.diff(recital.tracks["jaw"])).max() < 0.05
    assert np.ptp(recital.tracks["yaw"]) > 5


def test_the_head_sways_with_the_beat() -> None:
    roll = performed(chords()).tracks["roll"][25:-25]
    spectrum = np.abs(np.fft.rfft(roll - roll.mean(), 4096))
    beat = np.fft.rfftfreq(4096, 1 / 25)[spectrum.argmax()] * 4  # from side to side in two beats
    assert beat == pytest.approx(2.0, rel=0.15)  # chords come twice a second


def test_phrases_end_where_a_rest_follows() -> None:
    sounds = np.zeros(600)
    for begin, end in ((50, 150), (160, 200), (300, 310), (400, 550)):
        sounds[begin:end] = 1
    assert phrase_ends(sounds).tolist() == [200, 550]


def test_the_same_sound_gives_the_same_performance() -> None:
    first, again = (improvise(hear(sound_blocks(DAISY)), 11.92) for _ in range(2))
    assert all(np.array_equal(first.tracks[name], again.tracks[name]) for name in first.tracks)


# How it is drawn


def test_the_puppet_looks_as_the_drawing_does() -> None:
    from memegen.singer.drawing.figure import draw_singer

    controls = [Controls(smile=0.45, jaw=0.5, upper=0.35, lower=0.25, wide=0.1), Controls(smile=0.45, press=0.9)]
    for fast, exact in zip(draw_puppet(controls), draw_singer(controls), strict=True):
        assert fast.shape == exact.shape == (256, 256, 3)
        assert np.abs(fast.astype(float) - exact).mean() < 1.5
    turned = next(iter(draw_puppet([Controls(smile=0.45, yaw=8)]))).astype(float)
    exact = next(iter(draw_singer([Controls(smile=0.45, yaw=8)])))
    assert np.abs(turned - exact)[60:200, 64:192].mean() < 9


# The meme


def test_a_song_makes_a_meme_whose_sound_is_in_time(tmp_path: Path) -> None:
    starts = [0.6, 1.5, 2.1, 3.3, 4.4]
    song = write(tmp_path / "song.wav", stereo(vowels(starts)))
    meme = memegen.make_meme(asset("portrait.jpg"), song, out=tmp_path / "me.mp4", start=1.0, duration=2.0, label=False)
    assert meme.duration == pytest.approx(2.0, abs=0.04)
    heard = np.concatenate([*sound_blocks(meme.path)])[:, 0]
    loud = np.convolve(np.abs(heard), np.ones(160) / 160, "same") > 0.02
    begun = np.flatnonzero(np.diff(loud.astype(int)) == 1) / HEARD_RATE
    assert begun == pytest.approx(np.array([0.5, 1.1]), abs=0.02)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".mp4"] == ["me.mp4"]


def test_the_sound_of_a_video_can_be_followed() -> None:
    clip = resolve_driving(DAISY)
    assert open_song(clip, Cut(duration=0.4)).path == DAISY
    followed = open_song(clip, Cut(duration=0.4, from_sound=True))
    assert followed.path != DAISY
    assert (followed.width, followed.height, followed.has_audio) == (256, 256, True)
    assert followed.duration == pytest.approx(0.4, abs=0.04)


@pytest.mark.parametrize("kind", ["mp3", "m4a", "ogg", "opus", "flac"])
def test_every_kind_of_sound_file(tmp_path: Path, kind: str) -> None:
    codec = {"ogg": ["-c:a", "libvorbis"], "opus": ["-c:a", "libopus"]}.get(kind, [])
    ffmpeg("-i", str(DAISY), "-t", "3", "-vn", *codec, str(tmp_path / f"song.{kind}"))
    file = tmp_path / f"song.{kind}"
    with pytest.raises(NoPictureError):
        open_video(file)
    jaw = mime(file).tracks["jaw"]
    whole = mime(DAISY, until=3.0).tracks["jaw"]
    assert r(jaw[: len(whole)], whole[: len(jaw)]) > 0.9


def test_the_picture_of_an_album_is_no_video(tmp_path: Path) -> None:
    file = tmp_path / "album.mp3"
    cover = ["-i", str(asset("portrait.jpg")), "-map", "0:a", "-map", "1:v", "-disposition:v:0", "attached_pic"]
    ffmpeg("-i", str(DAISY), *cover, "-t", "1", str(file))
    with pytest.raises(NoPictureError):
        open_video(file)


def test_a_clip_is_drawn_once(tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", stereo(vowels([0.2]))[:HEARD_RATE])
    first = mimed_clip(song)
    drawn = first.stat().st_mtime_ns
    assert mimed_clip(song).stat().st_mtime_ns == drawn
    assert mimed_clip(song, until=0.5) != first


# Sounds that are no songs


def test_a_very_short_sound(tmp_path: Path) -> None:
    assert len(mime(write(tmp_path / "short.wav", stereo(vowels([0.0]))[: HEARD_RATE // 5]))) == 5


def test_silence_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mime(write(tmp_path / "silence.wav", np.zeros((HEARD_RATE, 2))))
    assert "silence.wav is silent, so the face stays still." in caplog.text


def test_a_very_long_sound(tmp_path: Path) -> None:
    file = tmp_path / "audiobook.flac"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=7200", str(file))
    with pytest.raises(InputError, match=r"audiobook.flac is 120 minutes long, and the singer performs at most the"):
        mime(file)
    assert len(mime(file, until=2.0)) == 50


def test_a_broken_sound(tmp_path: Path) -> None:
    file = tmp_path / "broken.mp3"
    file.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(InputError, match=r"broken.mp3"):
        memegen.make_meme(asset("portrait.jpg"), file, out=tmp_path / "me.mp4")
    assert not (tmp_path / "me.mp4").exists()
