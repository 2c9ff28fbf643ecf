"""Compare the learned engine with the original code on the same weights and frames: speed, error and memory.

    python benchmarks/fomm_speed.py --peer DIR [--device cpu] [--rounds 5] [--frames 24] [--memory]

DIR is a checkout of https://github.com/AliaksandrSiarohin/first-order-model. Its own modules and its own
`make_animation` take turns with ours, so that other work on the machine slows both alike. The ratio is the median over
the rounds; the load of other processes is printed beside it. Weights are full-size and seeded: He-initialised filters,
and batch norms with the statistics of the benchmark's own frames, as training would give them.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from memegen.fomm.checkpoint import States, build_networks, load_networks, read_states, slim_copy
from memegen.fomm.compute import choose_compute
from memegen.fomm.model import FommModel

Frames = list[np.ndarray]
COMMON = {"num_kp": 10, "num_channels": 3, "estimate_jacobian": True}
DETECTOR = {"temperature": 0.1, "block_expansion": 32, "max_features": 1024, "scale_factor": 0.25, "num_blocks": 5}
MOTION = {"block_expansion": 64, "max_features": 1024, "num_blocks": 5, "scale_factor": 0.25}
GENERATOR = {
    "block_expansion": 64,
    "max_features": 512,
    "num_down_blocks": 2,
    "num_bottleneck_blocks": 6,
    "estimate_occlusion_map": True,
    "dense_motion_params": MOTION,
}


def clip(frames: int, *, seed: int = 0) -> Frames:
    """A smooth moving picture, 256x256 uint8 RGB: coloured blobs that drift and breathe."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-1, 1, 256), np.linspace(-1, 1, 256))
    centres, colours = rng.uniform(-0.7, 0.7, (24, 2)), rng.uniform(-1, 1, (24, 3))
    sizes, phases = rng.uniform(0.05, 0.4, 24), rng.uniform(0, 2 * np.pi, (24, 2))
    out = []
    for index in range(frames):
        picture = np.full((256, 256, 3), 0.5)
        for centre, colour, size, phase in zip(centres, colours, sizes, phases, strict=True):
            cx, cy = centre + 0.1 * np.sin(0.2 * index + phase)
            picture += 0.4 * colour * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / size**2)[..., None]
        out.append((picture.clip(0, 1) * 255).astype(np.uint8))
    return out


def seeded_states(peer: Peer, frames: Frames) -> States:
    """Full-size state dicts whose features have the magnitudes that trained ones have."""
    torch.manual_seed(0)
    detector, generator = peer.networks()
    for network in (detector, generator):
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
                module.bias.data.zero_()  # type: ignore[union-attr]
            elif isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the plain mean over all frames seen
    torch.nn.init.normal_(detector.jacobian.weight, std=0.01)
    detector.jacobian.bias.data.copy_(torch.tensor([1.0, 0, 0, 1] * 10))
    images = torch.from_numpy(np.stack(frames[:4])).movedim(-1, 1).float() / 255
    with torch.no_grad():
        detector.train()(images)
        found = detector.eval()(images)
        still = {key: value[:1].expand_as(value) for key, value in found.items()}
        generator.train()(images[:1].expand_as(images), kp_driving=found, kp_source=still)
        generator.final.weight *= 0.5
    return {"kp_detector": detector.state_dict(), "generator": generator.state_dict()}


class Peer:
    """The original code, imported from its checkout; modules needed for files alone are replaced by empty ones."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        sys.meta_path.append(_Absent())
        warnings.filterwarnings("ignore")
        self.make_animation: Callable[..., list[np.ndarray]] = importlib.import_module("demo").make_animation
        self._detector = importlib.import_module("modules.keypoint_detector").KPDetector
        self._generator = importlib.import_module("modules.generator").OcclusionAwareGenerator

    def networks(self, states: States | None = None, *, device: str = "cpu") -> tuple[Any, Any]:
        """Detector and generator of the published configuration."""
        detector, generator = self._detector(**COMMON, **DETECTOR), self._generator(**COMMON, **GENERATOR)
        if states is not None:
            detector.load_state_dict(states["kp_detector"])
            generator.load_state_dict(states["generator"])
        return detector.eval().to(device), generator.eval().to(device)

    def animate(self, networks: tuple[Any, Any], source: np.ndarray, driving: Frames, *, device: str) -> Frames:
        """Frames by the original's own loop, relative motion, as uint8."""
        detector, generator = networks
        with contextlib.redirect_stderr(io.StringIO()):
            predictions = self.make_animation(
                source / 255.0,
                [frame / 255.0 for frame in driving],
                generator,
                detector,
                relative=True,
                adapt_movement_scale=False,
                cpu=device == "cpu",
            )
        return [(frame * 255).round().astype(np.uint8) for frame in predictions]


class _Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Replaces modules that the original imports and its networks do not use by empty ones."""

    NAMES = (
        "torchvision",
        "imageio",
        "yaml",
        "skimage",
        "ffmpeg",
        "scipy",
        "pandas",
        "sklearn",
        "matplotlib",
        "frames_dataset",
        "logger",
    )

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in self.NAMES else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: None  # type: ignore[method-assign]
        module.__path__ = []
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run."""


def foreign_load() -> Callable[[], float]:
    """Start to watch; the result returns how many processors others kept busy since."""

    def busy() -> float:
        fields = [int(v) for v in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")

    began, others, own = time.perf_counter(), busy(), time.process_time()
    return lambda: (busy() - others - (time.process_time() - own)) / (time.perf_counter() - began)


def timed(step: Callable[[], Frames], clock: Callable[[], float]) -> float:
    """Milliseconds per frame."""
    began = clock()
    frames = step()
    return (clock() - began) * 1e3 / len(frames)


def compare(got: Frames, want: Frames) -> str:
    """PSNR and largest difference in grey levels."""
    difference = np.stack(got).astype(float) - np.stack(want)
    psnr = 10 * np.log10(255**2 / max((difference**2).mean(), 1e-12))
    return f"PSNR {psnr:6.1f} dB, at most {int(np.abs(difference).max())} grey levels off"


def rows(states: States, device: str) -> Iterator[tuple[str, FommModel]]:
    """Yield the ways to compute that this machine has, with align_corners as a recent torch runs the original."""
    best = choose_compute(device=device)  # type: ignore[arg-type]
    exact = choose_compute(device=device, precision="float32")  # type: ignore[arg-type]
    for compute in dict.fromkeys([exact, best]):
        label = f"{device} {str(compute.dtype).removeprefix('torch.')}"
        networks = build_networks(states, name=label, align_corners=False)
        yield label, FommModel(networks, compute=compute)


def speed(peer: Peer, *, device: str, rounds: int, frames: int, clock: Callable[[], float]) -> None:
    source, driving = clip(1, seed=1)[0], clip(frames)
    states = seeded_states(peer, driving)
    original = peer.networks(states, device=device)
    contenders: dict[str, Callable[[], Frames]] = {
        "original": lambda: peer.animate(original, source, driving, device=device)
    }
    for label, animator in rows(states, device):
        contenders[label] = lambda animator=animator: list(animator.animate_crops(source, driving, scale=1.0))  # type: ignore[misc]
    outputs = {label: step() for label, step in contenders.items()}  # warm up
    times: dict[str, list[float]] = {label: [] for label in contenders}
    watch = foreign_load()
    for _ in range(rounds):
        for label, step in contenders.items():
            times[label].append(timed(step, clock))
    print(f"{frames} frames, {rounds} rounds, {torch.get_num_threads()} threads; others kept {watch():.2f} CPUs busy")
    for label, measured in times.items():
        ratios = [a / b for a, b in zip(times["original"], measured, strict=True)]
        print(
            f"{label:32s} {statistics.median(measured):8.2f} ms/frame (best {min(measured):8.2f}), "
            f"{statistics.median(ratios):5.2f}x; {compare(outputs[label], outputs['original'])}"
        )


def memory(folder: Path, *, device: str, frames: int) -> None:
    """Print the peak memory of separate processes that load a checkpoint and animate a short clip, or a long one."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "seeded.safetensors"
        slim_copy(seeded_states(Peer(folder), clip(4)), path)
        for label in ("original", "float32", "auto"):
            peaks = []
            for count in (frames // 4, frames):
                command = [sys.executable, __file__, "--peer", str(folder), "--device", device, "--frames", str(count)]
                child = [*command, "--peak", label, str(path)]
                peaks.append(int(subprocess.run(child, check=True, capture_output=True, text=True).stdout))
            print(f"{label:10s} {frames // 4:4d} frames {peaks[0]:6d} MB, {frames:4d} frames {peaks[1]:6d} MB")


def peak(folder: Path, label: str, path: Path, *, device: str, frames: int) -> int:
    """Return the peak memory of this process, MB, after it has animated a clip."""
    began = time.perf_counter()
    if label == "original":
        peer = Peer(folder)
        original = peer.networks(read_states(path), device=device)
        peer.animate(original, clip(1, seed=1)[0], clip(frames), device=device)
    else:
        compute = choose_compute(device=device, precision=label)  # type: ignore[arg-type]
        networks = load_networks(path)
        print(f"loaded in {time.perf_counter() - began:.2f} s", file=sys.stderr)
        stream = (clip(1, seed=index)[0] for index in range(frames))
        for _ in FommModel(networks, compute=compute).animate_crops(clip(1, seed=1)[0], stream):
            pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="checkout of the original repository")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda", "mps"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--threads", type=int, help="threads of torch; by default one for each core")
    parser.add_argument(
        "--cpu-time", action="store_true", help="count processor time, for a machine busy with other work"
    )
    parser.add_argument("--memory", action="store_true", help="measure peak memory instead of speed")
    parser.add_argument("--peak", nargs=2, metavar=("LABEL", "CHECKPOINT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.peak:
        label, path = options.peak
        print(peak(options.peer, label, Path(path), device=options.device, frames=options.frames))
        return
    if options.memory:
        memory(options.peer, device=options.device, frames=options.frames)
        return
    clock = time.process_time if options.cpu_time else time.perf_counter
    speed(Peer(options.peer), device=options.device, rounds=options.rounds, frames=options.frames, clock=clock)


if __name__ == "__main__":
    main()
