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
from pathlib import Path
from typing import Any

import cv2
import ipywidgets
import numpy as np
import pytest

from memegen.base.downloads import asset
from memegen.base.errors import DownloadError, InputError, UnavailableError
from memegen.base.options import options_of
from memegen.base.progress import Progress, Stage
from memegen.fomm.checkpoint import check_installed, find_checkpoint, obtain
from memegen.media.images import read_image
from memegen.media.options import Cut
from memegen.media.video import Video, open_video, write_video
from memegen.meme import make_meme, resolve_songs
from memegen.widgets import MemeForm, checkpoint, elements, jobs, platforms, template
from memegen.widgets import form as module
from memegen.widgets.classroom import Classroom
from memegen.widgets.options import OptionsChoice

# ipywidgets 7 calls what ipykernel 6 and later keep for it
pytestmark = pytest.mark.filterwarnings("ignore:The .ipykernel.comm.Comm. class:DeprecationWarning")

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


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Page]:
    """An empty page; what its forms began is over before the next test begins."""
    page = Page()
    monkeypatch.setattr(module, "_put", page.panels.append)
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SERVER_SOFTWARE", raising=False)
    before = set(threading.enumerate())
    yield page
    for thread in set(threading.enumerate()) - before:
        thread.join(SECONDS)
        assert not thread.is_alive(), f"{thread} goes on after its test"


@pytest.fixture(scope="module")
def clip(singer: Video, tmp_path_factory: pytest.TempPathFactory) -> Video:
    """A small clip of ten frames."""
    frames = [frame for frame, _ in zip(singer.frames(max_side=64), range(10), strict=False)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames, fps=25)


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch, clip: Video) -> Maker:
    """A quick make_meme, and clips whose thumbnails cost nothing."""
    maker = Maker(clip)
    monkeypatch.setattr(module, "make_meme", maker)
    monkeypatch.setattr(module, "_driver", lambda *_: clip)
    monkeypatch.setattr(template, "_thumbnail", lambda path, title: f'<img alt="{html.escape(title)}">')
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
    """A form of which every cell ran but the one that makes a clip at once."""
    form = MemeForm(**options)
    form.choose_template()
    form.choose_photo()
    form.preview()
    page.panels.append(form._make_panel)
    form.show_result()
    return form


def press_make(form: MemeForm, page: Page) -> None:
    page.press("Make the meme")
    form.wait()


# Run all


def test_run_all_makes_a_clip_of_the_bundled_portrait(page: Page) -> None:
    form = MemeForm(duration=0.4)
    form.choose_template()
    form.choose_photo()
    form.preview()
    form.make()
    form.show_result()
    assert not page.alerts
    assert form.meme is not None
    assert (form.meme.width, form.meme.height, form.meme.frame_count) == (512, 600, 10)
    assert form.meme.has_audio
    assert page.text.count("<video") == 3  # preview, driver, meme
    assert "The driver: Daisy Bell" in page.text
    assert "Done: grace-hopper-daisy-bell.mp4, 0.4 s" in page.text
    [link] = re.findall(r'<a download="([^"]*)" href="data:video/mp4;base64,([^"]*)"', form._work._link.value)
    assert link[0] == "grace-hopper-daisy-bell.mp4"
    assert base64.b64decode(link[1]) == form.meme.path.read_bytes()


def test_as_an_app_the_page_does_not_wait_for_a_clip(page: Page, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.8")
    maker.go_on.clear()
    form = MemeForm()
    form.preview()
    form.make()
    assert form.meme is None
    assert not maker.made
    maker.go_on.set()
    press_make(form, page)
    assert len(maker.made) == 1


def test_where_somebody_is_there_to_press_stop_the_cell_does_not_wait(
    page: Page, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = types.SimpleNamespace(kernel=types.SimpleNamespace(_allow_stdin=True))
    monkeypatch.setattr(platforms, "get_ipython", lambda: shell)
    maker.go_on.clear()
    form = MemeForm()
    form.preview()
    form.make()
    until(lambda: len(maker.calls) == 1 and "Getting ready" in page.text)  # the clip waits for the preview
    assert not maker.made
    maker.go_on.set()
    form.wait()
    assert ["out" in call for call in maker.calls] == [False, True]
    assert "Preview: the first" in page.text
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
    assert "Stopped" in page.text


# The photo


def test_a_photo_of_ones_own_needs_everyones_word(page: Page, maker: Maker, me: bytes) -> None:
    form = shown(page)
    consent = page.find("Everyone in this photo agreed to be in a meme")
    assert form._photo._asking.layout.display == "none"
    send(page.find("Upload a photo"), "Me at <sea>.jpg", me)
    assert form._photo._asking.layout.display == ""
    assert "One face in Me at <sea>." in page.text
    assert "<sea>" not in form._photo._picture.value
    press_make(form, page)
    assert page.alerts == ["Tick the box under your photo first: everyone in it has to agree."]
    assert not maker.made
    consent.value = True
    press_make(form, page)
    assert not page.alerts
    assert maker.made[0]["photo"].shape == (600, 512, 3)
    assert Path(maker.made[0]["out"]).name == "Me_at_sea_-daisy-bell.mp4"
    page.press("Use the sample portrait")
    send(page.find("Upload a photo"), "Me at <sea>.jpg", me)  # the same file again
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
    path = [widget for widget in page.widgets() if getattr(widget, "placeholder", "").startswith("me.jpg")]
    path[0].value = f" {small_photo} "
    assert form._photo.photo is not None
    assert form._photo.photo.name == "me"


def test_what_is_no_photo_is_refused_in_one_sentence_and_the_form_goes_on(page: Page, maker: Maker) -> None:
    form = shown(page)
    before = form._photo.photo
    send(page.find("Upload a photo"), "text.jpg", b"Dear diary, <b>")
    [alert] = page.alerts
    assert alert == "The photo is not a picture that can be read: use a JPEG, PNG, WebP or HEIC file."
    assert form._photo.photo is before
    press_make(form, page)
    assert len(maker.made) == 1


def test_a_photo_without_a_face_is_refused(page: Page, maker: Maker) -> None:
    form = shown(page)
    nobody = bytes(cv2.imencode(".png", np.full((200, 200, 3), 90, np.uint8))[1])
    send(page.find("Upload a photo"), "wall.png", nobody)
    assert page.alerts[0].startswith("No face was found in the photo")
    assert form._photo.photo is not None
    assert not form._photo.photo.own


def test_a_bad_photo_to_begin_with_leaves_none(page: Page, maker: Maker) -> None:
    form = shown(page, photo="nowhere.jpg")
    assert page.alerts[0].startswith("There is no photo at nowhere.jpg")
    press_make(form, page)
    assert "There is no photo yet: upload one, or use the sample portrait." in page.alerts
    page.press("Use the sample portrait")
    press_make(form, page)
    assert len(maker.made) == 1


def test_with_several_faces_one_or_all_can_be_chosen(page: Page, maker: Maker, pair: bytes) -> None:
    form = shown(page)
    who = page.find("Who sings")
    assert who.layout.display == "none"
    send(page.find("Upload a photo"), "pair.jpg", pair)
    assert who.layout.display == ""
    assert "2 faces, numbered from the left" in page.text
    together = ["everyone", "a duet: each face its own song"]
    assert [label for label, _ in who.options] == ["the largest face", "face 0", "face 1", *together]
    page.find("Everyone in this photo agreed to be in a meme").value = True
    first = form._photo._picture.value
    for value, face in (("largest", None), (1, 1), ("all", "all")):
        who.value = value
        press_make(form, page)
        assert maker.made[-1].get("face") == face
    assert form._photo._picture.value != first
    page.press("Use the sample portrait")
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
    assert "downloaded at first use" in page.text
    assert not asked
    page.press("Baka Mitai")
    assert page.find("Baka Mitai").icon == "check"
    assert page.find("Daisy Bell").icon == ""
    assert "not cleared" in page.text
    press_make(form, page)
    assert set(asked) == {"baka-mitai.mp4"}
    assert maker.made[0]["template"].name == "baka-mitai"


def test_a_template_fetched_before_shows_its_picture(page: Page, maker: Maker, clip: Video, tmp_path: Path) -> None:
    (tmp_path / "cache/templates").mkdir(parents=True)
    (tmp_path / "cache/templates/baka-mitai.mp4").write_bytes(clip.path.read_bytes())
    shown(page)
    assert "downloaded at first use" not in page.text


def test_a_clip_of_ones_own(page: Page, maker: Maker, clip: Video, tmp_path: Path) -> None:
    form = shown(page)
    send(page.find("Upload your own clip"), "../my <clip>.mp4", clip.path.read_bytes())
    assert not page.alerts
    press_make(form, page)
    path = maker.made[0]["template"].local_path
    assert path.read_bytes() == clip.path.read_bytes()
    assert path.parent == form._folder / "driving"
    address = next(widget for widget in page.widgets() if getattr(widget, "placeholder", "").startswith("clip.mp4"))
    address.value = str(tmp_path / "nowhere.mp4")
    [alert] = page.alerts
    assert "nowhere.mp4" in alert
    assert form._driving.source == path
    address.value = "http://127.0.0.1:9/clip.mp4"
    assert form._driving.source == "http://127.0.0.1:9/clip.mp4"
    until(lambda: page.alerts)  # the preview tries to fetch it
    assert page.alerts[0].startswith("http://127.0.0.1:9/clip.mp4 could not be downloaded")


def test_a_file_that_is_no_clip_is_refused_where_it_was_uploaded(page: Page) -> None:
    form = MemeForm()
    form.choose_template()
    send(page.find("Upload your own clip"), "song.mp4", b"la la la")
    [alert] = page.alerts
    assert alert.startswith("song.mp4 can't be read as a video")
    assert form._driving.source == "daisy-bell"


# Making


def test_pressing_twice_makes_one_clip(page: Page, maker: Maker) -> None:
    form = shown(page)
    maker.go_on.clear()
    page.press("Make the meme")
    page.press("Make the meme")
    until(lambda: len(maker.made) == 1)
    assert page.find("Make the meme").disabled
    assert not page.find("Stop").disabled
    page.press("Make the meme")
    maker.go_on.set()
    form.wait()
    assert len(maker.made) == 1
    assert not page.find("Make the meme").disabled
    assert page.find("Stop").disabled


def test_stop_stops_and_the_form_goes_on(page: Page, maker: Maker) -> None:
    form = shown(page)
    maker.go_on.clear()
    page.press("Make the meme")
    until(lambda: "Singing: 5 of 10 frames" in page.text)
    page.press("Stop")
    form.wait()
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
    assert "The &lt;clip&gt; is odd: use another.<details>" in form._work.status.text
    assert "- very" in form._work.status.text
    maker.error = ZeroDivisionError("oh")
    press_make(form, page)
    assert page.alerts[0].startswith("Something unexpected went wrong (ZeroDivisionError)")
    assert "<details>" in form._work.status.text
    assert "Traceback" in form._work.status.text
    assert "ZeroDivisionError" in caplog.text
    maker.error = None
    press_make(form, page)
    assert not page.alerts
    assert form.meme is not None


def test_what_is_ordered_reaches_make_meme(page: Page, maker: Maker) -> None:
    form = shown(page, duration=3.0)
    page.find("Text at the top").value = "WHEN <THE> CODE"
    page.find("Shape").value = "vertical"
    page.find("Face (1: as the driver)").value = 1.2
    page.find("Kind of file").value = ".gif"
    page.find("Seconds (0: the whole song)").value = 0.0
    maker.error = InputError("Enough.")
    press_make(form, page)
    told = maker.made[0]
    assert {word: told[word] for word in ("top", "format", "expression", "duration", "engine")} == {
        "top": "WHEN <THE> CODE",
        "format": "vertical",
        "expression": 1.2,
        "duration": None,
        "engine": "mesh",
    }
    assert Path(told["out"]).suffix == ".gif"
    assert not set(told) & {"bottom", "subtitles", "bars", "framing", "intro", "motion", "max_size", "side_by_side"}


def test_in_a_duet_every_face_has_its_own_song(page: Page, maker: Maker, pair: bytes, clip: Video) -> None:
    form = shown(page)
    send(page.find("Upload a photo"), "pair.jpg", pair)
    page.find("Everyone in this photo agreed to be in a meme").value = True
    assert form._photo._duet.panel.layout.display == "none"
    page.find("Who sings").value = "duet"
    assert form._photo._duet.panel.layout.display == ""
    assert page.find("Face 0").value == page.find("Face 1").value == "daisy-bell"
    page.find("Face 0").value = ""
    send(page.find("Upload your own clip"), "mine.mp4", clip.path.read_bytes())
    assert page.find("Face 0").value == ""
    songs = ["Daisy Bell", "Baka Mitai (Dame Da Ne)", "your clip mine", "does not sing"]
    assert [label for label, _ in page.find("Face 1").options] == songs
    page.find("Face 0").value = form._driving.source
    page.find("Later by, milliseconds").value = -40.0
    page.find("Loudness").value = None
    press_make(form, page)
    told = maker.made[0]
    assert {face: song.name for face, song in told["template"].items()} == {0: "mine", 1: "daisy-bell"}
    assert (told["offset"], told["loudness"]) == (-40.0, None)
    assert "face" not in told
    previews = [call["template"] for call in maker.calls if "out" not in call]
    assert any(isinstance(songs, dict) and songs.keys() == {0, 1} for songs in previews)
    page.find("Face 0").value = ""
    page.find("Face 1").value = ""
    press_make(form, page)
    assert len(maker.made) == 1
    assert page.alerts == ["Nobody sings: choose a song for at least one face below your photo."]
    page.press("Use the sample portrait")
    assert form._photo._duet.panel.layout.display == "none"
    press_make(form, page)
    assert maker.made[1]["template"].name == "mine"


def test_what_comes_after_is_folded_and_plain_at_first() -> None:
    choice = OptionsChoice()
    for page in choice.panel.children:
        bar, inside = page.children
        assert inside.layout.display == "none"
        bar.value = True
        assert inside.layout.display == ""
        assert bar.icon == "caret-down"
        bar.value = False
        assert inside.layout.display == "none"
        assert bar.icon == "caret-right"
    assert choice.chosen == {}
    assert choice.suffix == ".mp4"


def test_make_meme_knows_every_word_of_the_form() -> None:
    known = {*inspect.signature(make_meme).parameters}
    assert set(OptionsChoice()._controls) <= known


# The preview


def test_the_preview_is_small_short_and_follows_the_choices(page: Page, maker: Maker, pair: bytes) -> None:
    form = shown(page, duration=9.0)
    assert len(maker.calls) == 1
    assert maker.calls[0]["photo"].shape == (320, 273, 3)
    assert maker.calls[0]["duration"] == 2.0
    assert "Preview: the first" in page.text
    send(page.find("Upload a photo"), "pair.jpg", pair)
    assert "Preview: the first" not in page.text
    assert "Tick the box" in page.text
    assert not page.alerts
    maker.go_on.clear()
    page.find("Everyone in this photo agreed to be in a meme").value = True
    until(lambda: len(maker.calls) == 2)
    first = form._previewing
    page.find("Who sings").value = 1
    until(lambda: len(maker.calls) == 3)
    maker.go_on.set()
    assert first is not None
    assert form._previewing is not None
    first.wait()
    form._previewing.wait()
    assert isinstance(first.error, type(None))
    assert maker.calls[2]["face"] == 1
    assert page.text.count("Preview: the first") == 1


def test_a_preview_is_finished_before_the_clip_is_begun(page: Page, maker: Maker) -> None:
    form = shown(page)
    maker.go_on.clear()
    page.find("Seconds (0: the whole song)").value = 1.0
    form._preview_again()
    until(lambda: len(maker.calls) == 2)
    page.press("Make the meme")
    page.press("Stop")
    form.wait()
    assert "Stopped" in page.text
    page.press("Make the meme")
    maker.go_on.set()
    form.wait()
    assert [call["duration"] for call in maker.calls] == [2.0, 1.0, 1.0]
    assert len(maker.made) == 1
    assert "Preview: the first" in page.text


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
    return mirror


def test_a_checkpoint_is_fetched_while_the_preview_is_made(page: Page, maker: Maker, mirror: Mirror) -> None:
    form = shown(page)
    assert not mirror.asked
    page.find("Look").value = "vox"
    until(lambda: "Downloading vox-cpk.pth.tar: 3 of 729 MB" in page.text)
    page.press("Make the meme")
    assert not maker.made
    mirror.done.set()
    form.wait()
    assert mirror.asked == ["vox"]
    assert maker.made[0]["engine"] == "vox"
    until(lambda: "The checkpoint vox is on this machine." in page.text)


def test_stop_does_not_wait_for_a_checkpoint(page: Page, maker: Maker, mirror: Mirror) -> None:
    form = shown(page)
    page.find("Look").value = "vox-adv"
    page.press("Make the meme")
    page.press("Stop")
    form.wait()
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
    mirror.error = DownloadError("vox could not be downloaded. What was tried:\n- all")
    mirror.done.set()
    until(lambda: page.alerts)
    assert page.alerts == ["vox could not be downloaded. What was tried:"]
    mirror.error = None
    press_make(form, page)
    assert mirror.asked == ["vox", "vox"]
    assert len(maker.made) == 1


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
    """A form that shows its last section too."""
    form = shown(page, **options)
    form.whole_class()
    return form, form._class


def archived(link: str) -> zipfile.ZipFile:
    """The file that a link in a page saves."""
    [(name, content)] = re.findall(r'<a download="([^"]*)" href="data:application/zip;base64,([^"]*)"', link)
    assert name == "memegen-clips.zip"
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(content)))


def test_a_whole_class_sings_and_who_cannot_is_told(page: Page, sung: Maker, me: bytes) -> None:
    form, room = class_of(page, duration=3.0)
    assert not page.find("Several photos at once").value
    page.find("Text at the top").value = "CLASS 3B"
    send_all(page.find("Upload photos"), [("ann.jpg", me), ("notes.jpg", b"Dear <diary>")])
    send(page.find("Upload photos"), "ann.jpg", me)  # another child, whose phone calls its photo the same
    assert "3 photos: ann.jpg, notes.jpg, ann.jpg." in page.text
    page.press("Make them all")
    assert page.alerts == ["Tick the box first: everyone in these photos has to agree."]
    assert not sung.made
    page.find(EVERYONE).value = True
    page.press("Make them all")
    room.work.wait()
    assert not page.alerts
    assert "Done: 2 of 3 photos sing." in page.text
    assert [(call["template"].name, call["top"], call["duration"]) for call in sung.made] == [
        ("daisy-bell", "CLASS 3B", 3.0)
    ] * 2
    assert page.text.count("<tr>") == 4
    assert "notes.jpg is not a picture that can be read: use a JPEG, PNG, WebP or HEIC file." in page.text
    assert str(form._folder) not in page.text
    with archived(room.work._link.value) as archive:
        assert archive.namelist() == ["ann.mp4", "ann-2.mp4", "report.csv"]
        assert archive.read("ann.mp4") == sung.clip.path.read_bytes()
        report = archive.read("report.csv").decode("utf-8")
    assert [row["status"] for row in csv.DictReader(report.splitlines())] == ["made", "failed", "made"]
    assert str(form._folder) not in report
    send(page.find("Upload photos"), "zoe.jpg", me)
    assert not page.find(EVERYONE).value  # nobody asked Zoe yet


def test_the_photos_of_a_folder(page: Page, sung: Maker, me: bytes, tmp_path: Path) -> None:
    _, room = class_of(page)
    page.press("Make them all")
    assert page.alerts == ["There are no photos yet: upload some, or type a folder's path."]
    where = next(widget for widget in page.widgets() if getattr(widget, "placeholder", "").startswith("photos/"))
    where.value = str(tmp_path / "nowhere")
    wrong = f"There is no folder {tmp_path / 'nowhere'}: type the path of one on the computer that runs this notebook."
    assert wrong in page.alerts
    for name in ("ben.jpg", "ann.jpg"):
        (tmp_path / name).write_bytes(me)
    (tmp_path / "names.txt").write_text("Ann and Ben")
    where.value = str(tmp_path)
    assert "2 photos: ann.jpg, ben.jpg." in page.text
    page.press("Remove all")
    assert "No photos yet." in page.text
    assert page.find("Remove all").disabled
    room._choose(str(tmp_path / "ben.jpg"))
    page.find(EVERYONE).value = True
    page.press("Make them all")
    room.work.wait()
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
    send_all(page.find("Upload photos"), [("ann.jpg", me), ("ben.jpg", me)])
    page.find(EVERYONE).value = True
    page.find("Kind of file").value = ".gif"
    page.press("Make them all")
    until(lambda: "Photo 2 of 2 · Singing: 5 of 10 frames" in page.text)
    assert page.find("Make them all").disabled
    assert "ann.gif, made in" in page.text
    page.press("Make them all")
    page.press("Stop all")
    room.work.wait()
    assert len(sung.made) == 2
    assert not page.find("Make them all").disabled
    assert page.find("Stop all").disabled
    assert "Stopped: the clips that were finished are kept." in page.text
    assert archived(room.work._link.value).namelist() == ["ann.gif", "report.csv"]
    sung.go_on.set()
    monkeypatch.setattr("memegen.batch.make_meme", lambda photo, *words, **more: sung(np.zeros(0), *words, **more))
    page.press("Make them all")
    room.work.wait()
    assert archived(room.work._link.value).namelist() == ["ann.gif", "ben.gif", "report.csv"]


def test_one_clip_waits_for_the_other(page: Page, sung: Maker, me: bytes) -> None:
    form, room = class_of(page)
    send(page.find("Upload photos"), "ann.jpg", me)
    page.find(EVERYONE).value = True
    sung.go_on.clear()
    page.press("Make the meme")
    until(lambda: len(sung.made) == 1)
    page.press("Make them all")
    until(lambda: "Waiting until the other clips are finished" in page.text)
    assert len(sung.made) == 1
    sung.go_on.set()
    form.wait()
    room.work.wait()
    assert len(sung.made) == 2
    assert "Done: 1 of 1 photos sing." in page.text


def test_an_error_that_ends_a_class_is_told(page: Page, sung: Maker, me: bytes) -> None:
    _, room = class_of(page)
    send(page.find("Upload photos"), "ann.jpg", me)
    page.find(EVERYONE).value = True
    sung.error = ZeroDivisionError("oh")
    page.press("Make them all")
    room.work.wait()
    [alert] = page.alerts
    assert alert.startswith("Something unexpected went wrong (ZeroDivisionError)")
    assert room.archive is None
    assert "<a download" not in page.text
    assert not page.find("Make them all").disabled


def test_a_file_too_large_for_the_page_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "LARGEST_LINK", 3)
    file = tmp_path / "clips.zip"
    file.write_bytes(b"zip")
    assert 'href="data:application/zip;base64,emlw"' in elements.download_link(file)
    file.write_bytes(b"zip!")
    assert html.escape(str(file)) in elements.download_link(file)
    assert "href" not in elements.download_link(file)


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
    page.press("Upload a photo")
    assert "One face in me." in page.text
    page.find("Everyone in this photo agreed to be in a meme").value = True
    press_make(form, page)
    assert "<a download" not in page.text
    page.press("Download")
    assert form.meme is not None
    assert colab["downloads"] == [str(form.meme.path)]
    colab["files"] = {}
    page.press("Upload a photo")
    page.press("Upload your own clip")
    assert not page.alerts
    del colab["files"]
    page.press("Upload your own clip")
    assert page.alerts[0].startswith("Colab's file dialog did not open")


def test_on_colab_a_class_comes_and_goes_through_its_own_dialogs(
    page: Page, sung: Maker, colab: dict[str, Any], me: bytes
) -> None:
    _, room = class_of(page)
    colab["files"] = {"ann.jpg": me, "ben.jpg": me}
    page.press("Upload photos")
    assert "2 photos: ann.jpg, ben.jpg." in page.text
    assert page.find("Download all").layout.display == "none"
    page.find(EVERYONE).value = True
    page.press("Make them all")
    room.work.wait()
    assert "<a download" not in page.text
    assert page.find("Download all").layout.display == ""
    page.press("Download all")
    assert colab["downloads"] == [str(room.archive)]
    del colab["files"]
    page.press("Upload photos")
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
    assert jobs.how_far("Singing", 50, 300, 2.0) == "Singing: 50 of 300 frames · 25 frames/s · 10 s left"
    assert jobs.how_far("Singing", 5, 3000, 10.0) == "Singing: 5 of 3000 frames · 0.5 frames/s · 100 min left"
    assert jobs.how_far("Singing", 0, 300, 0.0) == "Singing: 0 of 300 frames"
    assert jobs.how_far(Stage("Fetching", "MB"), 9, 9, 3.0) == "Fetching: 9 of 9 MB · 3.0 MB/s · 0 s left"


def test_the_bar_is_seen_only_while_something_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(jobs, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    status = jobs.Status()
    bar = status.panel.children[0]
    assert bar.layout.display == "none"
    status.progress("Singing", 5, 10)
    assert bar.layout.display == ""
    assert bar.value == 0.5
    status.progress("Singing", 6, 10)  # too soon after the last to be worth a message
    assert bar.value == 0.5
    now[0] += jobs.EVERY
    status.progress("Singing", 7, 10)
    assert bar.value == 0.7
    status.progress("Singing", 10, 10)  # the last is always worth one
    assert bar.value == 1.0
    status.say("Done.")
    assert bar.layout.display == "none"


def test_errors_speak_of_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnavailableError) as missing:
        check_installed()
    sentence = "The fomm engine needs torch: pip install 'memegen[fomm]'. Or choose the look “instant”."
    assert sentence in html.unescape(jobs.alert(missing.value))
    monkeypatch.setattr("memegen.fomm.checkpoint.check_installed", lambda: None)
    monkeypatch.setattr("memegen.fomm.checkpoint.fetch", _no_network)
    with pytest.raises(DownloadError) as lost:
        obtain("vox")
    assert "--" not in str(lost.value)
    assert "Or choose the look “instant”." in jobs.alert(lost.value)


def _no_network(*_: Any, **__: Any) -> Path:
    raise DownloadError("vox-cpk.pth.tar could not be downloaded.")


def test_everything_has_a_label_and_buttons_suit_thumbs(page: Page, maker: Maker) -> None:
    form, _ = class_of(page)
    press_make(form, page)
    for widget in page.widgets():
        if isinstance(widget, ipywidgets.Button | ipywidgets.ToggleButton | ipywidgets.FileUpload):
            assert widget.layout.height == "44px"
        if hasattr(widget, "description") and not isinstance(widget, ipywidgets.HTML | ipywidgets.FloatProgress):
            assert widget.description, widget
    for picture in re.findall(r"<img[^>]*>", page.text):
        assert re.search(r'alt="[^"]+"', picture)
    for player in re.findall(r"<video[^>]*>", page.text):
        assert re.search(r'aria-label="[^"]+"', player)


def test_a_remedy_is_named_as_on_the_page() -> None:
    error = InputError("The sound can't be decoded: leave it out.", remedy={"mute": True})
    assert jobs.in_form_words(error) == "The sound can't be decoded: leave it out. Or tick “No sound”."
    assert next(one.title for one in options_of(Cut) if one.name == "mute") == "No sound"
