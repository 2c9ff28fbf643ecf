"""GIF, WebP and APNG as clips: every frame at its time, transparent parts on white, one frame in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memegen.base.errors import InputError
from memegen.media.animations import is_animation, read_animation
from memegen.media.images import BACKGROUND
from memegen.media.video import open_video

KINDS = pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
SIDE = 48


def picture(number: int, *, alpha: int = 255) -> Image.Image:
    """A grey level that tells a frame's number; the left half is as transparent as asked."""
    pixels = np.full((SIDE, SIDE, 4), 10 * number, np.uint8)
    pixels[..., 3] = 255
    pixels[:, : SIDE // 2, 3] = alpha
    return Image.fromarray(pixels)


def number_of(frame: np.ndarray) -> int:
    return round(float(frame[:, SIDE // 2 + 2 :].mean()) / 10)


def make_animation(path: Path, durations: Sequence[float], *, alpha: int = 255, **options: object) -> Path:
    """Write an animation with a frame for each duration, in milliseconds."""
    frames = [picture(number, alpha=alpha) for number in range(len(durations))]
    frames = [frame.convert("RGB") if alpha == 255 else frame for frame in frames]
    more = {".webp": {"lossless": True}, ".gif": {"disposal": 2}}.get(path.suffix, {})
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=list(durations), **more, **options)
    return path


@KINDS
def test_frames_come_with_their_times(tmp_path: Path, suffix: str) -> None:
    path = make_animation(tmp_path / f"in{suffix}", [40, 40, 120, 80, 40])
    assert is_animation(path)
    ends, frames = zip(*read_animation(path), strict=True)
    assert ends == pytest.approx([0.04, 0.08, 0.2, 0.28, 0.32])
    assert [number_of(frame) for frame in frames] == [0, 1, 2, 3, 4]
    assert all(frame.shape == (SIDE, SIDE, 3) and frame.dtype == np.uint8 for frame in frames)


@KINDS
def test_a_clip_shows_each_frame_as_long_as_it_lasts(tmp_path: Path, suffix: str) -> None:
    path = make_animation(tmp_path / f"in{suffix}", [40, 40, 120, 80, 40])
    clip = open_video(path)
    assert (clip.fps, clip.frame_count, clip.has_audio) == (25, 8, False)
    assert [number_of(frame) for frame in clip.frames()] == [0, 1, 2, 2, 2, 3, 3, 4]
    part = open_video(path, start=0.12, duration=0.12)
    assert [number_of(frame) for frame in part.frames()] == [2, 2, 3]
    frames = list(part.frames())
    frames[0][:] = 0  # each is a new array
    assert number_of(frames[1]) == 2
    assert next(part.cropped((24, 0, 48, 24)).frames(max_side=12)).shape == (12, 12, 3)


@KINDS
def test_transparent_parts_are_white(tmp_path: Path, suffix: str) -> None:
    for _, frame in read_animation(make_animation(tmp_path / f"in{suffix}", [40, 40, 40], alpha=0)):
        assert (frame[:, : SIDE // 2] == BACKGROUND).all()
        assert frame[:, SIDE // 2 + 2 :].max() <= 30


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_partly_transparent_parts_are_mixed_as_pillow_does(tmp_path: Path, suffix: str) -> None:
    path = make_animation(tmp_path / f"in{suffix}", [40] * 4, alpha=77)
    for number, (_, frame) in enumerate(read_animation(path)):
        white = Image.new("RGBA", (SIDE, SIDE), "white")
        wanted = np.array(Image.alpha_composite(white, picture(number, alpha=77)).convert("RGB"))
        assert np.abs(frame.astype(int) - wanted).max() <= 1


def test_delays_in_hundredths_are_one_rate(tmp_path: Path) -> None:
    clip = open_video(make_animation(tmp_path / "in.gif", [70, 70, 60] * 5))
    assert (clip.fps, clip.frame_count) == (15, 15)
    assert [number_of(frame) for frame in clip.frames()] == list(range(15))


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_frames_that_last_no_time_are_shown_as_in_browsers(tmp_path: Path, suffix: str) -> None:
    clip = open_video(make_animation(tmp_path / f"in{suffix}", [0] * 6))
    assert (clip.fps, clip.frame_count) == (10, 6)


def test_the_default_picture_of_an_apng_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    cover, *frames = (picture(number) for number in (20, 1, 2, 3))
    cover.save(path, save_all=True, default_image=True, append_images=frames, duration=50)
    assert [number_of(frame) for _, frame in read_animation(path)] == [1, 2, 3]
    assert open_video(path).frame_count == 3


@KINDS
def test_the_content_decides_and_not_the_name(tmp_path: Path, suffix: str) -> None:
    odd = tmp_path / "100%d.zip"
    odd.mkdir()
    path = make_animation(tmp_path / f"in{suffix}", [40] * 5).rename(odd / "~clip.mp4")
    assert open_video(path).frame_count == 5


@KINDS
def test_damaged_animations_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    path.write_bytes(make_animation(path, [40] * 5).read_bytes()[:40] + b"nonsense")
    with pytest.raises(InputError, match=rf"in\{suffix} can't be read as a video: it is damaged"):
        open_video(path)


def test_only_one_frame_is_in_memory(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frames = [Image.fromarray(random.integers(0, 256, (200, 200, 3), np.uint8)) for _ in range(40)]
    path = tmp_path / "in.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, quality=1, method=0)
    clip = open_video(path)
    tracemalloc.start()
    try:
        assert sum(1 for _ in clip.frames()) == 40
        assert tracemalloc.get_traced_memory()[1] < 10 * 200 * 200 * 3  # all are 40
    finally:
        tracemalloc.stop()


def test_a_short_span_does_not_decode_the_rest(tmp_path: Path) -> None:
    path = make_animation(tmp_path / "in.gif", [100] * 25)
    path.write_bytes(path.read_bytes()[:-300])
    with closing(read_animation(path)) as pictures:
        assert number_of(next(pictures)[1]) == 0
    assert open_video(path, duration=0.3).frame_count == 3
