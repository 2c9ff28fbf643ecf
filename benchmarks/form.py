"""The form as its users meet it, in a real browser: how soon it moves, how high it is, and a class of many photos.

    python benchmarks/form.py --runs 3 --screenshots FOLDER
    python benchmarks/form.py --photos 25

The first runs notebook 01 in JupyterLab, after one run that is not counted, and measures the form as an app (Voila) on
a desktop and a phone. The second makes a whole song of each photo of 1024 x 1200 pixels in the app, downloads every
archive, opens every clip and counts its frames. Both need the packages of `make test` and Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from memegen import load_template, open_video, read_image
from memegen.base.downloads import asset

ROOT = Path(__file__).parents[1]
NAME = "01_make_a_meme.ipynb"
PATIENCE = 3_600_000  # ms
LAB = ["jupyterlab", "--allow-root", "--IdentityProvider.token=", "--LabApp.news_url=None", "--ServerApp.port={port}"]
APP = ["voila", NAME, "--port={port}"]
MOVES = "where => [...document.querySelectorAll(where)].some(video => video.currentTime > 0)"
HEIGHT = "() => Math.max(...[...document.querySelectorAll('.memegen')].map(one => one.getBoundingClientRect().bottom))"
# A moment, in seconds, at which the mouth is open
MOMENT = "async clip => { clip.pause(); clip.currentTime = 1.6; await new Promise(done => clip.onseeked = done); }"
# What Run all shows, in the order in which it appears; the meme is there when its video plays.
SEEN = {
    "a picture moves": ".memegen video",
    "the preview plays": ".meme-pair video",
    "the clip is there": ".meme-result video",
}
WINDOWS = {"desktop": (1280, 900), "phone": (390, 844)}


@contextmanager
def serving(words: list[str], folder: Path) -> Iterator[str]:
    """Run a server of the first notebook in a folder, with the project's settings; gives its address."""
    shutil.copy(ROOT / "notebooks" / NAME, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", *(word.format(port=port) for word in words), "--no-browser"]
    env = {**os.environ, "JUPYTER_CONFIG_PATH": str(ROOT / "notebooks/jupyter")}
    env |= {f"JUPYTERLAB_{kind}_DIR": str(folder / kind) for kind in ("SETTINGS", "WORKSPACES")}
    server = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None and not answers(f"{address}/static/favicon.ico"):
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait()


def answers(address: str) -> bool:
    """Tell whether a server answers, with whatever it says."""
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def open_page(browser: Browser, address: str, size: tuple[int, int] = WINDOWS["desktop"]) -> Page:
    """Open an address in a new window of some width and height, pixels."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, accept_downloads=True)
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    return page


def run_all(browser: Browser, address: str) -> list[float]:
    """Run the notebook in JupyterLab; return the seconds until each thing of SEEN."""
    page = open_page(browser, f"{address}/lab/tree/{NAME}?reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.locator(".jp-Notebook .jp-MarkdownCell").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    begun = time.monotonic()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    seconds = []
    for where in SEEN.values():
        page.wait_for_function(MOVES, arg=where, polling=20)
        seconds.append(time.monotonic() - begun)
    page.close()
    return seconds


def measure(browser: Browser, folder: Path, runs: int, screenshots: Path | None) -> None:
    """Print how soon the form moves and how high it is."""
    with serving(LAB, folder) as address:
        times = [run_all(browser, address) for _ in range(1 + runs)][1:]
    for name, seconds in zip(SEEN, zip(*times, strict=True), strict=True):
        print(f"{name} after {statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})")
    with serving(APP, folder) as address:
        for name, size in WINDOWS.items():
            page = open_page(browser, address, size)
            page.get_by_text("Preview: ").wait_for()
            height = round(page.evaluate(HEIGHT))
            print(f"{name}, {size[0]} x {size[1]}: {height} pixels high")
            if screenshots is not None:
                page.set_viewport_size({"width": size[0], "height": height + 24})  # the page scrolls inside its body
                page.screenshot(path=screenshots / f"form-{name}.png")
                page.set_viewport_size({"width": size[0], "height": size[1]})
                make_one(page, screenshots / f"form-{name}-result.png")
            page.close()


def make_one(page: Page, picture: Path) -> None:
    """Make the sample sing, and take a picture of the finished clip with what stands above and below it."""
    page.get_by_role("button", name="Make it sing").click()
    page.get_by_text("Done: ").wait_for()
    page.locator(".meme-result video").evaluate(MOMENT)
    page.get_by_role("button", name="Make it sing").evaluate("button => button.scrollIntoView()")
    page.screenshot(path=picture)


def write_photos(folder: Path, count: int) -> list[Path]:
    """Write photos of the bundled portrait, each with its own noise."""
    large = cv2.resize(read_image(asset("portrait.jpg"))[..., ::-1], (1024, 1200), interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(0)
    photos = [folder / f"pupil-{number:02}.jpg" for number in range(1, count + 1)]
    for photo in photos:
        noisy = np.clip(large + rng.integers(-8, 9, large.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(photo), noisy, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return photos


def make_all(page: Page, photos: list[Path]) -> float:
    """Give the photos to the form and wait for the clips; return the seconds."""
    page.get_by_role("button", name="Many photos at once").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose several photos").click()
    chooser.value.set_files(photos)
    page.get_by_text(f"{len(photos)} photos.").wait_for()
    page.get_by_label("Everyone in these photos agreed").check()
    begun = time.monotonic()
    page.get_by_role("button", name="Make them all").click()
    page.get_by_text(f"Done: {len(photos)} of {len(photos)} photos sing.").wait_for()
    return time.monotonic() - begun


def download(page: Page, folder: Path) -> None:
    """Download every archive and unpack it."""
    links = page.locator("a[download^=memegen-clips]")
    links.first.wait_for()
    for number in range(links.count()):
        with page.expect_download() as arriving:
            links.nth(number).click()
        archive = folder / arriving.value.suggested_filename
        arriving.value.save_as(archive)
        print(f"{archive.name}: {archive.stat().st_size / 1e6:.1f} MB", flush=True)
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder / "clips")


def make_class(browser: Browser, folder: Path, count: int) -> None:
    """Make a class sing, and print what came of it."""
    song = open_video(load_template("daisy-bell").local_path)
    with serving(APP, folder) as address:
        page = open_page(browser, address)
        page.get_by_text("Preview: ").wait_for()
        print(f"{count} photos in {make_all(page, write_photos(folder, count)):.0f} s", flush=True)
        download(page, folder)
    clips = [open_video(clip) for clip in sorted((folder / "clips").glob("*.mp4"))]
    whole = sum(sum(1 for _ in clip.frames(max_side=64)) == song.frame_count for clip in clips)
    print(f"{len(clips)} clips, {whole} of them whole, {sum(clip.has_audio for clip in clips)} with sound")


def main() -> None:
    """Measure the form, or a class in it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--screenshots", type=Path)
    parser.add_argument("--photos", type=int, help="make a class of so many sing instead")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memegen-form-") as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if words.photos:
            make_class(browser, Path(name), words.photos)
        else:
            measure(browser, Path(name), words.runs, words.screenshots)


if __name__ == "__main__":
    main()
