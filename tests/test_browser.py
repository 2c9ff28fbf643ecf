"""The forms in a real browser: notebook 01 in JupyterLab and as an app under Voila, desktop and phone; notebook 04."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("playwright")
nbformat = pytest.importorskip("nbformat")

from playwright.sync_api import Browser, Page, expect, sync_playwright
from run_notebook import NOTEBOOKS, override, tagged

from memegen.base.downloads import asset
from memegen.media.video import open_video, write_video
from memegen.meme import make_meme
from memegen.provenance.inspection import inspect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NAME, SWAP = "01_make_a_meme.ipynb", "04_swap_faces.ipynb"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 90_000  # ms; a run on a busy machine is slow, and nothing here measures time
LAB = ["jupyterlab", "--allow-root", "--IdentityProvider.token=", "--LabApp.news_url=None", "--ServerApp.port={port}"]
APP = ["voila", "{notebook}", "--port={port}", "--Voila.ip=127.0.0.1"]
NO_WINDOWING = '{"windowingMode": "none"}'  # a cell that is scrolled away stays in the page
PLAYS = """async video => {
  video.muted = true;
  await video.play();
  while (video.currentTime < 0.2 && !video.ended) await new Promise(resolve => setTimeout(resolve, 20));
  return [video.duration, video.videoWidth, video.videoHeight, video.currentTime];
}"""
IN_WINDOW = """() => {
  const box = document.querySelector(".meme-result video")?.getBoundingClientRect();
  return box && box.height > 150 && box.top >= 0 && box.bottom <= innerHeight;
}"""
UNFOLD = "() => document.querySelectorAll('button.meme-fold:not(.mod-active)').forEach(bar => bar.click())"
HEIGHT = "() => Math.max(...[...document.querySelectorAll('.memegen')].map(one => one.getBoundingClientRect().bottom))"
# What is not shown has no size, and is left out.
TOO_WIDE = """() => [...document.querySelectorAll(".memegen, .memegen *")]
  .filter(one => { const box = one.getBoundingClientRect(), page = one.closest(".memegen").getBoundingClientRect();
                   return box.width && (box.right > page.right + 1 || box.left < page.left - 1); })
  .map(one => one.outerHTML.slice(0, 200))"""
SCROLLBARS = """() => [...document.querySelectorAll(".memegen, .memegen *")]
  .filter(one => /auto|scroll/.test(getComputedStyle(one).overflow) && one.offsetHeight
                 && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1))
  .map(one => one.outerHTML.slice(0, 200))"""
TOO_SMALL = """() => [...document.querySelectorAll(".memegen button, .memegen a, .memegen input, .memegen select")]
  .filter(one => { const box = (one.type == "checkbox" ? one.closest("label") : one).getBoundingClientRect();
                   const letters = parseFloat(getComputedStyle(one).fontSize);
                   return box.width && one.type != "file" && (box.height < 43.9 || box.width < 43.9
                     || one.type == "checkbox" && one.offsetWidth < 22
                     || /INPUT|SELECT/.test(one.tagName) && letters < 16); })
  .map(one => one.outerHTML.slice(0, 200))"""
HARD_TO_READ = """() => {
  const parse = colour => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const light = rgb => rgb.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const bad = [];
  for (const one of document.querySelectorAll(".memegen *")) {
    const words = [...one.childNodes].filter(node => node.nodeType == 3).map(node => node.data).join("").trim();
    if (!words || !one.offsetHeight || one.closest("style, .meme-card, .meme-result, option")) continue;
    let behind = [255, 255, 255], stack = [], faded = 1;
    for (let up = one; up; up = up.parentElement) {
      stack.push(parse(getComputedStyle(up).backgroundColor)); faded *= getComputedStyle(up).opacity;
    }
    for (const layer of stack.reverse()) behind = over(layer, behind);
    const ink = parse(getComputedStyle(one).color); ink[3] *= faded;
    const [a, b] = [light(over(ink, behind)), light(behind)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push([words.slice(0, 40), (a + 0.05) / (b + 0.05)]);
  }
  return bad;
}"""


class Server:
    """A server of the first notebook: its address, and the folder its clips go to."""

    def __init__(self, address: str, clips: Path) -> None:
        self.address, self.clips = address, clips

    def made(self) -> list[Path]:
        """The clips it has made for its forms."""
        return [path for path in self.clips.glob("memegen-*/[0-9]*/*.mp4") if path.name != "driver.mp4"]


def free_port() -> int:
    """A port that stays free until the server takes it: none of those that systems hand out to whoever asks for any."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def serving(words: list[str], page: str, ready: str, folder: Path) -> Iterator[Server]:
    """Run one of Jupyter's servers in a home of its own, with the settings that the project ships."""
    notebook = nbformat.read(NOTEBOOKS / NAME, as_version=4)
    [form] = tagged(notebook, "parameters")
    form.source = override(form.source, {"SECONDS": 1})
    nbformat.write(notebook, folder / NAME)
    clips, tracker = folder / "tmp", folder / "settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    clips.mkdir()
    tracker.parent.mkdir(parents=True)
    tracker.write_text(NO_WINDOWING, "utf-8")
    own = {"HOME": "home", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
    own |= {"TMPDIR": "tmp", "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    env = {**os.environ, **{key: str(folder / name) for key, name in own.items()}}
    env["JUPYTER_CONFIG_PATH"] = str(NOTEBOOKS / "jupyter")
    port = free_port()
    command = [word.format(port=port, notebook=NAME) for word in words]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, "--no-browser"],
            cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            for _ in range(720):
                if server.poll() is not None or answers(f"http://127.0.0.1:{port}/{ready}"):
                    break
                time.sleep(0.25)
            assert server.poll() is None, (folder / "server.log").read_text("utf-8")
            yield Server(f"http://127.0.0.1:{port}/{page}", clips)
        finally:
            end(server)


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server and the kernels it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, how)
        with suppress(subprocess.TimeoutExpired):
            server.wait(10)


@pytest.fixture(scope="module")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(LAB, f"lab/tree/{NAME}?reset", "api", tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module")
def app(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(APP, "", "voila/static/none.js", tmp_path_factory.mktemp("app")) as server:
        yield server


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page in a window of its own."""
    contexts: list[Any] = []

    def open_page(address: str, width: int = 1280, height: int = 900) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True))
        page: Page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def phone_photo(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of more than 12 MB, as phones take them: the portrait at 3648 x 4275 with a sensor's noise."""
    path = tmp_path_factory.mktemp("phone") / "IMG_0001.jpg"
    large = cv2.resize(portrait[..., ::-1], (3648, 4275), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).integers(-20, 21, large.shape, np.int16)
    cv2.imwrite(str(path), np.clip(large + noise, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 98])
    assert 12e6 < path.stat().st_size < 25e6
    return path


def press(page: Page, words: str) -> None:
    page.get_by_role("button", name=words).click()


def upload(page: Page, photo: Path, words: str = "Upload (your own|another)") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=re.compile(words)).first.click()
    chooser.value.set_files(photo)
    expect(page.get_by_text(f"One face in {photo.stem}.")).to_be_visible(timeout=PATIENCE)


def agree(page: Page) -> None:
    page.get_by_label(re.compile("Everyone in this photo agreed")).check()


def make(page: Page) -> None:
    press(page, "Make it sing")


def check_clip(page: Page, name: str, folder: Path) -> None:
    """Wait for a clip, find it in the window and playing, and save it."""
    expect(page.get_by_text(f"Done: {name}")).to_be_visible(timeout=PATIENCE)
    video = page.locator(".meme-result video")
    page.wait_for_function(IN_WINDOW)
    assert video.evaluate("video => [video.muted, video.autoplay, video.loop, video.playsInline]") == [True] * 4
    duration, width, height, played = video.evaluate(PLAYS)
    assert duration == pytest.approx(1.0, abs=0.1)
    assert (width, height) == (204, 240)  # the photo's size, made even
    assert played > 0
    sound = page.locator(".meme-result button")
    sound.click()
    assert not video.evaluate("video => video.muted")
    assert (sound.inner_text(), sound.get_attribute("aria-pressed")) == ("Sound off", "true")
    assert video.get_attribute("aria-label") == f"The meme: {name.removesuffix('-daisy-bell.mp4')} sings Daisy Bell"
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download {name}").click()
    assert download.value.suggested_filename == name
    download.value.save_as(folder / name)
    saved = open_video(folder / name)
    assert saved.duration == pytest.approx(1.0, abs=0.05)
    assert saved.has_audio


def check_looks(page: Page, folder: Path, name: str) -> None:
    """Measure what is on the page with every page unfolded: nothing overflows, all can be read and hit."""
    page.evaluate(UNFOLD)
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"{name}.png")
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(SCROLLBARS) == []
    assert page.evaluate(TOO_SMALL) == []
    assert page.evaluate(HARD_TO_READ) == []


def run_all(page: Page) -> None:
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=PATIENCE)  # else nothing would run
    page.locator(".jp-Notebook .jp-MarkdownCell").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_the_whole_way_in_jupyterlab(
    lab: Server, visit: Callable[..., Page], small_photo: Path, phone_photo: Path, tmp_path: Path
) -> None:
    page = visit(lab.address)
    run_all(page)
    expect(page.get_by_text("Done: grace-hopper-daisy-bell.mp4")).to_be_visible(timeout=PATIENCE)
    page.wait_for_function(IN_WINDOW)
    assert page.locator(".jp-Notebook .jp-CodeCell .cm-content:visible").count() == 0  # no code in sight
    upload(page, phone_photo)
    upload(page, small_photo)
    page.get_by_role("button", name="Daisy Bell", exact=False).first.click()
    agree(page)
    make(page)
    check_clip(page, "me-daisy-bell.mp4", tmp_path)
    check_looks(page, tmp_path, "jupyterlab")


def test_in_the_dark(lab: Server, visit: Callable[..., Page], tmp_path: Path) -> None:
    theme = lab.clips.parent / "settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
    theme.parent.mkdir()
    theme.write_text('{"theme": "JupyterLab Dark"}', "utf-8")
    page = visit(lab.address)
    expect(page.locator("body[data-jp-theme-light=false]")).to_be_attached(timeout=PATIENCE)
    theme.unlink()
    run_all(page)
    expect(page.get_by_text("Preview: ")).to_be_visible(timeout=PATIENCE)
    check_looks(page, tmp_path, "dark")


def test_the_whole_way_on_a_phone(app: Server, visit: Callable[..., Page], small_photo: Path, tmp_path: Path) -> None:
    page = visit(app.address, width=390, height=844)
    upload(page, small_photo)
    assert page.title() == "Make a photo sing"
    assert page.get_by_text(re.compile("Run all|SECONDS")).count() == 0
    assert page.evaluate(HEIGHT) < 3000
    agree(page)
    make(page)
    check_clip(page, "me-daisy-bell.mp4", tmp_path)
    upload(page, small_photo, "Another photo or video, same song")
    expect(page.get_by_text("me.png is in step 2 above: tick the box there")).to_be_attached()
    page.wait_for_function("() => document.querySelector('.meme-photo-step').getBoundingClientRect().top >= -1")
    check_looks(page, tmp_path, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_by_keyboard_on_a_desktop(app: Server, visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit(app.address)
    expect(page.get_by_text("Preview: ")).to_be_visible(timeout=PATIENCE)
    assert page.evaluate(HEIGHT) <= 1.5 * 900
    names: list[str] = []
    while "Make it sing" not in names and len(names) < 60:
        page.keyboard.press("Tab")
        names.append(page.evaluate("() => document.activeElement.innerText || document.activeElement.id"))
    reached = [name for name in ("Listen", "✓ Daisy Bell", "Baka Mitai (Dame Da Ne)", "Captions") if name in names]
    assert len(reached) == 4
    assert names[-1] == "Make it sing"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_focused(timeout=PATIENCE)  # it is the same button
    expect(page.get_by_role("button", name="Make it sing")).to_be_focused(timeout=PATIENCE)
    page.wait_for_function(IN_WINDOW)
    check_looks(page, tmp_path, "desktop")


def test_a_wrong_file_two_presses_12_megabytes_and_stop(
    app: Server, visit: Callable[..., Page], small_photo: Path, phone_photo: Path, tmp_path: Path
) -> None:
    page = visit(app.address)
    wrong = tmp_path / "holiday.jpg"
    wrong.write_text("Dear diary, today I forgot my camera.", "utf-8")
    with page.expect_file_chooser() as chooser:
        press(page, "Upload your own")
    chooser.value.set_files(wrong)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("holiday.jpg is not a picture", timeout=PATIENCE)
    expect(alert).to_contain_text("Still using the sample.")
    assert "Traceback" not in alert.inner_text()
    upload(page, small_photo)
    expect(alert).to_have_count(0)
    make(page)
    expect(alert).to_contain_text("Tick the box under your photo or video first", timeout=PATIENCE)
    agree(page)
    expect(alert).to_have_count(0)
    before = len(app.made())
    page.get_by_role("button", name="Make it sing").dblclick()
    check_clip(page, "me-daisy-bell.mp4", tmp_path)
    assert len(app.made()) == before + 1
    upload(page, phone_photo)  # so large, for a whole song, that no machine is done before it can be stopped
    agree(page)
    page.get_by_label("Length").select_option("the whole song")
    make(page)
    expect(page.get_by_text(re.compile("Singing: [1-9]"))).to_be_visible(timeout=PATIENCE)
    press(page, "Stop")
    expect(page.get_by_text("Stopped: nothing was kept.")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Make it sing")).to_be_visible(timeout=PATIENCE)
    assert len(app.made()) == before + 1


def test_a_whole_class_sings(app: Server, visit: Callable[..., Page], small_photo: Path, tmp_path: Path) -> None:
    page = visit(app.address, width=390, height=844)
    page.get_by_role("button", name="Many photos at once").focus()
    page.keyboard.press("Enter")
    photos = [tmp_path / name for name in ("ann.png", "ben.png", "notes.jpg")]
    for photo in photos[:2]:
        photo.write_bytes(small_photo.read_bytes())
    photos[2].write_text("Dear diary, today I forgot my camera.", "utf-8")
    with page.expect_file_chooser() as chooser:
        press(page, "Choose several photos")
    chooser.value.set_files(photos)
    expect(page.get_by_text("3 photos.")).to_be_visible(timeout=PATIENCE)
    page.get_by_label("Everyone in these photos agreed").check()
    press(page, "Make them all")
    expect(page.get_by_text("Done: 2 of 3 photos sing.")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".meme-photo", has_text="notes.jpg")).to_contain_text("not a picture")
    expect(page.get_by_role("alert")).to_have_count(0)
    check_looks(page, tmp_path, "class")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download memegen-clips.zip").click()
    download.value.save_as(tmp_path / "clips.zip")
    with zipfile.ZipFile(tmp_path / "clips.zip") as archive:
        assert archive.namelist() == ["ann.mp4", "ben.mp4", "report.csv"]
        archive.extractall(tmp_path)
    with page.expect_download() as download:
        page.locator(".meme-photo", has_text="ann.png").get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "alone.mp4")
    assert (tmp_path / "alone.mp4").read_bytes() == (tmp_path / "ann.mp4").read_bytes()
    for name in ("ann.mp4", "ben.mp4"):
        clip = open_video(tmp_path / name)
        assert clip.duration == pytest.approx(1.0, abs=0.05)
        assert clip.has_audio


def test_a_swap_is_trained_until_it_is_good_enough_and_again_until_stop(
    lab: Server, visit: Callable[..., Page], small_photo: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    singer = open_video(asset("templates/daisy-bell.mp4"), start=2.0, duration=2.0)
    body = write_video(tmp_path / "dan.mp4", singer.frames(max_side=256), fps=25, audio=singer)
    face = make_meme(small_photo, out=tmp_path / "grace.mp4", start=2.0, duration=2.0)
    notebook = nbformat.read(NOTEBOOKS / SWAP, as_version=4)
    [form] = tagged(notebook, "parameters")
    start = {"FACE_FROM": str(face.path), "BODY_FROM": str(body.path), "BOTH_PEOPLE_AGREED": True, "MINUTES": 60}
    form.source = override(form.source, start)
    last = next(place for place, cell in enumerate(notebook.cells) if "await" in cell.source)
    notebook.cells = notebook.cells[: last + 1]  # the rest of the lesson needs no browser
    nbformat.write(notebook, lab.clips.parent / SWAP)
    page = visit(lab.address.replace(NAME, SWAP))
    run_all(page)
    learning = page.get_by_text(re.compile("Training, step [1-9]"))
    expect(learning).to_be_visible(timeout=PATIENCE)
    press(page, "Good enough: swap now")  # while a cell below waits
    expect(page.get_by_text("Done: swap-dan.mp4")).to_be_visible(timeout=PATIENCE)
    for clip in page.locator(".meme-result video").all():  # the swap, and the original beside it
        duration, width, height, played = clip.evaluate(PLAYS)
        assert (duration, width, height) == (pytest.approx(2.0, abs=0.1), 256, 256)
        assert played > 0
    with page.expect_download() as download:
        page.get_by_role("link", name="Download swap-dan.mp4").click()
    assert download.value.suggested_filename == "swap-dan.mp4"
    expect(page.locator("figcaption", has_text="The code of A's first face")).to_be_attached(timeout=PATIENCE)
    expect(page.locator(".jp-RenderedText[data-mime-type*=stderr]")).to_have_count(0)
    press(page, "Train and swap")
    expect(learning).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(1500)  # sooner, it would be the second half of a double click
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Stopped. What was learned is kept")).to_be_visible(timeout=PATIENCE)
    check_looks(page, tmp_path, "swap")


def test_signed_files_of_every_kind_are_shown(browser: Browser, small_photo: Path, tmp_path: Path) -> None:
    page = browser.new_page()
    size = [204, 240]
    for ending in (".mp4", ".gif", ".webp", ".png"):
        meme = make_meme(small_photo, out=tmp_path / f"me{ending}", duration=0.6)
        assert inspect(meme.path).credentials.state == "intact"
        page.set_content(meme._repr_html_())
        if ending == ".mp4":
            told = page.locator("video").evaluate(PLAYS)
            assert told[0] == pytest.approx(0.6, abs=0.05)
            assert told[1:3] == size
        else:
            shown = page.locator("img").evaluate(
                "async one => [await one.decode(), one.naturalWidth, one.naturalHeight]"
            )
            assert shown[1:] == size, ending
    page.close()
