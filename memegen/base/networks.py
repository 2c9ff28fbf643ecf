"""The small bundled networks, run by LiteRT, or by OpenCV on machines for which there is no LiteRT."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memegen.base.arrays import Image
from memegen.base.downloads import asset

Outputs = list[NDArray[np.float32]]

_idle: defaultdict[str, list[Any]] = defaultdict(list)  # networks that nobody uses now
_loading = threading.Lock()


def run_network(name: str, pictures: Sequence[Image]) -> Outputs:
    """Run one of the networks in `assets/models`.

    Args:
        name: Its file's name without ".tflite".
        pictures: uint8 RGB, of the size that the network takes.

    Returns:
        Each output as (pictures, numbers) float32, in an order that LiteRT and OpenCV do not share.

    Raises:
        UnavailableError: The installation lacks the network's file.
    """
    with lent(name, lambda: _load(str(asset(f"models/{name}.tflite")))) as network:
        outputs: Outputs = network(pictures)
        return outputs


@contextmanager
def lent(name: str, load: Callable[[], Any]) -> Iterator[Any]:
    """Lend a network, loaded if none is idle: it keeps its input, so that two threads at once would break it."""
    idle = _idle[name]
    try:
        network = idle.pop()
    except IndexError:
        network = load()
    try:
        yield network
    finally:
        idle.append(network)


def let_networks_go() -> None:
    """Give back the memory of all networks that nobody uses now, some 10 MB each."""
    _idle.clear()


def _load(path: str) -> Callable[[Sequence[Image]], Outputs]:
    try:
        return _with_litert(path)
    except ImportError:
        return _with_opencv(path)


def _with_litert(path: str) -> Callable[[Sequence[Image]], Outputs]:
    from ai_edge_litert.interpreter import Interpreter

    with _loading, _native_messages_dropped():
        network = Interpreter(path, num_threads=1)
        network.allocate_tensors()
    [taken] = (detail["index"] for detail in network.get_input_details())
    given = [detail["index"] for detail in network.get_output_details()]

    def run(pictures: Sequence[Image]) -> Outputs:
        rows = []
        for picture in pictures:
            network.set_tensor(taken, np.divide(picture[None], 255, dtype=np.float32))
            network.invoke()
            rows.append([network.get_tensor(index).ravel() for index in given])
        return [np.stack(outputs) for outputs in zip(*rows, strict=True)]

    return run


def _with_opencv(path: str) -> Callable[[Sequence[Image]], Outputs]:
    classic = getattr(cv2.dnn, "ENGINE_CLASSIC", None)  # OpenCV 5's new engine drops all outputs but one
    network = cv2.dnn.readNetFromTFLite(path) if classic is None else cv2.dnn.readNetFromTFLite(path, classic)

    def run(pictures: Sequence[Image]) -> Outputs:
        network.setInput(cv2.dnn.blobFromImages(pictures, 1 / 255))
        outputs = network.forward(network.getUnconnectedOutLayersNames())
        return [np.array(output).reshape(len(pictures), -1) for output in outputs]

    return run


@contextmanager
def _native_messages_dropped() -> Iterator[None]:
    """Drop what is written to the process's standard error: LiteRT has no switch for its "INFO: Created"."""
    kept = None
    with suppress(OSError):  # a process without standard error has no message to drop
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    try:
        yield
    finally:
        if kept is not None:
            os.dup2(kept, 2)
            os.close(kept)
