"""The folded section that makes a whole class sing: many photos, one song, one archive with all clips."""

from __future__ import annotations

import html
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets

from memegen.base.errors import InputError, MemegenError
from memegen.base.files import expanded
from memegen.base.progress import Stage
from memegen.batch import Outcome, find_photos, make_batch, write_report
from memegen.widgets import elements
from memegen.widgets.jobs import Job, Status, Turns, in_form_words
from memegen.widgets.photo import PHOTO_KINDS, RULES
from memegen.widgets.platforms import Files, keep
from memegen.widgets.work import Work

NOBODY = "There are no photos yet: upload some, or type a folder's path."
ASK = "Tick the box first: everyone in these photos has to agree."
CONSENT = "Everyone in these photos agreed"  # longer would be cut off on a phone
HINT = (
    "In each photo the largest face sings, with the song, the look and everything else that is chosen above. "
    "Choose several photos at once, or some now and more later."
)
NAMED = 12  # photos whose names are listed
ARCHIVE = "memegen-clips.zip"


class Recipe(NamedTuple):
    """What is chosen in the form, apart from the photo.

    Attributes:
        song: A template's name, or the path or address of a clip.
        suffix: The ending of the file.
        words: Keywords of `make_meme`; "engine" and "duration" are among them.
    """

    song: str | Path
    suffix: str
    words: dict[str, Any]


class Classroom:
    """Many photos, one song.

    Args:
        folder: Where photos and clips are kept.
        recipe: Returns what is chosen at the moment.
        ready: Returns once the engine of that name can be used; called with the job that waits.
        turns: Makes the job wait while other clips are made.
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
        self._photos: list[Path | str] = []
        self._runs = 0
        self.work = Work(
            "Make them all",
            "Stop all",
            "Download all",
            begin=self._begin,
            stopped="Stopped: the clips that were finished are kept.",
            turns=turns,
        )
        self._build()

    def _build(self) -> None:
        self._chosen, self._refused = Status(), Status()
        fail = self._refused.fail
        upload, *below = elements.uploads("Upload photos", PHOTO_KINDS, self._receive, fail, multiple=True)
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
            self.work.buttons,
            self.work.status.panel,
            self._table,
            self.work.keep,
        ]
        self._list()
        self.panel = elements.folded({"Several photos at once": page})

    # The photos

    def _receive(self, files: Files) -> None:
        first = len(list(self._folder.glob("photos/*")))  # phones call several photos `image.jpg`
        self._add([keep(self._folder / f"photos/{first + place}", *file) for place, file in enumerate(files)])

    def _choose(self, path: str) -> None:
        with self._refused.outcome():
            self._add(_photos_in(path))

    def _add(self, photos: Iterable[Path | str]) -> None:
        self._photos += photos
        self._consent.value = False
        self._list()

    def _clear(self) -> None:
        self._photos.clear()
        self._list()

    def _list(self) -> None:
        """Say which photos were chosen."""
        names, count = [Path(path).name for path in self._photos[:NAMED]], len(self._photos)
        more = f" and {count - NAMED} more" if count > NAMED else ""
        words = f"{count} photo{'s' * (count != 1)}: {', '.join(names)}{more}." if count else "No photos yet."
        self._chosen.say(words)
        self._refused.say("")
        if not self.work.running:
            self.work.status.say("")
        self._none.disabled = not count

    # The clips

    def _begin(self) -> Callable[[Job], None]:
        """Read what is chosen, and return the work that makes the clips."""
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
            self.work.status.say(f"Done: {made} of {len(photos)} photos sing.")

        return work

    def _sing(self, job: Job, recipe: Recipe, photos: Sequence[Path | str], folder: Path) -> None:
        self._ready(recipe.words["engine"], job)

        def tell(stage: str, done: int, total: int) -> None:
            job.check()
            which = f"Photo {len(self.outcomes) + 1} of {len(photos)} · {stage}"
            self.work.status.progress(Stage(which, Stage.unit_of(stage)), done, total)

        for outcome in make_batch(photos, recipe.song, folder, suffix=recipe.suffix, progress=tell, **recipe.words):
            self.outcomes.append(_short(outcome))
            self._show()
            job.check()

    def _pack(self, folder: Path) -> None:
        """Put the clips and the report into one archive."""
        made = [one for one in self.outcomes if one.status == "made"]
        if not made:
            return
        report = write_report(folder / "report.csv", self.outcomes)
        self.archive = folder / ARCHIVE
        with zipfile.ZipFile(self.archive, "w") as archive:
            for file in [*(folder / one.clip for one in made), report]:
                archive.write(file, file.name)

    def _show(self) -> None:
        """Show the result of each photo, and the download of them all."""
        self._table.value = _table(self.outcomes) if self.outcomes else ""
        self.work.offer(self.archive)


def _photos_in(path: str) -> list[Path | str]:
    """List the photos of a folder, or the one photo that a path names."""
    place = expanded(path)
    if not place.exists():
        raise InputError(f"There is no folder {path}: type the path of one on the computer that runs this notebook.")
    return find_photos([place])


def _short(outcome: Outcome) -> Outcome:
    """Drop the form's own folders from the file names."""
    name = Path(outcome.photo).name
    error = outcome.error and MemegenError(in_form_words(outcome.error).replace(str(outcome.photo), name))
    return replace(outcome, photo=Path(name), clip=Path(outcome.clip.name), error=error)


def _table(outcomes: Sequence[Outcome]) -> str:
    """Write a table with a row for each photo."""
    cell = 'style="padding: 6px 12px 6px 0; vertical-align: top; text-align: left; overflow-wrap: anywhere'
    rows = [f'<tr><th scope="col" {cell}; width: 35%">Photo</th><th scope="col" {cell}">Result</th></tr>']
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
