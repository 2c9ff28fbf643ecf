"""The chorus of "Daisy Bell" (Harry Dacre, 1892, public domain) as a timeline of speech sounds.

The voice and the face are both made from this one timeline, so the lips cannot drift from the song.
"""

from functools import cache
from typing import NamedTuple

FPS = 25
BEAT = 0.24  # seconds; three to the bar, six frames each
BREATH = 0.17  # seconds
LEAD = 0.40  # seconds before the first downbeat
DURATION = 298 / FPS


class Phone(NamedTuple):
    """One speech sound: its name (ARPAbet), times in seconds, and the MIDI note it is sung on."""

    name: str
    start: float
    end: float
    note: int


class Syllable(NamedTuple):
    """One sung note: text as it joins up into words, times in beats, and its sounds around the vowel."""

    text: str
    beat: float
    beats: float
    note: int
    onset: str
    vowel: str
    coda: str

    @property
    def start(self) -> float:
        """When the vowel begins, in seconds: on the beat."""
        return LEAD + BEAT * self.beat

    @property
    def end(self) -> float:
        """When the note ends, in seconds."""
        return self.start + BEAT * self.beats


SYLLABLES = (
    Syllable("Dai-", 0, 3, 62, "D", "EY", ""),
    Syllable("sy,", 3, 3, 59, "Z", "IY", ""),
    Syllable("Dai-", 6, 3, 55, "D", "EY", ""),
    Syllable("sy,", 9, 2.8, 50, "Z", "IY", ""),
    Syllable("give", 12, 1, 52, "G", "IH", "V"),
    Syllable("me", 13, 1, 54, "M", "IY", ""),
    Syllable("your", 14, 1, 55, "Y", "AO", "R"),
    Syllable("an-", 15, 2, 52, "", "AE", "N"),
    Syllable("swer,", 17, 1, 55, "S", "ER", ""),
    Syllable("do.", 18, 4.4, 50, "D", "UW", ""),
    Syllable("I'm", 24, 3, 57, "", "AY", "M"),
    Syllable("half", 27, 3, 62, "HH", "AE", "F"),
    Syllable("cra-", 30, 3, 59, "K R", "EY", ""),
    Syllable("zy,", 33, 2.8, 55, "Z", "IY", ""),
    Syllable("all", 36, 1, 52, "", "AO", "L"),
    Syllable("for", 37, 1, 54, "F", "AO", "R"),
    Syllable("the", 38, 1, 55, "DH", "AH", ""),
    Syllable("love", 39, 2, 57, "L", "AH", "V"),
    Syllable("of", 41, 1, 59, "", "AH", "V"),
    Syllable("you.", 42, 4.4, 57, "Y", "UW", ""),
)

CHORDS = ("G", "G", "C", "G", "C", "C", "G", "G", "D7", "D7", "G", "Em", "A7", "A7", "D7", "D7")  # one a bar

# seconds a consonant takes from the note before it (onset) or from its own (coda)
LENGTH = {
    "D": 0.065, "G": 0.065, "K": 0.105, "Z": 0.085, "S": 0.095, "M": 0.075, "N": 0.065, "Y": 0.055, "R": 0.055,
    "L": 0.065, "F": 0.095, "V": 0.065, "DH": 0.055, "HH": 0.07,
}  # fmt: skip
GLIDES = {"EY": (("EH", 0.62), ("IY", 0.38)), "AY": (("AA", 0.66), ("IH", 0.34))}


@cache
def phones() -> tuple[Phone, ...]:
    """Every sound from 0 to `DURATION` without a hole; silence is named "_" and a breath "BR"."""
    line: list[Phone] = []
    for k, syllable in enumerate(SYLLABLES):
        onset = syllable.onset.split()
        start = syllable.start - sum(LENGTH[name] for name in onset)
        before = line[-1].end if line else 0.0
        line.extend(_pause(before, start, syllable.note))
        for name in onset:
            line.append(Phone(name, start, start + LENGTH[name], syllable.note))
            start += LENGTH[name]
        line.extend(_rhyme(syllable, min(syllable.end, _next_onset(k))))
    return (*line, Phone("_", line[-1].end, DURATION, line[-1].note))


def _pause(start: float, end: float, note: int) -> list[Phone]:
    """Silence, with a breath in its second half where there is time for one."""
    if end - start < 1e-6:
        return []
    if end - start < 3 * BREATH / 2:
        return [Phone("_", start, end, note)]
    breath = end - 0.04 - BREATH
    return [Phone("_", start, breath, note), Phone("BR", breath, end - 0.04, note), Phone("_", end - 0.04, end, note)]


def _next_onset(k: int) -> float:
    if k + 1 == len(SYLLABLES):
        return DURATION
    return SYLLABLES[k + 1].start - sum(LENGTH[name] for name in SYLLABLES[k + 1].onset.split())


def _rhyme(syllable: Syllable, end: float) -> list[Phone]:
    """The vowel, with its glide, and the consonants that close the syllable."""
    coda = syllable.coda.split()
    vowel_end = end - sum(LENGTH[name] for name in coda)
    start, length, line = syllable.start, vowel_end - syllable.start, []
    for name, share in GLIDES.get(syllable.vowel, ((syllable.vowel, 1.0),)):
        line.append(Phone(name, start, start + share * length, syllable.note))
        start += share * length
    for name in coda:
        line.append(Phone(name, start, start + LENGTH[name], syllable.note))
        start += LENGTH[name]
    return line


def lyrics() -> str:
    """The words as an enhanced LRC file: a time for each line and for each syllable."""
    lines = ["[ti:Daisy Bell]", "[ar:Harry Dacre, 1892]", "[by:memegen]", f"[length:{_stamp(DURATION)}]"]
    for first, last in ((0, 10), (10, 20)):
        line = SYLLABLES[first:last]
        words = "".join(f"<{_stamp(s.start)}>" + (s.text[:-1] if s.text.endswith("-") else s.text + " ") for s in line)
        lines.append(f"[{_stamp(line[0].start)}]{words.rstrip()} <{_stamp(line[-1].end)}>")
    return "\n".join(lines) + "\n"


def _stamp(seconds: float) -> str:
    return f"{int(seconds // 60):02d}:{seconds % 60:05.2f}"
