"""Buttons that start and stop a piece of work, its progress, and the download of what it made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import ipywidgets

from memegen.base.errors import InputError
from memegen.widgets import elements
from memegen.widgets.jobs import Job, Status, Turns
from memegen.widgets.platforms import colab_download, on_colab


class Work:
    """One piece of work at a time, started and stopped by buttons.

    Args:
        make: The text of the button that starts it.
        stop: The text of the button that stops it.
        keep: The text of the button that downloads the result.
        begin: Called in the page's thread when `make` is pressed; it reads what is chosen and returns the work to do.
            An InputError is shown on the page.
        stopped: The message after `stop`.
        turns: Makes it wait while other work goes on.
    """

    def __init__(
        self,
        make: str,
        stop: str,
        keep: str,
        *,
        begin: Callable[[], Callable[[Job], object]],
        stopped: str,
        turns: Turns,
    ) -> None:
        self.status = Status()
        self._begin, self._stopped, self._turns = begin, stopped, turns
        self._file: Path | None = None
        self._job: Job | None = None
        self._lock = threading.RLock()
        self._make = elements.button(make, self.start, style="success", icon="play")
        self._stop = elements.button(stop, self.stop, icon="stop")
        self._link = ipywidgets.HTML()
        self._download = elements.button(keep, self._hand_over, style="success", icon="download")
        self.buttons = elements.row(self._make, self._stop)
        self.keep = ipywidgets.VBox([self._link, self._download])
        self._busy(False)
        self.offer(None)

    @property
    def running(self) -> bool:
        """Whether work is running."""
        return self._job is not None and self._job.running

    def start(self) -> None:
        """Start the work, unless it is running."""
        with self._lock:
            if self.running:
                return
            try:
                work = self._begin()
            except InputError as error:
                self.status.fail(error)
                return
            self._busy(True)
            self._job = Job(lambda job: self._run(job, work)).start()

    def stop(self) -> None:
        """Ask the work to end."""
        if self._job is not None:
            self._job.stop()

    def wait(self) -> None:
        """Return when no work is running."""
        if self._job is not None:
            self._job.wait()

    def offer(self, file: Path | None) -> None:
        """Offer a file for download, by Colab's button or a link in the page; None offers nothing."""
        self._file = file
        self._link.value = elements.download_link(file) if file and not on_colab() else ""
        elements.show(self._download, file is not None and on_colab())

    def _run(self, job: Job, work: Callable[[Job], object]) -> None:
        try:
            with self.status.outcome(stopped=self._stopped), self._turns.taken(job, self.status):
                self.status.say("Getting ready …")
                work(job)
        finally:
            self._busy(False)

    def _busy(self, working: bool) -> None:
        """Enable the button that makes sense now."""
        self._make.disabled, self._stop.disabled = working, not working
        self._stop.button_style = "warning" if working else ""

    def _hand_over(self) -> None:
        if self._file is not None:
            colab_download(self._file)
