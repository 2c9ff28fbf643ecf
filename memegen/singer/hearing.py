"""Hears a voice in a sound, with or without music around it, and tells how far a mouth opens that makes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Floats
from memegen.base.downloads import asset

HEARD_RATE = 16000  # samples a second that are listened to
STEP = 160  # samples from one frame to the next: 100 frames a second
STEPS = HEARD_RATE // STEP
WINDOW, SIZE = 400, 512  # samples of a frame, and of its Fourier transform
BANDS = 26
VOICE = (80.0, 7600.0)  # hertz
FLOOR = 3.5  # powers of ten below the loudest, from where on everything is silence
CEPSTRA = 10
EDGE = 64  # frames of a block that are heard again with the next, as what surrounds them counts
HELD = 31  # frames that a held note of an instrument lasts at least
MELODY = (80.0, 500.0)  # hertz of a sung note

# Frames before and after that say what a mouth does now: at 40, 90, 140 and 200 ms (articulation), and the mean
# loudness over the last and the next 0.2, 0.5 and 1 s (breathing in before a phrase, closing after it).
AROUND = (-20, -14, -9, -4, 0, 4, 9, 14, 20)
SPANS = (20, 50, 100)


class Heard(NamedTuple):
    """What is heard in a sound, N frames at STEPS a second; frame k is centred on the time k / STEPS.

    Attributes:
        voice: (N, BANDS) power in mel bands of what may be a voice, float32.
        level: (N,) power of the whole sound, with its music.
        onset: (N,) how much louder the bands of the whole sound get, 0 or more: notes and drums begin.
        pitch: (N,) hertz of the voice's strongest melody.
        tonal: (N,) how clear that pitch is, 0 to 1; low in silence, hisses and drums.
    """

    voice: NDArray[np.float32]
    level: NDArray[np.float32]
    onset: NDArray[np.float32]
    pitch: NDArray[np.float32]
    tonal: NDArray[np.float32]


def hear(blocks: Iterable[NDArray[np.float32]]) -> Heard:
    """Listen to a sound, block by block; memory holds one block and some thirty numbers for each frame.

    Args:
        blocks: (B, 2) samples in [-1, 1] at HEARD_RATE.
    """
    parts = [_listen(block, drop) for block, drop in _overlapping(blocks)]
    return Heard(*(np.concatenate(track) for track in zip(*parts, strict=True)))


def _overlapping(blocks: Iterable[NDArray[np.float32]]) -> Iterator[tuple[NDArray[np.float32], tuple[int, int]]]:
    """Give each block the EDGE frames around it; also yield how many frames to drop at its begin and end."""
    margin = EDGE * STEP
    kept, first = np.zeros((0, 2), np.float32), True
    for block in blocks:
        kept = np.concatenate([kept, block])
        # The end waits until what follows it is known; whole frames only.
        if (ready := len(kept) // STEP - EDGE) > 2 * EDGE:
            yield kept[: (ready + EDGE) * STEP], (0 if first else EDGE, EDGE)
            kept, first = kept[ready * STEP - margin :], False
    yield kept, (0 if first else EDGE, 0)


def _listen(samples: NDArray[np.float32], drop: tuple[int, int]) -> Heard:
    """Hear one block."""
    count = -(-len(samples) // STEP) if drop[1] == 0 else len(samples) // STEP
    left, right = (_spectra(channel, count) for channel in samples.T)
    whole = (np.abs(left) ** 2 + np.abs(right) ** 2) / 2
    voice = np.abs(left + right) ** 2 / 4 * _in_front(left, right) * _moving(whole)
    loud = np.log10(whole @ mel_bands().T + 1e-7)
    onset = np.maximum(np.diff(loud, axis=0, prepend=loud[:1]), 0).mean(1)
    pitch, tonal = _melody(voice)
    kept = slice(drop[0], count - drop[1])
    tracks = (voice @ mel_bands().T, whole.mean(1), onset, pitch, tonal)
    return Heard(*(np.asarray(track[kept], np.float32) for track in tracks))


def _spectra(channel: NDArray[np.float32], count: int) -> NDArray[np.complex64]:
    """Return the spectra (count, SIZE / 2 + 1) of frames centred on each step."""
    padded = np.pad(channel, (WINDOW // 2, WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: count * STEP : STEP]
    return np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), SIZE).astype(np.complex64)


def _in_front(left: NDArray[np.complex64], right: NDArray[np.complex64]) -> Floats:
    """Return what part of each spectrum's power comes from the middle of the stereo picture, where voices are mixed."""
    # What differs between the channels is at the sides. A quarter of it already silences that frequency: a voice that
    # is mixed with an instrument there tells less than the frequencies where it is alone.
    apart = np.abs(left - right) ** 2 / (np.abs(left) ** 2 + np.abs(right) ** 2 + 1e-12)
    return np.asarray(np.clip(1 - 4 * apart, 0, 1) ** 2)


def _moving(power: Floats) -> Floats:
    """Return a mask of what does not stay at one frequency for a third of a second, as held instruments do."""
    # A morphological opening keeps what lasts at least as long as its kernel; voices glide and tremble.
    grey = cv2.blur(np.sqrt(power), (3, 3))
    held = cv2.morphologyEx(grey, cv2.MORPH_OPEN, np.ones((HELD, 1), np.uint8))
    return np.asarray(np.clip(1 - (held / (grey + 1e-9)) ** 2, 0, 1))


def _melody(power: Floats) -> tuple[Floats, Floats]:
    """Return the pitch (N,) in hertz and its clarity (N,) in [0, 1]: the highest peak of the autocorrelation."""
    # The cube root evens the harmonics out (Tolonen and Karjalainen 2000), so that one strong formant does not win.
    lags = np.fft.irfft(np.cbrt(power))
    shortest, longest = (round(HEARD_RATE / hertz) for hertz in reversed(MELODY))
    part = lags[:, shortest:longest]
    best = part.argmax(1)
    clear = part[np.arange(len(part)), best] / (lags[:, 0] + 1e-9)
    return HEARD_RATE / (best + shortest), np.clip(2 * clear, 0, 1)


@cache
def mel_bands() -> NDArray[np.float32]:
    """Return the weights (BANDS, SIZE / 2 + 1) of triangles that are evenly spaced on the mel scale of pitch."""
    hertz = np.linspace(0, HEARD_RATE / 2, SIZE // 2 + 1)
    low, high = (2595 * np.log10(1 + edge / 700) for edge in VOICE)
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None), np.float32)


def features(heard: Heard) -> Floats:
    """Return what the mouth is told from: (N, 96) numbers that do not depend on loudness, microphone or speaker."""
    loud = np.percentile(heard.voice.mean(1), 95) + 1e-12
    bands = np.log10(heard.voice / loud + 10**-FLOOR)
    level = _smoothed(bands.mean(1, keepdims=True), 2.0)
    # Cepstra describe the form of the spectrum. Less their mean over the louder part, they do not know who sings.
    shape = bands @ _cosines().T
    sounding = level[:, 0] >= np.percentile(level, 30)
    shape = (shape - shape[sounding].mean(0)) / (shape[sounding].std(0).mean() + 1e-3)
    shape = _smoothed(shape, 1.5)
    frames = np.arange(len(shape))
    near = [shape[np.clip(frames + k, 0, len(shape) - 1)] for k in AROUND]
    return np.hstack([*near, *_around(level[:, 0])])


def _around(level: Floats) -> list[Floats]:
    """Return the mean level (N, 1) over each of SPANS before and after every frame."""
    longest = max(SPANS)
    total = np.cumsum(np.pad(level, (longest + 1, longest), mode="edge"))
    middle = np.arange(len(level)) + longest
    before = [total[middle] - total[middle - span] for span in SPANS]
    after = [total[middle + span] - total[middle] for span in SPANS]
    return [mean[:, None] / span for mean, span in zip(before + after, SPANS * 2, strict=True)]


@cache
def _cosines() -> Floats:
    place = np.pi * np.arange(CEPSTRA)[:, None] * (np.arange(BANDS) + 0.5) / BANDS
    return np.asarray(np.cos(place) * np.sqrt(2 / BANDS))


def _smoothed(track: Floats, spread: float) -> Floats:
    """Blur a track (N, C) along time; the spread is in frames."""
    return np.asarray(cv2.GaussianBlur(track, (1, 0), sigmaX=1, sigmaY=spread, borderType=cv2.BORDER_REPLICATE))


class Ear(NamedTuple):
    """Tells a mouth from features: kernel regression, learned by assets/models/make_hearing.py.

    Attributes:
        mean: (96,) of the features.
        spread: (96,) their standard deviations.
        supports: (M, 96) float16, examples in units of the spread about the mean.
        weights: (M, 3) what each of them says.
        offset: (3,) what is said far from all of them.
        width: How far an example reaches, relative to the number of features.
    """

    mean: Floats
    spread: Floats
    supports: NDArray[np.float16]
    weights: Floats
    offset: Floats
    width: float

    @classmethod
    def load(cls) -> Ear:
        """Load what was learned."""
        with np.load(asset("models/hearing.npz"), allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in ("mean", "spread", "supports", "weights", "offset")}
            return cls(**arrays, width=float(kept["width"]))

    def save(self, file: Path) -> None:
        """Write it, small."""
        small = {name: value.astype(np.float32) for name, value in self._asdict().items() if name != "width"}
        np.savez_compressed(file, **{**small, "supports": self.supports}, width=np.array(self.width))

    def nearness(self, rows: Floats) -> Floats:
        """Compare features (N, 96) with every example: (N, M), 1 where they are alike, falling to 0 (Gaussian)."""
        places, examples = (rows - self.mean) / self.spread, self.supports.astype(np.float64)
        apart = (places**2).sum(1)[:, None] + (examples**2).sum(1) - 2 * places @ examples.T
        return np.asarray(np.exp(-self.width / rows.shape[1] * np.maximum(apart, 0)))

    def mouths(self, rows: Floats) -> Floats:
        """Tell the mouth of each row of `features`.

        Returns:
            (N, 3): how far the lips are apart, 0 shut, about 1 on average and 3 wide open; how they are rounded, from
            -1, drawn wide, to 1; and whether there is a voice at all, 0 to 1.
        """
        parts = np.array_split(rows, len(rows) // 4096 + 1)  # to save memory
        return np.concatenate([self.offset + self.nearness(part) @ self.weights for part in parts])
