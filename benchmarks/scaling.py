"""What do more processes, and a Dask cluster, cost and bring?

scaling.py [--photos N] [--seconds S] [--small N] [--rounds N]

Photos of 512 x 512 pixels, made of the bundled portrait, sing seconds of the bundled template: here, then in one and
two worker processes, then on a Dask scheduler with two workers of one thread, all on this machine. The rounds are taken
in turn, and the median counts. Then photos of 64 pixels go through the scheduler, and the memory of this process is
read. Needs `memegen-sings[cluster]`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import cv2
from batch import classmate
from distributed import LocalCluster

import memegen
from memegen.base.downloads import asset


def resident() -> float:
    """Return how much memory this process has now, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


def timed(folder: Path, out: Path, executor: AbstractContextManager[Any], seconds: float) -> tuple[float, float]:
    """Return how long a batch takes, and how long its photos take in all where they are made; seconds."""
    with executor as opened:
        warm = memegen.make_batch([next(folder.iterdir())] * 4, "daisy-bell", out, executor=opened, duration=0.2)
        assert all(one.status == "made" for one in warm)
        begun = time.monotonic()
        outcomes = list(memegen.make_batch([folder], "daisy-bell", out, executor=opened, duration=seconds))
        assert all(one.status == "made" for one in outcomes)
        return time.monotonic() - begun, sum(one.seconds for one in outcomes)


def compare(folder: Path, out: Path, address: str, options: argparse.Namespace) -> None:
    ways: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "here": nullcontext,
        "1 process": lambda: memegen.Processes(1),
        "2 processes": lambda: memegen.Processes(2),
        "Dask, 2 workers": lambda: memegen.cluster(address),
    }
    rounds = [
        {name: timed(folder, out, way(), options.seconds) for name, way in ways.items()} for _ in range(options.rounds)
    ]
    for name in ways:
        took, worked = (statistics.median(one[name][part] for one in rounds) for part in (0, 1))
        rate = 60 * options.photos / took
        print(f"{name}: {rate:.1f} photos a minute; {worked / options.photos:.2f} s of work a photo")


def small(folder: Path, out: Path, address: str, count: int) -> None:
    photo = cv2.resize(memegen.read_image(asset("portrait.jpg"))[:512], (64, 64), interpolation=cv2.INTER_AREA)
    for number in range(count):
        photo[0, :2, 0] = divmod(number, 256)  # Dask makes what is the same only once
        cv2.imwrite(str(folder / f"{number:05}.png"), photo[..., ::-1])
    begun, memory, worked = time.monotonic(), [], 0.0
    with memegen.cluster(address) as executor:
        for one in memegen.make_batch(
            [folder], "daisy-bell", out, executor=executor, suffix=".png", duration=0.08, label=False
        ):
            worked += one.seconds
            memory.append(resident())
    took = time.monotonic() - begun
    part, beside = len(memory) // 5, 1000 * (took - worked / 2) / count
    print(f"{count} photos of 64 pixels: {took:.0f} s; {beside:.0f} ms a photo beside the work of the two workers")
    early, late = (statistics.median(some) for some in (memory[part : 2 * part], memory[-part:]))
    print(f"memory: {early:.0f} MB in the second fifth, {late:.0f} MB in the last, {max(memory):.0f} MB at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as dask,
    ):
        large, tiny, out = (Path(name, part) for part in ("class", "tiny", "clips"))
        large.mkdir()
        tiny.mkdir()
        portrait = memegen.read_image(asset("portrait.jpg"))
        for number in range(options.photos):
            cv2.imwrite(str(large / f"{number:02}.png"), classmate(portrait, number)[..., ::-1])
        if options.photos:
            compare(large, out, dask.scheduler_address, options)
        if options.small:
            small(tiny, out, dask.scheduler_address, options.small)


if __name__ == "__main__":
    main()
