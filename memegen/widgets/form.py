"""MemeForm: the steps from a photo to a clip in one column, and the clip that comes of them."""

from __future__ import annotations

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
from memegen.base.errors import InputError, MemegenError
from memegen.base.files import plain_name
from memegen.media.destinations import DESTINATIONS
from memegen.media.fitting import broken_limits
from memegen.media.images import read_image
from memegen.media.options import Cut
from memegen.media.video import Video, write_video
from memegen.meme import make_meme, open_song, resolve_songs
from memegen.singer.options import wished
from memegen.templates import Template, check_driving
from memegen.widgets import elements
from memegen.widgets.checkpoint import MISSING, CheckpointFetch, classic_works, has_gpu, is_here, looks
from memegen.widgets.classroom import Classroom, Recipe
from memegen.widgets.jobs import Job, Status, Turns, WholeJob
from memegen.widgets.options import OptionsChoice
from memegen.widgets.photo import PhotoChoice
from memegen.widgets.platforms import somebody_there, under_voila
from memegen.widgets.result import Result
from memegen.widgets.template import TemplateChoice
from memegen.widgets.work import Work

PREVIEW_SECONDS = 2.0
PREVIEW_SIDE = 320  # pixels
DRIVER_SIDE = 320  # longest side in pixels of the singer below the meme
ASK = "Tick the box under your photo or video first: everyone in it has to agree."
DUET = "You are making a duet: choose each face's song in step 2."
# Options that the preview leaves out; new words would have to be sung first.
LATER = {"engine", "max_size", "destination", "cutout", "name", "words", "voice", "language"}


_put: Callable[[object], object] = page.display


class _Order(NamedTuple):
    """What was chosen when a button was pressed."""

    name: str
    subject: Image | Video
    song: str | Path | dict[int, str | Path]
    face: dict[str, Any]
    recipe: Recipe


class MemeForm:
    """A form that makes memes: `choose()` shows its steps and `make()` the clip, each as the last line of a cell.

    Args:
        photo: The first photo, a path or an address; the bundled portrait when empty.
        template: The first song: a template's name, or the path or address of a clip.
        engine: "mesh", a checkpoint's name, or the path of one.
        duration: How much of the clip to use, seconds; 0 for all.
        permission: Whether everyone in `photo` agreed; if not, the form asks.

    Attributes:
        meme: The clip that was made last; None before the first.
        work: Starts and stops the making of a clip, and waits for it. A preview in progress is finished first.
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
        self._fetching: Job | None = None
        self._shown = False  # whether the steps are on a page
        self._count = 0
        turns = Turns()
        self._photo = PhotoChoice(photo, permission=permission, folder=self._folder / "photos", changed=self._changed)
        self._driving = TemplateChoice(template, folder=self._folder / "driving", changed=self._song_changed)
        self._photo.offer(self._driving.songs, self._driving.source)
        self._checkpoint = CheckpointFetch()
        self._class = Classroom(
            self._folder / "class", recipe=self._recipe, ready=self._checkpoint.wait_for, turns=turns
        )
        self._options = OptionsChoice(duration, self._folder / "files", self._changed)
        self.work = Work(
            "Make it sing",
            begin=self._begin,
            stopped="Stopped: nothing was kept. Press Make it sing for another try.",
            turns=turns,
        )
        self._result = Result(self._photo.receive, self._make_classic)
        self._build(engine)

    def _build(self, engine: str) -> None:
        """Lay out the steps in one column."""
        self._engine = elements.control(ipywidgets.Dropdown, "Look", options=looks(engine), value=engine)
        self._engine.add_class("meme-wide")
        self._engine.observe(self._engine_changed, "value")
        self._preview_status, self._preview, self._summary = Status(), ipywidgets.HTML(), ipywidgets.HTML()
        self._limits = ipywidgets.HTML()
        quick = elements.column(self._preview, self._preview_status.panel)
        title = [elements.heading("Make a photo sing", 1)] if under_voila() else []
        self._steps = elements.panel(
            *title,
            elements.heading("1 · Pick a song"),
            self._driving.panel,
            elements.heading("2 · Choose a photo or a video"),
            elements.row(self._photo.panel, quick, style="meme-pair"),
            self._class.panel,
            elements.heading("3 · Make it yours"),
            elements.row(self._options.destination),
            self._limits,
            elements.row(*self._options.span, self._engine),
            *([] if classic_works() else [elements.note(MISSING)]),
            self._checkpoint.status.panel,
            self._options.panel,
            self._summary,
            self.work.button,
            self.work.status.panel,
        )

    # What cells call

    def choose(self) -> None:
        """Show the steps: the song, the photo with a preview, the options and the button that makes the clip."""
        _put(self._steps)
        self._shown = True
        self._checkpoint.want(self._engine.value)
        self._changed()
        # Voilà's page appears after every cell has run, and can miss what changes while it is built.
        if self._previewing is not None and not somebody_there():
            self._previewing.wait()

    def make(self) -> None:
        """Show where the clip appears and start a first one; wait for it if nobody is there to press Stop.

        In a Voilà app every visit runs every cell, so there only the button starts a clip. Where there is a GPU, the
        classic look's checkpoint is downloaded meanwhile.
        """
        _put(self._result.panel)
        if under_voila():
            return
        self.work.start()
        self._fetching = Job(self._fetch_classic).start()
        if not somebody_there():
            self.work.wait()

    # What is chosen

    def _order(self) -> _Order:
        """Read what is chosen now.

        Raises:
            InputError: There is no photo, the permission box is not ticked, nobody sings in the duet, or nobody can
                sing the words.
        """
        photo = self._photo.photo
        if photo is None:
            raise InputError("There is no photo or video yet: choose one, or use the sample.")
        if not self._photo.allowed:
            raise InputError(ASK)
        recipe = self._recipe()
        face = {} if self._photo.face is None else {"face": self._photo.face}
        song = self._photo.duet or recipe.song
        for one in song.values() if isinstance(song, dict) else [song]:
            check_driving(one, wished(recipe.words))
        if "destination" in recipe.words and (self._photo.duet or self._photo.face == "all"):
            recipe.words.pop("framing", None)  # a sticker of several: one square would cut heads
        return _Order(name=photo.name, subject=photo.subject, song=song, face=face, recipe=recipe)

    def _recipe(self) -> Recipe:
        """Read what is chosen now, apart from the photo."""
        return Recipe(
            self._driving.source, self._options.suffix, {"engine": self._engine.value, **self._options.chosen}
        )

    def _song_changed(self) -> None:
        self._photo.offer(self._driving.songs, self._driving.source)
        if self._photo.is_duet:
            self._driving.status.say(DUET)
        self._changed()

    def _engine_changed(self, change: dict[str, Any]) -> None:
        self._checkpoint.want(change["new"])
        self._changed()

    def _changed(self) -> None:
        """Bring what is shown up to date with what is chosen: an old error, the summary, the preview."""
        if not self._shown:
            return
        if not self.work.running:
            self.work.status.forget()
        if self._photo.photo is not None:
            self._options.suit(self._photo.photo.subject)
        chosen = self._options.summary
        place = self._options.place
        takes = f"{place.title}: {place.limits}. {place.note}"
        self._limits.value = elements.small(takes if place.source else "")
        self._summary.value = elements.small(f"You also chose: {chosen}." if chosen else "")
        self._preview_again()

    # The preview

    def _preview_again(self) -> None:
        """Start the preview of what is chosen now, and stop the one before."""
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
            small = order.subject
            if not isinstance(small, Video):
                small = read_image(small, max_side=2 * PREVIEW_SIDE if several else PREVIEW_SIDE)
            words = {name: value for name, value in order.recipe.words.items() if name not in LATER}
            words["duration"] = min(words.get("duration", PREVIEW_SECONDS), PREVIEW_SECONDS)
            meme = make_meme(small, order.song, progress=WholeJob(status, job), **words, **order.face)
            with self._lock:
                job.check()
                clip = meme.to_html(label="Preview", playing=True)
                self._preview.value = elements.figure(clip, f"Preview: {meme.duration:.0f} s, with the fast look.")
                status.say("")

    # The clip

    def _begin(self) -> Callable[[Job], None]:
        """Read what is chosen now, and return the work that makes it."""
        order = self._order()

        def work(job: Job) -> None:
            while self._previewing is not None and self._previewing.running:
                job.pause()
            self._show(order, *self._made(job, order))

        return work

    def _made(self, job: Job, order: _Order) -> tuple[Video, Video, str]:
        """Make the clip, and a small copy of the driving clip to show below it."""
        tell, recipe = WholeJob(self.work.status, job), order.recipe
        self._checkpoint.wait_for(recipe.words["engine"], job)
        songs = resolve_songs(order.song, tell, singing=wished(recipe.words))
        clip = next(iter(songs.values()))
        job.check()
        self._count += 1
        folder = self._folder / str(self._count)  # one for each clip, so that none is overwritten
        folder.mkdir(parents=True)
        out = folder / f"{plain_name(order.name)[:40]}-{plain_name(clip.name)[:40]}{recipe.suffix}"
        song = songs if isinstance(order.song, dict) else clip
        meme = make_meme(order.subject, song, out=out, progress=tell, **recipe.words, **order.face)
        job.check()
        self.work.status.say("Putting it on the page …")
        span = {"duration": meme.duration} if "destination" in recipe.words else {}
        return meme, _driver(clip, recipe.words | span, folder / "driver.mp4"), clip.title

    def _show(self, order: _Order, meme: Video, driver: Video, title: str) -> None:
        """Put a finished clip into the page."""
        self.meme = meme
        self._result.show(meme, driver, order.name, title)
        silent = "" if meme.has_audio or meme.path.suffix not in (".mp4", ".webm") else ", without sound"
        size = f"{meme.duration:.1f} s, {meme.width} × {meme.height}{silent}"
        place = DESTINATIONS[order.recipe.words.get("destination", "anywhere")]
        broken = "".join(f" {place.title}: {limit}." for limit in broken_limits(meme, place))
        self.work.status.say(f"Done: {meme.path.name}, {size}. It is below.{broken}")
        if self._engine.value == "mesh" and classic_works() and is_here("vox"):
            self._result.offer_classic(meme.frame_count, gpu=has_gpu())

    # The classic look

    def _fetch_classic(self, job: Job) -> None:
        """Download the classic look's checkpoint where a GPU makes it worth while, and offer it."""
        if self._engine.value != "mesh" or not has_gpu() or is_here("vox"):
            return
        self._result.status.say("The classic look is being downloaded; this clip is made with the fast look.")
        try:
            self._checkpoint.wait_for("vox", job)
        except MemegenError:  # the reason stands below "Look"
            self._result.status.say("The classic look could not be downloaded, so your clip has the fast look.")
            return
        self.work.wait()
        self._result.status.say("")
        if self.meme is not None:
            self._result.offer_classic(self.meme.frame_count, gpu=True)

    def _make_classic(self) -> None:
        self._engine.value = "vox"
        self.work.start()


def _driver(clip: Template, words: dict[str, Any], out: Path) -> Video:
    """Write a small copy of the part of the driving clip that was used."""
    part = {name: words[name] for name in ("start", "duration", "from_sound") if name in words}
    span = open_song(clip, Cut(**part))
    return write_video(out, span.frames(max_side=DRIVER_SIDE), fps=span.fps, audio=None)
