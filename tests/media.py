"""Small clips and sounds made on the spot with ffmpeg, for tests."""

from __future__ import annotations

import subprocess
import wave
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
