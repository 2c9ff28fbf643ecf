"""The section, folded at first, that makes a whole class sing: many photos, one song, one file to take home."""

from __future__ import annotations

import html
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets

from memegen.base.errors import InputError, MemegenError
from memegen.base.progress import Stage
from memegen.batch import Outcome, find_photos, make_batch, write_report
from memegen.widgets import elements
from memegen.widgets.jobs import Job, Status, Turns, in_form_words
from memegen.widgets.photo import RULES
from memegen.widgets.platforms import colab_uploads, keep, on_colab
from memegen.widgets.work import Work

NOBODY = "There are no photos yet: upload some, or write a folder's path."
ASK = "Tick the box first: everyone in these photos has to agree."
CONSENT = "Everyone in these photos agreed"  # longer would be cut off on a phone
HINT = (
    "In each photo the largest face sings, with the song, the look and everything else that is chosen above. "
    "Choose several photos at once, or some now and more later."
)
NAMED = 12  # photos whose names are listed
ARCHIVE = "memegen-clips.zip"


class Recipe(NamedTuple):
    """What was chosen for one photo and counts for all of them: the words of `make_batch`."""

    song: str | Path
    engine: str
    duration: float | None
    options: dict[str, Any]
    suffix: str


class Classroom:
    """Many photos, one song.

    Args:
        folder: Where photos and clips are kept.
        recipe: Gives what is chosen at the moment a button is pressed.
        ready: Returns once the engine of that name can be used; it is given the job that waits.
        turns: Sees to it that no other clip is made meanwhile.
    """

    def __init__(
        self,
        folder: Path,
        *,
        recipe: Callable[[], Recipe],
        ready: Callable[[str, Job], None],
        turns: Turns,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.archive: Path | None = None
        self._folder, self._recipe, self._ready = folder, recipe, ready
        self._photos: list[Path] = []
        self._runs = 0
        self._work = Work(
            "Make them all",
            "Stop all",
            "Download all",
            begin=self._begin,
            stopped="Stopped: the clips that were finished are kept.",
            turns=turns,
        )
        self._build()

    def _build(self) -> None:
        words, images = "Upload photos", "image/*,.heic,.heif"
        self._chosen, self._refused = Status(), Status()
        below: list[Any] = []
        if on_colab():
            upload, *below = elements.dialog(words, colab_uploads, self._receive, self._refused.fail, icon="upload")
        else:
            upload = elements.uploads(words, images, self._receive)
        self._table = ipywidgets.HTML()
        self._none = elements.button("Remove all", self._clear, hint="Remove all photos from the list")
        self._consent = ipywidgets.Checkbox(description=CONSENT, indent=False, layout={"width": "100%"})
        address = elements.address("or a folder's path", "photos/class-3b then Enter", self._choose)
        page = [
            elements.note(HINT),
            elements.row(upload, self._none),
            *below,
            address,
            self._refused.panel,
            self._chosen.panel,
            self._consent,
            elements.note(RULES),
            self._work.buttons,
            self._work.status.panel,
            self._table,
            self._work.keep,
        ]
        self._list()
        self.panel = elements.folded({"Several photos at once": page})

    # The photos

    def _receive(self, files: list[tuple[str, bytes]]) -> None:
        first = len(list(self._folder.glob("photos/*")))  # phones call several photos `image.jpg`
        self._add([keep(self._folder / f"photos/{first + place}", *file) for place, file in enumerate(files)])

    def _choose(self, path: str) -> None:
        try:
            self._add(_photos_in(path))
        except Exception as error:  # shown, so that the form stays usable
            self._refused.fail(error)

    def _add(self, photos: Iterable[Path]) -> None:
        self._photos += photos
        self._consent.value = False
        self._list()

    def _clear(self) -> None:
        self._photos.clear()
        self._list()

    def _list(self) -> None:
        """Say which photos were chosen."""
        names, count = [path.name for path in self._photos[:NAMED]], len(self._photos)
        more = f" and {count - NAMED} more" if count > NAMED else ""
        words = f"{count} photo{'s' * (count != 1)}: {', '.join(names)}{more}." if count else "No photos yet."
        self._chosen.say(words)
        self._refused.say("")
        if not self._work.running:
            self._work.status.say("")
        self._none.disabled = not count

    # The clips

    def start(self) -> None:
        """Begin the clips of all photos, unless they are being made."""
        self._work.start()

    def stop(self) -> None:
        """End the work after the frame at hand; clips that are whole are kept."""
        self._work.stop()

    def wait(self) -> None:
        """Return when nothing is being made."""
        self._work.wait()

    def _begin(self) -> Callable[[Job], None]:
        """Note what is chosen now, and return the work that makes the clips."""
        if not (self._photos and self._consent.value):
            raise InputError(ASK if self._photos else NOBODY)
        self.outcomes, self.archive = [], None
        self._show()
        self._runs += 1
        recipe, photos, folder = self._recipe(), list(self._photos), self._folder / "clips" / str(self._runs)

        def work(job: Job) -> None:
            try:
                self._sing(job, recipe, photos, folder)
            finally:
                self._pack(folder)
                self._show()
            made = sum(one.status == "made" for one in self.outcomes)
            self._work.status.say(f"Done: {made} of {len(photos)} photos sing.")

        return work

    def _sing(self, job: Job, recipe: Recipe, photos: Sequence[Path], folder: Path) -> None:
        self._ready(recipe.engine, job)

        def tell(stage: str, done: int, total: int) -> None:
            job.check()
            which = f"Photo {len(self.outcomes) + 1} of {len(photos)} · {stage}"
            self._work.status.progress(Stage(which, Stage.unit_of(stage)), done, total)

        words = {**recipe.options, "engine": recipe.engine, "duration": recipe.duration, "progress": tell}
        for outcome in make_batch(photos, recipe.song, folder, suffix=recipe.suffix, **words):
            self.outcomes.append(_short(outcome))
            self._show()
            job.check()

    def _pack(self, folder: Path) -> None:
        """Put the clips and the report into one file."""
        made = [one for one in self.outcomes if one.status == "made"]
        if not made:
            return
        report = write_report(folder / "report.csv", self.outcomes)
        self.archive = folder / ARCHIVE
        with zipfile.ZipFile(self.archive, "w") as archive:
            for file in [*(folder / one.clip for one in made), report]:
                archive.write(file, file.name)

    def _show(self) -> None:
        """Show what became of each photo, and the way to keep it all."""
        self._table.value = _table(self.outcomes) if self.outcomes else ""
        self._work.offer(self.archive)


def _photos_in(path: str) -> list[Path]:
    """List the photos of a folder, or the one photo that a path names."""
    place = Path(path).expanduser()
    if not place.exists():
        raise InputError(f"There is no folder {path}: write the path of one that this notebook can see.")
    return find_photos([place])


def _short(outcome: Outcome) -> Outcome:
    """Call files by their names: the folder that the form keeps them in says nothing."""
    error = outcome.error and MemegenError(in_form_words(outcome.error).replace(str(outcome.photo), outcome.photo.name))
    return replace(outcome, photo=Path(outcome.photo.name), clip=Path(outcome.clip.name), error=error)


def _table(outcomes: Sequence[Outcome]) -> str:
    """Write a table with a row for each photo."""
    cell = 'style="padding: 6px 12px 6px 0; vertical-align: top; text-align: left; overflow-wrap: anywhere'
    rows = [f'<tr><th scope="col" {cell}; width: 35%">Photo</th><th scope="col" {cell}">What became of it</th></tr>']
    for one in outcomes:
        good = f"{one.clip}, made in {one.seconds:.1f} s"
        mark, words = ("✗", one.message) if one.status == "failed" else ("✓", good)
        colour = "#d1242f" if one.status == "failed" else "#1a7f37"
        sign = f'<strong style="color: {colour}" aria-hidden="true">{mark}</strong>'
        rows.append(
            f'<tr><td {cell}">{html.escape(str(one.photo))}</td><td {cell}">{sign} {html.escape(words)}</td></tr>'
        )
    style = "width: 100%; table-layout: fixed; border-collapse: collapse; line-height: 1.45; margin: 8px 0"
    return f'<table style="{style}">{"".join(rows)}</table>'
