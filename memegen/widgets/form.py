"""MemeForm: the steps from a photo to a clip, one notebook cell each."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets
from IPython import display as page

from memegen.base.arrays import Image
from memegen.base.errors import InputError
from memegen.media.images import read_image
from memegen.media.video import Video, open_video, write_video
from memegen.meme import make_meme, resolve_songs
from memegen.templates import Template
from memegen.widgets import elements
from memegen.widgets.checkpoint import CheckpointFetch, looks
from memegen.widgets.classroom import Classroom, Recipe
from memegen.widgets.jobs import Job, Status, Turns
from memegen.widgets.options import OptionsChoice
from memegen.widgets.photo import PhotoChoice
from memegen.widgets.platforms import somebody_there, under_voila
from memegen.widgets.template import TemplateChoice
from memegen.widgets.work import Work

PREVIEW_SECONDS = 2.0
PREVIEW_SIDE = 320  # pixels
DRIVER_SIDE = 480  # longest side in pixels of the driver beside the meme
ASK = "Tick the box under your photo first: everyone in it has to agree."


_put: Callable[[object], object] = page.display


class _Order(NamedTuple):
    """What was chosen when a button was pressed."""

    name: str
    pixels: Image
    song: str | Path | dict[int, str | Path]
    face: dict[str, Any]
    recipe: Recipe


class MemeForm:
    """A form that makes memes. Each method shows one step, as the last line of a cell.

    Args:
        photo: The first photo, a path or an address; the bundled portrait when empty.
        template: The first song: a template's name, or the path or address of a clip.
        engine: "mesh", a checkpoint's name, or the path of one.
        duration: How much of the clip to use, seconds; 0 for all.
        permission: Whether everyone in `photo` agreed; if not, the form asks.
    """

    def __init__(
        self,
        photo: str = "",
        template: str | Path = "daisy-bell",
        *,
        engine: str = "mesh",
        duration: float = 0.0,
        permission: bool = False,
    ) -> None:
        self.meme: Video | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="memegen-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._lock = threading.RLock()
        self._previewing: Job | None = None
        self._shown = False  # whether the preview's cell has run
        self._count = 0
        self._photo = PhotoChoice(photo, permission=permission, changed=self._preview_again)
        self._driving = TemplateChoice(template, folder=self._folder / "driving", changed=self._song_changed)
        self._photo.offer(self._driving.songs, self._driving.source)
        self._checkpoint = CheckpointFetch()
        turns = Turns()
        self._class = Classroom(
            self._folder / "class", recipe=self._recipe, ready=self._checkpoint.wait_for, turns=turns
        )
        self._options = OptionsChoice()
        self._preview_status = Status()
        self._work = Work(
            "Make the meme",
            "Stop",
            "Download",
            begin=self._begin,
            stopped="Stopped: nothing was kept. Press Make for another try.",
            turns=turns,
        )
        self._work.status.say("Nothing made yet.")
        self._build(engine, duration)

    def _build(self, engine: str, duration: float) -> None:
        """Lay out the steps that have no class: preview, make and result."""
        self._engine = elements.control(ipywidgets.Dropdown, "Look", options=looks(engine), value=engine)
        self._engine.observe(lambda change: self._checkpoint.want(change["new"]), "value")
        self._seconds = elements.control(
            ipywidgets.BoundedFloatText, "Seconds (0: the whole song)", min=0.0, max=3600.0, value=duration
        )
        self._preview = ipywidgets.HTML()
        self._result = ipywidgets.HTML(elements.note("The clip appears here once it is made.").value)
        self._preview_panel = elements.column(
            self._engine, self._checkpoint.status.panel, self._preview_status.panel, self._preview
        )
        self._make_panel = elements.column(
            self._seconds, self._options.panel, self._work.buttons, self._work.status.panel
        )
        self._result_panel = elements.column(self._result, self._work.keep)

    # What cells call

    def choose_template(self) -> None:
        """Show the templates, and how to use another clip."""
        _put(self._driving.panel)

    def choose_photo(self) -> None:
        """Show how to choose a photo, the faces in it, and the question whether everyone agreed."""
        _put(self._photo.panel)

    def preview(self) -> None:
        """Show the looks, and a small clip of the first seconds that is made again whenever a choice changes."""
        _put(self._preview_panel)
        self._shown = True
        self._checkpoint.want(self._engine.value)
        self._preview_again()
        if self._previewing is not None and not (somebody_there() or under_voila()):
            self._previewing.wait()

    def make(self) -> None:
        """Show the buttons and start a first clip; wait for it if nobody is there to press Stop.

        In a Voilà app every visit runs every cell, so there only the button starts a clip.
        """
        _put(self._make_panel)
        if under_voila():
            return
        self.start()
        if not somebody_there():
            self.wait()

    def show_result(self) -> None:
        """Show the latest finished clip beside its driver, with its download."""
        _put(self._result_panel)

    def whole_class(self) -> None:
        """Show the folded section that makes a clip of each of many photos, with the same choices."""
        _put(self._class.panel)

    # What buttons call

    def start(self) -> None:
        """Start the chosen clip, unless one is being made; a preview in progress is finished first."""
        self._work.start()

    def stop(self) -> None:
        """Stop the clip that is being made."""
        self._work.stop()

    def wait(self) -> None:
        """Wait until no clip is being made."""
        self._work.wait()

    def _order(self) -> _Order:
        """Read what is chosen now.

        Raises:
            InputError: There is no photo, the permission box is not ticked, or nobody sings in the duet.
        """
        photo = self._photo.photo
        if photo is None:
            raise InputError("There is no photo yet: upload one, or use the sample portrait.")
        if not self._photo.allowed:
            raise InputError(ASK)
        recipe = self._recipe()
        face = {} if self._photo.face is None else {"face": self._photo.face}
        song = self._photo.duet or recipe.song
        return _Order(name=photo.name, pixels=photo.pixels, song=song, face=face, recipe=recipe)

    def _recipe(self) -> Recipe:
        """Read what is chosen now, apart from the photo."""
        words = {"engine": self._engine.value, "duration": self._seconds.value or None, **self._options.chosen}
        return Recipe(self._driving.source, self._options.suffix, words)

    def _song_changed(self) -> None:
        self._photo.offer(self._driving.songs, self._driving.source)
        self._preview_again()

    # The preview

    def _preview_again(self) -> None:
        """Start the preview of what is chosen now, and stop the one before."""
        if not self._shown:
            return
        with self._lock:
            if self._previewing is not None:
                self._previewing.stop()
            self._preview.value = ""
            try:
                order = self._order()
            except InputError as error:
                self._previewing = None
                self._preview_status.say(str(error))
                return
            self._previewing = Job(lambda job: self._make_preview(job, order))
            self._previewing.start()

    def _make_preview(self, job: Job, order: _Order) -> None:
        status = self._preview_status
        with status.outcome(lambda: self._previewing is job):
            status.say("Getting the preview ready …")
            several = order.face or isinstance(order.song, dict)
            small = read_image(order.pixels, max_side=2 * PREVIEW_SIDE if several else PREVIEW_SIDE)
            seconds = min(order.recipe.words["duration"] or PREVIEW_SECONDS, PREVIEW_SECONDS)
            meme = make_meme(small, order.song, duration=seconds, progress=_checked(job, status), **order.face)
            caption = f"Preview: the first {meme.duration:.0f} s, small, with the instant look."
            with self._lock:
                job.check()
                self._preview.value = elements.figure(meme._repr_html_(), caption)
                status.say("")

    # The clip

    def _begin(self) -> Callable[[Job], None]:
        """Read what is chosen now, and return the work that makes it."""
        order = self._order()

        def work(job: Job) -> None:
            while self._previewing is not None and self._previewing.running:
                job.pause()
            self._show(*self._made(job, order))

        return work

    def _made(self, job: Job, order: _Order) -> tuple[Video, Video, str]:
        """Make the clip, and a small copy of the driver to show beside it."""
        tell = _checked(job, self._work.status)
        recipe = order.recipe
        self._checkpoint.wait_for(recipe.words["engine"], job)
        songs = resolve_songs(order.song, tell)
        clip = next(iter(songs.values()))
        job.check()
        self._count += 1
        folder = self._folder / str(self._count)  # one for each clip, so that none is overwritten
        folder.mkdir(parents=True)
        out = folder / (re.sub(r"[^\w.-]+", "_", f"{order.name}-{clip.name}")[:80] + recipe.suffix)
        song = songs if isinstance(order.song, dict) else clip
        meme = make_meme(order.pixels, song, out=out, progress=tell, **recipe.words, **order.face)
        job.check()
        self._work.status.say("Putting it beside the driver …")
        return meme, _driver(clip, recipe.words["duration"], folder / "driver.mp4"), clip.title

    def _show(self, meme: Video, driver: Video, title: str) -> None:
        """Put a finished clip into the page."""
        self.meme = meme
        figures = elements.beside(
            elements.figure(driver._repr_html_(), f"The driver: {title}", style="flex: 1 1 260px"),
            elements.figure(meme._repr_html_(), "The meme", style="flex: 1 1 260px"),
        )
        self._result.value = figures
        self._work.offer(meme.path)
        self._work.status.say(f"Done: {meme.path.name}, {meme.duration:.1f} s, {meme.width} × {meme.height}.")


def _checked(job: Job, status: Status) -> Callable[[str, int, int], None]:
    """Report progress to the page, and end the work when the job was stopped."""

    def progress(stage: str, done: int, total: int) -> None:
        job.check()
        status.progress(stage, done, total)

    return progress


def _driver(clip: Template, duration: float | None, out: Path) -> Video:
    """Write a small copy of the part of the driving clip that was used."""
    if duration is None and clip.end is not None:
        duration = clip.end - clip.start
    span = open_video(clip.local_path, start=clip.start, duration=duration)
    return write_video(out, span.frames(max_side=DRIVER_SIDE), fps=span.fps, audio=span if span.has_audio else None)
