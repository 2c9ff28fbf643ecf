"""A score: syllables on notes, and from them a timeline of speech sounds.

The voice and the face are both made from this one timeline, so the lips cannot drift from the song.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

FPS = 25
BREATH = 0.17  # seconds
MOST = 0.5  # of the time between two vowels, for the consonants between them

# seconds a consonant takes from the note before it (onset) or from its own (coda)
LENGTH = {
    "D": 0.065, "G": 0.065, "K": 0.105, "Z": 0.085, "S": 0.095, "M": 0.075, "N": 0.065, "Y": 0.055, "R": 0.055,
    "L": 0.065, "F": 0.095, "V": 0.065, "DH": 0.055, "HH": 0.07, "P": 0.10, "B": 0.07, "T": 0.10, "CH": 0.13,
    "JH": 0.11, "SH": 0.105, "ZH": 0.08, "TH": 0.085, "NG": 0.07, "W": 0.06, "X": 0.09, "CX": 0.09, "DX": 0.04,
}  # fmt: skip
GLIDES = {
    "EY": (("EH", 0.62), ("IY", 0.38)),
    "AY": (("AA", 0.66), ("IH", 0.34)),
    "OY": (("AO", 0.62), ("IH", 0.38)),
    "OW": (("O", 0.66), ("UW", 0.34)),
    "AW": (("AA", 0.64), ("UW", 0.36)),
}


class Phone(NamedTuple):
    """One speech sound: its name, times in seconds, and the MIDI note it is sung on.

    The names are those of ARPAbet, and a few for other languages: A E O (pure vowels), UE OE (as in German), AX (the
    e of German "Freude"), X CX (German "ach" and "ich"), DX (a tapped r).
    """

    name: str
    start: float
    end: float
    note: int


class Note(NamedTuple):
    """One note of a melody: times in seconds, and MIDI number."""

    start: float
    end: float
    pitch: int


class Syllable(NamedTuple):
    """One sung syllable: its text as it joins up into words, its notes, and its sounds around the vowel."""

    text: str
    notes: tuple[Note, ...]
    onset: tuple[str, ...]
    vowel: str
    coda: tuple[str, ...]

    @property
    def start(self) -> float:
        """When the vowel begins, in seconds: with its note."""
        return self.notes[0].start

    @property
    def end(self) -> float:
        """When its last note ends, in seconds."""
        return self.notes[-1].end


class Chord(NamedTuple):
    """What the band plays in one beat: the chord's name, its time in seconds, and the beat's place in its bar."""

    name: str
    start: float
    bar: int
    beat: int


@dataclass(frozen=True)
class Score:
    """A song as it is sung.

    Attributes:
        title: The song's.
        author: Whose it is, and from when.
        lines: Its syllables, line by line.
        chords: The band's beats.
        beat: Seconds.
        lead: When the first bar begins, in seconds.
        sway: Beats in which the head goes from one side to the other.
        end: When the music ends, in seconds.
        blinks: When the singer blinks, in seconds.
    """

    title: str
    author: str
    lines: tuple[tuple[Syllable, ...], ...]
    chords: tuple[Chord, ...]
    beat: float
    lead: float
    sway: int
    end: float
    blinks: tuple[float, ...]

    @property
    def frames(self) -> int:
        """How many frames it takes."""
        return math.ceil(self.end * FPS - 1e-6)

    @property
    def duration(self) -> float:
        """How long it is, in seconds: a whole number of frames."""
        return self.frames / FPS

    @cached_property
    def syllables(self) -> tuple[Syllable, ...]:
        """All of its syllables."""
        return tuple(syllable for line in self.lines for syllable in line)

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """All of its notes."""
        return tuple(note for syllable in self.syllables for note in syllable.notes)

    @cached_property
    def attacks(self) -> tuple[float, ...]:
        """When the first consonant of each syllable begins, in seconds."""
        tight = [1.0, *(_squeeze(a, b) for a, b in pairwise(self.syllables))]
        return tuple(max(s.start - _usual(s.onset) * k, 0.0) for s, k in zip(self.syllables, tight, strict=True))

    @cached_property
    def phones(self) -> tuple[Phone, ...]:
        """Every sound from 0 to `duration` without a hole; silence is named "_" and a breath "BR"."""
        line: list[Phone] = []
        tight = [*(_squeeze(a, b) for a, b in pairwise(self.syllables)), 1.0]
        following = [*self.attacks[1:], self.duration]
        for syllable, first, after, close in zip(self.syllables, self.attacks, following, tight, strict=True):
            pitch = syllable.notes[0].pitch
            line.extend(_pause(line[-1].end if line else 0.0, first, pitch))
            line.extend(_spread(syllable.onset, first, syllable.start, pitch))
            line.extend(_rhyme(syllable, min(syllable.end, after), close))
        return (*line, Phone("_", line[-1].end, self.duration, line[-1].note))

    def lyrics(self) -> str:
        """The words as an enhanced LRC file: a time for each line and for each syllable."""
        head = [f"[ti:{self.title}]", f"[ar:{self.author}]", "[by:memegen]", f"[length:{_stamp(self.duration)}]"]
        lines = []
        for line in self.lines:
            words = "".join(f"<{_stamp(s.start)}>{_joined(s.text)}" for s in line if s.text)
            lines.append(f"[{_stamp(line[0].start)}]{words.rstrip()} <{_stamp(line[-1].end)}>")
        return "\n".join([*head, *lines]) + "\n"


def _joined(text: str) -> str:
    return text[:-1] if text.endswith("-") else text + " "


def _stamp(seconds: float) -> str:
    return f"{int(seconds // 60):02d}:{seconds % 60:05.2f}"


def _usual(sounds: tuple[str, ...]) -> float:
    """Seconds that consonants usually take."""
    return sum(LENGTH[name] for name in sounds)


def _squeeze(before: Syllable, after: Syllable) -> float:
    """How much shorter than usual the consonants between two syllables are, so that the vowel before them is heard."""
    between = _usual(before.coda) + _usual(after.onset)
    room = MOST * (after.start - before.notes[-1].start)
    return min(room / between, 1.0) if between else 1.0


def _spread(sounds: tuple[str, ...], start: float, end: float, pitch: int) -> list[Phone]:
    """Lay consonants side by side into a span, each with its share of it."""
    line, rate = [], (end - start) / max(_usual(sounds), 1e-9)
    for name in sounds:
        line.append(Phone(name, start, start + rate * LENGTH[name], pitch))
        start = line[-1].end
    return line


def _pause(start: float, end: float, note: int) -> list[Phone]:
    """Silence, with a breath in its second half where there is time for one."""
    if end - start < 1e-6:
        return []
    if end - start < 3 * BREATH / 2:
        return [Phone("_", start, end, note)]
    breath = end - 0.04 - BREATH
    return [Phone("_", start, breath, note), Phone("BR", breath, end - 0.04, note), Phone("_", end - 0.04, end, note)]


def _rhyme(syllable: Syllable, end: float, tight: float) -> list[Phone]:
    """The vowel on all its notes, with its glide at the end, and the consonants that close the syllable."""
    last = syllable.notes[-1]
    vowel_end = end - min(_usual(syllable.coda) * tight, MOST * (end - last.start))
    parts = GLIDES.get(syllable.vowel, ((syllable.vowel, 1.0),))
    line = [Phone(parts[0][0], note.start, note.end, note.pitch) for note in syllable.notes[:-1]]
    start = last.start
    for name, share in parts:
        until = start + share * (vowel_end - last.start)
        line.append(Phone(name, start, until, last.pitch))
        start = until
    return [*line, *_spread(syllable.coda, vowel_end, end, last.pitch)]
