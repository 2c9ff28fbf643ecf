"""The learned engine's decoder on OpenVINO: the same pictures as torch, and plain words where it can't run."""

import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fomm_states import golden

from memegen.animator import load_animator
from memegen.base.errors import InputError, UnavailableError
from memegen.cli import main
from memegen.fomm.checkpoint import build_networks
from memegen.fomm.compute import Compute, choose_compute
from memegen.fomm.generator import Generator
from memegen.fomm.layers import ResBlock
from memegen.fomm.model import FommModel
from memegen.fomm.openvino_decoder import OpenVinoDecoder, SlicedWinograd
from memegen.fomm.speedups import fuse

EXACT = Compute("cpu", torch.float32, batch=2, decode=1, winograd=True, backend="openvino")
GOLDENS = ("tiny_vox_aligned", "tiny_mgif")


INSTALLED = pytest.mark.skipif(not find_spec("openvino"), reason="the extra openvino is not installed")


def generator(name: str = "tiny_vox_aligned") -> Generator:
    return fuse(build_networks(golden(name)[1], name=name).generator)


def features(network: Generator, *, side: int) -> Any:
    block = next(module for module in network.bottleneck if isinstance(module, ResBlock))
    return torch.rand(1, block.norm1.num_features, side, side, generator=torch.Generator().manual_seed(0))


@INSTALLED
@pytest.mark.parametrize("winograd", [True, False])
@pytest.mark.parametrize("name", GOLDENS)
def test_the_decoder_agrees_with_torch_at_any_size(name: str, winograd: bool) -> None:
    network = generator(name)
    compute = Compute("cpu", torch.float32, batch=1, decode=1, winograd=winograd, backend="openvino")
    decode = OpenVinoDecoder(network, compute=compute)
    for side in (16, 32):
        given = features(network, side=side)
        torch.testing.assert_close(decode(given), network.render(given), atol=1e-3, rtol=0)


def test_slices_are_winograds_tiles() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(24, 40, 3, padding=1).requires_grad_(False)
    x = torch.randn(2, 24, 12, 20)
    torch.testing.assert_close(SlicedWinograd(conv)(x.movedim(1, -1)).movedim(-1, 1), conv(x), atol=1e-4, rtol=1e-4)


def frames(compute: Compute) -> np.ndarray:
    arrays, states = golden("tiny_vox_aligned")
    animator = FommModel(build_networks(states, name="tiny"), compute=compute)
    return np.stack(list(animator.animate_crops(arrays["source"], arrays["driving"]))).astype(float)


@INSTALLED
def test_frames_are_those_of_torch() -> None:
    want = frames(choose_compute(device="cpu", precision="float32"))
    assert np.abs(frames(EXACT) - want).max() <= 1
    half = frames(Compute("cpu", torch.bfloat16, batch=2, decode=1, winograd=True, backend="openvino"))
    assert -10 * np.log10(((half - want) ** 2).mean() / 255**2) >= 40


@INSTALLED
def test_nothing_is_reported_to_anybody() -> None:
    code = "from memegen.fomm.openvino_decoder import _openvino; _openvino(); from openvino.tools.ovc import telemetry"
    names = [sys.executable, "-c", f"{code}; print(type(telemetry).__module__)"]
    assert "stub" in subprocess.run(names, check=True, capture_output=True, text=True).stdout


@INSTALLED
def test_precision_follows_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for units, dtype in (("amx", torch.bfloat16), ("avx512", torch.bfloat16), (None, torch.float32)):
        monkeypatch.setattr("memegen.fomm.compute._bfloat16_units", lambda units=units: units)
        chosen = choose_compute(backend="openvino")
        assert (chosen.device, chosen.dtype, chosen.backend) == ("cpu", dtype, "openvino")
    assert choose_compute(backend="openvino", precision="float32").dtype == torch.float32


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UnavailableError, match=r"pip install 'memegen\[openvino\]'"):
        load_animator("vox", backend="openvino")  # before anything is fetched


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="for CPUs, not cuda"):
        choose_compute(device="cuda", backend="openvino")
    with pytest.raises(InputError, match="no backend 'onnx'"):
        choose_compute(backend="onnx")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "fomm", "--backend", "openvino"], "memegen[openvino]"),
        (["--backend", "openvino"], "add that"),
        (["--engine", "fomm", "--backend", "onnx"], "onnx"),
    ],
)
def test_the_command_line_offers_it(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    try:
        code = main(["make", "photo.jpg", *words])
    except SystemExit as stopped:
        code = stopped.code  # type: ignore[assignment]
    assert code == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
