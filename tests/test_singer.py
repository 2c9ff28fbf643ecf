"""The bundled clip is what its script's timeline says: words, tune, mouth and head together."""

import subprocess
from fractions import Fraction
from functools import cache
from itertools import pairwise

import imageio_ffmpeg
import numpy as np
import pytest

from memegen.base.downloads import asset
from memegen.face.detection import detect_faces, face_mesh
from memegen.media.video import Video, open_video
from memegen.singer.acting import VISEMES, perform
from memegen.singer.drawing.figure import draw_singer
from memegen.singer.drawing.mouth import gap
from memegen.singer.fitting import write_score
from memegen.singer.options import Singing
from memegen.singer.recital import Recital
from memegen.singer.score import FPS
from memegen.singer.tunes import TUNES
from memegen.singer.voice import SOUNDS

SCORE = write_score(TUNES["daisy-bell"], Singing())
RATE = 16_000
EVERY = 6  # frames looked at


@cache
def clip() -> Video:
    return open_video(asset("templates/daisy-bell.mp4"))


@cache
def performed() -> Recital:
    return perform(SCORE)


@cache
def frames() -> list[np.ndarray]:
    return [frame.copy() for frame in clip().frames()]


@cache
def sound() -> np.ndarray:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(clip().path)]
    command += ["-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)


def spectrum_at(seconds: float, *, length: float = 0.16) -> tuple[np.ndarray, np.ndarray]:
    start = round(seconds * RATE)
    part = sound()[start : start + round(length * RATE)]
    return np.fft.rfftfreq(1 << 15, 1 / RATE), np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 15))


def test_the_timeline_has_no_holes_and_vowels_fall_on_the_beat() -> None:
    line = SCORE.phones
    assert line[0].start == 0
    assert line[-1].end == pytest.approx(SCORE.duration)
    assert all(a.end == pytest.approx(b.start) and a.end > a.start for a, b in pairwise(line))
    assert {phone.name for phone in line} <= VISEMES.keys() & SOUNDS.keys()
    starts = [phone.start for phone in line]
    for syllable in SCORE.syllables:
        assert np.min(np.abs(np.array(starts) - syllable.start)) < 1e-6
        assert syllable.start * FPS == pytest.approx(round(syllable.start * FPS))  # each note starts with a frame


def test_the_clip_is_as_long_as_the_score_and_small() -> None:
    assert clip().has_audio
    assert clip().fps == Fraction(FPS)
    assert (clip().width, clip().height) == (512, 512)
    assert clip().duration == pytest.approx(SCORE.duration, abs=0.05)
    assert len(frames()) == len(performed())
    assert clip().path.stat().st_size < 1_500_000


def test_the_lyrics_travel_with_it() -> None:
    text = asset("templates/daisy-bell.lrc").read_text(encoding="utf-8")
    assert text == SCORE.lyrics()
    assert "<00:00.40>Dai<00:01.12>sy" in text


def test_it_starts_and_ends_at_rest() -> None:
    for pose in (performed()[0], performed()[-1]):
        assert gap(pose) < 0.01
        assert max(abs(pose.yaw), abs(pose.pitch), abs(pose.roll)) < 0.1
        assert pose.blink == 0


def test_lips_close_for_m_and_open_for_vowels() -> None:
    for phone in SCORE.phones:
        middle = performed()[min(int((phone.start + phone.end) / 2 * FPS), len(performed()) - 1)]
        if phone.name == "M":
            assert gap(middle) < 0.03
        if phone.name in ("AA", "AE", "EH") and phone.end - phone.start > 0.2:
            assert gap(middle) > 0.15


def landmarks(frame: np.ndarray) -> np.ndarray:
    (face,) = detect_faces(frame, threshold=0.8)
    return face_mesh(frame, face)[:, :2]


def distance(points: np.ndarray, a: int, b: int) -> np.ndarray:
    eyes = np.linalg.norm(points[..., 263, :] - points[..., 33, :], axis=-1)
    return np.linalg.norm(points[..., a, :] - points[..., b, :], axis=-1) / eyes


def test_the_face_is_found_and_follows_the_script() -> None:
    script = [*performed()][::EVERY]
    points = np.array([landmarks(frame) for frame in frames()[::EVERY]])
    eyes = points[:, 263] - points[:, 33]
    assert np.corrcoef(distance(points, 13, 14), [gap(pose) for pose in script])[0, 1] > 0.95
    assert np.corrcoef(np.arctan2(eyes[:, 1], eyes[:, 0]), [pose.roll for pose in script])[0, 1] > 0.96
    nose = (points[:, 1, 0] - points[:, 33, 0]) / eyes[:, 0]
    assert np.corrcoef(nose, [pose.yaw for pose in script])[0, 1] > 0.95


def test_the_eyes_shut_at_each_blink() -> None:
    for seconds in SCORE.blinks:
        shut, before = (landmarks(frames()[round(t * FPS)]) for t in (seconds, seconds - 0.2))
        assert distance(shut, 159, 145) < 0.5 * distance(before, 159, 145)
        assert distance(shut, 386, 374) < 0.5 * distance(before, 386, 374)


def test_every_held_note_is_in_tune() -> None:
    for syllable in SCORE.syllables:
        if syllable.end - syllable.start < 0.45:
            continue
        frequency, strength = spectrum_at(syllable.start + 0.08)
        expected = 440 * 2 ** ((syllable.notes[0].pitch - 69) / 12)
        near = (frequency > expected / 1.12) & (frequency < expected * 1.12)
        heard = frequency[near][np.argmax(strength[near])]
        assert abs(12 * np.log2(heard / expected)) < 0.4, syllable


def test_notes_start_on_their_beat() -> None:
    step, size = RATE // 200, 512
    starts = range(0, len(sound()) - size, step)
    grid = np.array([np.abs(np.fft.rfft(sound()[k : k + size] * np.hanning(size)))[3:130] for k in starts])
    rise = np.clip(np.diff(np.log(grid + 0.05), axis=0), 0, None).sum(axis=1)
    seconds = (np.array(starts)[:-1] + size / 2 + step / 2) / RATE
    late = []
    for syllable in SCORE.syllables:
        near = np.abs(seconds - syllable.start) < 0.06
        late.append(seconds[near][np.argmax(rise[near])] - syllable.start)
    assert abs(np.median(late)) < 0.02
    assert np.mean(np.abs(late) < 0.03) > 0.8


def test_it_is_loud_enough_and_never_clips() -> None:
    assert 0.2 < np.abs(sound()).max() < 0.95
    assert np.abs(sound()[: RATE // 20]).max() < 0.05


def test_the_script_still_draws_the_bundled_frames() -> None:
    [frame] = draw_singer([performed()[153]], large=True)
    drawn, kept = frame.astype(float), frames()[153].astype(float)
    assert np.mean((drawn - kept) ** 2) < 25
