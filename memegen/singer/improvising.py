"""From what is heard to a recital: mouth, head, brows and blinks follow the voice, the beat and the phrases."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from memegen.base.arrays import Floats, smoothstep
from memegen.singer.hearing import STEPS, Ear, Heard, features
from memegen.singer.recital import Recital

HEARD_FPS = 25  # frames a second of a recital
REST = 0.35  # seconds of rest at the begin and the end

SILENCE = 1e-6  # mean power of a spectrum below which nothing is heard at all
QUIET = (-4.5, -3.2)  # powers of ten below the loud parts between which a sound fades out of hearing
SUNG = (0.4, 0.48)  # how sure a voice is in its clearest parts: below, a sound is an instrumental piece
PRESENCE = (0.3, 0.6)  # between which parts of that the mouth begins to follow it
AJAR = 0.8  # what is subtracted from an opening: a prediction keeps to the middle
WIDE_OPEN = 3.4  # the opening that the widest vowels of a song get, if a gain within the next limits does it
GAINS = (1.2, 3.0)
GAP = 0.085  # the singer's opening, in its head units, for an opening of 1
TIGHT = 0.3  # an opening below which the lips are pressed together in the middle of a phrase, as in m, b and p
HUM = 0.05  # how far the jaw moves with music that nobody sings

TEMPO = (0.42, 0.85)  # seconds of a beat that a head likes to follow
STRICT = 60.0  # how much an even beat counts against a loud one (Ellis 2007)
PAUSE, PHRASE = 0.35, 0.8  # seconds of the shortest rest between phrases, and of the shortest phrase
BLINKING = 3.4  # seconds from one blink to the next, about


class Voice(NamedTuple):
    """What the voice does, N steps: tracks for the mouth, and whether it sounds, 0 to 1."""

    opening: Floats
    rounding: Floats
    sounds: Floats


def improvise(heard: Heard, seconds: float, ear: Ear | None = None) -> Recital:
    """Perform what is heard; the same every time for the same sound.

    The mouth opens as the ear says (see `Ear.mouths`), closes in silence, and hums where there is music without a
    voice. The head sways over two beats and nods after a phrase; eyes blink between phrases; brows rise with loudness
    and pitch.

    Args:
        heard: From `hear`.
        seconds: How long the recital is.
        ear: What tells the mouth; the one that is bundled when None.
    """
    loud = _loudness(heard)
    voice = _voice(heard, loud, ear or Ear.load())
    tracks = _mouth(voice, loud) | _head(heard, voice, loud) | _eyes(heard, voice, loud)
    count = max(round(seconds * HEARD_FPS), 1)
    times = (np.arange(count) + 0.5) / HEARD_FPS
    # Begin and end at rest, as a photo does; the smile stays.
    stage = smoothstep(times / REST) * smoothstep((seconds - times) / REST)
    steps = np.arange(len(loud)) / STEPS
    sampled = {name: np.interp(times, steps, track) for name, track in tracks.items()}
    return Recital(HEARD_FPS, smile=np.full(count, 0.45), **{name: stage * track for name, track in sampled.items()})


def _loudness(heard: Heard) -> Floats:
    """Return how loud it is (N,): 0 in silence, 1 in the loud parts."""
    loudest = float(np.percentile(heard.level, 95))
    if loudest < SILENCE:
        return np.zeros(len(heard.level))
    level = np.log10(blurred(heard.level, 0.03) / loudest + 1e-9)
    return np.asarray(smoothstep((level - QUIET[0]) / (QUIET[1] - QUIET[0])) * np.clip(1 + level / 3, 0, 1))


def _voice(heard: Heard, loud: Floats, ear: Ear) -> Voice:
    """Tell what the mouth does that is heard."""
    opening, rounding, sounds = ear.mouths(features(heard)).T
    sure = blurred(sounds, 0.15)
    heard_parts = sure[loud > 0.02]
    clearest = float(np.percentile(heard_parts, 90)) if len(heard_parts) else 0.0
    present = smoothstep((sure / max(clearest, 0.1) - PRESENCE[0]) / (PRESENCE[1] - PRESENCE[0])) * (loud > 0.02)
    present *= smoothstep((clearest - SUNG[0]) / (SUNG[1] - SUNG[0]))
    # A band alone may sound like a voice for a moment: only what lasts counts.
    present = blurred(present * smoothstep(blurred(present, 0.5) / 0.4), 0.03)
    opening = np.maximum(opening - AJAR, 0) * present
    # A band around the voice makes the ear unsure, and the mouth small: the song's own widest vowels set the scale.
    singing = opening[present > 0.5]
    widest = float(np.percentile(singing, 95)) if len(singing) else 0.0
    return Voice(float(np.clip(WIDE_OPEN / (widest + 1e-9), *GAINS)) * opening, rounding * present, present)


def _mouth(voice: Voice, loud: Floats) -> dict[str, Floats]:
    """Turn the voice into the mouth's controls."""
    opening, alone = blurred(voice.opening, 0.015), 1 - voice.sounds
    gap = GAP * opening
    # The lips part by themselves as the jaw drops; see `mouth.gap` of the drawing.
    jaw = np.clip(gap - 0.04 * np.clip(gap / 0.12, 0, 1), 0, None) / 0.4
    jaw += HUM * alone * blurred(loud, 0.4) * (loud > 0)
    pressed = np.clip(1 - opening / TIGHT, 0, 1) * (blurred(voice.sounds, 0.1) > 0.5) * smoothstep(3 * voice.sounds)
    rounding = np.clip(1.2 * blurred(voice.rounding, 0.04), -0.8, 0.7)
    return {
        "jaw": np.clip(jaw, 0, 0.95),
        "upper": np.clip(0.3 * gap / 0.12, 0, 0.3),
        "lower": np.clip(0.25 * gap / 0.12, 0, 0.25),
        "press": 0.8 * blurred(pressed, 0.02),
        "round": np.maximum(rounding, 0),
        "wide": np.maximum(-rounding, 0),
    }


def _head(heard: Heard, voice: Voice, loud: Floats) -> dict[str, Floats]:
    """Sway with the beat, and nod after each phrase."""
    beat = _beats(heard.onset.astype(np.float64))
    lively = blurred((loud > 0.05).astype(float), 0.5) * (0.45 + 0.55 * blurred(loud, 0.6))
    turn = np.pi * beat / 2  # half a circle from one side to the other in two beats
    nod = blurred(_marks(phrase_ends(voice.sounds) + round(0.12 * STEPS), len(loud)), 0.16)
    lift = blurred(np.minimum(voice.opening / 3, 1), 0.12)  # a wide open mouth lifts the head
    return {
        "yaw": lively * (6.5 * np.sin(turn / 2 - 0.4) - 2.5 * np.sin(turn - 0.3)),
        "pitch": lively * (1.6 * np.cos(2 * turn) + 2.5 * np.sin(turn / 2)) + 3.0 * lift - 6.0 * nod,
        "roll": lively * 3.0 * np.sin(turn - 0.3),
        "shift_x": lively * 0.06 * np.sin(turn - 0.3),
        "shift_y": lively * 0.018 * np.cos(2 * turn),
    }


def _eyes(heard: Heard, voice: Voice, loud: Floats) -> dict[str, Floats]:
    """Raise the brows with loudness and pitch, and blink: after phrases, and now and then."""
    sung = (heard.tonal > 0.4) & (voice.sounds > 0.5)
    usual = float(np.median(heard.pitch[sung])) if sung.any() else 1.0
    high = np.where(sung, np.clip(np.log2(heard.pitch / usual), -0.5, 1), 0)  # octaves above the usual
    brow = 0.55 * blurred(np.maximum(high, 0), 0.15) + 0.35 * blurred(np.maximum(loud - 0.8, 0) / 0.2, 0.2)
    shut = blurred(_marks(_blinks(voice.sounds), len(loud)), 0.05)
    return {"brow": np.clip(brow, 0, 1), "blink": np.clip(1.6 * shut, 0, 1)}


def _blinks(sounds: Floats) -> Floats:
    """Return the steps at which the eyes are shut: after phrases, and between, at uneven times."""
    found: list[int] = []
    last, count = 0, len(sounds)
    ends = {int(end) + 8 for end in phrase_ends(sounds)}
    for step in range(0, count - STEPS // 2, 5):
        # The golden ratio makes the intervals uneven, but the same every time.
        wait = BLINKING * (0.6 + 0.8 * (len(found) * 0.618 % 1)) * STEPS
        near_end = any(one in ends for one in range(step, step + 5)) and step - last > 1.2 * STEPS
        if near_end or step - last > wait:
            found.append(step)
            last = step
    return np.array(found, int)


def phrase_ends(sounds: Floats) -> Floats:
    """Return the steps at which a phrase of the voice (N,) ends: a rest follows, and it was long enough."""
    on = np.concatenate([[False], sounds > 0.5, [False]])
    edges = np.flatnonzero(np.diff(on.astype(int))).reshape(-1, 2)
    phrases: list[list[int]] = []
    for begin, end in edges:
        if phrases and begin - phrases[-1][1] < PAUSE * STEPS:
            phrases[-1][1] = int(end)
        else:
            phrases.append([int(begin), int(end)])
    return np.array([end for begin, end in phrases if end - begin >= PHRASE * STEPS], int)


def _beats(onset: Floats) -> Floats:
    """Count the beats: (N,) rising by 1 from one beat to the next, evenly between them."""
    steps = np.arange(len(onset))
    period = _period(onset)
    if len(onset) < 4 * period:
        return steps / period
    # Dynamic programming (Ellis 2007): the best chain of loud onsets that are about a period apart.
    sharp = blurred(onset / (onset.std() + 1e-9), 0.03)
    back = np.arange(-round(1.6 * period), -round(0.6 * period))
    uneven = -STRICT * np.log(-back / period) ** 2
    score, before = sharp.copy(), np.full(len(onset), -1)
    for step in range(-back[0], len(onset)):
        chain = score[step + back] + uneven
        best = int(chain.argmax())
        score[step], before[step] = sharp[step] + chain[best], step + back[best]
    beats = [len(onset) - round(period) + int(score[-round(period) :].argmax())]
    while before[beats[-1]] >= 0:
        beats.append(int(before[beats[-1]]))
    beats.reverse()
    return np.asarray(np.interp(steps, beats, np.arange(len(beats))))


def _period(onset: Floats) -> float:
    """Return the time of a beat in steps: the strongest repetition of the onsets near a liked tempo."""
    low, high = (round(seconds * STEPS) for seconds in TEMPO)
    centred = blurred(onset, 0.02) - onset.mean()
    size = 1 << (2 * max(len(onset), high)).bit_length()
    repeats = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2)[low : high + 1]
    liked = np.exp(-0.5 * (np.log(np.arange(low, high + 1) / (0.58 * STEPS)) / 0.35) ** 2)
    return float(low + int((np.maximum(repeats, 0) * liked).argmax())) if repeats.any() else 0.58 * STEPS


def _marks(steps: Floats, count: int) -> Floats:
    """Return a track that has the value 1 for a tenth of a second about some steps."""
    track = np.zeros(count)
    for step in steps:
        track[max(int(step) - 5, 0) : int(step) + 6] = 1
    return track


def blurred(track: Floats, seconds: float) -> Floats:
    """Smooth a track (N,) with a Gaussian of that spread."""
    column = np.asarray(track, np.float64)[:, None]
    soft = cv2.GaussianBlur(column, (1, 0), sigmaX=1, sigmaY=seconds * STEPS, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(soft).reshape(-1)
