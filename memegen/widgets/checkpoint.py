"""Downloads a checkpoint while the rest of the form stays usable."""

from __future__ import annotations

from pathlib import Path

from memegen.fomm.checkpoint import Published, find_checkpoint, obtain
from memegen.widgets.jobs import Job, Status

CLASSIC = {"vox": "classic, wonky", "vox-adv": "classic, sharper"}


def looks(engine: str) -> list[tuple[str, str]]:
    """List the engines, in words and as `make_meme` calls them; `engine` is always among them."""
    known = [(f"{words} ({name}, {_where(find_checkpoint(name))})", name) for name, words in CLASSIC.items()]
    own = [] if engine in ("mesh", *CLASSIC) else [(f"your checkpoint {Path(engine).name}", engine)]
    return [("instant, the whole photo (mesh)", "mesh"), *known, *own]


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

        def tell(stage: str, done: int, total: int) -> None:
            if self._wanted == engine:
                self.status.progress(stage, done, total)

        try:
            obtain(engine, progress=tell)
        except Exception as error:
            if self._wanted == engine:
                self.status.fail(error)
            raise
        if self._wanted == engine:
            self.status.say(f"The checkpoint {Path(engine).name} is on this machine.")


def _where(published: Published) -> str:
    return "on this machine" if published.slim.is_file() else f"{(published.size or 0) / 1e6:.0f} MB, downloaded once"
