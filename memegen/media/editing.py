"""The bridge to moviepy 1 and 2: clips as functions of time, and their pictures and sound as streams."""

from __future__ import annotations

import wave
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from memegen.base.arrays import Floats, Image
from memegen.base.errors import UnavailableError

_AHEAD = 50  # frames; a longer way forward begins with a seek
_USUAL_RATE = 44100  # Hz, moviepy's own


class _Player:
    """Gives the frame at a time; fast when times ascend."""

    def __init__(self, open_at: Callable[[int], Generator[Image, None, None]], fps: Fraction, count: int) -> None:
        self._open_at, self._fps, self._count = open_at, fps, count
        self._frames, self._index = open_at(0), -1
        self._frame = np.empty(0, np.uint8)

    def __call__(self, time: float) -> Image:
        # A little is added, as moviepy's times are sums of floats and may fall just short of a frame's beginning.
        index = min(max(int(time * self._fps + 1e-3), 0), self._count - 1)
        if not self._index <= index <= self._index + _AHEAD:
            self._frames.close()
            self._frames, self._index = self._open_at(index), index - 1
        while self._index < index:
            self._frame, self._index = next(self._frames), self._index + 1
        return self._frame


def clip_of(
    open_at: Callable[[int], Generator[Image, None, None]], *, fps: Fraction, count: int, track: Path | None
) -> Any:
    """Return a moviepy clip of frames and a sound.

    Args:
        open_at: Opens a stream of the frames from a number on.
        fps: Frames a second.
        count: How many frames there are.
        track: A wav file of 16 bits, which is read into memory; None for a silent clip.

    Raises:
        UnavailableError: moviepy is not installed.
    """
    try:
        from moviepy.audio.AudioClip import AudioClip
        from moviepy.video.VideoClip import VideoClip
    except ImportError as error:
        raise UnavailableError('moviepy is not installed: run pip install "memegen-sings[moviepy]".') from error
    clip = VideoClip(_Player(open_at, fps, count), duration=float(count / fps))
    clip.fps = float(fps)
    if track is None:
        return clip
    with wave.open(str(track)) as file:
        rate, length = file.getframerate(), file.getnframes()
        samples = np.frombuffer(file.readframes(length), "<i2").reshape(length, -1)

    def heard(time: Any) -> Floats:
        index = np.rint(np.asarray(time) * rate).astype(int)
        inside = (index >= 0) & (index < length)
        return np.asarray(samples[np.clip(index, 0, length - 1)] / 32768 * inside[..., None])

    sound = AudioClip(heard, duration=length / rate, fps=rate)
    return clip.with_audio(sound) if hasattr(clip, "with_audio") else clip.set_audio(sound)  # moviepy 2, moviepy 1


def pictures_of(clip: Any, fps: Fraction) -> Generator[Image, None, None]:
    """Yield the frames of a moviepy clip at an exact rate, uint8 RGB (H, W, 3)."""
    for index in range(max(round(clip.duration * fps), 1)):
        yield np.asarray(clip.get_frame(float(index / fps))).clip(0, 255).astype(np.uint8)


def write_sound(audio: Any, path: Path, *, length: float) -> Path:
    """Write the sound of a moviepy clip, second by second, as a wav file of 16 bits at the sound's own rate.

    Args:
        audio: A moviepy audio clip.
        path: The file to write.
        length: The most to write, in seconds.
    """
    rate = round(getattr(audio, "fps", None) or _USUAL_RATE)
    total = int(min(length, audio.duration or length) * rate + 1e-6)
    with wave.open(str(path), "wb") as file:
        file.setframerate(rate)
        file.setsampwidth(2)
        channels = max(np.size(audio.get_frame(0)), 2)  # ffmpeg would make mono 3 dB quieter
        file.setnchannels(channels)
        for start in range(0, total, rate):
            times = np.arange(start, min(start + rate, total)) / rate
            samples = np.reshape(audio.get_frame(times), (len(times), -1)).clip(-1, 1)
            whole = np.broadcast_to(np.rint(samples * 32767).astype("<i2"), (len(times), channels))
            file.writeframes(whole.tobytes())
    return path
