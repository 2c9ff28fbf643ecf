"""Binder: how repo2docker reads the folder binder/, without building an image."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
LIMIT = 200 * 2**20
EXTRAS = ("fomm", "notebook", "signing")
CONFIGS = ROOT / "notebooks" / "jupyter"


def names(lines: list[str]) -> set[str]:
    return {found[0] for line in lines if (found := re.match(r"\w[\w-]*", line))}


def test_it_installs_what_the_notebooks_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = names([*project["dependencies"], *(line for extra in EXTRAS for line in extras[extra]), "voila"])
    lines = (BINDER / "requirements.txt").read_text("utf-8").splitlines()
    assert "-c ../requirements.txt" in lines
    assert "torch==2.13.0+cpu" in lines  # without the gigabytes of CUDA
    assert names(lines) == wanted
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    assert wanted <= set(pinned)


def test_the_files_are_what_binder_runs() -> None:
    assert (BINDER / "runtime.txt").read_text("utf-8") == "python-3.11\n"
    assert os.access(BINDER / "postBuild", os.X_OK)
    subprocess.run(["bash", "-n", str(BINDER / "postBuild")], check=True)


def test_the_upload_limit_is_lifted() -> None:
    server = json.loads((CONFIGS / "jupyter_server_config.json").read_text("utf-8"))
    app = json.loads((CONFIGS / "voila.json").read_text("utf-8"))
    assert server["ServerApp"]["tornado_settings"]["websocket_max_message_size"] == LIMIT
    assert app["Voila"]["tornado_settings"]["websocket_max_message_size"] == LIMIT


@pytest.mark.skipif(not find_spec("repo2docker"), reason="jupyter-repo2docker is not installed")
def test_repo2docker_understands_it() -> None:
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "--user-id", "1000", "--user-name", "me"]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert "Building conda environment for python=3.11" in said
    assert '/bin/pip install --no-cache-dir -r "binder/requirements.txt"' in said
    assert "RUN chmod +x binder/postBuild" in said
    assert said.index("binder/requirements.txt") < said.index("RUN ./binder/postBuild")
