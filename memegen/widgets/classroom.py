"""The folded part that makes a whole class sing: many photos, one song, a row for each, and all clips to download."""

from __future__ import annotations

import html
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets

from memegen.base.errors import InputError, MemegenError
from memegen.base.files import expanded
from memegen.batch import Outcome, clip_names, find_photos, make_batch, write_report
from memegen.media.images import read_image
from memegen.media.options import BOTH, TARGET
from memegen.media.video import open_video
from memegen.widgets import elements
from memegen.widgets.jobs import Job, Status, Turns, WholeJob, in_form_words
from memegen.widgets.photo import PHOTO_KINDS, RULES
from memegen.widgets.platforms import Files, colab_download, copy_beside, keep, on_colab
from memegen.widgets.work import Work

NOBODY = "There are no photos yet: upload some, or type a folder's path."
ASK = "Tick the box first: everyone in these photos has to agree."
CONSENT = "Everyone in these photos agreed"
HINT = (
    "In each photo the largest face sings, with the song, the look and everything else that is chosen on this page. "
    "Choose several photos at once, or some now and more later."
)
ARCHIVE = "memegen-clips"
STILL = 128  # pixels of the picture in a row


class Recipe(NamedTuple):
    """What is chosen in the form, apart from the photo.

    Attributes:
        song: A template's name, or the path or address of a clip.
        suffix: The ending of the file.
        words: Keywords of `make_meme`; "engine" is among them.
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
        self.archives: list[Path] = []
        self._folder, self._recipe, self._ready = folder, recipe, ready
        self._rows: list[_Row] = []
        self._chosen = Recipe("", "", {})  # of the last run
        self._received, self._runs = 0, 0
        self.work = Work(
            "Make them all",
            begin=self._begin,
            stopped="Stopped: the clips that were finished are kept.",
            turns=turns,
        )
        self._build()

    def _build(self) -> None:
        self._refused, self._copied = Status(), Status()
        fail = self._refused.fail
        upload, *below = elements.uploads("Choose several photos", PHOTO_KINDS, self._receive, fail, multiple=True)
        self._none = elements.button("Remove all", self._clear, hint="Remove all photos from the list")
        self._again = elements.button("Make the failed ones again", self._redo)
        self._consent = elements.checkbox(CONSENT)
        self._consent.observe(lambda _: self.work.status.forget(), "value")
        self._list, self._count = elements.column(), ipywidgets.HTML()
        self._links = elements.column()
        page = [
            elements.note(HINT),
            elements.row(upload, self._none),
            *below,
            elements.address("Or a folder's path", "photos/class-3b then Enter", self._choose),
            self._refused.panel,
            self._count,
            self._list,
            self._consent,
            elements.note(RULES),
            self.work.button,
            self.work.status.panel,
            elements.row(self._again),
            self._links,
            self._copied.panel,
        ]
        self._show()
        self.panel = elements.folded({"Many photos at once": page})

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of the photos so far."""
        return [row.outcome for row in self._rows if row.outcome is not None]

    # The photos

    def _receive(self, files: Files) -> None:
        photos = []
        for file in files:
            self._received += 1  # phones call several photos `image.jpg`
            photos.append(keep(self._folder / f"photos/{self._received}", *file))
        self._add(photos)

    def _choose(self, path: str) -> None:
        with self._refused.outcome():
            self._add(_photos_in(path))

    def _add(self, photos: Iterable[Path | str]) -> None:
        self._rows += [_Row(photo, self._remove) for photo in photos]
        self._consent.value = False
        self._refused.say("")
        self._show()

    def _remove(self, row: _Row) -> None:
        if not self.work.running:
            self._rows.remove(row)
            self._show()

    def _clear(self) -> None:
        if not self.work.running:
            self._rows.clear()
            self._show()

    def _show(self) -> None:
        """Show the rows, and the buttons that make sense now."""
        self._list.children = [row.panel for row in self._rows]
        count = len(self._rows)
        self._count.value = elements.small(f"{count} photo{'s' * (count != 1)}." if count else "")
        elements.show(self._none, count > 0)
        elements.show(self._again, not self.work.running and any(row.failed for row in self._rows))
        if not self.work.running:
            self.work.status.forget()

    # The clips

    def _begin(self) -> Callable[[Job], None]:
        """Read what is chosen, and return the work that makes all clips."""
        self._chosen = self._recipe()
        if self._chosen.words.get("audio") in (TARGET, BOTH):  # that of the one video above
            del self._chosen.words["audio"]
        return self._work_on(list(self._rows))

    def _redo(self) -> None:
        """Make the clips that failed once more, as they were to be made."""
        self.work.start(lambda: self._work_on([row for row in self._rows if row.failed]))

    def _work_on(self, rows: Sequence[_Row]) -> Callable[[Job], None]:
        """Return the work that makes the clips of some photos."""
        if not (self._rows and self._consent.value):
            raise InputError(ASK if self._rows else NOBODY)
        self._runs += 1
        recipe, folder = self._chosen, self._folder / "clips" / str(self._runs)
        self.archives, self._links.children = [], []
        self._copied.say("")
        elements.show(self._again, False)
        for row in rows:
            row.begin()

        def work(job: Job) -> None:
            try:
                self._sing(job, recipe, folder, rows)
            finally:
                self._offer(folder, recipe.suffix)
            made = sum(row.clip is not None for row in self._rows)
            self.work.status.say(f"Done: {made} of {len(self._rows)} photos sing.")

        return work

    def _sing(self, job: Job, recipe: Recipe, folder: Path, rows: Sequence[_Row]) -> None:
        self._ready(recipe.words["engine"], job)
        tell = WholeJob(self.work.status, job, parts=len(rows))
        photos = [row.photo for row in rows]
        outcomes = make_batch(photos, recipe.song, folder, suffix=recipe.suffix, progress=tell, **recipe.words)
        for row, outcome in zip(rows, outcomes, strict=True):
            row.end(outcome)
            tell.part += 1
            job.check()

    def _offer(self, folder: Path, suffix: str) -> None:
        """Put all clips and the report into archives, and copies of them beside the notebook."""
        # Two runs may have given two clips one name.
        named = zip(self._rows, clip_names([row.photo for row in self._rows], folder, suffix), strict=True)
        clips = {name.name: row.clip for row, name in named if row.clip is not None}
        if clips:
            files = {**clips, "report.csv": write_report(folder / "report.csv", [_short(one) for one in self.outcomes])}
            self.archives = list(_pack(files, folder))
            links = [elements.Download("") for _ in self.archives]
            for link, archive in zip(links, self.archives, strict=True):
                link.offer(archive)
            self._links.children = [link.panel for link in links]
            self._copied.say(copy_beside(files))
        elements.show(self._again, any(row.failed for row in self._rows))


class _Row:
    """One photo: its picture, what became of it, and a button that removes it or downloads its clip.

    Args:
        photo: The photo's file or address.
        remove: Takes the row out of the list.
    """

    def __init__(self, photo: Path | str, remove: Callable[[_Row], object]) -> None:
        self.photo, self.outcome = photo, None
        self.name = Path(photo).name
        self._picture, self._html = _still_of(photo), ipywidgets.HTML()
        self._remove = elements.button("Remove", lambda: remove(self), hint=f"Remove {self.name}")
        self._save = elements.button("Download", self._hand_over, hint=f"Download the clip of {self.name}")
        self._link = ipywidgets.HTML()
        self.panel = elements.row(self._html, self._remove, self._save, self._link, style="meme-photo")
        self._say("")

    outcome: Outcome | None

    @property
    def failed(self) -> bool:
        """Whether there is no clip of it although one was to be made."""
        return self.outcome is not None and self.outcome.status == "failed"

    @property
    def clip(self) -> Path | None:
        """Its clip, once there is one."""
        return None if self.outcome is None or self.failed else self.outcome.clip

    def begin(self) -> None:
        """Show that its clip will be made."""
        self.outcome, self._link.value = None, ""
        self._say("Waiting …")

    def end(self, outcome: Outcome) -> None:
        """Show what became of it."""
        self.outcome = outcome
        if outcome.error is not None:
            self._say(f"✗ {_short(outcome).message}")
            return
        if outcome.status == "made":
            with suppress(MemegenError):
                clip = open_video(outcome.clip)
                frame = next(open_video(outcome.clip, start=clip.duration / 3).frames(max_side=STILL))
                self._picture = elements.picture(frame, alt=f"A frame of {outcome.clip.name}")
        self._say(f"✓ {outcome.clip.name}")

    def _say(self, words: str) -> None:
        state = f"<br>{html.escape(words)}" if words else ""
        name = f'<p class="meme-note">{html.escape(self.name)}{state}</p>'
        self._html.value = f'<div class="meme-beside">{self._picture}{name}</div>'
        elements.show(self._save, self.clip is not None)
        elements.show(self._remove, self.clip is None)

    def _hand_over(self) -> None:
        """Download the clip; it is put into the page only now, as many clips together would be too much for one."""
        if self.clip is None:
            return
        if on_colab():
            colab_download(self.clip)
        else:
            elements.show(self._save, False)
            self._link.value = elements.download_link(self.clip, "", at_once=True)


def _still_of(photo: Path | str) -> str:
    """Write a small picture of a photo as HTML; nothing if it can't be read or is on the web."""
    with suppress(MemegenError):
        if isinstance(photo, Path):
            return elements.picture(read_image(photo, max_side=STILL), alt="")
    return ""


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


def _pack(files: Mapping[str, Path], folder: Path) -> Iterator[Path]:
    """Write files, by their names, into as few archives as possible, each small enough for a download link."""
    parts: list[list[str]] = [[]]
    room = elements.LARGEST_LINK
    for name, file in files.items():
        size = file.stat().st_size + 1000  # with the archive's own lines
        if size > room and parts[-1]:
            parts.append([])
            room = elements.LARGEST_LINK
        parts[-1].append(name)
        room -= size
    for number, part in enumerate(parts, 1):
        title = f"{ARCHIVE}-{number}-of-{len(parts)}.zip" if len(parts) > 1 else f"{ARCHIVE}.zip"
        with zipfile.ZipFile(folder / title, "w") as archive:
            for name in part:
                archive.write(files[name], name)
        yield folder / title
