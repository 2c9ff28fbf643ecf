"""Looks: every format's size, what goes where, sung words lit at their time, and a label that can always be read."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from memegen.base.downloads import asset
from memegen.base.errors import InputError
from memegen.face.cropping import crop_face
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.face.topology import EYE_LIDS
from memegen.look.canvas import SIZES, canvas_size, lay_out, safe_area
from memegen.look.captions import Stamp
from memegen.look.compose import LIT, _shown, _Texts, compose
from memegen.look.lyrics import Line, Word, read_lyrics
from memegen.look.options import Corner, Look
from memegen.media.video import Video, open_video

SONG = "templates/daisy-bell.lrc"
CORNERS: tuple[Corner, ...] = get_args(Corner)


def composed(frames: Sequence[np.ndarray], look: Look, **options: Any) -> list[np.ndarray]:
    return list(compose(frames, look, **{"photo": frames[0], "fps": 25} | options))


def boxes(look: Look, size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Where the label and the captions are."""
    return [stamp.box for stamp in _Texts(look, [], size)._captions]


def apart(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def changed(one: np.ndarray, other: np.ndarray) -> tuple[int, int, int, int]:
    """The box in which two pictures differ."""
    rows, columns = np.nonzero((one != other).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def lit(frame: np.ndarray) -> np.ndarray:
    """Which pixels have the colour of a word that is being sung."""
    return np.asarray(np.abs(frame.astype(int) - LIT).max(axis=2) < 12)


# The eyes


@pytest.mark.parametrize("margin", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("format", ["original", "square", "vertical"])
def test_captions_keep_off_the_eyes(portrait: np.ndarray, margin: float, format: Any) -> None:
    [face] = detect_faces(portrait)
    photo = crop_face(portrait, face, margin=margin, side=400)
    mesh = face_mesh(photo, pick_face(detect_faces(photo)))
    look = Look(top="when the tests pass at last", bottom="nobody expected this", subtitles=True, format=format)
    [plain] = composed([photo], replace(look, top="", bottom="", subtitles=False))
    later = open_video(asset("templates/daisy-bell.mp4"), start=3.0)
    [written] = composed([photo], look, driving=later, lyrics=asset(SONG))
    across, down = (side / 400 for side in (min(plain.shape[:2]),) * 2)
    shift = (plain.shape[0] - min(plain.shape[:2])) // 2
    for lids in EYE_LIDS:
        points = mesh[[point for row in lids for point in row], :2] * (across, down) + (0, shift)
        left, top = points.min(0).astype(int) - 3
        right, bottom = points.max(0).astype(int) + 3
        assert (written[top:bottom, left:right] == plain[top:bottom, left:right]).all()


def test_a_caption_goes_to_the_other_edge_where_it_would_cover_the_eyes() -> None:
    size, look = (600, 600), Look(top="when the tests pass at last", label=False)
    [above] = _Texts(look, [], size)._captions
    [smaller] = _Texts(look, [], size, eyes=[(200, 70, 400, 150)])._captions
    [below] = _Texts(look, [], size, eyes=[(200, 20, 400, 120)])._captions
    assert above.box[3] > 70
    assert smaller.box[3] <= 70
    assert below.box[1] >= 120
    [anywhere] = _Texts(look, [], size, eyes=[(0, 0, 600, 600)])._captions  # no room: rather there than not at all
    assert anywhere.box == above.box


# Formats


@pytest.mark.parametrize("name", SIZES)
def test_every_format_has_its_size(name: Any, small_portrait: np.ndarray) -> None:
    [frame] = composed([small_portrait], Look(format=name))
    assert frame.shape == (*SIZES[name][::-1], 3)
    assert frame.dtype == np.uint8
    assert frame.flags.writeable


def test_the_original_size_is_made_even_by_cutting(small_portrait: np.ndarray) -> None:
    [frame] = composed([small_portrait], Look(label=True))
    assert frame.shape == (240, 204, 3)
    assert (frame[:100] == small_portrait[:100, :204]).all()


def test_a_look_that_changes_nothing_gives_the_same_frames(small_portrait: np.ndarray) -> None:
    [frame] = composed([small_portrait], Look(label=False))
    assert frame is small_portrait
    assert composed([small_portrait], Look(label=False), size_limit=(205, 240))[0] is small_portrait


def test_frames_are_not_written_to(small_portrait: np.ndarray) -> None:
    before = small_portrait.copy()
    composed([small_portrait] * 3, Look(top="Top", intro="Hello"))
    assert (small_portrait == before).all()


def test_no_frames_give_no_frames(small_portrait: np.ndarray) -> None:
    assert list(compose([], Look(), photo=small_portrait, fps=25)) == []


@pytest.mark.parametrize("look", [Look(), Look(label=False), Look(format="vertical"), Look(format="square", top="x")])
def test_a_size_limit_is_kept(look: Look, small_portrait: np.ndarray) -> None:
    [frame] = composed([small_portrait], look, size_limit=(120, 150))
    assert frame.shape[1] <= 120
    assert frame.shape[0] <= 150
    assert (frame.shape[0] % 2, frame.shape[1] % 2) == (0, 0)
    assert max(frame.shape[1] / 120, frame.shape[0] / 150) > 0.97
    assert canvas_size("vertical", (1, 1), (120, 150)) == (84, 150)


def test_the_picture_fills_one_direction_and_bars_the_other(small_portrait: np.ndarray) -> None:
    canvas = lay_out((1080, 1920), (205, 240), small_portrait, bars="#102030")
    assert canvas.meme == (0, 328, 1080, 1592)
    frame = canvas.fill(small_portrait)
    assert (frame[:328] == (16, 32, 48)).all()
    assert (frame[1592:] == (16, 32, 48)).all()
    inside = frame[328:1592].reshape(-1, 3).mean(axis=0)
    assert inside == pytest.approx(small_portrait.reshape(-1, 3).mean(axis=0), abs=1)


def test_blurred_bars_are_the_photo_dark_and_without_detail(portrait: np.ndarray) -> None:
    canvas = lay_out((1920, 1080), (512, 600), portrait)
    bar = canvas.background[:, : canvas.meme[0]].astype(int)
    assert 10 < bar.mean() < 0.7 * portrait.mean()
    assert np.abs(np.diff(bar, axis=1)).max() <= 4
    assert bar[:, 0].reshape(-1, 3).std(axis=0).max() > 5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"format": "round"}, "The format is 'round': choose original, square, vertical, horizontal or sticker"),
        ({"bars": "greenish"}, 'use "blur", or a colour'),
        ({"label_corner": "middle"}, "The label corner is 'middle': choose top-left"),
        ({"label": "  "}, "The label has no letters"),
    ],
)
def test_a_look_that_makes_no_sense(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Look(**values)


# Side by side, and the still


def test_the_driver_stands_to_the_left_at_the_same_height(small_portrait: np.ndarray, singer: Video) -> None:
    frames = [small_portrait] * 3
    shown = composed(frames, Look(side_by_side=True, label=False, bars="#ff00ff"), driving=singer)
    width = round(singer.width * 240 / singer.height)
    assert len(shown) == 3
    assert shown[0].shape[0] == 240
    assert abs(shown[0].shape[1] - (width + 2 + 205)) <= 2
    driver = next(singer.frames())
    assert shown[0][:, : width - 4].mean() == pytest.approx(driver.mean(), abs=2)
    assert shown[0][:, -203:].mean() == pytest.approx(small_portrait.mean(), abs=1)
    gap = (shown[0].astype(int) == (255, 0, 255)).all(axis=(0, 2))
    assert 1 <= gap.sum() <= 4


def test_a_driver_that_ends_first_stays_at_its_last_picture(small_portrait: np.ndarray, singer: Video) -> None:
    short = replace(singer, duration=0.08)
    shown = composed([small_portrait] * 5, Look(side_by_side=True, label=False), driving=short)
    assert len(shown) == 5
    assert np.array_equal(shown[4], shown[1])
    assert not np.array_equal(shown[1], shown[0])


def test_side_by_side_needs_a_driver(small_portrait: np.ndarray) -> None:
    with pytest.raises(InputError, match="no driving clip to show"):
        compose([small_portrait], Look(side_by_side=True), photo=small_portrait, fps=25)


@pytest.mark.parametrize(("fps", "count"), [(25, 25), (Fraction(30000, 1001), 30), (0.4, 1), (12.5, 12)])
def test_the_still_lasts_a_second(small_portrait: np.ndarray, fps: float, count: int) -> None:
    look = Look(intro="Daisy Bell", label=False, format="square")
    assert look.lead == 1.0
    assert look.lead_frames(fps) == count
    frames = composed([np.zeros_like(small_portrait)] * 2, look, photo=small_portrait, fps=fps, size_limit=(240, 240))
    assert len(frames) == count + 2
    assert (frames[0] == frames[count - 1]).all()
    [plain] = composed([small_portrait], Look(format="square", label=False), size_limit=(240, 240))
    left, top, right, bottom = changed(plain, frames[0])
    assert top > 120
    assert right - left > 80
    assert bottom <= 240
    assert frames[count].max() < frames[0].max()


def test_without_a_title_there_is_no_still() -> None:
    assert (Look(intro=" \n").lead, Look(intro=" ").lead_frames(25)) == (0.0, 0)


# Captions and label


@pytest.mark.parametrize("size", [(240, 240), (270, 480), (1080, 1920), (1920, 1080), (512, 512), (640, 480)])
@pytest.mark.parametrize("corner", CORNERS)
def test_label_and_captions_keep_off_each_other_and_out_of_the_buttons(size: tuple[int, int], corner: Corner) -> None:
    look = Look(top="When the photo sings and " * 3, bottom="gjpqy " * 9, label_corner=corner)
    label, top, bottom = boxes(look, size)
    left, above, right, below = safe_area(size)
    for box in (label, top, bottom):
        assert left - 3 <= box[0] < box[2] <= right + 3 + (0 if box is label else right)
        assert above - 3 <= box[1] < box[3] <= below + 3
    assert apart(label, top)
    assert apart(label, bottom)
    assert apart(top, bottom)
    assert top[3] - top[1] < size[1] / 3
    assert bottom[3] - bottom[1] < size[1] / 3
    assert (label[0] + label[2] < size[0]) == corner.endswith("left")
    assert (label[1] + label[3] < size[1]) == corner.startswith("top")


def test_on_a_tall_picture_nothing_is_where_the_apps_have_their_buttons(small_portrait: np.ndarray) -> None:
    look = Look(format="vertical", bars="black", bottom="a caption of some length")
    [plain] = composed([small_portrait], Look(format="vertical", bars="black", label=False))
    [marked] = composed([small_portrait], look)
    left, _, right, bottom = changed(plain, marked)
    assert left >= 0.12 * 1080 - 4
    assert right <= 0.88 * 1080 + 1
    assert bottom <= 0.8 * 1920 + 1


@pytest.mark.parametrize(
    "size", [(240, 240), (240, 426), (426, 240), (480, 480), (512, 512), (1080, 1920), (1920, 1080)]
)
def test_the_label_s_letters_are_large_enough(size: tuple[int, int]) -> None:
    [(left, top, right, bottom)] = boxes(Look(), size)
    assert bottom - top >= max(11, 0.02 * min(size[1], 1.5 * size[0]))
    assert right - left > 9 * (bottom - top) * 0.55
    assert bottom - top < 0.09 * size[1]


@pytest.mark.parametrize("size", [(240, 240), (1080, 1080)])
@pytest.mark.parametrize("ground", ["white", "black", "noise"])
def test_the_label_is_legible_on_anything(ground: str, size: tuple[int, int]) -> None:
    frame = {
        "white": np.full((*size, 3), 255, np.uint8),
        "black": np.zeros((*size, 3), np.uint8),
        "noise": np.random.default_rng(5).integers(0, 256, (*size, 3)).astype(np.uint8),
    }[ground]
    [(left, top, right, bottom)] = boxes(Look(), size)
    [shown] = composed([frame], Look())
    light = (shown[top:bottom, left:right].astype(float) / 255) ** 2.2 @ (0.2126, 0.7152, 0.0722)
    stamp = _Texts(Look(), [], size)._captions[0]
    ink, plate = stamp.paint[..., 0] > 240, (stamp.paint[..., 0] == 0) & (stamp.keep[..., 0] < 130)
    assert ink.mean() > 0.03
    assert (light[ink].mean() + 0.05) / (light[plate].mean() + 0.05) > 4.5  # what WCAG asks of small text
    assert light[plate].max() < 0.25 < 0.8 < light[ink].min()


def test_the_label_says_what_it_is_told(small_portrait: np.ndarray) -> None:
    own, usual = (boxes(Look(label=label), (400, 400))[0] for label in ("AI meme", True))
    assert own[2] - own[0] < usual[2] - usual[0]
    assert boxes(Look(label=False), (400, 400)) == []
    with pytest.raises(InputError, match="The label is too long to read"):
        composed([small_portrait], Look(label="made with AI " * 30))


def test_where_there_is_no_room_the_label_says_ai() -> None:
    [(left, _, right, _)] = boxes(Look(), (96, 96))
    assert 10 < right - left < 40
    assert boxes(Look(), (32, 32))


def test_captions_too_long_or_without_a_font_are_refused_before_anything_is_drawn(small_portrait: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"No font here has .*U\+10FFFD"):
        compose(iter(()), Look(bottom="\U0010fffd"), photo=small_portrait, fps=25)
    with pytest.raises(InputError, match="The bottom caption is too long to read"):
        composed([small_portrait], Look(bottom="word " * 500))


# Sung lines


def test_the_word_that_is_sung_is_lit(portrait: np.ndarray) -> None:
    look = Look(subtitles=True, label=False)
    frames = composed([np.zeros_like(portrait)] * 140, look, lyrics=asset(SONG))
    centres = {}
    for at, word in ((0.75, "Dai"), (1.5, "sy,"), (2.2, "Dai"), (2.9, "sy,"), (3.4, "give"), (5.2, "do.")):
        rows, columns = np.nonzero(lit(frames[round(25 * at)]))
        assert rows.size > 50, word
        assert rows.min() > 0.66 * 600
        centres[at] = (columns.mean(), rows.mean())
        assert np.ptp(columns) < 120
    assert centres[0.75][0] < centres[1.5][0] < centres[2.2][0] < centres[2.9][0]
    assert centres[5.2][1] > centres[0.75][1]


def test_words_light_up_one_after_another_and_smoothly(portrait: np.ndarray) -> None:
    frames = composed([np.zeros_like(portrait)] * 40, Look(subtitles=True, label=False), lyrics=asset(SONG), fps=100)
    coloured = [int(frame.max(axis=2).astype(int).sum() - frame.min(axis=2).astype(int).sum()) for frame in frames]
    assert coloured[34] == 0 < coloured[36] < coloured[39]


def test_lines_show_a_little_before_and_after_and_never_together() -> None:
    lines = [Line((Word("a", begin, end),)) for begin, end in ((1, 2), (2, 3), (5, 6), (5.5, 7), (9, 10))]
    spans = _shown(lines)
    for (_, vanish), (appear, _) in itertools.pairwise(spans):
        assert vanish <= appear
    assert spans[0][0] == pytest.approx(0.4)
    assert spans[1][1] == pytest.approx(3.6)
    assert spans[4] == (pytest.approx(8.4), pytest.approx(10.6))
    for line, (appear, vanish) in zip(lines, spans, strict=True):
        assert appear <= line.start + 0.2
        assert vanish > line.start


def test_a_span_of_the_driver_begins_in_the_middle_of_the_song(portrait: np.ndarray) -> None:
    late = open_video(asset("templates/daisy-bell.mp4"), start=6.0, duration=1.0)
    black = np.zeros_like(portrait)
    look = Look(subtitles=True, label=False)
    shifted = composed([black] * 12, look, lyrics=asset(SONG), driving=late)
    whole = composed([black] * 162, look, lyrics=asset(SONG))
    assert lit(shifted[10]).sum() > 50
    assert (shifted[10] == whole[160]).all()


def test_sung_lines_stand_above_the_caption_and_beside_the_label() -> None:
    lines = list(read_lyrics(asset(SONG)))
    for size in ((512, 600), (1080, 1920), (240, 240)):
        texts = _Texts(Look(bottom="the bottom caption", subtitles=True), lines, size)
        sung: Stamp = texts._song[0].stamps[0]
        for stamp in texts._captions:
            assert apart(sung.box, stamp.box)
        assert sung.top > 0.5 * size[1]


def test_words_of_any_script_are_lit_where_they_stand(tmp_path: Path, portrait: np.ndarray) -> None:
    song = tmp_path / "song.lrc"
    song.write_text("[00:00.00]<00:00.00>أغنية  <00:01.00>جميلة <00:02.00>\n", encoding="utf-8")
    frames = composed([np.zeros_like(portrait)] * 4, Look(subtitles=song, label=False), fps=2)
    first, second = (np.nonzero(lit(frame))[1].mean() for frame in frames[1::2])
    assert first > 256 > second


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (Look(subtitles=True), "song comes without its words"),
        (Look(subtitles="none.srt"), "can't be read"),
    ],
)
def test_lyrics_that_are_not_there(look: Look, said: str, small_portrait: np.ndarray) -> None:
    with pytest.raises(InputError, match=said):
        compose([small_portrait], look, photo=small_portrait, fps=25)
