"""The sound of a clip: cut or mixed from files, moved, faded, repeated and brought to one loudness."""

from __future__ import annotations

import logging
import math
import re
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

from memegen.base.errors import InputError, OutputError
from memegen.base.files import check_file
from memegen.media.ffmpeg import SEEK_LEAD, last_words, output_problem, reading, run, said, tells_of_sound

SAMPLE_RATE = 48000
LOUDNESS = -14.0  # LUFS: what the large platforms play at
LOUDNESS_RANGE = (-40.0, -5.0)  # LUFS
PEAK = -1.0  # dBTP; nothing that is made louder here goes above

_MOST_GAIN = 30.0  # dB: a room that is all but silent stays so
_SILENCE = -69.9  # LUFS: the meter's lowest is -70
_ROOM = 1.0  # dB below PEAK: going back to 48 kHz and through the encoder raises peaks again
_FINE_RATE = 4 * SAMPLE_RATE  # at which peaks between the samples are seen
_log = logging.getLogger(__name__)


class SoundOptions(TypedDict, total=False):
    """What is done to the sound; what is left out is not done.

    Attributes:
        offset: Milliseconds by which the sound comes later; less than 0: earlier, its beginning is left out.
        fade_in: Seconds in which it comes up from silence.
        fade_out: Seconds in which it goes down to silence, at its end or that of the picture.
        loudness: Integrated loudness in LUFS (EBU R 128), -40 to -5, such as LOUDNESS; None leaves it as it is.
        loop: Repeat it until the picture ends; else silence follows.
    """

    offset: float
    fade_in: float
    fade_out: float
    loudness: float | None
    loop: bool


class SoundSpan(NamedTuple):
    """A part of a file's sound, from a time on, in seconds; its length matters where it is repeated."""

    path: Path
    start: float = 0.0
    length: float = math.inf


def check_sound(path: str | Path) -> Path:
    """Return the absolute path of a file whose sound can be read.

    Raises:
        InputError: If there is no such file, or no sound in it.
    """
    file = check_file(path, kind="sound file")
    if not tells_of_sound(said(run(*reading(file), level="info"))):
        raise InputError(f"{path} has no sound that can be read: choose another file, or none for a silent clip.")
    return file


def check_options(options: SoundOptions | None) -> SoundOptions:
    """Return the options, an empty set for None.

    Raises:
        InputError: If one is unknown or out of range; the message says which.
    """
    import dataclasses

    options = dataclasses.asdict(options) if dataclasses.is_dataclass(options) else options or {}
    unknown = set(options) - set(SoundOptions.__annotations__)
    if unknown:
        known = ", ".join(SoundOptions.__annotations__)
        raise InputError(f"The sound has no option {', '.join(sorted(unknown))}: use {known}.")
    if not math.isfinite(options.get("offset", 0.0)):
        raise InputError(f"The sound's offset is {options['offset']}: give milliseconds, such as 40 or -40.")
    for name, fade in (("fade_in", options.get("fade_in", 0.0)), ("fade_out", options.get("fade_out", 0.0))):
        if not 0 <= fade < math.inf:
            raise InputError(f"The sound's {name} is {fade}: give seconds, 0 or more.")
    low, high = LOUDNESS_RANGE
    loudness = options.get("loudness")
    if loudness is not None and not low <= loudness <= high:
        raise InputError(f"The loudness is {loudness}: give {low:g} to {high:g} LUFS; {LOUDNESS:g} is usual.")
    return options


def soundtrack(
    spans: Sequence[SoundSpan], *, length: float, options: SoundOptions, folder: Path, name: Path
) -> Path | None:
    """Make the sound of a clip out of one or more spans, which are then heard together.

    Args:
        spans: Where the sound comes from.
        length: Length of the picture in seconds; the result is never longer.
        options: See SoundOptions.
        folder: Where to put the files on the way.
        name: The clip that is written, for error messages.

    Returns:
        A wav file of 48 kHz stereo that begins with the picture; None if nothing is heard within it.

    Raises:
        InputError: If a sound can't be read.
        OutputError: If the disk is full.
    """
    offset, loop = options.get("offset", 0.0) / 1000, options.get("loop", False)
    late, early = max(offset, 0.0), max(-offset, 0.0)
    parts = []
    for index, span in enumerate(spans):
        until = min(length - late, span.length - early if loop else math.inf)
        part = folder / f"sound-{index}.wav"
        if until > 0 and _cut(span.path, part, start=span.start + early, length=until, name=name):
            parts.append(part)
        else:
            _log.info("The sound of %s ends before the part that is used, so it is not heard.", span.path.name)
    if not parts:
        return None
    if len(parts) == 1 and not any(options.get(key) for key in ("offset", "fade_in", "fade_out", "loop")):
        track = parts[0]
    else:
        track = _arranged(parts, folder / "arranged.wav", late=late, length=length, options=options, name=name)
    if options.get("loudness") is None and len(parts) == 1:
        return track
    return _levelled(track, folder, loudness=options.get("loudness"), name=name)


def _cut(source: Path, part: Path, *, start: float, length: float, name: Path) -> bool:
    """Cut a span out of a file's sound, to the sample; False if the sound has ended before."""
    skip = max(0, math.floor(start) - SEEK_LEAD)
    seek = ["-ss", str(skip)] if skip else []
    first, last = (round(time * SAMPLE_RATE) for time in (start - skip, start - skip + length))
    timed = f"aresample={SAMPLE_RATE}:async=1:first_pts=0,atrim=start_sample={first}:end_sample={last},asetpts=N/SR/TB"
    # Some streams start their clock at the first packet of what is mapped: map the picture too, to drop it.
    until = ["-t", f"{start - skip + length:.6f}"]
    dropped = ["-map", "0:a:0", "-map", "0:V:0?", "-c", "copy", *until, "-f", "null", "-"]
    done = run(*seek, *reading(source), "-map", "0:a:0", "-af", timed, "-ac", "2", *until, str(part), *dropped)
    if done.returncode:
        problem = last_words(done.stderr)
        if "no space left" in problem.lower():
            raise OutputError(output_problem(name, problem))
        raise InputError(f"The sound of {source} can't be read ({problem}): choose another file, or leave it silent.")
    return _length(part) > 0


def _length(file: Path) -> float:
    """Return the length of a wav file in seconds."""
    with wave.open(str(file)) as sound:
        return float(sound.getnframes()) / SAMPLE_RATE


def _arranged(
    parts: Sequence[Path], track: Path, *, late: float, length: float, options: SoundOptions, name: Path
) -> Path:
    """Put sounds on top of each other, and then later, repeated and faded."""
    loop = options.get("loop", False)
    end = length if loop else min(length, late + max(_length(part) for part in parts))
    filters = [f"amix=inputs={len(parts)}:normalize=0"]
    if late:
        filters.append(f"adelay={round(late * SAMPLE_RATE)}S:all=1")
    if fade := options.get("fade_in", 0.0):
        filters.append(f"afade=t=in:st={late:.6f}:d={fade:.6f}")
    if fade := min(options.get("fade_out", 0.0), end):
        filters.append(f"afade=t=out:st={end - fade:.6f}:d={fade:.6f}")
    inputs = [word for part in parts for word in (*(("-stream_loop", "-1") if loop else ()), "-i", str(part))]
    mixed = ["-filter_complex", ",".join(filters), "-t", f"{end:.6f}", "-c:a", "pcm_f32le", str(track)]
    _made(*inputs, *mixed, name=name)
    return track


def _levelled(track: Path, folder: Path, *, loudness: float | None, name: Path) -> Path:
    """Bring a sound to a loudness by one gain, then hold back its peaks; silence stays silence.

    Holding back makes it quieter again, so the gain is corrected once. Without a loudness to reach, only peaks of a
    mix are held back.
    """
    measured, peak = _measured(track, name=name)
    audible = math.isfinite(measured) and loudness is not None
    gain = min((loudness or 0.0) - measured, _MOST_GAIN) if audible else 0.0
    levelled = folder / "levelled.wav"
    for _ in range(2):
        if peak + gain > PEAK - _ROOM:
            filters = f"volume={gain:.2f}dB,aresample={_FINE_RATE},{_limiter()},aresample={SAMPLE_RATE}"
        else:
            filters = f"volume={gain:.2f}dB"
        _made("-i", str(track), "-af", filters, "-c:a", "pcm_f32le", str(levelled), name=name)
        if not audible or gain == _MOST_GAIN or peak + gain <= PEAK - _ROOM:
            break
        missing = (loudness or 0.0) - _measured(levelled, name=name)[0]
        if missing < 0.2:
            break
        gain = min(gain + missing, _MOST_GAIN)
    return levelled


def _limiter() -> str:
    """Return the filter that looks ahead and turns peaks down, without making the sound late."""
    return f"alimiter=limit={10 ** ((PEAK - _ROOM) / 20):.4f}:attack=5:release=50:level=0:latency=1"


def _measured(track: Path, *, name: Path) -> tuple[float, float]:
    """Return a sound's integrated loudness, LUFS, and true peak, dBTP; -inf for silence and what is too short."""
    meter = ("-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-")
    summary = _made("-i", str(track), *meter, name=name, level="info").rpartition("Summary:")[2]
    loud, peak = (
        re.search(rf"{word}:\s+(-?[\d.]+) {unit}", summary) for word, unit in (("I", "LUFS"), ("Peak", "dBFS"))
    )
    measured = float(loud[1]) if loud else -math.inf
    return measured if measured > _SILENCE else -math.inf, float(peak[1]) if peak else -math.inf


def _made(*arguments: str, name: Path, level: str = "error") -> str:
    """Run ffmpeg on files of our own and return its words."""
    done = run(*arguments, level=level)
    if done.returncode:
        raise OutputError(output_problem(name, last_words(done.stderr)))
    return done.stderr.decode("utf-8", "replace")
