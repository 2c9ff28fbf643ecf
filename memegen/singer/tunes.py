"""The tunes that can be sung, as data: melody, words and chords, phrase by phrase, and why each is free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Phrase(NamedTuple):
    """One line of a song.

    Attributes:
        melody: Notes as name, octave and beats, `F#3:1.5`; one beat when left out; `-` is a rest.
        words: One syllable for each note; a hyphen joins it to the next; `_` sings on. A name can stand in `{}`.
        chords: Names and beats, as the notes'; as long as the melody.
    """

    melody: str
    words: str
    chords: str


@dataclass(frozen=True)
class Tune:
    """A song that the singer knows.

    Attributes:
        title: The song's.
        author: Who wrote it, and when.
        free: Why it is in the public domain in the EU and in the US.
        language: Of its words; see `Singing`.
        beat: Seconds.
        meter: Beats of a bar.
        pickup: Beats before the first whole bar.
        phrases: Its lines.
        wall: The two colours behind the singer, see `drawing.figure.Wall`.
        sounds: The sounds of words that are in no dictionary; see `pronounce`.
        blinks: When the singer blinks, in seconds; else between the lines.
    """

    title: str
    author: str
    free: str
    language: str
    beat: float
    meter: int
    phrases: tuple[Phrase, ...]
    pickup: float = 0.0
    wall: tuple[tuple[int, int, int], tuple[int, int, int]] = ((74, 112, 122), (160, 190, 188))
    sounds: Mapping[str, str] = field(default_factory=dict)
    blinks: tuple[float, ...] = ()

    @property
    def has_name(self) -> bool:
        """Whether its words have a place for a name."""
        return any("{" in phrase.words for phrase in self.phrases)


TUNES: dict[str, Tune] = {
    "daisy-bell": Tune(
        title="Daisy Bell",
        author="Harry Dacre, 1892",
        free="in the EU because Dacre died in 1922, in the US because it was published before 1931.",
        language="en",
        beat=0.24,
        meter=3,
        phrases=(
            Phrase(
                "D4:3 B3:3 G3:3 D3:2.8 -:.2 E3 F#3 G3 E3:2 G3 D3:4.4 -:1.6",
                "{Dai- sy,} {Dai- sy,} give me your an- swer, do.",
                "G:6 C:3 G:3 C:6 G:6",
            ),
            Phrase(
                "A3:3 D4:3 B3:3 G3:2.8 -:.2 E3 F#3 G3 A3:2 B3 A3:4.4 -:1.6",
                "I'm half cra- zy, all for the love of you.",
                "D7:6 G:3 Em:3 A7:6 D7:6",
            ),
        ),
        blinks=(2.72, 5.92, 8.76, 11.48),
    ),
    "happy-birthday": Tune(
        title="Happy Birthday",
        author="Patty and Mildred Hill, 1893; words printed by 1912",
        free="in the EU since 2017, as Patty Hill died in 1946; in the US because it was published before 1931.",
        language="en",
        beat=0.52,
        meter=3,
        pickup=1,
        wall=((150, 78, 92), (240, 176, 160)),
        phrases=(
            Phrase("D3:.75 D3:.25 E3 D3 G3 F#3:1.7 -:.3", "Hap- py birth- day to you,", "-:1 G:3 D7:2"),
            Phrase("D3:.75 D3:.25 E3 D3 A3 G3:1.7 -:.3", "hap- py birth- day to you,", "D7:4 G:2"),
            Phrase("D3:.75 D3:.25 D4 B3 G3 F#3 E3:.8 -:.2", "hap- py birth- day, dear {friend, _}", "G:4 C:2"),
            Phrase("C4:.75 C4:.25 B3 G3 A3 G3:1.7 -:.3", "hap- py birth- day to you!", "C:1 G:2 D7:1 G:2"),
        ),
    ),
    "twinkle-twinkle": Tune(
        title="Twinkle, Twinkle",
        author='Words: Jane Taylor, 1806. Melody: French, "Ah! vous dirai-je, maman", printed in 1761',
        free="in the EU because Taylor died in 1824, in the US because it was published before 1931.",
        language="en",
        beat=0.40,
        meter=4,
        wall=((38, 44, 84), (110, 122, 176)),
        phrases=(
            Phrase("D3 D3 A3 A3 B3 B3 A3:1.8 -:.2", "Twin- kle, twin- kle, lit- tle star,", "D:4 G:2 D:2"),
            Phrase("G3 G3 F#3 F#3 E3 E3 D3:1.8 -:.2", "how I won- der what you are!", "G:2 D:2 A7:2 D:2"),
            Phrase("A3 A3 G3 G3 F#3 F#3 E3:1.8 -:.2", "Up a- bove the world so high,", "D:2 G:2 D:2 A7:2"),
            Phrase("A3 A3 G3 G3 F#3 F#3 E3:1.8 -:.2", "like a dia- mond in the sky.", "D:2 G:2 D:2 A7:2"),
            Phrase("D3 D3 A3 A3 B3 B3 A3:1.8 -:.2", "Twin- kle, twin- kle, lit- tle star,", "D:4 G:2 D:2"),
            Phrase("G3 G3 F#3 F#3 E3 E3 D3:1.8 -:.2", "how I won- der what you are!", "G:2 D:2 A7:2 D:2"),
        ),
        sounds={"diamond": "D AY1 M AH N D"},
    ),
    "jingle-bells": Tune(
        title="Jingle Bells",
        author="James Lord Pierpont, 1857",
        free="in the EU because Pierpont died in 1893, in the US because it was published before 1931.",
        language="en",
        beat=0.36,
        meter=4,
        wall=((44, 84, 58), (150, 186, 140)),
        phrases=(
            Phrase("B3 B3 B3:1.8 -:.2 B3 B3 B3:1.8 -:.2", "Jin- gle bells, jin- gle bells,", "G:8"),
            Phrase("B3 D4 G3:1.5 A3:.5 B3:3.4 -:.6", "jin- gle all the way!", "G:8"),
            Phrase("C4 C4 C4:1.5 C4:.5 C4 B3 B3:.85 -:.15", "Oh, what fun it is to ride", "C:4 G:3"),
            Phrase("B3:.5 B3:.5 D4 D4 C4 A3 G3:3.4 -:.6", "in a one-- horse o- pen sleigh!", "G:1 D7:4 G:4"),
        ),
    ),
    "la-cucaracha": Tune(
        title="La cucaracha",
        author="Spanish and Mexican, known since the early 19th century",
        free="in the EU and in the US: it is traditional, and was published long before 1931.",
        language="es",
        beat=0.44,
        meter=4,
        pickup=1.5,
        wall=((150, 92, 40), (240, 196, 110)),
        phrases=(
            Phrase("D3:.5 D3:.5 D3:.5 G3:1.5 B3:.8 -:.2", "La cu- ca- ra- cha,", "-:1.5 G:2.5"),
            Phrase("D3:.5 D3:.5 D3:.5 G3:1.5 B3:2.2 -:.3", "la cu- ca- ra- cha", "G:5.5"),
            Phrase("G3:1.5 G3:.5 F#3:.5 F#3:.5 E3:.5 E3:.5 D3:2.2 -:.3", "ya no pue- de ca- mi- nar,", "G:4 D7:2.5"),
            Phrase("D3:.5 D3:.5 D3:.5 F#3:1.5 A3:.8 -:.2", "por- que no tie- ne,", "D7:4"),
            Phrase("D3:.5 D3:.5 D3:.5 F#3:1.5 A3:2.2 -:.3", "por- que le fal- tan", "D7:5.5"),
            Phrase("D4:1.5 E4:.5 D4:.5 C4:.5 B3:.5 A3:.5 G3:2.2 -:.3", "las dos pa- ti- tas d'a- trás.", "D7:4 G:2.5"),
        ),
    ),
    "ode-to-joy": Tune(
        title="Ode to Joy",
        author="Ludwig van Beethoven, 1824; words: Friedrich Schiller, 1785",
        free="in the EU because Beethoven died in 1827 and Schiller in 1805, in the US because of its age.",
        language="de",
        beat=0.40,
        meter=4,
        wall=((92, 66, 116), (190, 164, 206)),
        phrases=(
            Phrase("F#3 F#3 G3 A3 A3 G3 F#3 E3:.85 -:.15", "Freu- de, schö- ner Göt- ter- fun- ken,", "D:4 A7:4"),
            Phrase("D3 D3 E3 F#3 F#3:1.5 E3:.5 E3:1.8 -:.2", "Toch- ter aus E- ly- si- um,", "D:4 D:2 A7:2"),
            Phrase("F#3 F#3 G3 A3 A3 G3 F#3 E3:.85 -:.15", "wir be- tre- ten feu- er- trun- ken,", "D:4 A7:4"),
            Phrase("D3 D3 E3 F#3 E3:1.5 D3:.5 D3:1.7 -:.3", "Himm- li- sche, dein Hei- lig- tum.", "D:4 A7:2 D:2"),
        ),
    ),
    "auld-lang-syne": Tune(
        title="Auld Lang Syne",
        author="Robert Burns, 1788; melody: Scottish, traditional",
        free="in the EU because Burns died in 1796, in the US because it was published before 1931.",
        language="en",
        beat=0.48,
        meter=4,
        pickup=1,
        wall=((60, 62, 66), (150, 152, 150)),
        phrases=(
            Phrase(
                "D3 G3:1.5 G3:.5 G3 B3 A3:1.5 G3:.5 A3:.8 -:.2",
                "Should auld ac- quain- tance be for- got,",
                "-:1 G:4 D7:3",
            ),
            Phrase("B3 G3:1.5 G3:.5 B3 D4 E4:2.8 -:.2", "and ne- ver brought to mind?", "D7:1 G:4 C:3"),
            Phrase(
                "E4 D4:1.5 B3:.5 B3 G3 A3:1.5 G3:.5 A3:.8 -:.2",
                "Should auld ac- quain- tance be for- got,",
                "C:1 G:4 D7:3",
            ),
            Phrase("B3 G3:1.5 E3:.5 E3 D3 G3:2.4 -:.6", "and auld _ lang _ syne?", "D7:1 C:2 D7:2 G:3"),
        ),
        sounds={"auld": "AO1 L D", "syne": "S AY1 N"},
    ),
}
