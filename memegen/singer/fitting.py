"""Words fitted to a tune: each syllable gets a note, several, or a part of one, as singers do."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import NamedTuple

from memegen.base.errors import InputError
from memegen.singer.options import Singing
from memegen.singer.pronunciation import Spoken, pronounce
from memegen.singer.score import Chord, Note, Score, Syllable
from memegen.singer.tunes import TUNES, Phrase, Tune
from memegen.singer.wording import read_words, sung_words

LEAD, TAIL = 0.40, 0.38  # seconds before the first note, and at least after the last
SHORTEST = 0.13  # seconds of a syllable
LONGEST = 180.0  # seconds of a song
FULL = 1.3  # syllables for each note up to which a line is sung in one phrase
BLINK = 3.4  # seconds between two blinks, at most


class _Place(NamedTuple):
    """A note of a phrase: its beginning and length in beats from the beginning of the song, and its MIDI number."""

    start: float
    beats: float
    pitch: int


class _Line(NamedTuple):
    """A phrase with what is sung to it, and where it begins in beats."""

    phrase: Phrase
    words: Sequence[Spoken] | None
    start: float


def write_score(tune: Tune, singing: Singing) -> Score:
    """Write the score of a tune, with its own words, with a name in them, or with other words.

    Args:
        tune: One of `TUNES`.
        singing: What is wished for; its voice does not matter here.

    Raises:
        InputError: The words can't be sung, are too many, or the song has no place for a name.
    """
    language = singing.language or tune.language
    name = _name(tune, singing, language)
    lines = [*_laid_out(tune, singing, language)]
    sung = [_sung_line(tune, line, name) for line in lines]
    last = sung[-1][-1].end
    beats = lines[-1].start + _length(lines[-1].phrase)
    blinks = tune.blinks if not (singing.words or singing.name) else ()
    return Score(
        title=tune.title,
        author=tune.author,
        lines=tuple(sung),
        chords=tuple(_chords(tune, lines, beats)),
        beat=tune.beat,
        lead=LEAD + tune.pickup * tune.beat,
        sway=3 if tune.meter == 3 else 2,
        end=max(LEAD + beats * tune.beat, last + TAIL),
        blinks=blinks or _blinks([line[-1].end for line in sung]),
    )


def _name(tune: Tune, singing: Singing, language: str) -> list[Spoken]:
    """Return the syllables of the name; none when the song's own is sung."""
    if not str(singing.name).strip():
        return []
    if singing.words:
        raise InputError("Other words replace those with a name in them: give the name, or the words with it.")
    if not tune.has_name:
        places = " or ".join(name for name, one in TUNES.items() if one.has_name)
        raise InputError(f"{tune.title} has no place for a name: choose {places}, or give other words.")
    words = sung_words(singing.name, language)
    if not words:
        raise InputError(f"There is nothing to sing in the name {singing.name!r}: write it in Latin letters.")
    return [one for word in words for one in word]


# Which words go to which phrase


def _laid_out(tune: Tune, singing: Singing, language: str) -> Iterator[_Line]:
    """Yield the phrases of a song with their words: the tune's own once, or as often as other words need."""
    if not singing.words:
        texts: list[Sequence[Spoken] | None] = [None] * len(tune.phrases)
    else:
        texts = [*_phrased(tune, read_words(singing.words), language)]
        if not texts:
            raise InputError(f"There is nothing to sing in {str(singing.words)!r}: give words in Latin letters.")
    start = 0.0
    for phrase, words in zip(cycle(tune.phrases), texts, strict=False):
        yield _Line(phrase, words, start)
        start += _length(phrase)
        if start * tune.beat > LONGEST:
            raise InputError(f"The words take more than {LONGEST / 60:.0f} minutes to sing: leave some out.")


def _phrased(tune: Tune, texts: Sequence[str], language: str) -> Iterator[list[Spoken]]:
    """Yield the syllables for one phrase after another: a line of text takes one phrase, or as many as it needs."""
    phrases = cycle(len(_places(phrase, 0.0)) for phrase in tune.phrases)
    for text in texts:
        words = sung_words(text, language)
        count = sum(map(len, words))
        rooms: list[int] = []
        while count > FULL * sum(rooms):
            rooms.append(next(phrases))
        parts: list[list[Spoken]] = [[] for _ in rooms]
        ends = [sum(rooms[: k + 1]) / sum(rooms) * count for k in range(len(rooms))]
        place = 0
        for word in words:  # it goes where its middle lies
            middle = place + len(word) / 2
            parts[next(k for k, end in enumerate(ends) if middle <= end + 1e-9)] += word
            place += len(word)
        yield from (part for part in parts if part)


# One phrase


def _places(phrase: Phrase, start: float) -> list[_Place]:
    places = []
    for name, beats in _spans(phrase.melody):
        if name != "-":
            places.append(_Place(start, beats, _midi(name)))
        start += beats
    return places


def _spans(text: str) -> Iterator[tuple[str, float]]:
    """Read names with their beats: `F#3:1.5 A3 -:.2`."""
    for word in text.split():
        name, _, beats = word.partition(":")
        yield name, float(beats or 1)


def _midi(name: str) -> int:
    """Return the MIDI number of a note such as F#3."""
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    return 12 * (int(name[-1]) + 1) + steps[name[0]] + name.count("#")


def _length(phrase: Phrase) -> float:
    return sum(beats for _, beats in _spans(phrase.melody))


def _sung_line(tune: Tune, line: _Line, name: Sequence[Spoken]) -> tuple[Syllable, ...]:
    """Return the syllables of a phrase on their notes."""
    places = _places(line.phrase, line.start)
    if line.words is not None:
        return tuple(_fitted(tune, line.words, places))
    sung: list[Syllable] = []
    for group in re.findall(r"\{[^}]*\}|[^{}]+", line.phrase.words):
        tokens = group.strip("{} ").split()
        own, places = places[: len(tokens)], places[len(tokens) :]
        if group.startswith("{") and name:
            mark = re.sub(r"[\w {}-]", "", group)  # the comma after it
            last = max(k for k, one in enumerate(name) if one.text)
            sung += _fitted(tune, [one._replace(text=one.text + mark * (k == last)) for k, one in enumerate(name)], own)
        elif tokens:
            sung += _as_written(tune, tokens, own)
    return tuple(sung)


def _as_written(tune: Tune, parts: Sequence[str], places: Sequence[_Place]) -> Iterator[Syllable]:
    """Yield the syllables of a tune's own words, which are split by hand: one part for each note."""
    words = re.findall(r"(?:[^ _]+- (?:_ )*)*[^ _]+", " ".join(parts))
    texts = [part for part in parts if part != "_"]
    said = [one for word in words for one in _own_word(tune, word.replace("_ ", ""))]
    begins = [k for k, part in enumerate(parts) if part != "_"]
    for text, sounds, a, b in zip(texts, said, begins, [*begins[1:], len(parts)], strict=True):
        yield _syllable(tune, sounds._replace(text=text), places[a:b])


def _own_word(tune: Tune, word: str) -> list[Spoken]:
    parts = re.split(r"(?<=--) ", word)  # one-- horse: a hyphen that is written
    plain = [re.sub(r"[^\w']", "", part) for part in parts]
    return [one for part in plain for one in pronounce(part, tune.language, sounds=tune.sounds.get(part.lower()))]


def _syllable(tune: Tune, sounds: Spoken, places: Sequence[_Place]) -> Syllable:
    notes = tuple(
        Note(LEAD + one.start * tune.beat, LEAD + (one.start + one.beats) * tune.beat, one.pitch) for one in places
    )
    return Syllable(sounds.text, notes, sounds.onset, sounds.vowel, sounds.coda)


def _fitted(tune: Tune, words: Sequence[Spoken], places: Sequence[_Place]) -> Iterator[Syllable]:
    """Yield syllables on notes, chosen so that the cost of all choices is least (dynamic programming).

    Raises:
        InputError: The notes are too short for so many syllables.
    """
    best: dict[tuple[int, int], tuple[float, list[list[_Place]]]] = {(0, 0): (0.0, [])}
    for i in range(len(places)):
        for j in range(len(words)):
            if (i, j) not in best:
                continue
            cost, so_far = best[i, j]
            for i2, j2, more, lay in _choices(tune, words, places, i, j):
                if cost + more < best.get((i2, j2), (math.inf, []))[0]:
                    best[i2, j2] = (cost + more, [*so_far, *lay])
    end = best.get((len(places), len(words)))
    if end is None:
        text = "".join(word.text for word in words).replace("-", "")
        raise InputError(
            f"{text[:40]!r} has {len(words)} syllables, too many for {len(places)} notes of {tune.title}: shorten it."
        )
    yield from (_syllable(tune, word, notes) for word, notes in zip(words, end[1], strict=True))


def _choices(
    tune: Tune, words: Sequence[Spoken], places: Sequence[_Place], i: int, j: int
) -> Iterator[tuple[int, int, float, list[list[_Place]]]]:
    """Yield what can follow note i and syllable j: where that leads, its cost, and the notes of each syllable."""
    stress = _mismatch(tune, words[j], places[i])
    for count in range(1, len(places) - i + 1):  # one syllable on one note or more
        slurred = sum(0.8 + 0.4 * _strength(tune, one) for one in places[i + 1 : i + count])
        yield i + count, j + 1, stress + slurred, [list(places[i : i + count])]
    for count in range(2, len(words) - j + 1):  # several on one note
        beats = places[i].beats / count
        if beats * tune.beat < SHORTEST:
            return
        short = 0.05 / (beats * tune.beat)
        parts = [[_Place(places[i].start + k * beats, beats, places[i].pitch)] for k in range(count)]
        yield i + 1, j + count, stress + (count - 1) * (0.8 + short), parts


def _strength(tune: Tune, place: _Place) -> float:
    """How strong a note is by its place in the bar, 0 to 1."""
    beat = (place.start - tune.pickup) % tune.meter
    on_beat = abs(beat - round(beat)) < 1e-6
    return 1.0 if beat < 1e-6 else (0.6 if beat == 2 and tune.meter == 4 else 0.4) if on_beat else 0.1


def _mismatch(tune: Tune, word: Spoken, place: _Place) -> float:
    strength = _strength(tune, place)
    return 0.6 * (1 - strength) if word.stressed else 0.15 * strength


# What goes with it


def _chords(tune: Tune, lines: Sequence[_Line], beats: float) -> Iterator[Chord]:
    """Yield what the band plays on each beat."""
    ends: list[tuple[float, str]] = []
    for line in lines:
        place = line.start
        for name, length in _spans(line.phrase.chords):
            place += length
            ends.append((place, name))
    first = -math.floor(tune.pickup)
    for count in range(first, math.ceil(beats - tune.pickup)):
        beat = tune.pickup + count
        name = next(name for end, name in ends if end > beat + 1e-6)
        if name != "-":
            bar, place_in_bar = divmod(count, tune.meter)
            yield Chord(name, LEAD + beat * tune.beat, bar, place_in_bar)


def _blinks(ends: Sequence[float]) -> tuple[float, ...]:
    """When to blink: as each line ends, and between where lines are long."""
    times: list[float] = []
    for before, end in zip([0.0, *ends], ends, strict=False):
        gaps = math.ceil((end - before) / BLINK)
        times += [before + (end - before) * k / gaps for k in range(1, gaps + 1)]
    return tuple(times)
