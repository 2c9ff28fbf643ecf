"""Fetching a checkpoint while the rest of the form is used."""

from __future__ import annotations

from pathlib import Path

from memegen.fomm.checkpoint import Published, check_installed, find_checkpoint, locate, obtain
from memegen.widgets.jobs import Job, Status

CLASSIC = {"vox": "classic, wonky", "vox-adv": "classic, sharper"}
LOOK_AGAIN = 0.5  # seconds


def looks(engine: str) -> list[tuple[str, str]]:
    """List what can be chosen, in words and as `make_meme` calls it; `engine` is there in any case."""
    known = [(f"{words} ({name}, {_where(find_checkpoint(name))})", name) for name, words in CLASSIC.items()]
    own = [] if engine in ("mesh", *CLASSIC) else [(f"your checkpoint {Path(engine).name}", engine)]
    return [("instant, the whole photo (mesh)", "mesh"), *known, *own]


class CheckpointFetch:
    """Sees to it that the checkpoint of the chosen engine is on this machine; how far it is stands in `status`."""

    def __init__(self) -> None:
        self.status = Status()
        self._jobs: dict[str, Job] = {}
        self._wanted = "mesh"

    def want(self, engine: str) -> None:
        """Begin to fetch what an engine needs, if it needs anything and nobody has begun yet."""
        self._wanted = engine
        self.status.say("")
        if engine == "mesh":
            return
        job = self._jobs.get(engine)
        if job is None or job.error is not None:
            self._jobs[engine] = Job(lambda _: _fetch(engine)).start()
        Job(lambda _: self._watch(engine)).start()

    def wait_for(self, engine: str, job: Job) -> None:
        """Return once an engine has what it needs.

        Raises:
            Stopped: The job was asked to stop.
            MemegenError: It can't be had; the message says why.
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

    def _watch(self, engine: str) -> None:
        """Tell how far a fetch is, for as long as it is what the user wants."""
        job, published = self._jobs[engine], _published(engine)
        while job.running and self._wanted == engine:
            if published is not None:
                total = (published.size or 730e6) / 1e6
                self.status.progress("Fetching the checkpoint", _megabytes(published), total, unit="MB")
            job.pause(LOOK_AGAIN)
        if self._wanted != engine:
            return
        if job.error is None:
            self.status.say(f"The checkpoint {Path(engine).name} is on this machine.")
        else:
            self.status.fail(job.error)


def _where(published: Published) -> str:
    return "on this machine" if published.slim.is_file() else f"{(published.size or 0) / 1e6:.0f} MB, fetched once"


def _published(engine: str) -> Published | None:
    found = None if Path(engine).suffix else locate(engine)
    return found if isinstance(found, Published) else None


def _fetch(engine: str) -> None:
    check_installed()
    found = locate(engine)
    if isinstance(found, Published):
        obtain(found, progress=False)


def _megabytes(published: Published) -> float:
    """How much of a checkpoint is here already, in the file that grows while it comes."""
    files = published.original.parent.glob(f"{published.original.name}*")
    return max((path.stat().st_size for path in files if path.is_file()), default=0) / 1e6
