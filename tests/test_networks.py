"""The bundled networks: LiteRT and OpenCV find the same, and neither of them talks to the user."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from memegen.base import networks
from memegen.base.downloads import asset
from memegen.base.networks import run_network

SIDES = {"face_landmark": 192, "iris_landmark": 64, "selfie_segmentation": 256}
LOADERS = (networks._with_litert, networks._with_opencv)


@pytest.fixture(autouse=True)
def no_network_is_idle() -> None:
    networks.let_networks_go()


def views(portrait: np.ndarray, side: int) -> list[np.ndarray]:
    """Two squares of a face."""
    return [np.ascontiguousarray(portrait[top : top + side, 170 : 170 + side]) for top in (100, 110)]


@pytest.mark.parametrize("name", SIDES)
def test_litert_and_opencv_find_the_same(portrait: np.ndarray, name: str) -> None:
    pytest.importorskip("ai_edge_litert")
    pictures, path = views(portrait, SIDES[name]), str(asset(f"models/{name}.tflite"))
    pairs = zip(*(sorted(load(path)(pictures), key=np.size) for load in LOADERS), strict=True)
    for mine, other in pairs:
        assert mine.shape == other.shape == (2, mine.shape[1])
        assert np.ptp(mine) > 0 or mine.shape[1] == 1
        assert mine == pytest.approx(other, abs=1e-3)


@pytest.mark.parametrize("name", SIDES)
def test_pictures_do_not_mix(portrait: np.ndarray, name: str) -> None:
    pictures = views(portrait, SIDES[name])
    for number, picture in enumerate(pictures):
        for alone, together in zip(run_network(name, [picture]), run_network(name, pictures), strict=True):
            assert alone[0] == pytest.approx(together[number], abs=1e-3)


def test_opencv_takes_over_where_there_is_no_litert(portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    here = sorted(run_network("iris_landmark", views(portrait, 64)), key=np.size)
    networks.let_networks_go()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    elsewhere = sorted(run_network("iris_landmark", views(portrait, 64)), key=np.size)
    assert [found.shape for found in elsewhere] == [(2, 15), (2, 213)]
    for one, other in zip(here, elsewhere, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


PROGRAM = """
import os, sys
import numpy as np
from memegen.base.networks import run_network
if sys.argv[1] == "closed": os.close(2)
run_network("iris_landmark", [np.zeros((64, 64, 3), np.uint8)])
if sys.argv[1] == "open": print("heard", file=sys.stderr)
"""


@pytest.mark.parametrize(("state", "said"), [("open", "heard\n"), ("closed", "")])
def test_standard_error_hears_the_program_and_not_the_library(state: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, state], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", said)
