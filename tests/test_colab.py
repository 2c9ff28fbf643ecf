"""Colab: the first notebook with a stand-in for Colab's module, and an install that leaves Colab's packages alone.

`make colab` runs these, and most of the other tests, where Colab's versions are installed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaging.requirements import Requirement

pytest.importorskip("nbclient")
pytest.importorskip("ipywidgets")

from run_notebook import NOTEBOOKS, run_notebook, tagged

HERE = Path(__file__).parent
PINS = HERE / "versions" / "colab.txt"

DRY_RUN = """
import shlex, subprocess, sys
from IPython.core.interactiveshell import InteractiveShell
sys.modules["memegen"] = None  # as where it is not installed
shell, dry = InteractiveShell.instance(), ["--dry-run", "--no-build-isolation", "--report", sys.argv[2]]
pip = lambda line: subprocess.check_call([sys.executable, "-m", "pip", *shlex.split(line), *dry])
shell.register_magic_function(pip, magic_name="pip")
shell.run_cell(sys.argv[1], silent=True).raise_error()
"""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, str]:
    """What Colab has, by name; the first part of the file."""
    first = PINS.read_text("utf-8").partition("\n\n")[0]
    return {plain(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", first, re.MULTILINE)}


def report(path: Path) -> dict[str, str]:
    """What pip would install: versions by name."""
    rows = (row["metadata"] for row in json.loads(path.read_text("utf-8"))["install"])
    return {plain(row["name"]): row["version"] for row in rows}


def test_the_pins_are_colabs() -> None:
    pins = pinned()
    assert (pins["ipywidgets"], pins["ipython"], pins["moviepy"]) == ("7.7.1", "7.34.0", "1.0.3")
    assert (pins["numpy"], pins["pillow"], pins["opencv-python-headless"]) == ("2.1.3", "11.3.0", "5.0.0.93")


def test_the_set_up_cell_replaces_nothing_that_is_here(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    [cell] = tagged(nbformat.read(NOTEBOOKS / "01_make_a_meme.ipynb", as_version=4), "set-up")
    out = tmp_path / "report.json"
    command = [sys.executable, "-c", DRY_RUN, cell.source, str(out)]
    done = subprocess.run(command, cwd=NOTEBOOKS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here = {plain(found.name) for found in metadata.distributions()}
    assert {name for name in report(out) if name in here} <= {"memegen-sings"}


def test_what_memegen_asks_for_colab_has() -> None:
    """Every floor is met by Colab's version, so that pip has no reason to replace it."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [
        Requirement(line)
        for line in [*project["dependencies"], *extras["notebook"], *extras["signing"], *extras["fomm"]]
    ]
    here = pinned()
    met = {plain(one.name): one.specifier.contains(here[plain(one.name)]) for one in asked if plain(one.name) in here}
    assert {"numpy", "opencv-python-headless", "pillow", "imageio", "ipywidgets", "matplotlib", "moviepy"} <= met.keys()
    assert all(met.values()), met


def test_run_all_on_colab(small_portrait: np.ndarray, tmp_path: Path) -> None:
    photo, log = tmp_path / "from-my-phone.jpg", tmp_path / "asked.txt"
    cv2.imwrite(str(photo), small_portrait[..., ::-1])
    home = tmp_path / "notebook"
    home.mkdir()
    ask = {
        "first": "form.meme.path.name",
        "upload": "memegen.widgets.platforms.colab_uploads()[0][0]",
        "camera": "len(memegen.widgets.platforms.colab_snapshot())",
        "download": "memegen.widgets.platforms.colab_download(form.meme.path)",
    }
    env = {"PYTHONPATH": str(HERE / "fake_colab"), "FAKE_COLAB_PHOTO": str(photo), "FAKE_COLAB_LOG": str(log)}
    said = run_notebook("01_make_a_meme.ipynb", home, values={"SECONDS": 1}, ask=ask, **env)
    assert said["first"].endswith(".mp4")
    assert said["upload"] == photo.name
    assert int(said["camera"]) == photo.stat().st_size
    asked = log.read_text("utf-8").splitlines()
    assert asked[:2] == ["upload", "eval_js getUserMedia"]
    assert re.fullmatch(rf"download .*/{re.escape(said['first'])} \d{{5,}}", asked[-1])
