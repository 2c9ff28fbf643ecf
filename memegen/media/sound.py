"""The sound of a clip: cut or mixed from files, moved, faded, repeated and brought to one loudness."""

from __future__ import annotations

import logging
import math
import re
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memegen.base.errors import InputError, OutputError
from memegen.base.files import check_file
from memegen.media.ffmpeg import (
    SEEK_LEAD,
    Ffmpeg,
    last_words,
    make,
    output_problem,
    reading,
    run,
    said,
    sound_streams,
    tell,
)
from memegen.media.options import Sound

SAMPLE_RATE = 48000
PEAK = -1.0  # dBTP; nothing that is made louder here goes above

_MOST_GAIN = 30.0  # dB: an almost silent room stays so
_SILENCE = -69.9  # LUFS: the meter's lowest is -70
_INAUDIBLE = -70.0  # dBFS; a track whose peak is below is silent
_ROOM = 1.0  # dB below PEAK: resampling to 48 kHz and the AAC encoder raise peaks again
# At four times the rate the peaks between the samples show. The limiter looks ahead, but does not delay the sound.
_LIMIT = f"limit={10 ** ((PEAK - _ROOM) / 20):.4f}:attack=5:release=50:level=0:latency=1"
_LIMITER = f",aresample={4 * SAMPLE_RATE},alimiter={_LIMIT},aresample={SAMPLE_RATE}"
_DURATION = re.compile(r"^\s*Duration: (\d+):(\d+):([\d.]+)", re.MULTILINE)
_log = logging.getLogger(__name__)


class SoundSpan(NamedTuple):
    """A part of a file's sound, by its start and length in seconds; the length matters where the sound is repeated.

    The track counts the file's sounds from 0; the gain is in dB.
    """

    path: Path
    start: float = 0.0
    length: float = math.inf
    track: int = 0
    gain: float = 0.0


def sound_of(path: str | Path) -> SoundSpan:
    """Return the sound of a file from its beginning, after checking that it can be read.

    Raises:
        InputError: There is no such file, or no sound in it.
    """
    file = check_file(path, kind="sound file")
    streams = sound_streams(said(run(*reading(file), level="info")))
    if not streams:
        raise InputError(f"{path} has no sound that can be read: choose another file, or none for a silent clip.")
    return SoundSpan(file, track=checked_track(file, find_track(file, streams)))


def sound_length(path: str | Path) -> float:
    """Return the length in seconds that a file says it has; 0 if it does not say.

    Raises:
        InputError: There is no such file.
    """
    told = _DURATION.search(said(run(*reading(check_file(path, kind="sound file")), level="info")))
    return sum(float(part) * unit for part, unit in zip(told.groups(), (3600, 60, 1), strict=True)) if told else 0.0


def sound_blocks(
    path: str | Path, *, start: float = 0.0, length: float = math.inf, rate: int = 16000, seconds: float = 20.0
) -> Iterator[NDArray[np.float32]]:
    """Decode the sound of a file, block by block.

    Args:
        path: A sound or a video file.
        start: Where to begin, seconds.
        length: How much to decode, seconds.
        rate: Samples a second.
        seconds: The length of a block.

    Yields:
        (B, 2) samples in [-1, 1], from the left and the right; the last block may be shorter.

    Raises:
        InputError: There is no such file, or no sound in it that can be decoded.
    """
    span = sound_of(path)
    skip = max(0, math.floor(start) - SEEK_LEAD)
    # As in `_cut`: silence fills what a stream leaves out, so that sample n is heard at n / rate.
    timed = f"aresample={rate}:async=1:first_pts=0,atrim=start_sample={round((start - skip) * rate)},asetpts=N/SR/TB"
    until = [] if math.isinf(length) else ["-t", f"{length:.6f}"]
    seek = ["-ss", str(skip)] if skip else []
    sound = ["-map", f"0:a:{span.track}", "-af", timed, "-ac", "2", *until, "-f", "f32le", "-"]
    with Ffmpeg(*seek, *reading(span.path), *sound) as decoder:
        while count := decoder.read_into(block := np.zeros((round(seconds * rate), 2), np.float32)) // 8:
            yield block[:count]


def find_track(file: Path, streams: Sequence[str]) -> int | None:
    """Return the number of the sound track that is used: the default one, else the first that can be heard.

    None if there is none that can be decoded.

    Args:
        file: The file.
        streams: ffmpeg's description of each of its sound tracks.
    """
    order = sorted(range(len(streams)), key=lambda track: "(default)" not in streams[track])
    levels = {track: _level(file, track, whole=len(streams) > 1) for track in order}
    readable = [track for track, level in levels.items() if level is not None]
    return next((track for track in readable if (levels[track] or 0.0) > _INAUDIBLE), next(iter(readable), None))


def checked_track(file: Path, track: int | None) -> int:
    """Return the number of a sound track.

    Raises:
        InputError: There is none that can be decoded.
    """
    if track is None:
        raise InputError(
            f"The sound of {file.name} is of a kind that can't be decoded: choose another file or sound, or leave the "
            "sound out.",
            remedy={"mute": True},
        )
    return track


def _level(file: Path, track: int, *, whole: bool) -> float | None:
    """Return the peak of a sound track in dB, 0 if only its first frame is decoded; None if it can't be decoded."""
    part = ("-af", "volumedetect") if whole else ("-frames:a", "1")
    done = run(*reading(file), "-map", f"0:a:{track}", *part, "-f", "null", "-", level="info" if whole else "error")
    if done.returncode:
        return None
    peak = re.search(rb"max_volume: (-?[\d.]+) dB", done.stderr)
    return float(peak[1]) if peak else -math.inf if whole else 0.0


def soundtrack(
    spans: Sequence[SoundSpan], *, length: float, sound: Sound | None, folder: Path, name: Path
) -> Path | None:
    """Make the sound of a clip from one or more spans, which are then heard together.

    Args:
        spans: Where the sound comes from.
        length: Length of the picture in seconds; the result is never longer.
        sound: What is done to it; nothing when None.
        folder: Where to put temporary files and the result.
        name: The clip that is written, for error messages.

    Returns:
        A wav file of 48 kHz stereo that begins with the picture; None if nothing is heard while the picture lasts.

    Raises:
        InputError: A sound can't be read.
        OutputError: The disk is full.
    """
    sound = sound or Sound(loudness=None)
    late, early = max(sound.offset, 0.0) / 1000, max(-sound.offset, 0.0) / 1000
    parts = []
    for index, span in enumerate(spans):
        until = min(length - late, span.length - early if sound.loop else math.inf)
        part = folder / f"sound-{index}.wav"
        if until > 0 and _cut(span, part, start=span.start + early, length=until, name=name):
            parts.append(part)
        else:
            _log.info("The sound of %s ends before the selected part, so it is not heard.", span.path.name)
    if not parts:
        return None
    track = parts[0]
    if len(parts) > 1 or sound.offset or sound.fade_in or sound.fade_out or sound.loop:
        track = _arranged(parts, folder / "arranged.wav", late=late, length=length, sound=sound, name=name)
    if sound.loudness is None and len(parts) == 1:
        return track
    return _levelled(track, folder, loudness=sound.loudness, name=name)


def _cut(span: SoundSpan, part: Path, *, start: float, length: float, name: Path) -> bool:
    """Cut a span out of a file's sound, exact to the sample; return False if the sound has ended before."""
    skip = max(0, math.floor(start) - SEEK_LEAD)
    seek = ["-ss", str(skip)] if skip else []
    first, last = (round(time * SAMPLE_RATE) for time in (start - skip, start - skip + length))
    timed = f"aresample={SAMPLE_RATE}:async=1:first_pts=0,atrim=start_sample={first}:end_sample={last},asetpts=N/SR/TB"
    timed += f",volume={span.gain:.2f}dB" if span.gain else ""
    # Some streams start their clock at the first packet of the mapped streams: map the picture too, and drop it.
    until = ["-t", f"{start - skip + length:.6f}"]
    dropped = ["-map", "0:a", "-map", "0:V:0?", "-c", "copy", *until, "-f", "null", "-"]
    kept = ["-map", f"0:a:{span.track}", "-af", timed, "-ac", "2", *until, str(part)]
    done = run(*seek, *reading(span.path), *kept, *dropped)
    if done.returncode:
        tell(done.stderr)
        if "no space left" in (problem := last_words(done.stderr)).lower():
            raise OutputError(output_problem(name, problem))
        raise InputError(
            f"The sound of {span.path} can't be read: choose another file, or leave the sound out.",
            remedy={"mute": True},
        )
    return _length(part) > 0


def _length(file: Path) -> float:
    """Return the length of a wav file in seconds."""
    with wave.open(str(file)) as samples:
        return float(samples.getnframes()) / SAMPLE_RATE


def _arranged(parts: Sequence[Path], track: Path, *, late: float, length: float, sound: Sound, name: Path) -> Path:
    """Mix sounds, then delay, repeat and fade them."""
    end = length if sound.loop else min(length, late + max(_length(part) for part in parts))
    filters = [f"amix=inputs={len(parts)}:normalize=0"]
    if late:
        filters.append(f"adelay={round(late * SAMPLE_RATE)}S:all=1")
    if sound.fade_in:
        filters.append(f"afade=t=in:st={late:.6f}:d={sound.fade_in:.6f}")
    if fade := min(sound.fade_out, end):
        filters.append(f"afade=t=out:st={end - fade:.6f}:d={fade:.6f}")
    again = ("-stream_loop", "-1") if sound.loop else ()
    inputs = [word for part in parts for word in (*again, "-i", str(part))]
    mixed = ["-filter_complex", ",".join(filters), "-t", f"{end:.6f}", "-c:a", "pcm_f32le", str(track)]
    make(*inputs, *mixed, name=name)
    return track


def _levelled(track: Path, folder: Path, *, loudness: float | None, name: Path) -> Path:
    """Bring a sound to a loudness with one gain, then limit its peaks; silence stays silence.

    The limiter makes it quieter again, so the gain is corrected once. Without a loudness, only the peaks of a mix are
    limited.
    """
    measured, peak = _measured(track, name=name)
    audible = math.isfinite(measured) and loudness is not None
    gain = min((loudness or 0.0) - measured, _MOST_GAIN) if audible else 0.0
    levelled = folder / "levelled.wav"
    for _ in range(2):
        loud = peak + gain > PEAK - _ROOM
        filters = f"volume={gain:.2f}dB{_LIMITER if loud else ''}"
        make("-i", str(track), "-af", filters, "-c:a", "pcm_f32le", str(levelled), name=name)
        if not audible or gain == _MOST_GAIN or not loud:
            break
        missing = (loudness or 0.0) - _measured(levelled, name=name)[0]
        if missing < 0.2:
            break
        gain = min(gain + missing, _MOST_GAIN)
    return levelled


def _measured(track: Path, *, name: Path) -> tuple[float, float]:
    """Return a sound's integrated loudness, LUFS, and true peak, dBTP; -inf if it is silent or too short to measure."""
    meter = ("-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-")
    summary = make("-i", str(track), *meter, name=name, level="info").rpartition("Summary:")[2]
    loud, peak = (
        re.search(rf"{word}:\s+(-?[\d.]+) {unit}", summary) for word, unit in (("I", "LUFS"), ("Peak", "dBFS"))
    )
    measured = float(loud[1]) if loud else -math.inf
    return measured if measured > _SILENCE else -math.inf, float(peak[1]) if peak else -math.inf
