"""From a score to the singer's movements: mouth shapes, swaying head, brows and blinks, frame by frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from memegen.singer.drawing.surfaces import ramp
from memegen.singer.recital import Recital
from memegen.singer.score import FPS, Score
from memegen.singer.timeline import RATE, Timeline, Track, smooth

MOUTH = ("jaw", "upper", "lower", "wide", "round", "press", "tuck", "tongue")

# mouth shapes in the order of MOUTH
VISEMES: dict[str, tuple[float, ...]] = {
    "_": (0, 0, 0, 0, 0, 0, 0, 0),
    "BR": (0.30, 0.25, 0.15, 0.05, 0.15, 0, 0, 0),
    "IY": (0.17, 0.55, 0.55, 0.85, 0, 0, 0, 0.15),
    "IH": (0.28, 0.40, 0.40, 0.50, 0, 0, 0, 0.1),
    "E": (0.40, 0.50, 0.40, 0.60, 0, 0, 0, 0.15),
    "EH": (0.56, 0.45, 0.30, 0.45, 0, 0, 0, 0.15),
    "AE": (0.78, 0.50, 0.25, 0.40, 0, 0, 0, 0),
    "A": (0.86, 0.44, 0.18, 0.15, 0, 0, 0, 0),
    "AA": (0.90, 0.40, 0.15, 0.05, 0, 0, 0, 0),
    "AO": (0.66, 0.20, 0.10, -0.1, 0.62, 0, 0, 0),
    "O": (0.48, 0.18, 0.10, -0.1, 0.80, 0, 0, 0),
    "AH": (0.60, 0.30, 0.20, 0.05, 0.05, 0, 0, 0),
    "AX": (0.40, 0.30, 0.20, 0.05, 0.05, 0, 0, 0),
    "UH": (0.34, 0.20, 0.15, -0.1, 0.60, 0, 0, 0),
    "UW": (0.22, 0.15, 0.10, -0.2, 1.0, 0, 0, 0),
    "UE": (0.18, 0.25, 0.20, -0.1, 0.95, 0, 0, 0.1),
    "OE": (0.42, 0.25, 0.20, -0.1, 0.75, 0, 0, 0.1),
    "ER": (0.30, 0.30, 0.30, 0, 0.45, 0, 0, 0.2),
    "R": (0.22, 0.25, 0.25, 0, 0.55, 0, 0, 0.2),
    "DX": (0.22, 0.35, 0.30, 0.15, 0, 0, 0, 0.9),
    "L": (0.42, 0.35, 0.25, 0.15, 0, 0, 0, 1.0),
    "Y": (0.13, 0.40, 0.40, 0.65, 0, 0, 0, 0.5),
    "W": (0.12, 0.12, 0.10, -0.2, 1.0, 0, 0, 0),
    "M": (0, 0, 0, 0.05, 0, 0.9, 0, 0),
    "P": (0, 0, 0, 0.05, 0, 0.9, 0, 0),
    "B": (0, 0, 0, 0.05, 0, 0.9, 0, 0),
    "N": (0.20, 0.35, 0.30, 0.25, 0, 0, 0, 1.0),
    "NG": (0.28, 0.35, 0.25, 0.20, 0, 0, 0, 0.1),
    "D": (0.16, 0.35, 0.35, 0.25, 0, 0, 0, 1.0),
    "T": (0.12, 0.38, 0.38, 0.25, 0, 0, 0, 1.0),
    "Z": (0.04, 0.50, 0.60, 0.50, 0, 0, 0, 0.4),
    "S": (0.04, 0.50, 0.60, 0.45, 0.1, 0, 0, 0.4),
    "SH": (0.08, 0.45, 0.50, 0, 0.50, 0, 0, 0.3),
    "ZH": (0.08, 0.45, 0.50, 0, 0.50, 0, 0, 0.3),
    "CH": (0.07, 0.45, 0.50, 0, 0.45, 0, 0, 0.5),
    "JH": (0.08, 0.45, 0.50, 0, 0.45, 0, 0, 0.5),
    "CX": (0.10, 0.45, 0.45, 0.45, 0, 0, 0, 0.4),
    "G": (0.25, 0.35, 0.30, 0.25, 0, 0, 0, 0.1),
    "K": (0.25, 0.35, 0.30, 0.25, 0, 0, 0, 0.1),
    "X": (0.34, 0.35, 0.25, 0.10, 0, 0, 0, 0.1),
    "F": (0.02, 0.70, 0, 0.10, 0, 0, 1.0, 0),
    "V": (0.02, 0.70, 0, 0.10, 0, 0, 1.0, 0),
    "TH": (0.16, 0.30, 0.25, 0.10, 0, 0, 0, 1.0),
    "DH": (0.20, 0.30, 0.25, 0.10, 0, 0, 0, 1.0),
    "HH": (0.55, 0.40, 0.20, 0.20, 0, 0, 0, 0),
}
LIP_SOUNDS = ("M", "P", "B", "F", "V")


def perform(score: Score) -> Recital:
    """Let the singer perform a score."""
    timeline = Timeline(score)
    steps = np.round((np.arange(score.frames) + 0.5) / FPS * RATE).astype(int)
    mouth = mouth_track(timeline)
    tracks = head_tracks(timeline, mouth) | dict(zip(MOUTH, mouth.T, strict=True))
    return Recital(FPS, **{name: track[steps] for name, track in tracks.items()})


def mouth_track(timeline: Timeline) -> Track:
    """The mouth's parameters (N, 8), in the order of `MOUTH`, with neighbouring sounds run together."""
    track = timeline.held(VISEMES)
    track[:, 0] *= (0.82 + 0.02 * (timeline.pitch - 50)) * (1.08 - 0.24 * ramp(0.0, 0.65, timeline.since_note))
    track = smooth(track, 0.030)
    for phone in timeline.score.phones:
        if phone.name in LIP_SOUNDS:  # they count wherever they are: nothing smooths a closed mouth away
            middle, half = (phone.start + phone.end) / 2, (phone.end - phone.start) / 2
            near = slice(*np.searchsorted(timeline.times, (phone.start - 0.1, phone.end + 0.1)))
            grip = ramp(half + 0.07, half - 0.005, np.abs(timeline.times[near] - middle))[:, None]
            track[near] += (np.array(VISEMES[phone.name]) - track[near]) * grip
    return smooth(track, 0.010)


def head_tracks(timeline: Timeline, mouth: Track) -> dict[str, Any]:
    """Head, brows, smile and lids at each control step."""
    t, score = timeline.times, timeline.score
    turn = np.pi * (t - score.lead) / (score.sway * score.beat)  # half a circle from one side to the other
    stage = ramp(0.0, 0.9, t) * ramp(score.duration - 0.05, score.duration - 1.2, t)
    high = smooth(np.clip((timeline.pitch - 54) / 8, -0.5, 1), 0.14) * stage
    chin = 4.5 * smooth(mouth[:, 0], 0.06)  # a wide open mouth lifts the head
    singing = smooth(timeline.held({name: float(name not in ("_", "BR")) for name in VISEMES}), 0.12)
    blink = sum(ramp(-0.11, -0.02, t - b) * ramp(0.16, 0.04, t - b) for b in score.blinks)
    return {
        "yaw": stage * (11.5 * np.sin(turn / 2 - 0.4) - 5.0 * np.sin(turn - 0.3)),
        "pitch": stage * (2.0 * np.cos(2 * turn - np.pi) + 7.2 * np.sin(turn / 2)) + 2.5 * high + chin,
        "roll": stage * 3.5 * np.sin(turn - 0.3),
        "shift_x": stage * 0.09 * np.sin(turn - 0.3),
        "shift_y": stage * 0.022 * np.cos(2 * turn - 1.1 * np.pi),
        "blink": np.clip(blink, 0, 1),
        "brow": np.clip(0.85 * high + 0.10 * singing, 0, 1),
        "smile": 0.44 + 0.14 * singing * (1 - mouth[:, 4]),
    }
