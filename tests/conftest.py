"""What several test files share: the bundled portrait, a span of the bundled clip, and one short meme of the two."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from memegen.animator import load_animator
from memegen.base.downloads import asset
from memegen.face.tracking import FaceTrack, track_face
from memegen.media.images import read_image
from memegen.media.video import Video, open_video
from memegen.provenance import consent

# Variables that change what tests see: the width of the terminal, colours, warnings on stderr
VARIABLES = (
    "COLUMNS", "LINES", "FORCE_COLOR", "CLICOLOR_FORCE", "PYTHON_COLORS", "PYTHONIOENCODING", "PYTHONWARNINGS",
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def surroundings() -> Iterator[None]:
    """Use the same variables and fonts on every machine, and no proxy for this machine's own servers."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name in VARIABLES or (name.startswith("MEMEGEN_") and name != "MEMEGEN_CHROMIUM"):
                patch.delenv(name)
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, ",".join(filter(None, [os.environ.get(name), "127.0.0.1"])))
        patch.setenv("NUMBA_DISABLE_JIT", "1")  # face-alignment compiles for ten seconds what the tests call twice
        patch.setattr("memegen.look.captions.fonts.system_fonts", tuple)  # those that travel with memegen will do
        yield


@pytest.fixture(scope="session", autouse=True)
def config(surroundings: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders for settings and downloads that only the tests use, with permission given."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("config")
        patch.setenv("MEMEGEN_CONFIG", str(folder))
        patch.setenv("MEMEGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        consent.remember()
        yield folder


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A real face that looks at the camera with its mouth shut, 512 x 600."""
    photo = read_image(asset("portrait.jpg"))
    photo.setflags(write=False)
    return photo


@pytest.fixture(scope="session")
def small_portrait(portrait: np.ndarray) -> np.ndarray:
    """The same at 205 x 240, for speed."""
    photo = np.asarray(cv2.resize(portrait, (205, 240), interpolation=cv2.INTER_AREA))
    photo.setflags(write=False)
    return photo


@pytest.fixture(scope="session")
def small_photo(small_portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small portrait as a file."""
    path = tmp_path_factory.mktemp("photo") / "me.png"
    cv2.imwrite(str(path), small_portrait[..., ::-1])
    return path


@pytest.fixture(scope="session")
def singer() -> Video:
    """The first second of the bundled clip: from a shut mouth into the first word."""
    return open_video(asset("templates/daisy-bell.mp4"), duration=1.0)


@pytest.fixture(scope="session")
def singer_track(singer: Video) -> FaceTrack:
    return track_face(singer.frames())


@pytest.fixture(scope="session")
def sung(small_portrait: np.ndarray, singer: Video) -> list[np.ndarray]:
    """The small portrait, moved as the singer moves."""
    return list(load_animator("mesh").animate(small_portrait, singer))


@pytest.fixture(scope="session")
def faceless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of one second, 25 frames a second, that shows nothing."""
    from media import make_clip

    return make_clip(tmp_path_factory.mktemp("faceless") / "nobody.mp4", seconds=1.0)


CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
NO_CHROMIUM = "there is no Chromium"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program: Debian's, or the one that the variable MEMEGEN_CHROMIUM names."""
    found = os.environ.get("MEMEGEN_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.skip(NO_CHROMIUM)
    return found


SMOKE = {  # the files that touch what may differ with other versions, and are quick
    "captions", "colab", "credentials", "detection", "downloads", "fomm_parity", "images", "lyrics", "moviepy",
    "networks", "preview", "tiny", "video", "waiting", "widgets",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the smoke set."""
    for item in items:
        if item.path.stem.removeprefix("test_") in SMOKE and not item.get_closest_marker("slow"):
            item.add_marker("smoke")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which tests were skipped because there is no browser, and how to add one."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NO_CHROMIUM in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.section("skipped")
        terminalreporter.line(f"{count} tests in a real browser were skipped: {NO_CHROMIUM} here.")
        terminalreporter.line("Add it with `apt-get install chromium`, or name one in the variable MEMEGEN_CHROMIUM.")
