"""Learn hearing.npz: how a mouth moves, told from the sound alone.

make_hearing.py GRID_FOLDER                   learn from all clips and write hearing.npz beside this file
make_hearing.py GRID_FOLDER --leave-one-out   also leave out each clip in turn, and print how well its mouth is told

The clips are those of the GRID corpus: their sound, and the gap of the lips as the face tracker sees it. Besides, the
project's own singer sings every tune, alone and with a random band, and what the mouth does is known. Every clip of
GRID is heard as it is, four times changed (speed, colour, room, noise), and twice with a random band around it. Bands
alone teach when nobody sings.
"""

import argparse
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memegen.face.tracking import track_face
from memegen.media.sound import sound_blocks
from memegen.media.video import open_video
from memegen.singer.acting import perform
from memegen.singer.drawing.mouth import gap
from memegen.singer.fitting import write_score
from memegen.singer.hearing import HEARD_RATE, STEPS, Ear, Heard, features, hear
from memegen.singer.improvising import improvise
from memegen.singer.options import HEIGHTS, Singing
from memegen.singer.score import FPS
from memegen.singer.tunes import TUNES
from memegen.singer.voice import SAMPLE_RATE, VOICES, sing_alone

Array = NDArray[np.floating]
CHANGED, ACCOMPANIED, BANDS_ALONE = 4, 2, 48
SUPPORTS, RIDGE, WIDTH = 1500, 5.0, 1.0
SPOKEN, PLAYED, SUNG = 4, 6, 30  # one in so many frames is learned from: of GRID, of bands, and of the singer
NOT_SEEN = np.nan
SINGERS_GAP = 0.085  # the singer's wide open mouth counts as much as that of GRID's speakers


class Example(NamedTuple):
    """A sound and its mouth: N rows of features, and of (gap, rounding, voice), NaN where it is not known.

    One row in so many (`every`) is learned from.
    """

    rows: Array
    mouths: Array
    heard: Heard
    every: int


def listen(sound: Array, times: Array, mouths: Array, every: int = SPOKEN) -> Example:
    """Hear a sound (S,) or (S, 2) whose mouths (M, 3) are known at some times."""
    stereo = sound if sound.ndim == 2 else np.stack([sound, sound], 1)
    heard = hear([stereo.astype(np.float32)])
    at = np.arange(len(heard.level)) / STEPS
    return Example(features(heard), np.stack([np.interp(at, times, track) for track in mouths.T], 1), heard, every)


# GRID


class Clip(NamedTuple):
    """A clip of GRID: samples (S,), frame times (M,), and mouths (M, 3)."""

    name: str
    sound: Array
    times: Array
    mouths: Array


def grid(folder: Path) -> Iterator[Clip]:
    """Read the clips, and measure their mouths."""
    for path in sorted(folder.glob("*.mpg")):
        video = open_video(path)
        points = np.stack(track_face(video.frames(), fps=float(video.fps)).landmarks)[..., :2]
        eyes = np.linalg.norm(points[:, 33] - points[:, 263], axis=1)
        lips, width = (np.linalg.norm(points[:, i] - points[:, j], axis=1) / eyes for i, j in ((13, 14), (61, 291)))
        sound = np.concatenate([*sound_blocks(path)]).mean(1).astype(float)
        times = (np.arange(len(lips)) + 0.5) / float(video.fps)
        # People open their mouths differently far: a shut mouth is 0, and the spread is 1 for everybody.
        opening = (lips - np.percentile(lips, 5)) / lips.std()
        rounding = 0.5 * (np.median(width) - width) / width.std()
        yield Clip(path.stem, sound, times, np.stack([opening, rounding, sounding(sound, times)], 1))


def sounding(sound: Array, times: Array) -> Array:
    """Tell at which times a clean voice sounds: within 20 dB of its loud parts, 0 or 1 with soft edges."""
    power = np.convolve(sound**2, np.hanning(1600) / 800, "same")
    heard = np.interp(times * HEARD_RATE, np.arange(len(power)), power)
    return np.clip(np.log10(heard / np.percentile(heard, 95) + 1e-9) + 2.0, 0, 1)


def changed(clip: Clip, rng: np.random.Generator) -> Clip:
    """Change a clip's speed (and so its pitch), its colour, room, noise and loudness a little."""
    speed = rng.uniform(0.88, 1.14)
    count = int(len(clip.sound) / speed)
    sound = np.interp(np.arange(count) * speed, np.arange(len(clip.sound)), clip.sound)
    hertz = np.fft.rfftfreq(count, 1 / HEARD_RATE)
    gains = np.interp(np.log(hertz + 1), np.log(np.geomspace(60, 8000, 6)), rng.normal(0, 2.5, 6))
    sound = np.fft.irfft(np.fft.rfft(sound) * 10 ** (gains / 20), count)
    if rng.random() < 0.25:
        sound = np.convolve(sound, room(rng))[:count]
    noise = rng.standard_normal(count) * np.sqrt(np.mean(sound**2)) * 10 ** (-rng.uniform(20, 45) / 20)
    return clip._replace(sound=(sound + noise) * rng.uniform(0.2, 2), times=clip.times / speed)


def room(rng: np.random.Generator) -> Array:
    """Make the echo of a room: decaying noise after the sound itself."""
    times = np.arange(round(HEARD_RATE * rng.uniform(0.05, 0.4))) / HEARD_RATE
    tail = rng.standard_normal(len(times)) * np.exp(-6.9 * times / times[-1])
    tail *= rng.uniform(0, 0.6) / np.linalg.norm(tail)
    tail[0] += 1
    return tail


# A random band


def accompanied(sound: Array, below: float, rng: np.random.Generator) -> Array:
    """Put a voice (S,) into the middle of a band that is some decibels weaker than its loud parts: (S, 2)."""
    power = np.convolve(sound**2, np.ones(1600) / 1600, "same")
    return sound[:, None] + np.sqrt(np.percentile(power, 90)) * 10 ** (-below / 20) * band(len(sound), rng)


def band(count: int, rng: np.random.Generator) -> Array:
    """Play some of chords, a bass, a tune and drums, at random: (count, 2) samples with a mean power of 1."""
    mix, beat, root = np.zeros((count, 2)), 60 / rng.uniform(70, 160), rng.integers(40, 52)
    kinds = rng.choice(["plucked", "organ", "bowed"], 3)
    places = rng.uniform(0.1, np.pi / 2 - 0.1, 3) if rng.random() < 0.7 else np.full(3, np.pi / 4)
    chords, strums, bass, tune, drums = rng.permutation([True, *(rng.random(4) < 0.5)])
    for at in np.arange(0, count / HEARD_RATE, beat):
        if at == 0 or round(at / beat) % 4 == 0:
            degree = rng.choice([0, 2, 4, 5, 7, 9])
            chord = root + degree + np.array([0, 4 if degree in (0, 5, 7) else 3, 7])
            for pitch in chord if chords else ():
                put(mix, 0.4 * note(pitch + 12, 4 * beat, kinds[0], rng), at, places[0])
        if bass and round(at / beat) % 2 == 0:
            put(mix, 1.5 * note(chord[0] - 12, 2 * beat, "plucked", rng), at, np.pi / 4)
        for half in (0, 0.5):
            for string in chord if strums and rng.random() < 0.8 else ():
                put(
                    mix,
                    0.4 * note(string + 12, beat, "plucked", rng),
                    at + half * beat + 0.01 * rng.random(),
                    places[2],
                )
            if tune and rng.random() < 0.6:
                put(mix, 0.4 * note(rng.choice(chord) + 24, beat * rng.choice([0.5, 1]), kinds[1], rng),
                    at + half * beat, places[1])  # fmt: skip
            if drums:
                put(mix, drum(half == 0, round(at / beat) % 2 == 0, rng), at + half * beat, np.pi / 4)
    return mix / (np.sqrt(np.mean(mix**2)) + 1e-9)


def note(pitch: float, seconds: float, kind: str, rng: np.random.Generator) -> Array:
    """Play one note (MIDI number) on an instrument that is plucked, held or bowed."""
    times = np.arange(round(seconds * HEARD_RATE)) / HEARD_RATE
    hertz, sound = 440 * 2 ** ((pitch - 69) / 12), np.zeros(len(times))
    for k in range(1, 1 + min(20, int(7000 / hertz))):
        sway = 0.0006 * np.sin(2 * np.pi * 5.5 * times) / k if kind == "bowed" else 0
        loud = np.exp(-times * (2 + 0.8 * k)) if kind == "plucked" else np.minimum(1, times / 0.08)
        sound += k**-1.25 * loud * np.sin(2 * np.pi * k * hertz * (times + sway) + rng.uniform(0, 6))
    return sound * np.minimum(1, times / 0.004) * np.minimum(1, (seconds - times) / 0.03)


def drum(on_beat: bool, low: bool, rng: np.random.Generator) -> Array:
    """Play a bass drum, a snare or a hi-hat."""
    times = np.arange(round(0.12 * HEARD_RATE)) / HEARD_RATE
    noise = rng.standard_normal(len(times) + 1)
    if not on_beat:
        return 0.3 * np.diff(noise) * np.exp(-60 * times)
    if low:
        return 2 * np.sin(2 * np.pi * (50 * times + 1 - np.exp(-30 * times))) * np.exp(-18 * times)
    return 0.6 * noise[1:] * np.exp(-25 * times)


def put(mix: Array, sound: Array, seconds: float, place: float) -> None:
    """Add a sound to a mix, in place; its place in the stereo picture is an angle, 0 is left."""
    part = mix[round(seconds * HEARD_RATE) :][: len(sound)]
    part += sound[: len(part), None] * [np.cos(place), np.sin(place)]


# Learning


def heard_clip(clip: Clip, rng: np.random.Generator) -> list[Example]:
    """Hear a clip of GRID in all its ways, first as it is."""
    ways = [clip, *(changed(clip, rng) for _ in range(CHANGED))]
    examples = [listen(way.sound, way.times, way.mouths) for way in ways]
    for _ in range(ACCOMPANIED):
        way = changed(clip, rng)
        examples.append(listen(accompanied(way.sound, rng.uniform(0, 15), rng), way.times, way.mouths))
    return examples


def sung(rng: np.random.Generator) -> Iterator[Example]:
    """Let the singer sing every tune, in one voice after the other, alone and with a random band."""
    for tune, height in zip(TUNES.values(), cycle(HEIGHTS)):
        score = write_score(tune, Singing(voice=height))
        sound = slower(0.1 * sing_alone(score, VOICES[height]))
        recital = perform(score)
        opening = np.array([gap(controls) for controls in recital]) / SINGERS_GAP
        rounding = np.array([controls.round - controls.wide for controls in recital])
        frames = (np.arange(len(recital)) + 0.5) / FPS
        mouths = np.stack([opening, rounding, sounding(sound, frames)], 1)
        yield listen(sound, frames, mouths, SUNG)
        yield listen(accompanied(sound, rng.uniform(0, 15), rng), frames, mouths, SUNG)


def slower(samples: Array) -> Array:
    """Bring samples (S,) from SAMPLE_RATE to HEARD_RATE."""
    times = np.arange(round(len(samples) * HEARD_RATE / SAMPLE_RATE)) / HEARD_RATE
    # A mean of three samples is low-pass enough for speech sounds: little lies above 8 kHz.
    return np.interp(times * SAMPLE_RATE, np.arange(len(samples)), np.convolve(samples, np.ones(3) / 3, "same"))


def bands_alone(rng: np.random.Generator) -> list[Example]:
    """Hear bands without a voice: what a mouth would do is nobody's guess."""
    nobody = np.array([[NOT_SEEN, NOT_SEEN, 0.0]])
    return [listen(0.1 * band(4 * HEARD_RATE, rng), np.zeros(1), nobody, PLAYED) for _ in range(BANDS_ALONE)]


def learn(examples: list[Example], seed: int = 0) -> Ear:
    """Kernel ridge regression with a Gaussian kernel, on some rows for all (Nystrom's method)."""
    rows = np.concatenate([one.rows[2 :: one.every] for one in examples])
    mouths = np.concatenate([one.mouths[2 :: one.every] for one in examples])
    mean, spread = rows.mean(0), rows.std(0) + 1e-6
    places = (rows - mean) / spread
    chosen = np.random.default_rng(seed).choice(len(rows), min(SUPPORTS, len(rows)), replace=False)
    ear = Ear(mean, spread, places[chosen].astype(np.float16), np.zeros((len(chosen), 3)), np.zeros(3), WIDTH)
    return ear._replace(**dict(zip(("weights", "offset"), solve(ear, rows, mouths), strict=True)))


def solve(ear: Ear, rows: Array, mouths: Array) -> tuple[Array, Array]:
    """Return the weights (supports, 3) and the offsets (3,) that tell the mouths best; NaNs are left out."""
    near, among = ear.nearness(rows), ear.nearness(ear.supports.astype(float) * ear.spread + ear.mean)
    weights, offsets = np.zeros((len(among), 3)), np.zeros(3)
    for k, track in enumerate(mouths.T):
        known = np.isfinite(track)
        offsets[k] = track[known].mean()
        matrix = near[known].T @ near[known] + RIDGE * among + 1e-6 * np.eye(len(among))
        weights[:, k] = np.linalg.solve(matrix, near[known].T @ (track[known] - offsets[k]))
    return weights, offsets


def alike(a: Array, b: Array) -> float:
    """Return Pearson's r."""
    return float(np.corrcoef(a, b)[0, 1])


def leave_one_out(clips: list[Clip], heard: list[list[Example]], made: list[Example]) -> None:
    """Tell every clip by what the others taught, and print how well."""
    print(
        "| clip | r of the gap | lag, ms | r of the rounding | r with itself, band 6 dB below |\n|---|---|---|---|---|"
    )
    table = []
    for k, clip in enumerate(clips):
        ear = learn([one for n, part in enumerate(heard) if n != k for one in part] + made)
        told = ear.mouths(heard[k][0].rows)
        mixed = listen(accompanied(clip.sound, 6, np.random.default_rng(100 + k)), clip.times, clip.mouths)
        at = np.arange(len(told)) / STEPS
        shifted = {ms: alike(np.interp(clip.times + ms / 1000, at, told[:, 0]), clip.mouths[:, 0])
                   for ms in range(-120, 121, 10)}  # fmt: skip
        rounding = alike(np.interp(clip.times, at, told[:, 1]), clip.mouths[:, 1])
        table.append((shifted[0], max(shifted, key=shifted.__getitem__), rounding,
                      alike(*(jaw(one.heard, ear) for one in (heard[k][0], mixed)))))  # fmt: skip
        print("| {} | {:.2f} | {} | {:.2f} | {:.2f} |".format(clip.name, *table[-1]), flush=True)
    print("| median | {:.2f} | {:.0f} | {:.2f} | {:.2f} |".format(*np.median(table, axis=0)))
    worst, late = np.min(table, axis=0), np.max(np.abs(table), axis=0)[1]
    print(f"| worst | {worst[0]:.2f} | {late:.0f} | {worst[2]:.2f} | {worst[3]:.2f} |")
    ear = learn([one for part in heard for one in part] + made)
    alone, spoken = bands_alone(np.random.default_rng(7)), [part[0] for part in heard]
    moved, speaks = (np.array([jaw(one.heard, ear).std() for one in some]) for some in (alone, spoken))
    print(f"The jaw's standard deviation: {np.median(moved):.3f} with a band alone (nine of ten: below "
          f"{np.percentile(moved, 90):.3f}), {np.median(speaks):.3f} with a speaker.")  # fmt: skip


def jaw(heard: Heard, ear: Ear) -> Array:
    """Return how the singer's jaw moves."""
    return improvise(heard, len(heard.level) / STEPS, ear).tracks["jaw"]


def main() -> None:
    """Learn and write, then leave one out and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", type=Path)
    parser.add_argument("--leave-one-out", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    clips = list(grid(options.grid))
    heard, made = [heard_clip(clip, rng) for clip in clips], [*bands_alone(rng), *sung(rng)]
    ear = learn([one for part in heard for one in part] + made)
    file = Path(__file__).with_name("hearing.npz")
    ear.save(file)
    print(f"{file.name}: {file.stat().st_size / 1e3:.0f} kB", flush=True)
    if options.leave_one_out:
        leave_one_out(clips, heard, made)


if __name__ == "__main__":
    main()
