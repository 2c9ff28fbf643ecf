"""Measure what a video as the target costs the learned engine, where each frame is a source and encoded anew.

    PYTHONPATH=. python benchmarks/fomm_target.py [--runs 3] [--frames 4] [--threads 1] [--precision float32]

Times are processor time per frame, medians, so that other work on the machine counts little. Weights are the bundled
tiny ones, then random ones with the names and shapes of the published checkpoint. Target and driver are the bundled
song, 512 x 512, both followed before.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from memegen.base.downloads import asset
from memegen.fomm.animator import FommAnimator
from memegen.fomm.checkpoint import Networks, States, build_networks, load_networks
from memegen.fomm.compute import choose_compute
from memegen.fomm.keypoints import Keypoints
from memegen.fomm.model import FommModel
from memegen.media.video import open_video

SHAPES = Path(__file__).parents[1] / "tests/golden/vox-256.state_dict.json"


def full_size() -> Networks:
    """Random networks of the published size whose numbers stay in range."""
    torch.manual_seed(0)

    def weights(name: str, shape: list[int]) -> torch.Tensor:
        if len(shape) == 4:
            return torch.randn(shape) * math.sqrt(2 / math.prod(shape[1:]))
        if name == "jacobian.bias":
            return torch.tensor([1.0, 0, 0, 1] * (shape[0] // 4))
        return torch.ones(shape) if name.endswith(("norm.weight", "running_var")) else torch.zeros(shape)

    shapes = json.loads(SHAPES.read_text())
    states: States = {part: {key: weights(key, shape) for key, shape in keys.items()} for part, keys in shapes.items()}
    return build_networks(states, name="random weights of full size")


def cost(step: Callable[[], object], runs: int) -> float:
    """Median processor time, milliseconds."""
    times = []
    for _ in range(runs):
        begun = time.process_time()
        step()
        times.append(1000 * (time.process_time() - begun))
    return statistics.median(times)


def measure(networks: Networks, precision: str, runs: int, frames: int) -> None:
    """Print one row of the table."""
    model = FommModel(networks, compute=choose_compute(device="cpu", precision=precision))  # type: ignore[arg-type]
    crops = [*np.random.default_rng(0).integers(0, 255, (frames, 256, 256, 3), np.uint8)]
    keypoints = model.keypoints(crops)
    first = Keypoints(*(values[:1] for values in keypoints))
    clip = open_video(asset("templates/daisy-bell.mp4"), duration=frames / 25)
    animator, target = FommAnimator(model), replace(clip, start=2.0)
    list(animator.animate(target, clip))  # follows the faces, which are kept
    photo, one = (cost(lambda k=k: list(model.animate_keypoints(crops[0], k)), runs) for k in (keypoints, first))
    drawing = (photo - one) / (frames - 1)
    target_frame = cost(lambda: list(model.reenact(crops, keypoints, initial=first)), runs) / frames
    whole = cost(lambda: list(animator.animate(target, clip)), runs) / frames
    print(
        f"| {model.name}, {str(model.compute.dtype).removeprefix('torch.')} | {one - drawing:.0f} | {drawing:.0f} | "
        f"{target_frame:.0f} | {whole:.0f} | {whole / drawing:.1f} |",
        flush=True,
    )


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--precision", choices=["auto", "float32"], default="auto")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| networks | encoding a source | drawing a frame | a frame of a target, networks | in all | of a photo's |")
    print("|---|---|---|---|---|---|")
    for load in (lambda: load_networks("tiny"), full_size):
        measure(load(), options.precision, options.runs, options.frames)


if __name__ == "__main__":
    main()
