"""The classic looks: whether they can work here, and the download of their checkpoints beside the rest of the form."""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from memegen.fomm.checkpoint import Published, find_checkpoint, obtain
from memegen.widgets.jobs import Job, Status

FAST = "Fast: keeps your whole photo"
CLASSIC = {"vox": "Classic 2020 look", "vox-adv": "Classic look, sharper"}
MISSING = "The classic looks need torch: pip install 'memegen-sings[fomm]'."
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # of GPUs in Linux: Nvidia's, WSL's, AMD's
CPU_SECONDS = 0.3  # for a frame of a classic look on two CPU cores; see BENCHMARKS.md


def classic_works() -> bool:
    """Return whether the packages that classic looks need are installed."""
    return all(find_spec(name) is not None for name in ("torch", "safetensors"))


def has_gpu() -> bool:
    """Return whether classic looks run on a GPU here."""
    driver = sys.platform != "linux" or any(map(os.path.exists, DRIVERS))
    if not (driver and classic_works()):
        return False  # without importing torch, which takes seconds
    from memegen.fomm.compute import choose_compute

    return choose_compute().device != "cpu"


def looks(engine: str) -> list[tuple[str, str]]:
    """List the engines that can work here, in words and as `make_meme` calls them; `engine` is always among them."""
    names = [name for name in CLASSIC if classic_works() or name == engine]
    known = [(f"{CLASSIC[name]}: {_where(find_checkpoint(name))}, wants a GPU", name) for name in names]
    own = [] if engine in ("mesh", *CLASSIC) else [(f"Your checkpoint {Path(engine).name}", engine)]
    return [(FAST, "mesh"), *known, *own]


def is_here(engine: str) -> bool:
    """Return whether a classic look's checkpoint is on this machine."""
    return find_checkpoint(engine).slim.is_file()


class CheckpointFetch:
    """Downloads the checkpoint of the chosen engine if it is missing; `status` shows the progress."""

    def __init__(self) -> None:
        self.status = Status()
        self._jobs: dict[str, Job] = {}
        self._wanted = "mesh"

    def want(self, engine: str) -> None:
        """Start the download for an engine, unless it needs none or one is running."""
        self._wanted = engine
        self.status.say("")
        if engine != "mesh" and not (engine in self._jobs and self._jobs[engine].running):
            self._jobs[engine] = Job(lambda _: self._obtain(engine)).start()

    def wait_for(self, engine: str, job: Job) -> None:
        """Wait until an engine has its checkpoint.

        Raises:
            Stopped: The job was asked to stop.
            MemegenError: The checkpoint is not available; the message says why.
        """
        if engine == "mesh":
            return
        if engine not in self._jobs or self._jobs[engine].error is not None:
            self.want(engine)
        while self._jobs[engine].running:
            job.pause()
        error = self._jobs[engine].error
        if error is not None:
            raise error

    def _obtain(self, engine: str) -> None:
        """Download a checkpoint, and show how far it is and how it ends, if it is still the one that is wanted."""
        begun = time.monotonic()

        def tell(stage: str, done: int, total: int) -> None:
            if self._wanted == engine:
                self.status.reach(stage, done / max(total, 1), time.monotonic() - begun)

        try:
            obtain(engine, progress=tell)
        except Exception as error:
            if self._wanted == engine:
                self.status.fail(error)
            raise
        if self._wanted == engine:
            self.status.say(f"The checkpoint {Path(engine).name} is on this machine.")


def _where(published: Published) -> str:
    return "on this machine" if published.slim.is_file() else f"{(published.size or 0) / 1e6:.0f} MB download"
