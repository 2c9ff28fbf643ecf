"""A button that starts a piece of work and stops it, and its progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from memegen.base.errors import InputError
from memegen.widgets import elements
from memegen.widgets.jobs import Job, Status, Turns

TWICE = 1.0  # seconds: a press so soon after the one that starts is a double click, and stops nothing


class Work:
    """One piece of work at a time. Its button says Stop while it goes on, so that a keyboard's focus stays in place.

    Args:
        words: The text of the button that starts it.
        begin: Called in the page's thread when the button is pressed; it reads what is chosen and returns the work to
            do. An InputError is shown on the page.
        stopped: The message after Stop.
        turns: Makes it wait while other work goes on.

    Attributes:
        running: Whether work is running.
    """

    def __init__(self, words: str, *, begin: Callable[[], Callable[[Job], object]], stopped: str, turns: Turns) -> None:
        self.status = Status()
        self._words, self._begin, self._stopped, self._turns = words, begin, stopped, turns
        self._job: Job | None = None
        self._lock = threading.RLock()
        self.running, self._begun = False, 0.0
        self.button = elements.button(words, self._press, style="meme-main")

    def start(self, begin: Callable[[], Callable[[Job], object]] | None = None) -> None:
        """Start the work, or that of another `begin`, unless some is running."""
        with self._lock:
            if self.running:
                return
            try:
                work = (begin or self._begin)()
            except InputError as error:
                self.status.fail(error)
                return
            self._show(working=True)
            self._job = Job(lambda job: self._run(job, work)).start()

    def stop(self) -> None:
        """Ask the work to end."""
        if self._job is not None:
            self._job.stop()
        if self.running:
            self.status.say("Stopping …")

    def wait(self) -> None:
        """Return when no work is running."""
        if self._job is not None:
            self._job.wait()

    def _press(self) -> None:
        if not self.running:
            self.start()
            self._begun = time.monotonic()
        elif time.monotonic() - self._begun > TWICE:
            self.stop()

    def _run(self, job: Job, work: Callable[[Job], object]) -> None:
        try:
            with self.status.outcome(stopped=self._stopped), self._turns.taken(job, self.status):
                self.status.say("Getting ready …")
                work(job)
        finally:
            self._show(working=False)

    def _show(self, *, working: bool) -> None:
        """Note whether work is running, and show what the button does now."""
        self.running = working
        elements.rename(self.button, "Stop" if working else self._words)
        elements.mark(self.button, "meme-stop", working)
