"""From the timeline to the singer's movements: mouth shapes, waltzing head, brows and blinks, frame by frame."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from memegen.singer.drawing.surfaces import ramp
from memegen.singer.recital import Recital
from memegen.singer.score import BEAT, DURATION, FPS, LEAD, SYLLABLES, phones

RATE = 250  # control steps a second
MOUTH = ("jaw", "upper", "lower", "wide", "round", "press", "tuck", "tongue")

# mouth shapes in the order of MOUTH
VISEMES: dict[str, tuple[float, ...]] = {
    "_": (0, 0, 0, 0, 0, 0, 0, 0),
    "BR": (0.30, 0.25, 0.15, 0.05, 0.15, 0, 0, 0),
    "IY": (0.17, 0.55, 0.55, 0.85, 0, 0, 0, 0.15),
    "IH": (0.28, 0.40, 0.40, 0.50, 0, 0, 0, 0.1),
    "EH": (0.56, 0.45, 0.30, 0.45, 0, 0, 0, 0.15),
    "AE": (0.78, 0.50, 0.25, 0.40, 0, 0, 0, 0),
    "AA": (0.90, 0.40, 0.15, 0.05, 0, 0, 0, 0),
    "AO": (0.66, 0.20, 0.10, -0.1, 0.62, 0, 0, 0),
    "AH": (0.60, 0.30, 0.20, 0.05, 0.05, 0, 0, 0),
    "UW": (0.22, 0.15, 0.10, -0.2, 1.0, 0, 0, 0),
    "ER": (0.30, 0.30, 0.30, 0, 0.45, 0, 0, 0.2),
    "R": (0.22, 0.25, 0.25, 0, 0.55, 0, 0, 0.2),
    "L": (0.42, 0.35, 0.25, 0.15, 0, 0, 0, 1.0),
    "Y": (0.13, 0.40, 0.40, 0.65, 0, 0, 0, 0.5),
    "M": (0, 0, 0, 0.05, 0, 0.9, 0, 0),
    "N": (0.20, 0.35, 0.30, 0.25, 0, 0, 0, 1.0),
    "D": (0.16, 0.35, 0.35, 0.25, 0, 0, 0, 1.0),
    "Z": (0.04, 0.50, 0.60, 0.50, 0, 0, 0, 0.4),
    "S": (0.04, 0.50, 0.60, 0.45, 0.1, 0, 0, 0.4),
    "G": (0.25, 0.35, 0.30, 0.25, 0, 0, 0, 0.1),
    "K": (0.25, 0.35, 0.30, 0.25, 0, 0, 0, 0.1),
    "F": (0.02, 0.70, 0, 0.10, 0, 0, 1.0, 0),
    "V": (0.02, 0.70, 0, 0.10, 0, 0, 1.0, 0),
    "DH": (0.20, 0.30, 0.25, 0.10, 0, 0, 0, 1.0),
    "HH": (0.55, 0.40, 0.20, 0.20, 0, 0, 0, 0),
}
LIP_SOUNDS = ("M", "F", "V")
BLINKS = (2.72, 5.92, 8.76, 11.48)


def times() -> npt.NDArray[np.float64]:
    """Seconds of every control step."""
    return np.arange(round(DURATION * RATE)) / RATE


def smooth(track: npt.ArrayLike, seconds: float) -> npt.NDArray[np.float64]:
    """Smooth a track (N,) or (N, D) of control steps with a Gaussian of that spread."""
    values = np.asarray(track, float)
    reach = int(4 * seconds * RATE)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * RATE)) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, [(reach, reach)] + [(0, 0)] * (values.ndim - 1), mode="edge")
    return np.apply_along_axis(np.convolve, 0, padded, kernel, "valid")


def held(values: dict[str, Any]) -> npt.NDArray[np.float64]:
    """The value of the sound that sounds at each control step."""
    t = times()
    steps = np.searchsorted([p.end for p in phones()[:-1]], t, side="right")
    return np.array([values[p.name] for p in phones()], float)[steps]


def notes() -> npt.NDArray[np.float64]:
    """The MIDI note at each control step, unsmoothed."""
    steps = np.searchsorted([p.end for p in phones()[:-1]], times(), side="right")
    return np.array([p.note for p in phones()], float)[steps]


def since_note() -> npt.NDArray[np.float64]:
    """Seconds since the last note began, at each control step; negative before the first."""
    starts = np.array([syllable.start for syllable in SYLLABLES])
    steps = np.clip(np.searchsorted(starts, times() + 1e-9, side="right") - 1, 0, None)
    return np.asarray(times() - starts[steps])


@cache
def mouth_track() -> npt.NDArray[np.float64]:
    """The mouth's parameters (N, 8), in the order of `MOUTH`, with neighbouring sounds run together."""
    track = held(VISEMES)
    track[:, 0] *= (0.82 + 0.02 * (notes() - 50)) * (1.08 - 0.24 * ramp(0.0, 0.65, since_note()))
    track = smooth(track, 0.030)
    t = times()
    for phone in phones():
        if phone.name in LIP_SOUNDS:
            middle, half = (phone.start + phone.end) / 2, (phone.end - phone.start) / 2
            grip = ramp(half + 0.07, half - 0.005, np.abs(t - middle))[:, None]
            track += (np.array(VISEMES[phone.name]) - track) * grip
    return smooth(track, 0.010)


def head_tracks() -> dict[str, Any]:
    """Head, brows, smile and lids at each control step."""
    t = times()
    bar = (t - LEAD) / (3 * BEAT)
    stage = ramp(0.0, 0.9, t) * ramp(DURATION - 0.05, DURATION - 1.2, t)
    high = smooth(np.clip((notes() - 54) / 8, -0.5, 1), 0.14) * stage
    chin = 4.5 * smooth(mouth_track()[:, 0], 0.06)  # a wide open mouth lifts the head
    singing = smooth(held({name: float(name not in ("_", "BR")) for name in VISEMES}), 0.12)
    blink = sum(ramp(-0.11, -0.02, t - b) * ramp(0.16, 0.04, t - b) for b in BLINKS)
    return {
        "yaw": stage * (11.5 * np.sin(np.pi * bar / 2 - 0.4) - 5.0 * np.sin(np.pi * bar - 0.3)),
        "pitch": stage * (2.0 * np.cos(2 * np.pi * (bar - 0.5)) + 7.2 * np.sin(np.pi * bar / 2)) + 2.5 * high + chin,
        "roll": stage * 3.5 * np.sin(np.pi * bar - 0.3),
        "shift_x": stage * 0.09 * np.sin(np.pi * bar - 0.3),
        "shift_y": stage * 0.022 * np.cos(2 * np.pi * (bar - 0.55)),
        "blink": np.clip(blink, 0, 1),
        "brow": np.clip(0.85 * high + 0.10 * singing, 0, 1),
        "smile": 0.44 + 0.14 * singing * (1 - mouth_track()[:, 4]),
    }


def perform() -> Recital:
    """The whole performance."""
    steps = np.round((np.arange(round(DURATION * FPS)) + 0.5) / FPS * RATE).astype(int)
    tracks = head_tracks() | dict(zip(MOUTH, mouth_track().T, strict=True))
    return Recital(FPS, **{name: track[steps] for name, track in tracks.items()})
