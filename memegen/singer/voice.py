"""Sings the timeline: harmonics shaped by gliding vowel resonances, noise for the hisses, and a small band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memegen.singer.score import Score
from memegen.singer.timeline import RATE, Timeline, Track, smooth

SAMPLE_RATE = 48_000
LOUDNESS = -16.0  # LUFS
VIBRATO = 5.5  # hertz


@dataclass(frozen=True)
class Voice:
    """Who sings.

    Attributes:
        higher: Semitones above the score.
        throat: Resonances over a man's: shorter throats have higher ones.
        depth: Of the vibrato, semitones.
        breath: Strength of the breath that is heard with every voiced sound.
    """

    higher: int
    throat: float
    depth: float
    breath: float

    @property
    def shift(self) -> int:
        """Semitones by which the band plays higher: as little as fits the voice's key."""
        return (self.higher + 6) % 12 - 6


VOICES = {
    "high": Voice(higher=14, throat=1.32, depth=0.12, breath=0.030),
    "middle": Voice(higher=9, throat=1.17, depth=0.22, breath=0.020),
    "low": Voice(higher=0, throat=1.0, depth=0.24, breath=0.012),
}

# resonances in hertz (three), strength of the voice, strength of the breath or hiss, and the hiss's middle and width
SOUNDS: dict[str, tuple[float, ...]] = {
    "_": (500, 1500, 2500, 0.0, 0.0, 3000, 2000),
    "BR": (600, 1500, 2500, 0.0, 0.05, 1700, 900),
    "IY": (290, 2250, 2950, 0.95, 0, 4000, 2000),
    "E": (400, 2050, 2650, 1.0, 0, 4000, 2000),
    "IH": (400, 1950, 2600, 1.0, 0, 4000, 2000),
    "EH": (550, 1820, 2550, 1.0, 0, 4000, 2000),
    "AE": (700, 1640, 2480, 1.0, 0, 4000, 2000),
    "A": (760, 1350, 2500, 1.0, 0, 4000, 2000),
    "AA": (750, 1150, 2500, 1.0, 0, 4000, 2000),
    "AO": (560, 860, 2500, 1.0, 0, 4000, 2000),
    "O": (430, 780, 2450, 1.0, 0, 4000, 2000),
    "AH": (640, 1200, 2500, 1.0, 0, 4000, 2000),
    "AX": (500, 1450, 2450, 0.95, 0, 4000, 2000),
    "UH": (450, 1050, 2300, 1.0, 0, 4000, 2000),
    "UE": (300, 1750, 2250, 0.95, 0, 4000, 2000),
    "OE": (420, 1550, 2250, 1.0, 0, 4000, 2000),
    "UW": (320, 900, 2300, 1.0, 0, 4000, 2000),
    "ER": (490, 1330, 1720, 0.95, 0, 4000, 2000),
    "R": (350, 1100, 1450, 0.75, 0, 4000, 2000),
    "DX": (320, 1500, 2500, 0.35, 0, 4000, 2000),
    "W": (300, 700, 2250, 0.75, 0, 4000, 2000),
    "L": (350, 1150, 2800, 0.65, 0, 4000, 2000),
    "Y": (270, 2250, 3050, 0.75, 0, 4000, 2000),
    "M": (240, 1000, 2200, 0.34, 0, 4000, 2000),
    "N": (250, 1500, 2500, 0.36, 0, 4000, 2000),
    "NG": (260, 1900, 2500, 0.34, 0, 4000, 2000),
    "P": (300, 900, 2300, 0.0, 0, 1000, 900),
    "B": (250, 900, 2300, 0.10, 0, 1000, 900),
    "T": (300, 1750, 2650, 0.0, 0, 4800, 1800),
    "D": (250, 1750, 2650, 0.10, 0, 4000, 2000),
    "G": (250, 2000, 2500, 0.10, 0, 2200, 900),
    "K": (350, 2000, 2500, 0.0, 0, 2000, 900),
    "Z": (280, 1700, 2550, 0.22, 0.30, 6200, 1700),
    "S": (350, 1700, 2550, 0.0, 0.60, 6500, 1900),
    "SH": (350, 1750, 2550, 0.0, 0.58, 3600, 1400),
    "ZH": (280, 1750, 2550, 0.22, 0.28, 3500, 1300),
    "CH": (350, 1750, 2550, 0.0, 0, 3600, 1500),
    "JH": (280, 1750, 2550, 0.12, 0, 3400, 1400),
    "CX": (300, 2100, 2900, 0.0, 0.28, 4000, 1500),
    "X": (500, 1300, 2450, 0.0, 0.24, 1500, 700),
    "TH": (400, 1400, 2550, 0.0, 0.12, 6000, 3500),
    "F": (400, 1200, 2400, 0.0, 0.14, 5200, 3800),
    "V": (280, 1150, 2350, 0.28, 0.06, 4800, 3500),
    "DH": (280, 1400, 2550, 0.28, 0.05, 5200, 3500),
    "HH": (650, 1650, 2480, 0.05, 0.16, 1900, 1300),
}
BANDWIDTHS = (70.0, 95.0, 130.0, 210.0, 260.0)
UPPER = (3350.0, 3900.0)
# the burst that opens a stop: seconds before its end, length, strength, middle and width in hertz
BURSTS = {
    "P": (0.022, 0.018, 0.45, 1000, 900),
    "B": (0.014, 0.010, 0.45, 900, 800),
    "T": (0.050, 0.040, 0.65, 4800, 1800),
    "D": (0.016, 0.012, 0.75, 4200, 1600),
    "CH": (0.075, 0.070, 0.60, 3600, 1500),
    "JH": (0.060, 0.054, 0.45, 3400, 1400),
    "G": (0.022, 0.016, 0.6, 2200, 700),
    "K": (0.055, 0.045, 0.7, 2300, 900),
}

# bass and three upper notes of each chord, as MIDI numbers
TONES = {
    "G": (43, 50, 55, 59),
    "C": (48, 52, 55, 60),
    "D": (50, 54, 57, 62),
    "D7": (50, 54, 57, 60),
    "Em": (40, 52, 55, 59),
    "A7": (45, 52, 55, 61),
    "F": (41, 53, 57, 60),
    "C7": (48, 52, 58, 60),
}


def upsample(track: Track, timeline: Timeline) -> Track:
    """A control track at the sample rate."""
    n = round(timeline.score.duration * SAMPLE_RATE)
    return np.interp(np.arange(n) / SAMPLE_RATE, timeline.times, track)


def melody(timeline: Timeline, voice: Voice) -> Track:
    """Sung frequency in hertz at every control step: slides between notes, and vibrato once a note is held."""
    t = timeline.times
    note = smooth(timeline.pitch + voice.higher, 0.022)
    depth = voice.depth * np.clip((timeline.since_note - 0.22) / 0.35, 0, 1)
    drift = smooth(np.random.default_rng(5).standard_normal(len(t)), 0.05) * 0.10
    return np.asarray(440 * 2 ** ((note - 69 + smooth(depth, 0.03) * np.sin(2 * np.pi * VIBRATO * t) + drift) / 12))


def resonance(frequency: Track, formants: Track, throat: float) -> npt.NDArray[np.complex128]:
    """Response (N,) of the throat and mouth at one frequency (N,) given formants (N, 3)."""
    s = 2j * np.pi * frequency
    out = np.ones(len(frequency), complex)
    columns = [*formants.T, *(np.full(len(frequency), throat * f) for f in UPPER)]
    for centre, width in zip(columns, BANDWIDTHS, strict=True):
        pole = -np.pi * width + 2j * np.pi * centre
        out *= np.abs(pole) ** 2 / ((s - pole) * (s - pole.conj()))
    return out


def sung(timeline: Timeline, voice: Voice) -> Track:
    """The voiced part of the song."""
    values = timeline.held(SOUNDS)
    hertz = melody(timeline, voice)
    formants = smooth(values[:, :3] * voice.throat, 0.018)
    formants[:, 0] = np.maximum(formants[:, 0], hertz)  # high voices tune the first resonance to the note
    strength = smooth(values[:, 3], 0.009)
    effort = smooth(0.75 + 0.02 * (timeline.pitch - 50), 0.1)
    phase = 2 * np.pi * np.cumsum(upsample(hertz, timeline)) / SAMPLE_RATE
    turn = np.exp(1j * phase)
    partial = np.ones_like(turn)
    out = np.zeros(len(turn))
    for k in range(1, int(7500 / hertz.min())):
        partial = partial * turn
        frequency = k * hertz
        fade = np.clip((7500 - frequency) / 1500, 0, 1) * strength * effort
        gain = resonance(frequency, formants, voice.throat) * fade * k**-0.95
        out += upsample(gain.real, timeline) * partial.real - upsample(gain.imag, timeline) * partial.imag
    return np.asarray(out / np.sqrt(np.mean(out**2)))


def hiss(timeline: Timeline, voice: Voice) -> Track:
    """The unvoiced part: friction, breath and the bursts of stops."""
    t, values = timeline.times, timeline.held(SOUNDS)
    strength, middle, width = smooth(values[:, 4], 0.008), values[:, 5], values[:, 6]
    strength = strength + voice.breath * smooth(values[:, 3], 0.02)
    for phone in timeline.score.phones:
        if phone.name in BURSTS:
            ahead, length, peak, centre, spread = BURSTS[phone.name]
            short = min(0.7 * (phone.end - phone.start) / ahead, 1.0)  # in a hurry
            since = t - (phone.end - ahead * short)
            on = (since >= 0) & (since < length * short)
            strength = np.where(on, peak * np.exp(-np.abs(since) / (0.6 * length * short)), strength)
            middle, width = np.where(on, centre, middle), np.where(on, spread, width)
    noise = _shaped_noise(strength, middle * (1 + 0.5 * (voice.throat - 1)), width)
    return noise[: round(timeline.score.duration * SAMPLE_RATE)]


def _shaped_noise(strength: Track, middle: Track, width: Track) -> Track:
    """White noise filtered by a band that moves with the control steps (overlap and add)."""
    hop = SAMPLE_RATE // RATE
    size = 4 * hop
    window = np.hanning(size + 1)[:-1]
    noise = np.random.default_rng(7).standard_normal((len(strength) + 4) * hop)
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    out = np.zeros_like(noise)
    for k in range(len(strength)):
        band = strength[k] * np.exp(-(((frequency - middle[k]) / width[k]) ** 2))
        grain = np.fft.irfft(np.fft.rfft(noise[k * hop : k * hop + size] * window) * band, size)
        out[k * hop : k * hop + size] += grain
    return out[3 * hop // 2 :]


def pluck(note: int, seconds: float, *, bright: float, decay: float) -> Track:
    """One plucked string or music-box tooth, starting at full strength."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    f0 = 440 * 2 ** ((note - 69) / 12)
    out = np.zeros_like(t)
    for k in range(1, 1 + min(14, int(9000 / f0))):
        f = k * f0 * np.sqrt(1 + 2e-4 * k * k)
        out += (
            k ** (-1 / bright)
            * np.sin(np.pi * k * 0.21)
            * np.exp(-t * decay * (1 + 0.35 * k))
            * np.sin(2 * np.pi * f * t)
        )
    return np.asarray(out * np.clip(t / 0.002, 0, 1) * np.clip((seconds - t) / 0.03, 0, 1))


def band(score: Score, shift: int) -> tuple[Track, Track]:
    """A bass and chords on plucked strings, and the tune on a music box: two tracks."""
    n = round(score.duration * SAMPLE_RATE)
    strings, box = np.zeros(n), np.zeros(n)
    for chord in score.chords:
        bass, *rest = TONES[chord.name]
        waltz = score.sway == 3
        if chord.beat in ((0,) if waltz else (0, 2)):
            fifth = bass - 5 if bass - 5 >= 38 else bass + 7
            root = fifth if (chord.bar % 2 if waltz else chord.beat) else bass  # bass notes alternate
            _put(strings, pluck(root + shift, 0.7, bright=0.9, decay=2.5) * 1.15, chord.start)
        else:
            for k, note in enumerate(rest):
                _put(strings, pluck(note + shift + 12, 0.4, bright=0.7, decay=6) * 0.30, chord.start + 0.006 * k)
    for sung_note in score.notes:
        _put(box, pluck(sung_note.pitch + shift + 24, 1.2, bright=0.5, decay=3) * 0.5, sung_note.start)
    return strings, box


def _put(track: Track, sound: Track, seconds: float) -> None:
    start = round(seconds * SAMPLE_RATE)
    part = sound[: len(track) - start]
    track[start : start + len(part)] += part


def room(dry: Track, *, seed: int) -> Track:
    """The sound of a small hall added to one channel."""
    n = round(0.9 * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    tail = np.random.default_rng(seed).standard_normal(n) * np.exp(-t * 6.5) * np.clip((t - 0.012) / 0.02, 0, 1)
    size = 1 << int(np.ceil(np.log2(len(dry) + n)))
    spectrum = np.fft.rfft(tail, size)
    spectrum /= 1 + (np.fft.rfftfreq(size, 1 / SAMPLE_RATE) / 3200) ** 2
    wet = np.fft.irfft(np.fft.rfft(dry, size) * spectrum, size)[: len(dry)]
    return np.asarray(wet / (np.sqrt(np.mean(wet**2)) + 1e-12))


def loudness(sound: Track) -> float:
    """Loudness of a stereo sound (N, 2) in LUFS, after ITU-R BS.1770 with its two gates."""
    f = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    z = np.exp(-2j * np.pi * f / SAMPLE_RATE)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    weighted = np.fft.irfft(np.fft.rfft(sound, axis=0) * (shelf * high)[:, None], len(sound), axis=0)
    step, block = SAMPLE_RATE // 10, 4 * SAMPLE_RATE // 10
    starts = range(0, len(sound) - block, step)
    power = np.array([np.sum(np.mean(weighted[k : k + block] ** 2, axis=0)) for k in starts])
    level = -0.691 + 10 * np.log10(power + 1e-12)
    gate = -10.691 + 10 * np.log10(power[level > -70].mean())
    return float(-0.691 + 10 * np.log10(power[(level > -70) & (level > gate)].mean()))


def sing_alone(score: Score, voice: Voice) -> Track:
    """The voice alone, (N,) samples at `SAMPLE_RATE`, with a level of about 1."""
    timeline = Timeline(score)
    return sung(timeline, voice) + 0.9 * hiss(timeline, voice)


def song(score: Score, voice: Voice) -> npt.NDArray[np.float32]:
    """The whole mix as stereo samples (N, 2) in [-1, 1] at `SAMPLE_RATE`."""
    solo = sing_alone(score, voice)
    strings, box = (track / np.sqrt(np.mean(track**2)) for track in band(score, voice.shift))
    sides = []
    for side, seed in ((-1, 1), (1, 2)):
        dry = solo + (0.34 - 0.05 * side) * strings + (0.13 + 0.03 * side) * box
        sides.append(dry + 0.20 * room(dry, seed=seed))
    mix = np.stack(sides, axis=1)
    n = len(mix)
    mix *= np.clip(np.arange(n) / (0.01 * SAMPLE_RATE), 0, 1)[:, None]
    mix *= np.clip((n - np.arange(n)) / (0.30 * SAMPLE_RATE), 0, 1)[:, None]
    for _ in range(3):
        mix *= 10 ** ((LOUDNESS - loudness(mix)) / 20)
        mix = np.tanh(mix / 0.8) * 0.8
    return mix.astype(np.float32)
