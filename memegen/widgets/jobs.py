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

EVERY = 0.2  # seconds between two updates of the bar; each is a message to the browser
SHARES = (  # of the time, by stage
    *(("Downloading", 4.0), ("Listening", 0.3), ("Drawing", 1.0)),
    *(("Watching", 2.0), ("Reading", 0.5), ("Singing", 3.0)),
)
CURED_BY_FAST = {"engine", "device", "landmarks", "precision"}  # remedies for which the form has one control
CURES = {"mute": "tick “No sound” under Sound", "subtitles": "upload the words under Captions"}
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
        self._bar = ipywidgets.FloatProgress(min=0.0, max=1.0, layout={"display": "none"})
        self._words = ipywidgets.HTML()
        self._shown = 0.0
        self.panel = ipywidgets.VBox([self._bar, self._words], layout={"width": "100%", "display": "none"})

    @property
    def text(self) -> str:
        """What is said now, as HTML."""
        return str(self._words.value)

    @property
    def failed(self) -> bool:
        """Whether it shows what went wrong."""
        return 'role="alert"' in self.text

    def say(self, words: str) -> None:
        """Show a sentence without the bar; an empty one shows nothing."""
        self._put(_status(words))

    def fail(self, error: BaseException) -> None:
        """Show what went wrong: one sentence, with the details folded below it."""
        self._put(alert(error))

    def forget(self) -> None:
        """Take back what went wrong, once its cause may be gone."""
        if self.failed:
            self.say("")

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

    def reach(self, words: str, share: float, seconds: float) -> None:
        """Move the bar.

        Args:
            words: What is being done.
            share: How much of the whole job is done, 0 to 1.
            seconds: How long that took.
        """
        now = time.monotonic()
        if now - self._shown < EVERY and share < 1 and self._bar.layout.display == "":
            return
        self._shown = now
        self._bar.value = share
        self._put(_status(how_far(words, share, seconds)), bar="")

    def _put(self, words: str, *, bar: str = "none") -> None:
        self._words.value = words
        self._bar.layout.display = bar
        self.panel.layout.display = "" if words else "none"


class WholeJob:
    """Reports the stages of a job as one bar with one estimate; pass it on as `progress`.

    Args:
        status: Where it is shown.
        job: Ended at the next report when it was asked to stop.
        parts: How many times all stages are gone through.
    """

    def __init__(self, status: Status, job: Job, parts: int = 1) -> None:
        self.part = 0
        self._status, self._job, self._parts = status, job, parts
        self._begun = time.monotonic()
        self._stage, self._base, self._reached = (0, ""), 0.0, 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """See `Progress`.

        Raises:
            Stopped: The job was asked to stop.
        """
        self._job.check()
        if (self.part, stage) != self._stage:
            self._base = self._reached if self.part == self._stage[0] else 0.0
            self._stage = (self.part, stage)
        # What lies ahead is shared out among this stage and those that usually follow it.
        place = next((number for number, (name, _) in enumerate(SHARES) if stage.startswith(name)), len(SHARES) - 1)
        ahead = [share for _, share in SHARES[place:]]
        within = min(done / max(total, 1), 1.0)
        self._reached = self._base + (1 - self._base) * ahead[0] / sum(ahead) * within
        which = f"Photo {self.part + 1} of {self._parts} · " if self._parts > 1 else ""
        share = (self.part + self._reached) / self._parts
        self._status.reach(which + stage, share, time.monotonic() - self._begun)


def how_far(words: str, share: float, seconds: float) -> str:
    """Describe the progress of a job after some seconds: `Singing: 45 % · 10 s left`."""
    said = f"{words}: {100 * share:.0f} %"
    if seconds < 1 or share < 0.03:
        return said
    left = seconds * (1 - share) / share
    return f"{said} · {left:.0f} s left" if left < 100 else f"{said} · {left / 60:.0f} min left"


def _status(words: str) -> str:
    return f'<div role="status">{html.escape(words)}</div>' if words else ""


def in_form_words(error: MemegenError) -> str:
    """Return an error's text for the form: without temporary folders, its remedy as a choice on the page."""
    folder = re.escape(str(Path(tempfile.gettempdir(), "memegen-")))
    message = re.sub(rf"{folder}\w+[/\\](?:[\w.-]+[/\\])*", "", error.message)
    sentence, *details = message.split("\n")
    cures = [cure for name, cure in CURES.items() if name in error.remedy]
    cures += ["choose the look “Fast”"] * bool(error.remedy.keys() & CURED_BY_FAST)
    return "\n".join([" ".join([sentence, *(f"Or {cure}." for cure in cures)]), *details])


def alert(error: BaseException) -> str:
    """Return an error as HTML: one sentence, details folded. An unexpected one is logged as well."""
    if isinstance(error, MemegenError):
        sentence, _, details = in_form_words(error).partition("\n")
    else:
        _log.info("Unexpected error in the form.", exc_info=error)
        sentence = f"Something unexpected went wrong ({type(error).__name__}): try again, or use another photo or clip."
        details = "".join(traceback.format_exception(error))
    folded = f"<details><summary>Details</summary><pre>{html.escape(details)}</pre></details>" if details else ""
    return f'<div role="alert">{html.escape(sentence)}{folded}</div>'
