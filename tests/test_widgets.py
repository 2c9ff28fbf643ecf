"""The form: every step through the widgets that a user has before them, without a browser."""

from __future__ import annotations

import base64
import csv
import html
import inspect
import io
import logging
import re
import sys
import threading
import time
import types
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import ipywidgets
import numpy as np
import pytest
from media import make_clicks

from memegen.base.downloads import asset
from memegen.base.errors import DownloadError, InputError, UnavailableError
from memegen.base.options import options_of
from memegen.base.progress import Progress, Stage
from memegen.fomm.checkpoint import check_installed, find_checkpoint, obtain
from memegen.media.images import read_image
from memegen.media.options import Cut
from memegen.media.video import Video, open_video, write_video
from memegen.meme import make_meme, resolve_songs
from memegen.singer.tunes import TUNES
from memegen.templates import TEMPLATES
from memegen.widgets import MemeForm, checkpoint, elements, jobs, platforms, template, work
from memegen.widgets import form as module
from memegen.widgets.classroom import Classroom
from memegen.widgets.options import OptionsChoice

# ipywidgets 7 calls what ipykernel 6 and later keep for it
pytestmark = pytest.mark.filterwarnings("ignore:The .ipykernel.comm.Comm. class:DeprecationWarning")

LINK = r'<a class="[^"]*" download="([^"]*)" href="data:([\w/-]+);base64,([^"]*)"'
SECONDS = 60.0  # longest time to wait for a thread before a test gives up: no test takes that long


class Page:
    """What a user sees of a form: the panels its cells showed."""

    def __init__(self) -> None:
        self.panels: list[Any] = []

    def widgets(self) -> Iterator[Any]:
        """All widgets on the page, top down."""
        todo = list(self.panels)
        while todo:
            widget = todo.pop(0)
            yield widget
            todo[:0] = getattr(widget, "children", ())

    def find(self, words: str) -> Any:
        """The control of that label."""
        [found] = [widget for widget in self.widgets() if getattr(widget, "description", None) == words]
        return found

    def press(self, words: str) -> None:
        self.find(words).click()

    @property
    def text(self) -> str:
        """Everything written on the page, as HTML, leaving out the data of pictures and clips."""
        shown = [str(widget.value) for widget in self.widgets() if isinstance(widget, ipywidgets.HTML)]
        return html.unescape(re.sub(r"data:[\w/]+;base64,[^\"]*", "data:", " ".join(shown)))

    @property
    def alerts(self) -> list[str]:
        return re.findall(r'role="alert"[^>]*>([^<]*)', self.text)


class Maker:
    """Stands in for make_meme: notes what it is told, reports frames, and gives a finished clip."""

    def __init__(self, clip: Video) -> None:
        self.clip = clip
        self.calls: list[dict[str, Any]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.error: Exception | None = None

    def __call__(self, photo: np.ndarray, template: Any, *, progress: Callable[..., None], **words: Any) -> Video:
        self.calls.append({"photo": photo, "template": template, **words})
        resolve_songs(template, progress)
        deadline = time.monotonic() + SECONDS
        while True:
            progress("Singing", 5, 10)
            if self.error is not None:
                raise self.error
            if self.go_on.wait(0.01):
                break
            if time.monotonic() > deadline:
                raise TimeoutError
        if words.get("out") is None:
            return self.clip
        Path(words["out"]).write_bytes(self.clip.path.read_bytes())
        return open_video(words["out"])

    @property
    def made(self) -> list[dict[str, Any]]:
        """The calls for whole clips, not those for previews."""
        return [call for call in self.calls if "out" in call]


def until(condition: Callable[[], object]) -> None:
    """Wait for what a thread does."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def send(upload: Any, name: str, content: bytes) -> None:
    """Let a file arrive at a FileUpload."""
    send_all(upload, [(name, content)])


def send_all(upload: Any, files: list[tuple[str, bytes]]) -> None:
    """Let files arrive at a FileUpload together, as the browser's side of ipywidgets 7 or 8 does."""
    assert upload.multiple or len(files) == 1
    if ipywidgets.__version__.startswith("7."):
        data = [memoryview(content) for _, content in files]
        names = [{"name": name} for name, _ in files]
        upload.set_state({"metadata": names, "data": data, "_counter": upload._counter + 1})
    else:
        more = {"type": "", "last_modified": 0}
        value = [{"name": name, "size": len(data), "content": memoryview(data), **more} for name, data in files]
        upload.set_state({"value": value})


@contextmanager
def empty_page(form: types.ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Page]:
    """A page for the forms of a module; what they began is over before the next test begins."""
    page = Page()
    monkeypatch.setattr(form, "_put", page.panels.append)
    monkeypatch.setattr(work, "TWICE", 0.0)  # presses of tests are quick
    monkeypatch.chdir(folder)  # copies of clips go beside the notebook
    monkeypatch.setenv("MEMEGEN_CACHE", str(folder / "cache"))
    monkeypatch.delenv("SERVER_SOFTWARE", raising=False)
    before = set(threading.enumerate())
    yield page
    for thread in set(threading.enumerate()) - before:
        thread.join(SECONDS)
        assert not thread.is_alive(), f"{thread} goes on after its test"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Page]:
    with empty_page(module, monkeypatch, tmp_path) as page:
        yield page


@pytest.fixture(scope="module")
def clip(singer: Video, tmp_path_factory: pytest.TempPathFactory) -> Video:
    """A small clip of ten frames."""
    frames = [frame for frame, _ in zip(singer.frames(max_side=64), range(10), strict=False)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames, fps=25)


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch, clip: Video) -> Maker:
    """A quick make_meme, and cards of clips that cost nothing."""
    maker = Maker(clip)
    monkeypatch.setattr(module, "make_meme", maker)
    monkeypatch.setattr(module, "_driver", lambda *_: clip)
    monkeypatch.setattr(template, "_sample", lambda *_: clip)
    return maker


@pytest.fixture(scope="module")
def pair(portrait: np.ndarray) -> bytes:
    """A JPEG of two people: the larger face on the left."""
    small = cv2.resize(portrait[:, ::-1], None, fx=0.7, fy=0.7)
    padded = cv2.copyMakeBorder(small, 600 - small.shape[0], 0, 0, 0, cv2.BORDER_REPLICATE)
    return bytes(cv2.imencode(".jpg", np.hstack([portrait, padded])[..., ::-1])[1])


@pytest.fixture
def me() -> bytes:
    return asset("portrait.jpg").read_bytes()


def shown(page: Page, **options: Any) -> MemeForm:
    """A form whose cells ran, but for the clip that the last one makes at once."""
    form = MemeForm(**options)
    form.choose()
    page.panels.append(form._result.panel)
    return form


def press_make(form: MemeForm, page: Page) -> None:
    page.press("Make it sing")
    form.work.wait()


# Run all


def test_run_all_makes_a_clip_of_the_bundled_portrait(page: Page) -> None:
    form = MemeForm(duration=0.4)
    form.choose()
    form.make()
    assert not page.alerts
    assert form.meme is not None
    assert (form.meme.width, form.meme.height, form.meme.frame_count) == (512, 600, 10)
    assert form.meme.has_audio
    assert page.text.count("<video autoplay muted loop playsinline") == len(TUNES) + 3  # cards; preview, meme, singer
    assert "The singer: Daisy Bell" in page.text
    assert 'aria-label="The meme: grace-hopper sings Daisy Bell"' in page.text
    assert "Done: grace-hopper-daisy-bell.mp4, 0.4 s, 512 × 600. It is below." in page.text
    assert page.text.index("The meme:") < page.text.index("Download grace-hopper") < page.text.index("The singer:")
    [link] = re.findall(LINK, form._result._download._link.value)
    assert link[:2] == ("grace-hopper-daisy-bell.mp4", "video/mp4")
    assert base64.b64decode(link[2]) == form.meme.path.read_bytes()


def test_as_an_app_the_page_does_not_wait_for_a_clip(page: Page, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.8")
    form = MemeForm()
    form.choose()
    assert "Preview: " in page.text
    form.make()
    assert not form.work.running
    assert not maker.made
    press_make(form, page)
    assert len(maker.made) == 1


def test_where_somebody_is_there_to_press_stop_the_cell_does_not_wait(
    page: Page, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = types.SimpleNamespace(kernel=types.SimpleNamespace(_allow_stdin=True))
    monkeypatch.setattr(platforms, "get_ipython", lambda: shell)
    maker.go_on.clear()
    form = MemeForm()
    form.choose()
    form.make()
    until(lambda: len(maker.calls) == 1 and "Getting ready" in page.text)  # the clip waits for the preview
    assert not maker.made
    maker.go_on.set()
    form.work.wait()
    assert ["out" in call for call in maker.calls] == [False, True]
    assert "Preview: " in page.text
    assert form.meme is not None


def test_interrupting_the_cell_stops_the_clip(page: Page, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    maker.go_on.clear()
    form = MemeForm()
    join, presses = threading.Thread.join, iter([True])

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if next(presses, False):
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    form.make()
    assert form.meme is None
    assert "Stopped" in form.work.status.text


# The photo


def test_a_photo_of_ones_own_needs_everyones_word(page: Page, maker: Maker, me: bytes) -> None:
    form = shown(page)
    consent = page.find("Everyone in this photo agreed to be in a meme")
    assert form._photo._asking.layout.display == "none"
    send(page.find("Upload your own"), "Me at <sea>.jpg", me)
    assert form._photo._asking.layout.display == ""
    assert "One face in Me at <sea>." in page.text
    assert "<sea>" not in form._photo._picture.value
    press_make(form, page)
    assert page.alerts == ["Tick the box under your photo or video first: everyone in it has to agree."]
    assert not maker.made
    consent.value = True
    press_make(form, page)
    assert not page.alerts
    assert maker.made[0]["photo"].shape == (600, 512, 3)
    assert Path(maker.made[0]["out"]).name == "Me_at_sea_-daisy-bell.mp4"
    page.press("Use the sample")
    send(page.find("Upload your own"), "Me at <sea>.jpg", me)  # the same file again
    assert form._photo.photo is not None
    assert form._photo.photo.own
    assert not consent.value


def test_a_photo_by_its_path_and_the_word_for_it(page: Page, maker: Maker, small_photo: Path) -> None:
    form = shown(page, photo=str(small_photo))
    press_make(form, page)
    assert not maker.calls
    form = MemeForm(str(small_photo), permission=True)
    form.make()
    assert maker.made[0]["photo"].shape == (240, 205, 3)
    page.panels.clear()
    form = shown(page)
    page.find("A link to a photo or a video").value = f" {small_photo} "
    assert form._photo.photo is not None
    assert form._photo.photo.name == "me"


def test_what_is_no_photo_is_refused_in_one_sentence_and_the_form_goes_on(page: Page, maker: Maker) -> None:
    form = shown(page)
    before = form._photo.photo
    send(page.find("Upload your own"), "text.jpg", b"Dear diary, <b>")
    [alert] = page.alerts
    assert alert == (
        "The photo text.jpg is not a picture that can be read: use a JPEG, PNG, WebP or HEIC file. "
        "Still using the sample."
    )
    assert form._photo.photo is before
    press_make(form, page)
    assert len(maker.made) == 1


def test_a_photo_without_a_face_is_refused(page: Page, maker: Maker) -> None:
    form = shown(page)
    nobody = bytes(cv2.imencode(".png", np.full((200, 200, 3), 90, np.uint8))[1])
    send(page.find("Upload your own"), "wall.png", nobody)
    assert page.alerts[0].startswith("No face was found in wall:")
    assert form._photo.photo is not None
    assert not form._photo.photo.own


def test_a_bad_photo_to_begin_with_leaves_none(page: Page, maker: Maker) -> None:
    form = shown(page, photo="nowhere.jpg")
    assert page.alerts[0].startswith("There is no photo at nowhere.jpg")
    press_make(form, page)
    assert "There is no photo or video yet: choose one, or use the sample." in page.alerts
    page.press("Use the sample")
    press_make(form, page)
    assert len(maker.made) == 1


def test_with_several_faces_one_or_all_can_be_chosen(page: Page, maker: Maker, pair: bytes) -> None:
    form = shown(page)
    who = page.find("Who sings?")
    assert who.layout.display == "none"
    send(page.find("Upload your own"), "pair.jpg", pair)
    assert who.layout.display == ""
    assert "2 faces, numbered from the left" in page.text
    together = ["everyone", "a duet: each face its own song"]
    assert [label for label, _ in who.options] == ["the largest face", "face 1", "face 2", *together]
    page.find("Everyone in this photo agreed to be in a meme").value = True
    first = form._photo._picture.value
    for value, face in (("largest", None), (1, 1), ("all", "all")):
        who.value = value
        press_make(form, page)
        assert maker.made[-1].get("face") == face
    assert form._photo._picture.value != first
    page.press("Use the sample")
    assert who.layout.display == "none"
    assert form._photo.face is None


# What is sung


def test_nothing_is_fetched_before_it_is_asked_for(
    page: Page, maker: Maker, monkeypatch: pytest.MonkeyPatch, clip: Video
) -> None:
    asked: list[str] = []

    def fetch(target: Path, *_: Any, **__: Any) -> Path:
        asked.append(target.name)
        return clip.path

    monkeypatch.setattr("memegen.templates.fetch", fetch)
    form = shown(page)
    assert "Downloaded when it is needed" in page.text
    assert not asked
    page.press("Baka Mitai (Dame Da Ne)")
    assert page.find("✓ Baka Mitai (Dame Da Ne)").tooltip == "Chosen: Baka Mitai (Dame Da Ne)"
    assert page.find("Daisy Bell").tooltip == "Choose Daisy Bell"
    assert "Song and clip belong to SEGA and others; check before posting." in page.text
    press_make(form, page)
    assert set(asked) == {"baka-mitai.mp4"}
    assert maker.made[0]["template"].name == "baka-mitai"


def test_a_template_fetched_before_shows_its_picture(page: Page, maker: Maker, clip: Video, tmp_path: Path) -> None:
    (tmp_path / "cache/templates").mkdir(parents=True)
    (tmp_path / "cache/templates/baka-mitai.mp4").write_bytes(clip.path.read_bytes())
    shown(page)
    assert "Downloaded when it is needed" not in page.text


def test_a_clip_of_ones_own(page: Page, maker: Maker, clip: Video, tmp_path: Path) -> None:
    form = shown(page)
    send(page.find("+ Your own clip or song"), "../my <clip>.mp4", clip.path.read_bytes())
    assert not page.alerts
    press_make(form, page)
    path = maker.made[0]["template"].local_path
    assert path.read_bytes() == clip.path.read_bytes()
    assert path.parent.parent == form._folder / "driving"
    address = page.find("A link to a clip or song")
    address.value = str(tmp_path / "nowhere.mp4")
    [alert] = page.alerts
    assert "nowhere.mp4" in alert
    assert form._driving.source == path
    address.value = "http://127.0.0.1:9/clip.mp4"
    assert form._driving.source == "http://127.0.0.1:9/clip.mp4"
    until(lambda: page.alerts)  # the preview tries to fetch it
    assert page.alerts[0].startswith("http://127.0.0.1:9/clip.mp4 could not be downloaded")


def test_a_file_that_is_no_clip_is_refused_where_it_was_uploaded(page: Page) -> None:
    form = shown(page)
    send(page.find("+ Your own clip or song"), "song.mp4", b"la la la")
    [alert] = page.alerts
    assert alert.startswith("song.mp4 can't be read as a video")
    assert form._driving.source == "daisy-bell"


def test_own_clips_become_cards_that_stay(page: Page, maker: Maker, clip: Video) -> None:
    form = shown(page)
    send(page.find("+ Your own clip or song"), "mine.mp4", clip.path.read_bytes())
    assert page.find("✓ mine")
    page.press("Daisy Bell")
    assert form._driving.source == "daisy-bell"
    assert "This clip has no sound" not in page.text
    page.press("mine")
    assert "This clip has no sound, so the meme will be silent." in page.text
    press_make(form, page)
    assert maker.made[0]["template"].name == "mine"
    assert "Done: grace-hopper-mine.mp4, 0.4 s, 64 × 64, without sound. It is below." in page.text


def test_a_song_without_a_video(page: Page, maker: Maker, tmp_path: Path) -> None:
    form = shown(page)
    clicks = make_clicks(tmp_path / "clicks.wav", seconds=1)
    send(page.find("+ Your own clip or song"), "tune.wav", clicks.read_bytes())
    assert not page.alerts
    assert "A drawn singer performs what is heard in it, and your photo follows the singer." in page.text
    press_make(form, page)
    assert maker.made[0]["template"].name == "tune"
    assert "Done: grace-hopper-tune.mp4" in page.text


def test_long_names_keep_the_song(page: Page, maker: Maker, me: bytes) -> None:
    form = shown(page)
    send(page.find("Upload your own"), f"{'holiday' * 20}.jpg", me)
    page.find("Everyone in this photo agreed to be in a meme").value = True
    press_make(form, page)
    assert form.meme is not None
    assert form.meme.path.name.endswith("-daisy-bell.mp4")
    assert len(form.meme.path.name) < 80


def test_a_card_plays_its_sound_when_asked(page: Page, maker: Maker) -> None:
    shown(page)
    card, *others = re.findall(r"<button[^>]*meme-sound[^>]*>", page.text)
    assert 'aria-label="Sound of Daisy Bell"' in card
    assert 'aria-pressed="false"' in card
    assert len(others) == len(TUNES) - 1


def test_words_are_sung_to_a_tune_that_takes_them(page: Page, maker: Maker) -> None:
    form = shown(page)
    page.press("La cucaracha")
    page.find("Other words").value = "Hi"
    press_make(form, page)
    assert maker.made[0]["words"] == "Hi"
    assert maker.made[0]["template"].local_path.parent.name == "sung"  # the singer below the meme sings them too
    assert all("words" not in call for call in maker.calls if "out" not in call)  # previews need not wait for it
    page.find("Other words").value = ""
    page.find("Name").value = "Anna"
    press_make(form, page)
    assert set(page.alerts) == {
        "La cucaracha has no place for a name: choose daisy-bell or happy-birthday, or give other words."
    }
    assert len(maker.made) == 1


# Making


def test_an_error_goes_with_its_cause(page: Page, maker: Maker, me: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    form = shown(page)
    send(page.find("Upload your own"), "me.jpg", me)
    press_make(form, page)
    assert page.alerts == ["Tick the box under your photo or video first: everyone in it has to agree."]
    page.find("Everyone in this photo agreed to be in a meme").value = True
    assert not page.alerts
    maker.error = DownloadError("baka-mitai.mp4 could not be downloaded: try again.\nWhat was tried:\n - a mirror")
    press_make(form, page)
    assert set(page.alerts) == {"baka-mitai.mp4 could not be downloaded: try again."}
    assert "<summary>Details</summary><pre>What was tried:" in page.text
    maker.error = None
    page.press("✓ Daisy Bell")
    until(lambda: "Preview: " in page.text)
    assert not page.alerts


def test_pressing_twice_makes_one_clip(page: Page, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "TWICE", SECONDS)
    form = shown(page)
    maker.go_on.clear()
    button = page.find("Make it sing")
    button.click()
    button.click()
    until(lambda: len(maker.made) == 1)
    assert page.find("Stop") is button
    maker.go_on.set()
    form.work.wait()
    assert len(maker.made) == 1
    assert page.find("Make it sing") is button


def test_stop_stops_and_the_form_goes_on(page: Page, maker: Maker) -> None:
    form = shown(page)
    maker.go_on.clear()
    page.press("Make it sing")
    until(lambda: "Singing: 50 %" in page.text)
    page.press("Stop")
    form.work.wait()
    assert form.meme is None
    assert "Stopped: nothing was kept." in page.text
    assert not page.alerts
    maker.go_on.set()
    press_make(form, page)
    assert form.meme is not None


def test_every_clip_has_a_file_of_its_own(page: Page, maker: Maker) -> None:
    form = shown(page)
    press_make(form, page)
    first = form.meme
    press_make(form, page)
    assert first is not None
    assert form.meme is not None
    assert first.path.is_file()
    assert first.path != form.meme.path
    assert first.path.name == form.meme.path.name


def test_errors_are_sentences(page: Page, maker: Maker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    form = shown(page)
    maker.error = InputError("The <clip> is odd: use another.\n- it is\n- very")
    press_make(form, page)
    assert page.alerts == ["The "]  # what follows is a bracket, unescaped by the page's text
    assert "The &lt;clip&gt; is odd: use another.<details>" in form.work.status.text
    assert "- very" in form.work.status.text
    maker.error = ZeroDivisionError("oh")
    press_make(form, page)
    assert page.alerts[0].startswith("Something unexpected went wrong (ZeroDivisionError)")
    assert "<details>" in form.work.status.text
    assert "Traceback" in form.work.status.text
    assert "ZeroDivisionError" in caplog.text
    maker.error = None
    press_make(form, page)
    assert not page.alerts
    assert form.meme is not None


def test_what_is_ordered_reaches_make_meme(page: Page, maker: Maker) -> None:
    form = shown(page, duration=3.0)
    page.find("Text at the top").value = "WHEN <THE> CODE"
    page.find("Shape").value = "vertical"
    page.find("Expression").value = 1.6
    page.find("Kind of file").value = ".gif"
    page.find("Length").value = 0.0
    page.find("Start at second").value = 1.5
    chosen = (
        "Movement: expression wild · Captions: text at the top “WHEN <THE> CODE” · Picture: shape vertical, 1080 × 1920"
    )
    assert f"You also chose: {chosen} (phones) · File: GIF, no sound." in page.text
    maker.error = InputError("Enough.")
    press_make(form, page)
    told = maker.made[0]
    assert {word: told[word] for word in ("top", "format", "expression", "start", "engine")} == {
        "top": "WHEN <THE> CODE",
        "format": "vertical",
        "expression": 1.6,
        "start": 1.5,
        "engine": "mesh",
    }
    assert Path(told["out"]).suffix == ".gif"
    assert not set(told) & {
        "duration",
        "bottom",
        "subtitles",
        "bars",
        "framing",
        "intro",
        "motion",
        "max_size",
        "side_by_side",
    }


def test_in_a_duet_every_face_has_its_own_song(page: Page, maker: Maker, pair: bytes, clip: Video) -> None:
    form = shown(page)
    send(page.find("Upload your own"), "pair.jpg", pair)
    page.find("Everyone in this photo agreed to be in a meme").value = True
    assert form._photo._duet.panel.layout.display == "none"
    page.find("Who sings?").value = "duet"
    assert form._photo._duet.panel.layout.display == ""
    assert page.find("Face 1 sings").value == page.find("Face 2 sings").value == "daisy-bell"
    page.find("Face 1 sings").value = ""
    send(page.find("+ Your own clip or song"), "mine.mp4", clip.path.read_bytes())
    assert page.find("Face 1 sings").value == ""
    songs = [*(template.title for template in TEMPLATES), "mine", "does not sing"]
    assert [label for label, _ in page.find("Face 2 sings").options] == songs
    page.find("Face 1 sings").value = form._driving.source
    page.find("Later by, milliseconds").value = -40.0
    page.find("Loudness").value = None
    press_make(form, page)
    told = maker.made[0]
    assert {face: song.name for face, song in told["template"].items()} == {0: "mine", 1: "daisy-bell"}
    assert (told["offset"], told["loudness"]) == (-40.0, None)
    assert "face" not in told
    previews = [call["template"] for call in maker.calls if "out" not in call]
    assert any(isinstance(songs, dict) and songs.keys() == {0, 1} for songs in previews)
    page.find("Face 1 sings").value = ""
    page.find("Face 2 sings").value = ""
    press_make(form, page)
    assert len(maker.made) == 1
    assert page.alerts == ["Nobody sings: choose a song for at least one face below your photo."]
    page.press("Use the sample")
    assert form._photo._duet.panel.layout.display == "none"
    press_make(form, page)
    assert maker.made[1]["template"].name == "mine"


def test_in_a_duet_a_card_says_where_the_songs_are(page: Page, maker: Maker, pair: bytes) -> None:
    shown(page)
    send(page.find("Upload your own"), "pair.jpg", pair)
    page.find("Who sings?").value = "duet"
    page.press("✓ Daisy Bell")
    assert "You are making a duet: choose each face's song in step 2." in page.text
    page.find("Who sings?").value = "all"
    page.press("✓ Daisy Bell")
    assert "You are making a duet" not in page.text


def test_sound_and_words_can_be_uploaded(page: Page, maker: Maker, clip: Video) -> None:
    form = shown(page)
    song, words = asset("templates/daisy-bell.mp4"), asset("templates/daisy-bell.lrc")
    send(page.find("Upload another sound"), "clip.mp4", clip.path.read_bytes())
    assert page.alerts == ["clip.mp4 has no sound that can be read: choose another file, or none for a silent clip."]
    send(page.find("Upload another sound"), "my song.mp4", song.read_bytes())
    send(page.find("Upload the words (.lrc or .srt)"), "words.lrc", words.read_bytes())
    assert not page.alerts
    assert "You also chose: Captions: words.lrc · Sound: my song.mp4." in page.text
    press_make(form, page)
    told = maker.made[0]
    assert (told["audio"].read_bytes(), told["subtitles"].read_bytes()) == (song.read_bytes(), words.read_bytes())
    for remove in [widget for widget in page.widgets() if getattr(widget, "description", "") == "Remove it"]:
        remove.click()
    press_make(form, page)
    assert not maker.made[1].keys() & {"audio", "subtitles"}
    assert "You also chose" not in page.text


def test_a_video_that_sings_may_keep_its_own_sound(
    page: Page, sung: Maker, singer: Video, me: bytes, tmp_path: Path
) -> None:
    form, room = class_of(page)
    whose, after = page.find("Whose sound"), page.find("After its end, your video")
    assert [one.layout.display for one in (whose, after)] == ["none", "none"]  # a photo has neither
    scene = write_video(tmp_path / "scene.mp4", singer.frames(max_side=240), fps=25, audio=singer).path.read_bytes()
    send(page.find("Upload your own"), "scene.mp4", scene)
    assert [one.layout.display for one in (whose, after)] == ["", ""]
    assert [value for _, value in whose.options] == ["", "target", "both"]
    whose.value = "target"
    assert "You also chose: Sound: whose sound your video's own." in page.text
    page.find("Everyone in this video agreed to be in a meme").value = True
    press_make(form, page)
    assert sung.made[0]["audio"] == "target"
    # Photos of a class have no sound, so the song's is heard there.
    send(page.find("Choose several photos"), "ann.jpg", me)
    make_all(page, room)
    assert "audio" not in sung.made[1]
    # An uploaded sound replaces it for as long as it is there.
    send(page.find("Upload another sound"), "song.mp4", scene)
    assert whose.layout.display == "none"
    assert form._options.chosen["audio"].read_bytes() == scene
    removes = [widget for widget in page.widgets() if getattr(widget, "description", "") == "Remove it"]
    [remove] = [button for button in removes if button.layout.display == ""]
    remove.click()
    assert (whose.layout.display, form._options.chosen["audio"]) == ("", "target")
    after.value = "freeze"
    send(page.find("Upload another"), "me.jpg", me)
    assert [one.layout.display for one in (whose, after)] == ["none", "none"]
    assert form._options.chosen == {}


def test_a_silent_video_has_no_sound_to_keep(page: Page, maker: Maker, singer: Video, tmp_path: Path) -> None:
    shown(page)
    scene = write_video(tmp_path / "scene.mp4", singer.frames(max_side=240), fps=25)
    send(page.find("Upload your own"), "scene.mp4", scene.path.read_bytes())
    assert page.find("Everyone in this video agreed to be in a meme")
    assert page.find("Whose sound").layout.display == "none"


def test_another_photo_with_the_same_song(page: Page, maker: Maker, me: bytes) -> None:
    form = shown(page)
    press_make(form, page)
    send(page.find("Another photo or video, same song"), "me.jpg", me)
    assert form._photo.photo is not None
    assert form._photo.photo.own
    assert "me.jpg is in step 2 above: tick the box there, then press Make it sing." in page.text


def test_what_comes_after_is_folded_and_plain_at_first(tmp_path: Path) -> None:
    choice = OptionsChoice(0.0, tmp_path, lambda: None)
    bars, *insides = choice.panel.children
    for bar, inside in zip(bars.children, insides, strict=True):
        assert inside.layout.display == "none"
        bar.value = True
        assert inside.layout.display == ""
        assert bar.icon == "caret-down"
        bar.value = False
        assert inside.layout.display == "none"
        assert bar.icon == "caret-right"
    assert choice.chosen == {}
    assert choice.suffix == ".mp4"
    assert choice.summary == ""


def test_a_destination_sets_what_can_be_seen_and_changed(tmp_path: Path) -> None:
    choice = OptionsChoice(0.0, tmp_path, lambda: None)
    choice.destination.value = "telegram-sticker"
    assert choice.suffix == ".webm"
    sticker = {"format": "sticker", "framing": "face", "cutout": True, "mute": True}
    assert choice.chosen == {**sticker, "destination": "telegram-sticker"}
    assert "Picture: shape sticker" in choice.summary
    choice._controls["format"].value, choice._kind.value = "original", ".gif"
    assert choice.chosen["format"] == "original"  # the user's, although it is the default
    assert "cutout" not in choice.chosen  # a GIF can't be transparent
    choice.destination.value = "anywhere"
    assert (choice.chosen, choice.suffix, choice.summary) == ({}, ".mp4", "")


def test_make_meme_knows_every_word_of_the_form(tmp_path: Path) -> None:
    known = {*inspect.signature(make_meme).parameters}
    choice = OptionsChoice(3.0, tmp_path, lambda: None)
    assert {*choice._controls, *choice._files, *choice.chosen} <= known


# The preview


def test_the_preview_is_small_short_and_follows_the_choices(page: Page, maker: Maker, pair: bytes) -> None:
    form = shown(page, duration=9.0)
    assert len(maker.calls) == 1
    assert maker.calls[0]["photo"].shape == (320, 273, 3)
    assert maker.calls[0]["duration"] == 2.0
    assert "Preview: " in page.text
    send(page.find("Upload your own"), "pair.jpg", pair)
    assert "Preview: " not in page.text
    assert "Tick the box" in page.text
    assert not page.alerts
    maker.go_on.clear()
    page.find("Everyone in this photo agreed to be in a meme").value = True
    until(lambda: len(maker.calls) == 2)
    first = form._previewing
    page.find("Who sings?").value = 1
    until(lambda: len(maker.calls) == 3)
    maker.go_on.set()
    assert first is not None
    assert form._previewing is not None
    first.wait()
    form._previewing.wait()
    assert isinstance(first.error, type(None))
    assert maker.calls[2]["face"] == 1
    assert page.text.count("Preview: ") == 1


def test_a_preview_is_finished_before_the_clip_is_begun(page: Page, maker: Maker) -> None:
    form = shown(page)
    maker.go_on.clear()
    page.find("Length").value = 5.0
    until(lambda: len(maker.calls) == 2)
    page.press("Make it sing")
    page.press("Stop")
    form.work.wait()
    assert "Stopped" in page.text
    page.press("Make it sing")
    maker.go_on.set()
    form.work.wait()
    assert [call["duration"] for call in maker.calls] == [2.0, 2.0, 5.0]
    assert len(maker.made) == 1
    assert "Preview: " in page.text


# Checkpoints


class Mirror:
    """Stands in for downloading a checkpoint; the download is at 3 of 729 MB until it is `done`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done = threading.Event()
        self.error: Exception | None = None

    def __call__(self, engine: str, *, progress: Progress) -> Path:
        self.asked.append(engine)
        published = find_checkpoint(engine)
        progress(Stage(f"Downloading {published.file}", "MB"), 3, 729)
        assert self.done.wait(SECONDS)
        if self.error is not None:
            raise self.error
        return published.slim


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Mirror:
    mirror = Mirror()
    monkeypatch.setattr(checkpoint, "obtain", mirror)
    monkeypatch.setattr(checkpoint, "find_spec", lambda name: True)  # torch, which Colab's set for 3.13 does not have
    return mirror


def test_a_checkpoint_is_fetched_while_the_preview_is_made(page: Page, maker: Maker, mirror: Mirror) -> None:
    form = shown(page)
    assert not mirror.asked
    page.find("Look").value = "vox"
    until(lambda: "Downloading vox-cpk.pth.tar: 0 %" in page.text)
    page.press("Make it sing")
    assert not maker.made
    mirror.done.set()
    form.work.wait()
    assert mirror.asked == ["vox"]
    assert maker.made[0]["engine"] == "vox"
    until(lambda: "The checkpoint vox is on this machine." in page.text)


def test_stop_does_not_wait_for_a_checkpoint(page: Page, maker: Maker, mirror: Mirror) -> None:
    form = shown(page)
    page.find("Look").value = "vox-adv"
    page.press("Make it sing")
    page.press("Stop")
    form.work.wait()
    assert "Stopped" in page.text
    assert not maker.made
    mirror.done.set()


def test_only_the_download_that_is_wanted_now_is_shown(mirror: Mirror) -> None:
    fetch = checkpoint.CheckpointFetch()
    fetch.want("vox")
    until(lambda: "Downloading vox-cpk.pth.tar" in fetch.status.text)
    fetch.want("mesh")
    assert fetch.status.text == ""
    mirror.done.set()
    fetch._jobs["vox"].wait()
    assert fetch.status.text == ""
    fetch.want("vox")  # it is there now
    until(lambda: "The checkpoint vox is on this machine." in fetch.status.text)


def test_a_checkpoint_that_cannot_be_had_is_said_and_tried_again(page: Page, maker: Maker, mirror: Mirror) -> None:
    form = shown(page, engine="vox")
    mirror.error = DownloadError("vox could not be downloaded.\nWhat was tried:\n- all")
    mirror.done.set()
    until(lambda: page.alerts)
    assert page.alerts == ["vox could not be downloaded."]
    mirror.error = None
    press_make(form, page)
    assert mirror.asked == ["vox", "vox"]
    assert len(maker.made) == 1


@pytest.mark.parametrize("gpu", [True, False])
def test_with_a_gpu_the_classic_look_comes_meanwhile(
    page: Page, maker: Maker, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, gpu: bool
) -> None:
    monkeypatch.setattr(module, "has_gpu", lambda: gpu)
    form = shown(page)
    page.panels.clear()
    page.panels += [form._steps]
    form.make()
    assert form.meme is not None  # the fast clip does not wait
    assert form._fetching is not None
    if not gpu:
        form._fetching.wait()
        assert not mirror.asked
        assert form._result._classic.layout.display == "none"
        return
    until(lambda: "The classic look is being downloaded" in page.text)
    mirror.done.set()
    form._fetching.wait()
    assert "is being downloaded" not in page.text
    page.press("Make it with the classic look")
    form.work.wait()
    assert [call["engine"] for call in maker.made] == ["mesh", "vox"]


def test_the_fast_clip_stays_if_the_classic_look_cannot_be_had(
    page: Page, maker: Maker, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "has_gpu", lambda: True)
    mirror.error = DownloadError("vox could not be downloaded.")
    mirror.done.set()
    form = MemeForm()
    form.make()
    assert form._fetching is not None
    form._fetching.wait()
    assert form.meme is not None
    assert "The classic look could not be downloaded, so your clip has the fast look." in page.text


def test_without_a_gpu_the_classic_look_says_how_long(page: Page, maker: Maker) -> None:
    form = shown(page)
    form._result.offer_classic(600, gpu=False)
    assert page.find("Make it with the classic look (about 3 min)")


@pytest.mark.parametrize(
    ("system", "driver", "device", "gpu"),
    [
        ("linux", True, "cuda", True),
        ("linux", True, "cpu", False),
        ("linux", False, "cuda", False),
        ("win32", False, "cuda", True),
        ("darwin", False, "mps", True),
    ],
)
def test_in_linux_torch_is_asked_for_a_gpu_only_where_a_driver_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, driver: bool, device: str, gpu: bool
) -> None:
    compute = types.SimpleNamespace(choose_compute=lambda: types.SimpleNamespace(device=device))
    monkeypatch.setitem(sys.modules, "memegen.fomm.compute", compute)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(checkpoint, "DRIVERS", [str(tmp_path / ("" if driver else "missing"))])
    monkeypatch.setattr(checkpoint, "classic_works", lambda: True)
    assert checkpoint.has_gpu() is gpu


def test_looks_that_cannot_work_are_not_offered(monkeypatch: pytest.MonkeyPatch, page: Page, maker: Maker) -> None:
    monkeypatch.setattr(checkpoint, "find_spec", lambda name: None)
    monkeypatch.setattr(module, "classic_works", checkpoint.classic_works)
    shown(page)
    assert [words for words, _ in page.find("Look").options] == ["Fast: keeps your whole photo"]
    assert "The classic looks need torch: pip install 'memegen-sings[fomm]'." in page.text


# A whole class


EVERYONE = "Everyone in these photos agreed"


@pytest.fixture
def sung(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """A quick make_meme for many photos, which reads each as the real one does."""

    def make(photo: Path, template: Any, **words: Any) -> Video:
        read_image(photo)
        return maker(np.zeros(0), template, **words)

    monkeypatch.setattr("memegen.batch.make_meme", make)
    return maker


def class_of(page: Page, **options: Any) -> tuple[MemeForm, Classroom]:
    """A form, and its part for many photos."""
    form = shown(page, **options)
    return form, form._class


def archived(room: Classroom) -> dict[str, bytes]:
    """What the links below the list save, by the files' names; the links together hold each file once."""
    found: dict[str, bytes] = {}
    for panel in room._links.children:
        [(name, kind, content)] = re.findall(LINK, panel.children[0].value)
        assert name.startswith("memegen-clips")
        assert kind == "application/zip"
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(content))) as archive:
            assert not found.keys() & set(archive.namelist())
            found |= {file: archive.read(file) for file in archive.namelist()}
    return found


def rows_of(room: Classroom) -> list[str]:
    """What stands beside each photo of the list: its name, then what became of it."""
    said = (re.findall(r'class="meme-note">(.*?)</p>', row.panel.children[0].value)[0] for row in room._rows)
    return [html.unescape(words).replace("<br>", " | ") for words in said]


def make_all(page: Page, room: Classroom) -> None:
    page.find(EVERYONE).value = True
    page.press("Make them all")
    room.work.wait()


def test_a_whole_class_sings_and_who_cannot_is_told(page: Page, sung: Maker, me: bytes, tmp_path: Path) -> None:
    form, room = class_of(page, duration=3.0)
    assert not page.find("Many photos at once").value
    page.find("Text at the top").value = "CLASS 3B"
    send_all(page.find("Choose several photos"), [("ann.jpg", me), ("notes.jpg", b"Dear <diary>")])
    send(page.find("Choose several photos"), "ann.jpg", me)  # another child, whose phone calls its photo the same
    assert rows_of(room) == ["ann.jpg", "notes.jpg", "ann.jpg"]
    assert "3 photos." in page.text
    page.press("Make them all")
    assert page.alerts == ["Tick the box first: everyone in these photos has to agree."]
    assert not sung.made
    page.find(EVERYONE).value = True
    assert not page.alerts
    make_all(page, room)
    assert not page.alerts
    assert "Done: 2 of 3 photos sing." in page.text
    assert [(call["template"].name, call["top"], call["duration"]) for call in sung.made] == [
        ("daisy-bell", "CLASS 3B", 3.0)
    ] * 2
    wrong = "✗ The photo notes.jpg is not a picture that can be read: use a JPEG, PNG, WebP or HEIC file."
    assert rows_of(room) == ["ann.jpg | ✓ ann.mp4", f"notes.jpg | {wrong}", "ann.jpg | ✓ ann-2.mp4"]
    assert "A frame of ann.mp4" in page.text
    assert str(form._folder) not in page.text
    files = archived(room)
    assert [*files] == ["ann.mp4", "ann-2.mp4", "report.csv"]
    assert files["ann.mp4"] == sung.clip.path.read_bytes()
    report = files["report.csv"].decode("utf-8")
    assert [row["status"] for row in csv.DictReader(report.splitlines())] == ["made", "failed", "made"]
    assert str(form._folder) not in report
    assert "Copied into the folder memegen-clips-1 beside this notebook." in page.text
    assert sorted(file.name for file in (tmp_path / "memegen-clips-1").iterdir()) == sorted(files)
    send(page.find("Choose several photos"), "zoe.jpg", me)
    assert not page.find(EVERYONE).value  # nobody asked Zoe yet


def test_one_photo_is_removed_and_only_the_failed_are_made_again(page: Page, sung: Maker, me: bytes) -> None:
    _, room = class_of(page)
    send_all(page.find("Choose several photos"), [("ann.jpg", me), ("ben.jpg", me)])
    send(page.find("Choose several photos"), "ben.jpg", b"no")  # ipywidgets 7 keeps one file of a name at a time
    again = page.find("Make the failed ones again")
    assert again.layout.display == "none"
    room._rows[0].panel.children[1].click()
    assert rows_of(room) == ["ben.jpg", "ben.jpg"]
    make_all(page, room)
    assert len(sung.made) == 1
    assert again.layout.display == ""
    first = room._rows[0].clip
    page.find("Kind of file").value = ".gif"  # what is chosen since counts for new photos only
    Path(room._rows[1].photo).write_bytes(me)
    again.click()
    room.work.wait()
    assert len(sung.made) == 2
    assert "Done: 2 of 2 photos sing." in page.text
    assert again.layout.display == "none"
    assert room._rows[0].clip == first
    assert [*archived(room)] == ["ben.mp4", "ben-2.mp4", "report.csv"]


def test_each_clip_of_a_class_has_a_download_of_its_own(page: Page, sung: Maker, me: bytes) -> None:
    _, room = class_of(page)
    send(page.find("Choose several photos"), "ann.jpg", me)
    _, remove, save, link = room._rows[0].panel.children
    assert [remove.layout.display, save.layout.display] == ["", "none"]
    make_all(page, room)
    assert [remove.layout.display, save.layout.display] == ["none", ""]
    assert link.value == ""  # the page holds the clip once it is asked for
    save.click()
    assert re.findall(LINK, link.value)[0][0] == "ann.mp4"


def test_clips_that_are_too_many_for_one_link_come_in_parts(
    page: Page, sung: Maker, me: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "LARGEST_LINK", 2 * sung.clip.path.stat().st_size + 5000)
    _, room = class_of(page)
    send_all(page.find("Choose several photos"), [(f"{name}.jpg", me) for name in ("ann", "ben", "cem", "dan", "eva")])
    make_all(page, room)
    names = [f"memegen-clips-{number}-of-3.zip" for number in (1, 2, 3)]
    assert [file.name for file in room.archives] == names
    assert [file.stat().st_size < elements.LARGEST_LINK for file in room.archives] == [True] * 3
    assert [*archived(room)] == ["ann.mp4", "ben.mp4", "cem.mp4", "dan.mp4", "eva.mp4", "report.csv"]


def test_no_copies_where_the_folder_is_not_the_users(
    page: Page, sung: Maker, me: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.8")
    _, room = class_of(page)
    send(page.find("Choose several photos"), "ann.jpg", me)
    make_all(page, room)
    assert [*archived(room)] == ["ann.mp4", "report.csv"]
    assert not list(tmp_path.glob("memegen-clips*"))
    assert "Copied into" not in page.text


def test_the_photos_of_a_folder(page: Page, sung: Maker, me: bytes, tmp_path: Path) -> None:
    _, room = class_of(page)
    page.press("Make them all")
    assert page.alerts == ["There are no photos yet: upload some, or type a folder's path."]
    where = page.find("Or a folder's path")
    where.value = str(tmp_path / "nowhere")
    wrong = f"There is no folder {tmp_path / 'nowhere'}: type the path of one on the computer that runs this notebook."
    assert wrong in page.alerts
    folder = tmp_path / "class"
    folder.mkdir()
    for name in ("ben.jpg", "ann.jpg"):
        (folder / name).write_bytes(me)
    (folder / "names.txt").write_text("Ann and Ben")
    where.value = str(folder)
    assert not page.alerts
    assert rows_of(room) == ["ann.jpg", "ben.jpg"]
    page.press("Remove all")
    assert rows_of(room) == []
    assert page.find("Remove all").layout.display == "none"
    room._choose(str(folder / "ben.jpg"))
    make_all(page, room)
    assert "Done: 1 of 1 photos sing." in page.text
    assert not page.alerts


def test_a_class_can_be_stopped_and_keeps_what_it_has(
    page: Page, sung: Maker, me: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_and_no_more(photo: Path, *words: Any, **more: Any) -> Video:
        if sung.made:
            sung.go_on.clear()
        return sung(np.zeros(0), *words, **more)

    monkeypatch.setattr("memegen.batch.make_meme", one_and_no_more)
    _, room = class_of(page)
    send_all(page.find("Choose several photos"), [("ann.jpg", me), ("ben.jpg", me)])
    page.find(EVERYONE).value = True
    page.find("Kind of file").value = ".gif"
    page.press("Make them all")
    until(lambda: "Photo 2 of 2 · Singing: 75 %" in page.text)
    assert rows_of(room) == ["ann.jpg | ✓ ann.gif", "ben.jpg | Waiting …"]
    room._rows[1].panel.children[1].click()  # nothing is removed while it is sung
    page.press("Stop")
    room.work.wait()
    assert len(sung.made) == 2
    assert "Stopped: the clips that were finished are kept." in page.text
    assert [*archived(room)] == ["ann.gif", "report.csv"]
    sung.go_on.set()
    monkeypatch.setattr("memegen.batch.make_meme", lambda photo, *words, **more: sung(np.zeros(0), *words, **more))
    make_all(page, room)
    assert [*archived(room)] == ["ann.gif", "ben.gif", "report.csv"]


def test_one_clip_waits_for_the_other(page: Page, sung: Maker, me: bytes) -> None:
    form, room = class_of(page)
    send(page.find("Choose several photos"), "ann.jpg", me)
    page.find(EVERYONE).value = True
    sung.go_on.clear()
    form.work.start()
    until(lambda: len(sung.made) == 1)
    room.work.start()
    until(lambda: "Waiting until the other clips are finished" in page.text)
    assert len(sung.made) == 1
    sung.go_on.set()
    form.work.wait()
    room.work.wait()
    assert len(sung.made) == 2
    assert "Done: 1 of 1 photos sing." in page.text


def test_an_error_that_ends_a_class_is_told(page: Page, sung: Maker, me: bytes) -> None:
    _, room = class_of(page)
    send(page.find("Choose several photos"), "ann.jpg", me)
    sung.error = ZeroDivisionError("oh")
    make_all(page, room)
    [alert] = page.alerts
    assert alert.startswith("Something unexpected went wrong (ZeroDivisionError)")
    assert room.archives == []
    assert "download=" not in page.text
    assert page.find("Make them all")


def test_a_file_too_large_for_the_page_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "LARGEST_LINK", 3)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "clips.zip"
    file.write_bytes(b"zip")
    assert 'href="data:application/zip;base64,emlw"' in elements.download_link(file)
    file.write_bytes(b"zip!")
    said = "clips.zip is too large for a download link. Copied into the folder memegen-clips-1 beside this notebook."
    assert said in elements.download_link(file)
    assert (tmp_path / "memegen-clips-1/clips.zip").read_bytes() == b"zip!"
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.8")
    assert "Choose a smaller size under File, and make it again." in elements.download_link(file)


# Colab


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch, me: bytes) -> dict[str, Any]:
    """A stand-in for google.colab: what its dialogs answer, and what was asked of it."""
    state: dict[str, Any] = {
        "files": {"me.jpg": me},
        "picture": "data:image/jpeg;base64," + base64.b64encode(me).decode(),
    }
    state["downloads"] = []
    files, output = types.ModuleType("google.colab.files"), types.ModuleType("google.colab.output")
    files.upload = lambda: state["files"]  # type: ignore[attr-defined]
    files.download = state["downloads"].append  # type: ignore[attr-defined]
    output.eval_js = lambda script: state["picture"] if "getUserMedia" in script else None  # type: ignore[attr-defined]
    whole = types.ModuleType("google.colab")
    whole.files, whole.output = files, output  # type: ignore[attr-defined]
    for name, part in (("google.colab", whole), ("google.colab.files", files), ("google.colab.output", output)):
        monkeypatch.setitem(sys.modules, name, part)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    return state


def test_on_colab_files_go_through_its_own_dialogs(page: Page, maker: Maker, colab: dict[str, Any]) -> None:
    form = shown(page)
    assert not [widget for widget in page.widgets() if isinstance(widget, ipywidgets.FileUpload)]
    page.press("Upload your own")
    assert "One face in me." in page.text
    page.find("Everyone in this photo agreed to be in a meme").value = True
    press_make(form, page)
    assert "download=" not in page.text
    assert form.meme is not None
    page.press(f"Download {form.meme.path.name}")
    assert colab["downloads"] == [str(form.meme.path)]
    colab["files"] = {}
    page.press("Upload another")
    page.press("+ Your own clip or song")
    assert not page.alerts
    del colab["files"]
    page.press("+ Your own clip or song")
    assert page.alerts[0].startswith("Colab's file dialog did not open")


def test_on_colab_a_class_comes_and_goes_through_its_own_dialogs(
    page: Page, sung: Maker, colab: dict[str, Any], me: bytes
) -> None:
    _, room = class_of(page)
    colab["files"] = {"ann.jpg": me, "ben.jpg": me}
    page.press("Choose several photos")
    assert rows_of(room) == ["ann.jpg", "ben.jpg"]
    make_all(page, room)
    assert "download=" not in page.text
    page.press("Download memegen-clips.zip")
    room._rows[0].panel.children[2].click()
    assert colab["downloads"] == [str(room.archives[0]), str(room._rows[0].clip)]
    del colab["files"]
    page.press("Choose several photos")
    assert page.alerts[0].startswith("Colab's file dialog did not open")


def test_on_colab_the_camera_takes_a_picture(page: Page, maker: Maker, colab: dict[str, Any]) -> None:
    form = shown(page)
    page.press("Take a picture")
    assert form._photo.photo is not None
    assert form._photo.photo.own
    colab["picture"] = ""
    page.press("Take a picture")
    assert page.alerts == ["The camera gave no picture: allow this page to use it, or upload a photo instead."]


# Pieces


def test_both_shapes_of_an_upload_are_read() -> None:
    assert platforms.uploaded({}) == []
    assert platforms.uploaded(()) == []
    two = [("a.jpg", b"a"), ("b.jpg", b"b")]
    assert platforms.uploaded({name: {"metadata": {"name": name}, "content": content} for name, content in two}) == two
    assert platforms.uploaded(tuple({"name": name, "content": memoryview(content)} for name, content in two)) == two


def test_progress_is_told_in_words() -> None:
    assert jobs.how_far("Singing", 0.5, 10.0) == "Singing: 50 % · 10 s left"
    assert jobs.how_far("Singing", 0.1, 60.0) == "Singing: 10 % · 9 min left"
    assert jobs.how_far("Singing", 0.0, 60.0) == "Singing: 0 %"
    assert jobs.how_far("Singing", 0.5, 0.5) == "Singing: 50 %"


def test_a_job_of_several_stages_has_one_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "EVERY", 0.0)
    status, job = jobs.Status(), jobs.Job(lambda _: None)
    bar = status.panel.children[0]
    tell, reached = jobs.WholeJob(status, job), []
    for stage in ("Downloading song.mp4", "Watching the singer", "Singing"):
        for done in (1, 5, 10):
            tell(stage, done, 10)
            reached.append(bar.value)
    assert reached == sorted(reached)
    assert len({*reached}) == 9
    assert reached[-1] == 1.0
    tell = jobs.WholeJob(status, job)
    tell("Singing", 5, 10)  # where nothing has to be downloaded or watched, singing is all of it
    assert bar.value == 0.5
    tell = jobs.WholeJob(status, job, parts=4)
    tell.part = 2
    tell("Singing", 5, 10)
    assert bar.value == 0.625
    assert "Photo 3 of 4 · Singing: 62 %" in status.text
    job.stop()
    with pytest.raises(jobs.Stopped):
        tell("Singing", 6, 10)


def test_the_bar_is_seen_only_while_something_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(jobs, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    status = jobs.Status()
    bar = status.panel.children[0]
    assert bar.layout.display == status.panel.layout.display == "none"
    status.reach("Singing", 0.5, 1.0)
    assert bar.layout.display == status.panel.layout.display == ""
    assert bar.value == 0.5
    status.reach("Singing", 0.6, 1.0)  # too soon after the last to be worth a message
    assert bar.value == 0.5
    now[0] += jobs.EVERY
    status.reach("Singing", 0.7, 1.0)
    assert bar.value == 0.7
    status.reach("Singing", 1.0, 1.0)  # the last is always worth one
    assert bar.value == 1.0
    status.say("Done.")
    assert bar.layout.display == "none"
    status.say("")
    assert status.panel.layout.display == "none"


def test_errors_speak_of_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnavailableError) as missing:
        check_installed()
    sentence = "Checkpoints need torch: pip install 'memegen-sings[fomm]'. Or choose the look “Fast”."
    assert sentence in html.unescape(jobs.alert(missing.value))
    monkeypatch.setattr("memegen.fomm.checkpoint.check_installed", lambda: None)
    monkeypatch.setattr("memegen.fomm.checkpoint.fetch", _no_network)
    with pytest.raises(DownloadError) as lost:
        obtain("vox")
    assert "--" not in str(lost.value)
    assert "Or choose the look “Fast”." in jobs.alert(lost.value)


def _no_network(*_: Any, **__: Any) -> Path:
    raise DownloadError("vox-cpk.pth.tar could not be downloaded.")


def test_everything_has_a_label(page: Page, maker: Maker) -> None:
    form, _ = class_of(page)
    press_make(form, page)
    for widget in page.widgets():
        if hasattr(widget, "description") and not isinstance(widget, ipywidgets.HTML | ipywidgets.FloatProgress):
            assert widget.description, widget
    for picture in re.findall(r"<img[^>]*>", page.text):
        assert re.search(r'alt="[^"]+"', picture) or " hidden " in picture
    for player in re.findall(r"<video[^>]*>", page.text):
        assert re.search(r'aria-label="[^"]+"', player)


def test_a_remedy_is_named_as_on_the_page() -> None:
    error = InputError("The sound can't be decoded: leave it out.", remedy={"mute": True})
    assert jobs.in_form_words(error) == "The sound can't be decoded: leave it out. Or tick “No sound” under Sound."
    assert next(one.title for one in options_of(Cut) if one.name == "mute") == "No sound"
