"""The workflows on GitHub, as far as they can be checked here: what they name is there, Colab's list is understood."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
each = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text("utf-8")))


def commands(path: Path) -> str:
    steps = [step for job in load(path)["jobs"].values() for step in job["steps"]]
    return "\n".join(step.get("run", "") for step in steps)


def test_there_are_four() -> None:
    assert [path.stem for path in WORKFLOWS] == ["images", "release", "stamp", "test"]


@each
def test_every_job_has_an_end_and_no_more_rights_than_it_needs(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "write" if path.stem in ("stamp", "release") else "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 45
        for step in job["steps"]:
            assert re.fullmatch(r"actions/(checkout@v4|setup-python@v5)", step.get("uses", "actions/checkout@v4"))


@each
def test_what_a_workflow_runs_is_here(path: Path) -> None:
    said = commands(path)
    targets = re.findall(r"^([\w-]+)[ \w-]*:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for line in re.findall(r"^make (.+)$", said, re.MULTILINE):
        assert {*line.split()} <= {*targets, "colab", "oldest"}
    for name in re.findall(r"\b(?:tests|notebooks)/[\w/]+\.(?:py|ipynb)", said):
        assert (ROOT / name).is_file(), name


def test_the_images_are_checked_every_week_on_each_python() -> None:
    workflow = load(ROOT / ".github/workflows/images.yml")
    [when] = workflow[True]["schedule"]  # YAML reads `on` as a truth
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", when["cron"])
    assert workflow["jobs"]["colab"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_a_change_of_colabs_image_is_told() -> None:
    spec = spec_from_file_location("colab_now", ROOT / "tests/versions/colab_now.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    known = "# first\nnumpy==2.1.3\nimageio-ffmpeg==0.6.0\nmoviepy==1.0.3\n\n# besides\npytest==9.2.0\n"
    freeze = "absl-py==1\nimageio_ffmpeg==0.6.0\nnumpy==2.3.0\ntorch @ https://example.org/torch.whl\n"
    kept, changes = module.compare(freeze, known)
    assert kept == {"numpy": "2.3.0", "imageio-ffmpeg": "0.6.0"}
    assert changes == ["numpy was 2.1.3 on Colab, now 2.3.0", "moviepy was 1.0.3 on Colab, now it is gone"]
