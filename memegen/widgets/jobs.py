"""Background work for the form: it can be stopped, and it reports its progress and its errors."""

from __future__ import annotations

import html
import logging
import re
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ipywidgets

from memegen.base.errors import MemegenError
from memegen.base.progress import Stage

EVERY = 0.2  # seconds between two updates of the bar; each is a message to the browser
CURED_BY_INSTANT = {"engine", "device", "landmarks", "precision"}  # remedies for which the form has one control
_log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The user pressed Stop."""


class Job:
    """A piece of work in a thread of its own.

    Args:
        work: Called with the job, so that it can `check` whether to go on; an exception is kept as `error`.
    """

    def __init__(self, work: Callable[[Job], object]) -> None:
        self.error: BaseException | None = None
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def running(self) -> bool:
        """Whether the work has not ended yet."""
        return self._thread.is_alive()

    def start(self) -> Job:
        """Begin, and return at once."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask the work to end; it does so at its next `check`."""
        self._stop.set()

    def check(self) -> None:
        """Go on, unless the job was asked to stop.

        Raises:
            Stopped: It was.
        """
        if self._stop.is_set():
            raise Stopped

    def pause(self, seconds: float = EVERY) -> None:
        """Wait a moment.

        Raises:
            Stopped: The job was asked to stop.
        """
        self._stop.wait(seconds)
        self.check()

    def wait(self) -> None:
        """Return when the work has ended; interrupting the notebook's cell stops it."""
        while self.running:
            try:
                self._thread.join(EVERY)
            except KeyboardInterrupt:
                self.stop()

    def _run(self) -> None:
        try:
            self._work(self)
        except Exception as error:  # shown by whoever owns the job
            self.error = error


class Turns:
    """Makes several jobs run one after another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, job: Job, status: Status) -> Iterator[None]:
        """Wait until no other job works, and keep others waiting while this one does.

        Raises:
            Stopped: The job was asked to stop while it waited.
        """
        while not self._lock.acquire(blocking=False):
            status.say("Waiting until the other clips are finished …")
            job.pause()
        try:
            yield
        finally:
            self._lock.release()


class Status:
    """A progress bar, and a line that says how far a job is or what went wrong."""

    def __init__(self) -> None:
        self._bar = ipywidgets.FloatProgress(
            min=0.0, max=1.0, layout={"width": "100%", "margin": "0", "display": "none"}
        )
        self._words = ipywidgets.HTML()
        self._stage, self._begun, self._shown = "", 0.0, 0.0
        self.panel = ipywidgets.VBox([self._bar, self._words], layout={"width": "100%"})

    @property
    def text(self) -> str:
        """What is said now, as HTML."""
        return str(self._words.value)

    def say(self, words: str) -> None:
        """Show a sentence without the bar; an empty one shows nothing."""
        self._bar.layout.display = "none"
        self._words.value = _status(words)

    def fail(self, error: BaseException) -> None:
        """Show what went wrong: one sentence, with the details folded below it."""
        self._bar.layout.display = "none"
        self._words.value = alert(error)

    @contextmanager
    def outcome(self, current: Callable[[], bool] = lambda: True, *, stopped: str = "") -> Iterator[None]:
        """Show whether the work inside failed or was stopped, if that still matters (`current`)."""
        try:
            yield
        except Stopped:
            if current():
                self.say(stopped)
        except Exception as error:  # shown, so that the form stays usable
            if current():
                self.fail(error)

    def progress(self, stage: str, done: float, total: float) -> None:
        """Move the bar; see `Progress`."""
        now = time.monotonic()
        if stage != self._stage or done < 2:
            self._stage, self._begun, self._shown = stage, now, 0.0
        if now - self._shown < EVERY and done < total:
            return
        self._shown = now
        self._bar.layout.display = ""
        self._bar.value = done / max(total, done, 1)
        self._words.value = _status(how_far(stage, done, total, now - self._begun))


def how_far(stage: str, done: float, total: float, seconds: float) -> str:
    """Describe the progress of a stage after some seconds: `Singing: 50 of 298 frames · 25 frames/s · 10 s left`."""
    unit = Stage.unit_of(stage)
    words = [f"{stage}: {done:.0f} of {total:.0f} {unit}"]
    if seconds > 0.5 and done:
        rate = done / seconds
        words.append(f"{rate:.1f} {unit}/s" if rate < 10 else f"{rate:.0f} {unit}/s")
        left = max(total - done, 0) / rate
        words.append(f"{left:.0f} s left" if left < 100 else f"{left / 60:.0f} min left")
    return " · ".join(words)


def _status(words: str) -> str:
    return f'<div role="status" style="line-height: 1.45">{html.escape(words)}</div>' if words else ""


def in_form_words(error: MemegenError) -> str:
    """Return an error's text for the form: without temporary folders, its remedy as a choice on the page."""
    folder = re.escape(str(Path(tempfile.gettempdir(), "memegen-")))
    message = re.sub(rf"{folder}\w+[/\\](?:[\w.-]+[/\\])*", "", error.message)
    sentence, *details = message.split("\n")
    remedy = " Or choose the look “instant”." if error.remedy.keys() & CURED_BY_INSTANT else ""
    remedy = " Or tick “No sound”." if "mute" in error.remedy else remedy
    return "\n".join([sentence + remedy, *details])


def alert(error: BaseException) -> str:
    """Return an error as HTML: one sentence, details folded. An unexpected one is logged as well."""
    if isinstance(error, MemegenError):
        sentence, _, details = in_form_words(error).partition("\n")
    else:
        _log.info("Unexpected error in the form.", exc_info=error)
        sentence = f"Something unexpected went wrong ({type(error).__name__}): try again, or use another photo or clip."
        details = "".join(traceback.format_exception(error))
    folded = f"<details><summary>Details</summary><pre>{html.escape(details)}</pre></details>" if details else ""
    style = "border-left: 4px solid #d1242f; background: rgba(209, 36, 47, 0.1); padding: 8px 12px; line-height: 1.45"
    return f'<div role="alert" style="{style}; overflow-wrap: anywhere">{html.escape(sentence)}{folded}</div>'
