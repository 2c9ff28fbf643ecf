"""Words and names to a tune: what is sung, on which notes, how it sounds, and what is refused."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from memegen.base.errors import InputError, OutputError
from memegen.batch import make_batch
from memegen.cli import main
from memegen.look.lyrics import read_lyrics
from memegen.media.video import open_video
from memegen.singer.acting import VISEMES, perform
from memegen.singer.drawing.figure import draw_singer
from memegen.singer.drawing.mouth import gap
from memegen.singer.fitting import write_score
from memegen.singer.options import Singing
from memegen.singer.pronunciation import VOWELS, pronounce, syllables
from memegen.singer.recital import Recital
from memegen.singer.score import FPS, GLIDES, LENGTH, Score
from memegen.singer.spelling import RULES, spell
from memegen.singer.tunes import TUNES
from memegen.singer.voice import SOUNDS, VOICES, sing_alone, song
from memegen.singer.wording import number_words, read_words
from memegen.templates import TEMPLATES, load_template, resolve_driving

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from singing import cents, vowel_onsets

BIRTHDAY = TUNES["happy-birthday"]


def score_of(tune: str, **wishes: object) -> Score:
    return write_score(TUNES[tune], Singing(**wishes))  # type: ignore[arg-type]


def text_of(score: Score) -> list[str]:
    lines = [[s.text for s in line if s.text] for line in score.lines]
    return ["".join(text[:-1] if text.endswith("-") else f"{text} " for text in line) for line in lines]


def said(word: str, language: str = "en") -> str:
    return ".".join(" ".join([*one.onset, one.vowel, *one.coda]) for one in pronounce(word, language))


# The tunes


@pytest.mark.parametrize("name", TUNES)
def test_every_tune_is_whole(name: str) -> None:
    tune, score = TUNES[name], score_of(name)
    for phrase in tune.phrases:  # chords last as long as the melody
        lengths = [
            sum(float(word.partition(":")[2] or 1) for word in text.split()) for text in (phrase.melody, phrase.chords)
        ]
        assert lengths[0] == pytest.approx(lengths[1]), phrase
    assert all(a.end == pytest.approx(b.start) and a.end > a.start for a, b in pairwise(score.phones))
    assert score.phones[0].start == 0
    assert score.phones[-1].end == pytest.approx(score.duration)
    assert {phone.name for phone in score.phones} <= VISEMES.keys() & SOUNDS.keys()
    assert all(48 <= note.pitch <= 64 for note in score.notes)  # what a man's voice reaches
    assert 8 < score.duration < 21
    assert score.duration - 2 < score.blinks[-1] < score.duration - 0.2
    assert "EU" in tune.free
    assert "US" in tune.free


@pytest.mark.parametrize("name", TUNES)
def test_every_tune_is_a_bundled_template_with_its_words(name: str) -> None:
    template = load_template(name)
    assert "Song: public domain, in the EU" in template.licence
    clip = open_video(template.local_path)
    assert clip.has_audio
    assert clip.duration == pytest.approx(score_of(name).duration, abs=0.05)
    assert template.lyrics is not None
    assert template.lyrics.read_text(encoding="utf-8") == score_of(name).lyrics()
    assert len(read_lyrics(template.lyrics)) == len(TUNES[name].phrases)


@pytest.mark.parametrize("height", VOICES)
def test_notes_are_in_tune_and_on_time(height: str) -> None:
    score = score_of("happy-birthday", name="Anna")
    sound = sing_alone(score, VOICES[height])
    assert np.abs(cents(sound, score, VOICES[height].higher)).max() < 20
    assert np.abs(vowel_onsets(sound, score)).max() < 0.03


def test_the_mix_is_loud_enough_and_never_clips() -> None:
    mix = song(score_of("jingle-bells"), VOICES["middle"])
    assert mix.shape[1] == 2
    assert 0.2 < np.abs(mix).max() < 0.95


def test_voices_differ_in_height_and_throat() -> None:
    score, middles = score_of("daisy-bell"), []
    for height in ("low", "middle", "high"):
        power = np.abs(np.fft.rfft(sing_alone(score, VOICES[height]))) ** 2
        hertz = np.fft.rfftfreq(round(score.duration * 48_000), 1 / 48_000)
        middles.append(float((power * hertz).sum() / power.sum()))
    assert middles[0] * 1.1 < middles[1] < middles[2] / 1.1


# The mouth


def test_the_mouth_closes_for_m_b_and_p() -> None:
    for name in ("happy-birthday", "jingle-bells", "twinkle-twinkle"):
        score = score_of(name)
        recital = [*perform(score)]
        for phone in score.phones:
            if phone.name in ("M", "B", "P"):
                near = range(int(phone.start * FPS) - 1, int(phone.end * FPS) + 2)
                assert min(gap(recital[k]) for k in near if k >= 0) < 0.03, phone
            if phone.name in ("A", "AA", "AE") and phone.end - phone.start > 0.2:
                assert gap(recital[int((phone.start + phone.end) / 2 * FPS)]) > 0.15


def test_a_recital_needs_one_value_for_each_frame() -> None:
    recital = Recital(25, jaw=[0, 0.5], yaw=[1, 2])
    assert len(recital) == 2
    assert recital[1].jaw == 0.5
    assert [one.smile for one in recital] == [0.3, 0.3]  # at rest
    with pytest.raises(TypeError, match="no control beard"):
        Recital(25, beard=[1.0])
    with pytest.raises(ValueError, match="one value for each frame"):
        Recital(25, jaw=[0.0], yaw=[0.0, 1.0])


def test_small_frames_are_the_large_ones() -> None:
    instant = perform(score_of("daisy-bell"))[40]
    [small], [large] = draw_singer([instant]), draw_singer([instant], large=True)
    assert small.shape == (256, 256, 3)
    halved = large.reshape(256, 2, 256, 2, 3).mean((1, 3))
    assert np.abs(halved - small).mean() < 4


# Words on notes


def test_a_name_takes_its_place() -> None:
    assert text_of(score_of("happy-birthday"))[2] == "happy birthday, dear friend, "
    for name, line in (("Anna", "Anna, "), ("Jo", "Jo, "), ("Josephine", "Josephine, "), ("R2D2", "R2D2, ")):
        score = score_of("happy-birthday", name=name)
        assert text_of(score)[2] == f"happy birthday, dear {line}"
        assert score.duration == score_of("happy-birthday").duration
        assert score.notes[:17] == score_of("happy-birthday").notes[:17]
    assert text_of(score_of("daisy-bell", name="Mia"))[0].startswith("Mia, Mia, give me your answer")


def test_syllables_share_notes_and_notes_share_syllables() -> None:
    slurred = score_of("happy-birthday", name="Jo").lines[2][-1]
    assert [note.pitch for note in slurred.notes] == [54, 52]
    split = score_of("happy-birthday", name="Bartholomew").lines[2][-4:]
    assert [syllable.notes[0].pitch for syllable in split] == [54, 54, 52, 52]


def test_other_words_take_as_many_phrases_as_they_need() -> None:
    one = score_of("daisy-bell", words="Hello")
    assert text_of(one) == ["Hello "]
    assert one.duration < 7
    two = score_of("daisy-bell", words="My compiler is broken and I can't go home / send help")
    assert text_of(two) == ["My compiler is broken and I can't go home ", "send help "]
    long = score_of("ode-to-joy", words=" ".join(["one two three four five six seven eight"] * 6), language="en")
    assert len(long.lines) == 6
    assert long.duration > score_of("ode-to-joy").duration
    assert long.chords[-1].bar == 11
    [line] = score_of("twinkle-twinkle", words="tomato").lines  # the stress falls on the beginning of a bar
    assert (line[1].start - line[0].start) / 0.4 == pytest.approx(4)


def test_the_words_of_a_file_are_read(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("\ufeffFirst line\n\nsecond / third\n", encoding="utf-8")
    assert read_words(file) == read_words(str(file)) == ["First line", "second", "third"]
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_words(file)
    with pytest.raises(InputError, match=r"There is no text at .*gone\.txt"):
        read_words(str(tmp_path / "gone.txt"))


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"name": "Bobo" * 20}, "'BoboBoboBoboBoboBoboBoboBoboBoboBoboBobo' has 40 syllables, too many for 2 notes"),
        ({"name": "🎉"}, "There is nothing to sing in the name '🎉'"),
        ({"name": "Анна"}, "These words can't be sung: 'Анна'. Write them in Latin letters."),
        ({"words": "hello 世界 and привет"}, "These words can't be sung: '世界', 'привет'."),
        ({"words": "🎉 !!"}, "There is nothing to sing in '🎉 !!'"),
        ({"words": "la " * 990}, "The words take more than 3 minutes to sing"),
        ({"words": "x" * 4000}, "The words have 4000 letters"),
        ({"words": "hello", "name": "Anna"}, "give the name, or the words with it"),
        ({"voice": "squeaky"}, "The voice is 'squeaky': choose high, middle or low"),
    ],
)
def test_what_cannot_be_sung_is_named(wishes: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        score_of("happy-birthday", **wishes)


def test_a_song_without_a_place_for_a_name_says_which_have_one() -> None:
    with pytest.raises(InputError, match=r"Ode to Joy has no place for a name: choose daisy-bell or happy-birthday"):
        score_of("ode-to-joy", name="Anna")


def test_odd_words_are_sung() -> None:
    assert text_of(score_of("happy-birthday", name="Annaaaaaaaa 🎉")) == text_of(
        score_of("happy-birthday", name="Annaaaaaaaa")
    )
    for words in (
        "R2D2 & C-3PO",
        "2026",
        "what the fuck",
        "x" * 80,
        "Zoë's crème brûlée",
        "DJ LOL hmm psst",
        "don’t 50%",
    ):
        assert "".join(text_of(score_of("daisy-bell", words=words))).strip() == words


# Letters to sounds


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            {"answer": "AE N.S ER", "birthday": "B ER TH.D EY", "rickroll": "R IH.K R OW L", "skates": "S K EY T S"},
        ),
        ("en", {"yeeted": "Y IY.T EH D", "memegen": "M IY M.JH EH N", "DJ": "D IY.JH EY", "hmm": "HH M AH"}),
        ("es", {"niño": "N IY.N Y O", "guerra": "G E DX R.DX A", "quiero": "K Y E.DX O", "ciudad": "S Y UW.D A D"}),
        ("it", {"gnocchi": "N Y O K.K IY", "figlio": "F IY.L Y O", "città": "CH IY.T A", "piuma": "P Y UW.M A"}),
        ("de", {"schöner": "SH OE.N AX", "Tochter": "T AO X.T AX", "ich": "IH CX", "Straße": "SH T DX A.S AX"}),
        ("ja", {"konnichiwa": "K O.N IY.CH IY.W A", "Tōkyō": "T O.K Y O", "tsunami": "T S UW.N A.M IY"}),
    ],
)
def test_words_are_said_as_people_say_them(language: str, words: dict[str, str]) -> None:
    for word, sounds in words.items():
        assert said(word, language) == sounds, word


@pytest.mark.parametrize("language", RULES)
def test_every_letter_sounds_like_something_the_singer_can_sing(language: str) -> None:
    known = VOWELS | LENGTH.keys()
    assert {sound for sounds in RULES[language].values() for sound in sounds} <= known
    for letters in ("abcdefghijklmnopqrstuvwxyz", "aeiou", "'", "zzz"):
        assert set(spell(letters, language)) <= known
    assert known - GLIDES.keys() == (SOUNDS.keys() & VISEMES.keys()) - {"_", "BR"}


def test_a_syllable_takes_the_consonants_that_can_begin_it() -> None:
    assert syllables(["AE", "N", "S", "ER"]) == [(0, 2), (2, 4)]
    assert syllables(["IH", "N", "S", "T", "R", "AH", "K", "T"]) == [(0, 2), (2, 8)]
    assert syllables(["S", "IH", "NG", "IH", "NG"]) == [(0, 3), (3, 5)]


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "zero"), ("42", "forty two"), ("1999", "nineteen ninety nine"), ("2026", "twenty twenty six"),
        ("1905", "nineteen oh five"), ("2005", "two thousand five"), ("007", "zero zero seven"), ("100", "one hundred"),
    ],
)  # fmt: skip
def test_numbers_are_said(digits: str, words: str) -> None:
    assert " ".join(number_words(digits, "en")) == words
    assert len(number_words(digits, "de")) == len(digits)


# The way from a wish to a clip


def test_a_wish_makes_a_clip_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path))
    told: list[str] = []
    wish = Singing(words="Hi", voice="high")
    first = load_template("la-cucaracha", singing=wish, progress=lambda stage, done, total: told.append(stage))
    clip = open_video(first.local_path)
    assert clip.has_audio
    assert (clip.width, clip.fps) == (256, FPS)
    assert first.lyrics is not None
    assert [line.text.strip() for line in read_lyrics(first.lyrics)] == ["Hi"]
    assert set(told) == {"Drawing the singer"}
    told.clear()
    again = resolve_driving(first, singing=wish, progress=lambda stage, done, total: told.append(stage))
    assert again == first
    assert not told
    assert load_template("la-cucaracha", singing=Singing()).path == load_template("la-cucaracha").path


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"The song can't be kept in .*sung .*set MEMEGEN_CACHE to another folder"):
        load_template("happy-birthday", singing=Singing(name="Anna"))


def test_only_the_singers_tunes_take_words(tmp_path: Path) -> None:
    own = tmp_path / "daisy-bell.mp4"
    own.write_bytes(load_template("daisy-bell").local_path.read_bytes())
    for source in (own, next(template for template in TEMPLATES if template.name == "baka-mitai")):
        with pytest.raises(InputError, match=r"Only the drawn singer can sing .* daisy-bell, happy-birthday"):
            resolve_driving(source, singing=Singing(name="Anna"))


def test_a_batch_refuses_words_before_the_first_photo(small_photo: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Ode to Joy has no place for a name"):
        next(make_batch([small_photo], "ode-to-joy", tmp_path, name="Anna"))


def test_words_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_photo: Path) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    words = ["--tune", "la-cucaracha", "--words", "Hi", "--duration", "0.2", "--subtitles", "--i-have-permission"]
    assert main(["make", str(small_photo), *words]) == 0
    assert open_video(tmp_path / f"{small_photo.stem}-la-cucaracha.mp4").duration == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ode-to-joy", "--name", "Anna"], "Ode to Joy has no place for a name: choose daisy-bell or happy-birthday"),
        (["happy-birthday", "--name", "Анна"], "These words can't be sung: 'Анна'."),
        (["happy-birthday", "--words", "gone.txt"], "There is no text at gone.txt"),
        (["baka-mitai", "--voice", "high"], "Only the drawn singer can sing another name"),
    ],
)
def test_what_cannot_be_sung_is_said_before_any_work(
    words: list[str], said: str, small_photo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["make", str(small_photo), *words]) == 1
    assert said in capfd.readouterr().err
