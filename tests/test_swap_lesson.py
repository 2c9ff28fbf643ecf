"""The lesson about face swaps: its form through the widgets that a user has, what it computes, and its figures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ipywidgets")
pytest.importorskip("matplotlib")

from test_widgets import Page, empty_page, send_all, until

from memegen import preview
from memegen.base.downloads import asset
from memegen.base.errors import InputError, UnavailableError
from memegen.media.video import Video, open_video, write_video
from memegen.provenance.inspection import inspect
from memegen.swap import FaceSet, Swapper, TrainingState, extract_faces, lesson, train_swap, training
from memegen.swap import faces as cutting
from memegen.swap.capacity import Capacity
from memegen.swap.networks import CODE
from memegen.widgets import SwapForm, learning, person
from memegen.widgets import swap as module

SIDE = 48
TINY = Capacity(device="cpu", side=SIDE, width=8, batch=8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that learn something in a second, from few faces."""
    torch.set_num_threads(1)
    monkeypatch.setattr(cutting, "LEAST", 10)
    for name in ("swapper", "training"):
        monkeypatch.setattr(f"memegen.swap.{name}.choose_capacity", lambda _device="auto": TINY)


@pytest.fixture(scope="module")
def files(sung: list[np.ndarray], singer: Video, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A second of the portrait, who sings, and of the drawn singer."""
    folder = tmp_path_factory.mktemp("two")
    grace = write_video(folder / "grace.mp4", sung, fps=25)
    return grace.path, write_video(folder / "dan.mp4", singer.frames(max_side=256), fps=25, audio=singer).path


@pytest.fixture(scope="module")
def people(files: tuple[Path, Path]) -> tuple[FaceSet, FaceSet]:
    """The faces of both."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "LEAST", 10)
        return extract_faces(files[0]), extract_faces(files[1])


@pytest.fixture(scope="module")
def swapper(people: tuple[FaceSet, FaceSet]) -> Swapper:
    """What a hundred steps teach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "choose_capacity", lambda _device: TINY)
        *_, state = train_swap(*people, steps=100)
    return state.swapper


# The form


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Page]:
    monkeypatch.setattr(learning, "RENEWED", 0.0)
    with empty_page(module, monkeypatch, tmp_path) as page:
        yield page


@pytest.fixture
def sample(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundled material that is there at once."""
    monkeypatch.setattr(SwapForm, "_sample_face", lambda *_: (files[0], "Grace Hopper"))
    monkeypatch.setattr(module, "_sample_body", lambda *_: (files[1], "the drawn singer"))


def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody be there, so that cells do not wait, and let trainings go on until they are ended."""
    monkeypatch.setattr(module, "somebody_there", lambda: True)


def shown(page: Page, *sources: Path, **options: Any) -> SwapForm:
    """A form whose cells ran."""
    form = SwapForm(*map(str, sources), **options)
    form.choose()
    form.train()
    form.watch()
    return form


def test_run_all_swaps_the_samples_and_what_was_learned_can_be_looked_at(
    page: Page, sample: None, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*people: FaceSet, minutes: float, checkpoint: Path) -> Iterator[TrainingState]:
        assert minutes == 5
        return train_swap(*people, steps=50, checkpoint=checkpoint)  # a busy machine does few of them in a second

    monkeypatch.setattr(training, "train_swap", short)
    form = shown(page, minutes=5)
    assert page.alerts == []
    assert "25 faces from Grace Hopper" in page.text
    assert "Done: swap-dan.mp4, 1.0 s. It is below." in page.text
    assert page.find("Good enough: swap now").layout.display == "none"  # while nothing is trained
    for words in ("The swap. Its sound", "The original, at the same moment", "Sound on", "Download swap-dan.mp4"):
        assert words in page.text
    assert form.clip.has_audio
    assert form.original.path == files[1]
    told = inspect(form.clip.path)
    assert "compositeWithTrainedAlgorithmicMedia" in "\n".join(told.lines())
    learned = asyncio.run(form.learned())
    assert [len(one) for one in learned.unseen] == [2, 2]
    for one, seen in zip(form._people, learned.seen, strict=True):
        assert one.faces is not None
        assert len(seen) == len(one.faces) - 2
    assert [one.step for one in learned.moments][:2] == [0, 20]
    assert learned.moments[-1].step == learned.swapper.step
    assert 'aria-label="Errors from' in page.text


def test_both_people_are_asked(page: Page, files: tuple[Path, Path]) -> None:
    form = shown(page, *files, minutes=0.01)
    assert page.alerts == [module.ASK]
    box = page.find("Both people agreed to a face swap: the one whose face it is, and the one who gets it")
    with pytest.raises(InputError, match="Nothing was learned yet"):
        asyncio.run(form.learned())
    box.value = True
    assert page.alerts == []
    page.press("Train and swap")
    form.work.wait()
    assert "Done: swap-dan.mp4" in page.text


def test_the_sample_needs_no_permission_and_a_change_asks_again(
    page: Page, sample: None, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "under_voila", lambda: True)
    form = shown(page)
    assert form._asking.layout.display == "none"
    assert not form.work.running
    form._consent.value = True
    form._people[0].choose(files[0])
    assert form._asking.layout.display == ""
    assert not form._consent.value


def test_stop_keeps_what_was_learned_and_the_same_button_goes_on(
    page: Page, sample: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless(monkeypatch)
    form = shown(page, minutes=600)
    until(lambda: form._view.moments and form._view.moments[-1].step >= 20)
    page.press("Stop")
    form.work.wait()
    assert "Stopped. What was learned is kept: press “Train and swap” to go on from there." in page.text
    with pytest.raises(InputError, match="There is no swapped clip yet"):
        _ = form.clip
    step = asyncio.run(form.learned()).swapper.step
    assert step >= 20
    page.press("Train and swap")
    until(lambda: form._learned is not None and form._learned.swapper.step > step)
    page.press("Good enough: swap now")
    form.work.wait()
    assert "Done: swap-dan.mp4" in page.text
    assert form.clip.path.name == "swap-dan.mp4"
    assert asyncio.run(form.learned()).swapper.step > step


def test_one_of_several_people_is_chosen(
    page: Page, sample: None, sung: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "under_voila", lambda: True)
    form = shown(page)
    both = write_video(tmp_path / "both.mp4", (np.hstack([one, one[:, ::-1]]) for one in sung), fps=25)
    choice = form._people[1]
    choice.choose(both.path)
    choice.wait()
    assert choice.faces is None
    assert "There are 2 people in both.mp4: choose one." in page.text
    assert choice._who.layout.display == ""
    assert [words for words, _ in choice._who.options] == ["choose one", "person 1", "person 2"]
    choice._who.value = 1
    choice.wait()
    assert choice.number == 1
    assert choice.faces is not None
    assert len(choice.faces) == 25


def test_the_body_has_to_move(page: Page, files: tuple[Path, Path], sung: list[np.ndarray], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, one in enumerate(sung[:12]):
        cv2.imwrite(str(photos / f"{number}.png"), one[..., ::-1])
    form = shown(page, files[0], photos, minutes=0.01, permission=True)
    assert page.alerts == ["The swap is made in a clip of this person, and there are only photos: upload a clip, too."]
    assert form._learned is None


def test_what_is_no_face_is_told_where_it_was_uploaded(page: Page, sample: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "under_voila", lambda: True)
    form = shown(page)
    choice = form._people[0]
    [upload, _] = [one for one in page.widgets() if getattr(one, "description", None) == person.UPLOAD]
    send_all(upload, [("diary.txt", b"Dear diary"), ("me.jpg", asset("portrait.jpg").read_bytes())])
    choice.wait()
    assert choice.status.failed
    assert "diary.txt" in choice.status.text
    send_all(upload, [("me.jpg", asset("portrait.jpg").read_bytes())])
    choice.wait()
    assert "me.jpg has too few usable faces: 1. A swap needs at least 10" in choice.status.text
    form.work.start()
    form.work.wait()
    assert module.ASK in page.alerts
    form._consent.value = True
    form.work.start()
    form.work.wait()
    assert "There are not yet faces of both people: see above what is missing." in page.alerts
    choice.choose_sample()
    choice.wait()
    assert not choice.status.failed


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnavailableError, match=r"Face swaps need torch: pip install 'memegen-sings\[swap\]'"):
        SwapForm()


def test_what_the_faces_never_show_is_said(people: tuple[FaceSet, FaceSet]) -> None:
    gaps = np.linalg.norm(people[0].landmarks[:, 13] - people[0].landmarks[:, 14], axis=1)
    shut = people[0].some(np.argsort(gaps)[:5])
    view = learning.LearningView()
    view.begin((shut, people[1]), people[0], new=True)
    assert "grace.mp4 never shows, as far as dan.mp4 does: " in view._missing.value
    assert "mouth" in view._missing.value
    view.begin((people[1], people[1]), people[1], new=True)
    assert view._missing.value == ""


def test_the_curve_spans_its_frame() -> None:
    assert learning.error_curve([(0, 0.1, 0.2)]) == ""
    drawn = learning.error_curve([(0, 0.1, 0.2), (50, 0.05, 0.1), (100, 0.0, 0.05)])
    assert 'points="0.0,75.0 300.0,112.5 600.0,150.0"' in drawn
    assert "Errors from 20.0 % (top) to 0 (bottom), over 100 steps." in drawn


# What is computed


def test_the_last_tenth_is_kept_out(people: tuple[FaceSet, FaceSet]) -> None:
    seen, unseen = lesson.keep_out(people[0])
    assert (len(seen), len(unseen)) == (23, 2)
    assert (np.concatenate([seen.crops, unseen.crops]) == people[0].crops).all()


def test_errors_and_detail_compare_with_the_true_face(people: tuple[FaceSet, FaceSet], swapper: Swapper) -> None:
    faces = people[0]
    true = faces.inner(SIDE)
    assert lesson.errors(true, faces) == pytest.approx(0)
    assert lesson.detail(true, faces) == pytest.approx(1)
    assert lesson.detail(np.full_like(true, 99), faces) == pytest.approx(0, abs=1e-6)
    brighter = np.clip(true.astype(int) + 20, 0, 255).astype(np.uint8)
    assert lesson.errors(brighter, faces) == pytest.approx(20 / 255, rel=0.25)
    assert lesson.error_maps(brighter, faces)[:, 0].max() == 0  # above the face
    own, other = (lesson.errors(lesson.redrawn(swapper, faces, who), faces).mean() for who in (0, 1))
    back = lesson.errors(lesson.there_and_back(swapper, faces, 0), faces).mean()
    assert own < back < other


def test_the_widest_mouth_is_found(people: tuple[FaceSet, FaceSet]) -> None:
    faces = people[1]
    gaps = np.linalg.norm(faces.landmarks[:, 13] - faces.landmarks[:, 14], axis=1)
    one = lesson.widest(faces)
    assert len(one) == 1
    assert np.linalg.norm(one.landmarks[0, 13] - one.landmarks[0, 14]) > np.percentile(gaps, 85)


def test_a_number_is_turned_alone_or_with_what_goes_along() -> None:
    codes = np.random.default_rng(0).normal(size=(50, CODE)).astype(np.float32)
    codes[:, 20] = 3 * codes[:, 2]
    alone = lesson.turned(codes[0], "mouth open", 0, 4)
    assert alone[:, 2] == pytest.approx([0, 1, 2, 3, 4], abs=1e-5)
    assert (np.delete(alone, 2, axis=1) == np.delete(codes[0], 2)).all()
    assert (lesson.turned(codes[0], 2, 0, 4) == alone).all()
    along = lesson.turned(codes[0], "mouth open", 0, 4, along=codes)
    assert np.diff(along[:, 20]) == pytest.approx([3] * 4, abs=1e-4)
    assert lesson.busiest(codes) == 20
    with pytest.raises(InputError, match="There is no number 'smile' in a code: give 0 to 63, or one of turn, nod"):
        lesson.turned(codes[0], "smile", 0, 1)


def test_codes_that_are_alike_are_paired() -> None:
    random = np.random.default_rng(0)
    first = random.normal(size=(30, CODE))
    order = random.permutation(30)
    one, other = lesson.most_alike(first, first[order] + 0.01, count=5)
    assert (order[other] == one).all()
    assert (np.diff(first[one, 2]) > 0).all()  # shut mouths first
    assert lesson.likeness_of(first[one], first[order][other]) == pytest.approx(1)
    assert abs(lesson.likeness_of(first[:10], first[10:20])).max() < 0.6


def test_straight_lines_draw_what_they_learned_and_no_swap(people: tuple[FaceSet, FaceSet]) -> None:
    faces, body = people
    whole, few = lesson.Flat.learn(faces, SIDE), lesson.Flat.learn(faces, SIDE, 2)
    assert lesson.errors(whole.draw(faces), faces).max() < 0.01
    assert lesson.errors(few.draw(faces), faces).mean() > 2 * lesson.errors(whole.draw(faces), faces).mean()
    assert few.parts.shape == (2, SIDE * SIDE * 3)
    assert few.parts @ few.parts.T == pytest.approx(np.eye(2), abs=1e-3)
    assert lesson.errors(whole.draw(body), body).mean() > 0.05


def test_few_pictures_are_few(people: tuple[FaceSet, FaceSet]) -> None:
    small, eight = lesson.train_few(*people, seconds=0.5)
    assert len(eight) == 8
    assert small.seconds >= 0.5
    assert small.people[0] == eight.key


# Figures


def test_the_graph_shows_every_part() -> None:
    words = [text.get_text().replace("\n", " ") for text in preview.draw_autoencoders().axes[0].texts]
    for part in ("one encoder for both", "code: 64 numbers", "decoder A paints only A", "decoder B paints only B"):
        assert part in words


def test_a_code_is_plotted_with_its_names() -> None:
    named, free = preview.plot_code(np.arange(CODE, dtype=np.float32)).axes
    assert [label.get_text() for label in named.get_yticklabels()][:3] == ["turn", "nod", "mouth open"]
    assert [bar.get_width() for bar in named.patches] == [*range(8)]
    assert [bar.get_height() for bar in free.patches] == [*range(8, CODE)]


def test_moments_stand_beside_the_true_face(people: tuple[FaceSet, FaceSet]) -> None:
    truth = lesson.widest(people[0])
    true = truth.inner(SIDE)
    moments = [lesson.Snapshot(step, np.full_like(true, 99)) for step in (0, 20, 40, 80, 160, 320, 640)]
    titles = [axes.get_title() for axes in preview.draw_moments([*moments, lesson.Snapshot(900, true)], truth).axes]
    assert titles[0] == "step 0: 0%"
    assert titles[5:8] == ["step 900: 100%", "the true face", "errors to 0%"]


def test_a_close_up_is_of_one_place(files: tuple[Path, Path]) -> None:
    clip = open_video(files[0])
    before, after = preview.close_up(clip, clip)
    assert before.shape == (256, 256, 3)
    assert (before == after).all()
