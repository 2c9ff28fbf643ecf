"""How well the singer keeps to its scores: pitch and onsets of every note, measured from the sound of each tune.

python benchmarks/singing.py             # every tune, every voice: a table
python benchmarks/singing.py --wav DIR   # writes the voices there, to listen to them
    python benchmarks/singing.py --rules     # how often the rules for English agree with the dictionary
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memegen.base.downloads import asset
from memegen.singer.fitting import write_score
from memegen.singer.options import Singing
from memegen.singer.pronunciation import VOWELS
from memegen.singer.recording import write_samples
from memegen.singer.score import Score
from memegen.singer.spelling import spell
from memegen.singer.tunes import TUNES
from memegen.singer.voice import SAMPLE_RATE, VOICES, sing_alone

Samples = NDArray[np.floating]
VIBRATO = 1 / 5.5  # seconds: pitch is averaged over whole cycles


def heard_pitch(sound: Samples, start: float, end: float, *, near: float) -> float:
    """The frequency of a sound between two times, by the strongest repetition within a third of the one expected."""
    part = sound[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    spectrum = np.abs(np.fft.rfft(part, 2 * len(part))) ** 2
    same = np.fft.irfft(spectrum)[: len(part)] / np.arange(len(part), 0, -1)  # unbiased autocorrelation
    lags = np.arange(int(SAMPLE_RATE / near / 1.33), int(SAMPLE_RATE / near * 1.33))
    best = lags[np.argmax(same[lags])]
    a, b, c = same[best - 1 : best + 2]  # the top of a parabola through three lags
    return float(SAMPLE_RATE / (best + 0.5 * (a - c) / (a - 2 * b + c)))


def cents(sound: Samples, score: Score, higher: int) -> NDArray[np.float64]:
    """How far each note is off its pitch, in cents: the mean over its vowel, in windows of 40 ms, for its vibrato."""
    vowels = [phone for phone in score.phones if phone.name in VOWELS]
    off = []
    for note in score.notes:
        expected = 440 * 2 ** ((note.pitch + higher - 69) / 12)
        own = [phone for phone in vowels if note.start - 1e-6 <= phone.start < note.end]
        slid = any(abs(phone.end - note.start) < 1e-6 for phone in vowels)  # from the note before, without a consonant
        start, end = note.start + (0.05 if slid else 0.01), own[-1].end - 0.01
        if end - start > VIBRATO + 0.04:  # whole cycles
            start = end - 0.04 - VIBRATO * int((end - start - 0.04) / VIBRATO)
        times = np.arange(start, max(end - 0.04, start + 0.001), 0.01)
        pitches = [heard_pitch(sound, t, min(t + 0.04, end), near=expected) for t in times]
        off.append(1200 * np.mean(np.log2(np.array(pitches) / expected)))
    return np.array(off)


def vowel_onsets(sound: Samples, score: Score) -> NDArray[np.float64]:
    """Seconds by which each syllable's vowel begins later than its note: when the spectrum has gone half the way.

    The way leads from the middle of the sound before to 60 ms after the beginning of the vowel, through spectra of
    20 ms.
    """
    ends = np.array([phone.end for phone in score.phones])
    late = []
    for syllable in score.syllables:
        before = score.phones[int(np.argmin(np.abs(ends - syllable.start)))]
        times = np.arange((before.start + before.end) / 2 - syllable.start, 0.0601, 0.0025) + syllable.start
        times = times[times > syllable.start - 0.1]
        frames = np.array([_envelope(sound, t) for t in times])
        way = frames[-3:].mean(axis=0) - frames[0]
        along = (frames - frames[0]) @ way / (way @ way)
        late.append(times[np.argmax(along > 0.5)] - syllable.start)
    return np.array(late)


def _envelope(sound: Samples, time: float) -> Samples:
    """The spectrum at a time in 24 bands, in decibels."""
    middle, half = round(time * SAMPLE_RATE), 480
    part = np.zeros(2 * half)
    piece = sound[max(middle - half, 0) : middle + half]
    part[: len(piece)] = piece
    power = np.abs(np.fft.rfft(part * np.hanning(2 * half))) ** 2
    return np.asarray([10 * np.log10(band.mean() + 1e-4) for band in np.array_split(power[:160], 24)])


def rules() -> str:
    """Read every dictionary word of 3 to 9 letters by rules alone, and compare."""
    words = [line.split() for line in gzip.decompress(asset("words/english.gz").read_bytes()).decode().splitlines()]
    words = [word for word in words if word[0].isalpha() and 3 <= len(word[0]) <= 9]
    read = [([sound.rstrip("1") for sound in said], spell(word, "en")) for word, *said in words]
    counts = [[sum(sound in VOWELS for sound in sounds) for sounds in pair] for pair in read]
    length, same = (100 * np.mean([theirs == ours for theirs, ours in pairs]) for pairs in (counts, read))
    return f"{len(words)} words: {length:.1f} % have the right number of syllables, {same:.1f} % every sound"


def main() -> None:
    """Print a line for each tune and voice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wav", type=Path)
    parser.add_argument("--rules", action="store_true")
    options = parser.parse_args()
    folder = options.wav
    if options.rules:
        return print(rules())
    print("| tune | voice | notes | pitch: median, worst (cents) | onset: median, 90 %, worst (ms) |")
    print("|---|---|---|---|---|")
    for name, tune in TUNES.items():
        score = write_score(tune, Singing())
        for height, voice in VOICES.items():
            sound = sing_alone(score, voice)
            off = np.abs(cents(sound, score, voice.higher))
            late = np.abs(vowel_onsets(sound, score)) * 1000
            pitch = f"{np.median(off):.0f}, {off.max():.0f}"
            onset = f"{np.median(late):.0f}, {np.quantile(late, 0.9):.0f}, {late.max():.0f}"
            print(f"| {name} | {height} | {len(off)} | {pitch} | {onset} |", flush=True)
            if folder:
                write_samples(folder / f"{name}-{height}.wav", 0.2 * sound)


if __name__ == "__main__":
    main()
