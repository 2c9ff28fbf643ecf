"""A score in small steps of time, for the voice and the face: what sounds, on which note, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memegen.singer.score import Score

RATE = 250  # control steps a second

Track = NDArray[np.float64]
"""One number for each control step, or for each sample."""


class Timeline:
    """The control steps of a score.

    Attributes:
        score: What is sung.
        times: (N,) seconds of every step.
        pitch: (N,) MIDI note at each step, unsmoothed.
        since_note: (N,) seconds since the last note began; negative before the first.
    """

    def __init__(self, score: Score) -> None:
        self.score = score
        self.times: Track = np.arange(round(score.duration * RATE)) / RATE
        self._phones = np.searchsorted([p.end for p in score.phones[:-1]], self.times, side="right")
        starts = np.array([note.start for note in score.notes])
        # Between two vowels a singer slides in the consonants or the rest, so that both vowels keep their pitch.
        slides = list(starts)
        for attack, syllable in zip(score.attacks, score.syllables, strict=True):
            first = score.notes.index(syllable.notes[0])
            rest = score.notes[first - 1].end if first else 0.0
            slides[first] = min(rest, (attack + syllable.start) / 2)
        self.pitch: Track = np.array([note.pitch for note in score.notes], float)[self._last(slides)]
        self.since_note: Track = self.times - starts[self._last(starts)]

    def _last(self, starts: ArrayLike) -> NDArray[np.intp]:
        """Return which start was the last one, at each step; before the first it is the first."""
        return np.clip(np.searchsorted(starts, self.times + 1e-9, side="right") - 1, 0, None)

    def held(self, values: Mapping[str, Any]) -> Track:
        """Look up each sound's value: what holds at each step, (N,) or (N, D)."""
        return np.array([values[p.name] for p in self.score.phones], float)[self._phones]


def smooth(track: ArrayLike, seconds: float) -> Track:
    """Smooth a track (N,) or (N, D) of control steps with a Gaussian of that spread."""
    values = np.asarray(track, float)
    reach = int(4 * seconds * RATE)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * RATE)) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, [(reach, reach)] + [(0, 0)] * (values.ndim - 1), mode="edge")
    return np.apply_along_axis(np.convolve, 0, padded, kernel, "valid")
