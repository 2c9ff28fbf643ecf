"""Captions: letters of every script as the golden pictures have them, set to fit, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memegen.base.downloads import asset
from memegen.base.errors import InputError
from memegen.look.captions import Block, Stamp, caption, check_letters, clusters, draw, fonts, on_plate, shaping, tidy

GOLDEN = Path(__file__).parent / "golden" / "captions"
SAMPLES = {
    "latin": "Żółw sings\nthe dãnce!",
    "vietnamese": "Tiếng Việt đẹp",
    "cyrillic": "Дед поёт",
    "greek": "Η φωτό τραγουδά",
    "arabic": "مرحبا 2024 (نعم)",
    "hebrew": "שלום, עולם!",
    "japanese": "ダメだね「歌」",
    "korean": "노래하는",
    "thai": "ภาพร้องเพลง",
    "devanagari": "क्षत्रिय हिन्दी",
    "emoji": "😂👨‍👩‍👧🇯🇵👍🏽❤️",
    "mixed": "LOL مرحبا 😂 歌",
}
MISREADINGS = {  # what the golden pictures have to tell apart
    "latin": "Żółw sings\nthe dance!",
    "vietnamese": "Tiêng Việt đẹp",
    "cyrillic": "Дед поет",
    "greek": "Η φωτο τραγουδά",
    "arabic": "مرحيا 2024 (نعم)",
    "hebrew": "שלום, עולס!",
    "japanese": "ダメたね「歌」",
    "korean": "노래히는",
    "thai": "ภาพรองเพลง",
    "devanagari": "क्षत्रिय हिन्दि",
    "emoji": "😂👨‍👩‍👧🇯🇵👍🏿❤️",
    "mixed": "LOL مرحبا 😁 歌",
}


def pictured(text: str) -> np.ndarray:
    """A text on grey, 240 x 96."""
    picture = np.full((96, 240, 3), (90, 140, 170), np.uint8)
    block = caption(text, width=224, height=80, size=40, smallest=10)
    draw(block).moved((240 - block.width) / 2, (96 - block.height) / 2).blend(picture)
    return picture


def unlike(one: np.ndarray, other: np.ndarray) -> int:
    """How many pixels of two pictures differ plainly."""
    return int((np.abs(one.astype(int) - other).max(axis=2) > 64).sum())


def block_of(text: str, **changed: float) -> Block:
    room = {"width": 300, "height": 200, "size": 40.0, "smallest": 10.0}
    return caption(text, **(room | changed))  # type: ignore[arg-type]


def rows_of(block: Block) -> list[float]:
    """The baselines of a block whose letters stand on them."""
    return sorted({round(glyph.y, 2) for glyph in block.glyphs})


# Golden pictures


@pytest.mark.parametrize("name", SAMPLES)
def test_letters_look_as_they_should(name: str) -> None:
    golden = np.asarray(Image.open(GOLDEN / f"{name}.png").convert("RGB"))
    assert unlike(pictured(SAMPLES[name]), golden) < 12
    assert unlike(pictured(MISREADINGS[name]), golden) > 20


def test_arabic_is_joined_and_runs_from_right_to_left() -> None:
    joined, apart = block_of("مرحبا"), block_of("\u200c".join("مرحبا"))
    assert joined.width < 0.9 * apart.width
    order = [glyph.letter for glyph in sorted(joined.glyphs, key=lambda glyph: glyph.x)]
    assert order == sorted(order, reverse=True)


def test_numbers_in_arabic_run_from_left_to_right() -> None:
    block = block_of("سنة 1892")
    places = {glyph.letter: glyph.x for glyph in block.glyphs}
    assert places[4] < places[5] < places[6] < places[7] < places[0]


def test_words_of_both_directions_keep_their_order() -> None:
    places = {glyph.letter: glyph.x for glyph in block_of("ab אב cd").glyphs}
    assert places[0] < places[1] < places[4] < places[3] < places[6] < places[7]
    places = {glyph.letter: glyph.x for glyph in block_of("אב ab גד").glyphs}
    assert places[7] < places[6] < places[3] < places[4] < places[1] < places[0]


def test_an_emoji_sequence_is_one_picture() -> None:
    for one in ("👨‍👩‍👧", "🇯🇵", "👍🏽", "❤️", "5️⃣"):
        visible = [glyph for glyph in block_of(one).glyphs if draw(block_of(one)).paint.any()]
        assert clusters(one) == [one]
        assert len(visible) == 1, one


def test_emoji_have_colours_and_letters_do_not() -> None:
    assert np.ptp(draw(block_of("😂")).paint.astype(int), axis=2).max() > 150
    assert np.ptp(draw(block_of("Haha")).paint.astype(int), axis=2).max() == 0


def test_russian_letters_are_not_bulgarian_ones() -> None:
    check_letters("вт")
    assert unlike(pictured("вт"), pictured("mm")) > 100
    tall = draw(block_of("в")).paint.shape[0]
    assert tall < draw(block_of("б")).paint.shape[0]


# Setting


def test_upper_and_lower_case_stay_as_typed() -> None:
    assert tidy("Ab\tcD\r\n  x  y \x07") == "Ab cD\nx y"
    assert unlike(pictured("abc"), pictured("ABC")) > 100


def test_long_text_wraps_between_words_then_shrinks() -> None:
    short, medium = block_of("one two"), block_of("one two three four five six")
    long = block_of("one two three four five six " * 5)
    assert len(rows_of(short)) == 1
    assert short.size == medium.size == 40
    assert len(rows_of(medium)) == 2
    assert long.size < 40
    for block in (short, medium, long):
        assert block.width <= 300
        assert block.height <= 200
        assert draw(block).paint.shape[1] <= 300 + 8


def test_rows_are_about_as_long_as_each_other() -> None:
    block = block_of("seven words that fill two rows nicely", width=330)
    widths = []
    for row in rows_of(block):
        xs = [glyph.x for glyph in block.glyphs if round(glyph.y, 2) == row]
        widths.append(max(xs) - min(xs))
    assert min(widths) > 0.6 * max(widths)


def test_a_line_break_is_kept() -> None:
    assert len(rows_of(block_of("a\nb"))) == 2


def test_a_word_too_wide_shrinks_and_only_then_breaks() -> None:
    assert len(rows_of(block_of("Donaudampfschifffahrt"))) == 1
    assert len(rows_of(block_of("a" * 120))) > 1


def test_japanese_breaks_between_letters_but_not_before_a_full_stop() -> None:
    block = block_of("歌う写真を見て笑っている私。", width=300, height=90, smallest=38)
    assert len(rows_of(block)) == 2
    starts = [min(g.letter for g in block.glyphs if round(g.y, 2) == row) for row in rows_of(block)]
    assert "歌う写真を見て笑っている私。"[starts[1]] not in "。、"


def test_rows_never_touch() -> None:
    block = block_of("Ấgjỹ\nẤgjỹ", size=60.0)
    stamp = draw(block, outline=0)
    assert (stamp.keep[..., 0].min(axis=1) == 255).any()


# What can't be set


def test_too_long_says_how_much_fits() -> None:
    with pytest.raises(InputError, match=r"The top caption is too long to read: of its 1799 letters, about (\d+) fit"):
        block_of("word " * 360, what="top caption")  # type: ignore[arg-type]
    with pytest.raises(InputError) as raised:
        block_of("word " * 160, height=60)
    fits = int(str(raised.value).split("about ")[1].split()[0])
    assert 100 < fits < 400
    assert block_of(("word " * 160)[: fits - 5], height=60).size >= 10


def test_nothing_to_set() -> None:
    with pytest.raises(InputError, match="no letters"):
        block_of(" \n\x00 ")
    with pytest.raises(InputError, match="no letters"):
        block_of("\u200b\u200d\u202e")


def test_a_pile_of_marks_is_drawn_from_several_fonts() -> None:
    used = {glyph.font for glyph in block_of("Z\u0301\u0e49\u064b歌\u0301").glyphs}
    assert len(used) > 2


def test_overrides_of_direction_are_left_out() -> None:
    assert tidy("a\u202eb\u2066c\u00ad") == "abc"
    assert block_of("\u2067אב\u2069 ok").width == block_of("אב ok").width


def test_missing_letters_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "system_fonts", tuple)
    fonts._system_font.cache_clear()
    with pytest.raises(InputError, match=r"No font here has 𒀀 \(U\+12000\), ꓤ \(U\+A4E4\): leave it out"):
        block_of("ok 𒀀 or ꓤꓤ")
    with pytest.raises(InputError, match=r"No font here has U\+DC80: "):
        check_letters("\udc80")
    fonts._system_font.cache_clear()


def test_the_system_s_fonts_fill_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    spare = tmp_path / "spare.ttf"
    spare.write_bytes((Path(asset("fonts/NotoSansThai-Black.ttf"))).read_bytes())
    monkeypatch.setattr(fonts, "system_fonts", lambda: (str(broken), str(spare)))
    monkeypatch.delitem(fonts.FONTS, "NotoSansThai-Black")
    for kept in (fonts._system_font, shaping.shape_row):
        kept.cache_clear()
    assert {glyph.font for glyph in block_of("ภาพ").glyphs} == {str(spare)}
    for kept in (fonts._system_font, shaping.shape_row):
        kept.cache_clear()


# Stamps


def test_a_stamp_changes_its_box_only_and_fades() -> None:
    stamp = draw(block_of("Hi")).at(20, 30)
    left, top, right, bottom = stamp.box
    whole, half = (np.full((120, 160, 3), 100, np.uint8) for _ in range(2))
    stamp.blend(whole)
    stamp.blend(half, 0.5)
    outside = np.ones((120, 160), bool)
    outside[top:bottom, left:right] = False
    assert (whole[outside] == 100).all()
    assert whole.min() == 0
    assert whole.max() == 255
    assert np.abs(half.astype(int) - (whole.astype(int) + 100) / 2).max() <= 2


@pytest.mark.parametrize("place", [(-20, -10), (150, 110), (-500, 0), (0, 900)])
def test_a_stamp_may_hang_out_of_the_frame(place: tuple[int, int]) -> None:
    wide = np.full((400, 500, 3), 9, np.uint8)
    frame = wide[140:260, 170:330]
    expected = np.full((400, 500, 3), 9, np.uint8)
    stamp: Stamp = draw(block_of("Hello")).at(*place)
    stamp.blend(frame)
    stamp.moved(170, 140).blend(expected)
    assert (frame == expected[140:260, 170:330]).all()
    frame[:] = 9
    assert (wide == 9).all()


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_small_print_is_legible_on_its_plate(ground: int) -> None:
    text = draw(caption("Made with AI", width=200, height=20, size=11, smallest=11, style="label"), outline=0)
    stamp = on_plate(text, padding=(6, 4))
    frame = np.full(stamp.paint.shape, ground, np.uint8)
    stamp.blend(frame)
    brightest, plate = frame.max(), np.median(frame)
    assert brightest > 240
    assert (brightest / 255) ** 2.2 + 0.05 > 3 * ((plate / 255) ** 2.2 + 0.05)
