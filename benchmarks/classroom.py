"""A class of many photos in the form, as its teacher has it: uploaded, sung, and downloaded in a real browser.

    python benchmarks/classroom.py --photos 25

It starts the form as an app (Voila), makes a whole song of each photo of 1024 x 1200 pixels, downloads every archive,
opens every clip and counts its frames. It needs the packages of `make test` and Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

from memegen import load_template, open_video, read_image
from memegen.base.downloads import asset

ROOT = Path(__file__).parents[1]
PORT = 8897
PATIENCE = 3_600_000  # ms


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


def main() -> None:
    """Run the class and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=25)
    count = parser.parse_args().photos
    song = open_video(load_template("daisy-bell").local_path)
    with tempfile.TemporaryDirectory(prefix="memegen-class-") as name, sync_playwright() as playwright:
        folder = Path(name)
        env = {**os.environ, "JUPYTER_CONFIG_PATH": str(ROOT / "notebooks/jupyter")}
        command = [sys.executable, "-m", "voila", "notebooks/01_make_a_meme.ipynb", "--no-browser", f"--port={PORT}"]
        server = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
        try:
            time.sleep(10)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True)
            page.set_default_timeout(PATIENCE)
            page.goto(f"http://127.0.0.1:{PORT}")
            page.get_by_text("Preview: ").wait_for()
            print(f"{count} photos in {make_all(page, write_photos(folder, count)):.0f} s", flush=True)
            download(page, folder)
        finally:
            server.terminate()
        clips = sorted((folder / "clips").glob("*.mp4"))
        whole = sum(sum(1 for _ in open_video(clip).frames(max_side=64)) == song.frame_count for clip in clips)
        print(
            f"{len(clips)} clips, {whole} of them whole, {sum(open_video(clip).has_audio for clip in clips)} with sound"
        )


if __name__ == "__main__":
    main()
