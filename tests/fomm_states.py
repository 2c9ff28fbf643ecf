"""State dicts for the tests of the learned engine: the tiny golden ones, and one of full size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

GOLDEN = Path(__file__).parent / "golden"
torch.set_num_threads(1)  # tiny networks are faster so, and leave the machine to others
States = dict[str, dict[str, Any]]


def golden(name: str) -> tuple[dict[str, np.ndarray], States]:
    """Arrays recorded from the original code and the state dicts it ran with."""
    with np.load(GOLDEN / f"{name}.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    states: States = {"generator": {}, "kp_detector": {}}
    for key in [key for key in arrays if key.startswith("state/")]:
        _, part, rest = key.split("/", 2)
        states[part][rest] = torch.from_numpy(np.array(arrays.pop(key)))
    return arrays, states


def save_golden(path: Path) -> Path:
    """Write the tiny golden networks as a published checkpoint would come."""
    torch.save({**golden("tiny_vox")[1], "epoch": 1}, path)
    return path


def full_size() -> States:
    """Zeros with every name and shape of the published files."""
    shapes = json.loads((GOLDEN / "vox-256.state_dict.json").read_text())
    return {part: {key: torch.zeros(shape) for key, shape in keys.items()} for part, keys in shapes.items()}
