"""Small clips and sounds made on the spot with ffmpeg, for tests."""

from __future__ import annotations

import math
import subprocess
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np

RATE = 48000


def ffmpeg(*arguments: str) -> bytes:
    """Run ffmpeg and return what it writes to its standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout


def describe(path: Path) -> str:
    """Return what ffmpeg says of a file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).stderr.decode()


def make_clicks(path: Path, *, seconds: float = 3.0, at: tuple[float, ...] = (1.0, 2.0)) -> Path:
    """Write a mono wav of silence with 1 ms clicks at some times."""
    samples = np.zeros(round(seconds * RATE), np.int16)
    for time in at:
        samples[round(time * RATE) :][:48] = 30000
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return path


def make_clip(
    path: Path,
    *,
    size: str = "64x48",
    fps: str = "25",
    seconds: float = 2.0,
    sound: Path | None = None,
    sound_delay: float = 0.0,
    filters: str = "null",
    options: tuple[str, ...] = (),
) -> Path:
    """Write a clip whose grey level is 16 + 50 a second, so that a frame tells its time."""
    grey = f"nullsrc=s={size}:r={fps}:d={seconds},geq=lum='16+50*T':cb=128:cr=128,{filters}"
    also = [] if sound is None else ["-itsoffset", str(sound_delay), "-i", str(sound)]
    ffmpeg("-f", "lavfi", "-i", grey, *also, *options, str(path))
    return path


def time_of(frame: np.ndarray) -> float:
    """Return the time that a frame of make_clip shows, in seconds."""
    return float(frame.mean()) * 219 / 255 / 50


def clicks(path: Path) -> list[float]:
    """Return the times of the clicks in a file's sound, in seconds."""
    samples = samples_of(path)
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    first = loud[np.diff(loud, prepend=-RATE) > RATE // 10]
    return [float(index) / RATE for index in first]


def samples_of(path: Path) -> np.ndarray:
    """Return a file's sound as mono float samples, silence before a late beginning included."""
    timed = "aresample=async=1:first_pts=0"
    raw = ffmpeg("-i", str(path), "-map", "0:a:0", "-af", timed, "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-")
    return np.frombuffer(raw, np.int16) / 32768


def turn_upright(path: Path) -> Path:
    """Mark an mp4 as filmed with the phone held upright: players turn the picture a quarter clockwise."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    values = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(data)
    return path


def make_flash(path: Path, *, fps: str = "25", frame: int = 36, seconds: float = 3.0, jitter: float = 0.0) -> float:
    """Write a dark clip with a white flash of three frames and a click; return when both begin, in seconds.

    With a jitter, in seconds, frames come early and late, and two of three are left out before the flash.
    """
    rate = Fraction(fps)
    time = float(frame / rate) + jitter * math.sin(1.7 * frame)
    picture = f"nullsrc=s=64x48:r={fps}:d={seconds},geq=lum='16+200*between(N,{frame},{frame + 2})':cb=128:cr=128"
    if jitter:
        kept = f"select='lt(n,20)+gte(n,{frame})+not(mod(n,3))'"
        picture += f",settb=1/90000,setpts='PTS+{jitter}*sin(1.7*N)/TB',{kept}"
    sound = make_clicks(path.with_suffix(".wav"), seconds=seconds, at=(time,))
    coding = (
        ["-fps_mode", "vfr", "-enc_time_base", "1:90000", "-video_track_timescale", "90000", "-g", "12"]
        if jitter
        else ["-g", "12"]
    )
    ffmpeg("-f", "lavfi", "-i", picture, "-i", str(sound), *coding, str(path))
    return time


def noise(count: int, *, width: int = 64, height: int = 48) -> Iterator[np.ndarray]:
    """Yield frames that no encoder can make small."""
    random = np.random.default_rng(0)
    for _ in range(count):
        yield random.integers(0, 256, (height, width, 3), np.uint8)
