"""The step that chooses one of the two people of a swap: clips or photos, and the faces that are cut out of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from memegen.base.errors import InputError
from memegen.base.files import expanded
from memegen.base.progress import Progress
from memegen.face.targets import first_faces
from memegen.media.images import is_movie, read_image
from memegen.media.video import Video, open_video
from memegen.preview import draw_faces
from memegen.swap.faces import FaceSet, extract_faces
from memegen.widgets import elements
from memegen.widgets.jobs import Job, Status, WholeJob
from memegen.widgets.photo import CLIP_KINDS, SHOWN
from memegen.widgets.platforms import Files, keep, upload_trouble

KINDS = f"{CLIP_KINDS},.zip"
SHEET, COLUMNS = 12, 6  # faces on the page, and in a row of it
FACE = 96  # pixels of each
UPLOAD = "Upload clips or photos"
NOBODY = "nobody"  # no person is chosen yet; a choice of None would show as an empty box


class PersonChoice:
    """One person's material. The faces are cut out as soon as it is chosen, beside everything else.

    Args:
        title: The question that is answered here.
        advice: What is needed.
        sample: Makes the bundled material: a clip's path, and what to call it.
        folder: Where uploaded files are kept.
        changed: Called when other material is chosen.
    """

    def __init__(
        self,
        title: str,
        advice: str,
        *,
        sample: Callable[[Progress], tuple[Path, str]],
        folder: Path,
        changed: Callable[[], object],
    ) -> None:
        self.faces: FaceSet | None = None
        self.sources: list[Path] = []
        self.own = False
        self.status = Status()
        self._sample, self._folder, self._changed = sample, folder, changed
        self._job: Job | None = None
        self._received = 0
        self._build(title, advice)

    def _build(self, title: str, advice: str) -> None:
        self._sheet = ipywidgets.HTML()
        self._who = elements.control(ipywidgets.Dropdown, "Which person?", options=[("choose one", NOBODY)])
        self._who.observe(self._chosen, "value")
        elements.show(self._who, False)
        upload, *below = elements.uploads(UPLOAD, KINDS, self.receive, self.status.fail, multiple=True)
        back = elements.button("Use the sample", self.choose_sample)
        path = elements.address("A file or a folder of photos", "anna.mp4 then Enter", self.choose)
        trouble = elements.note(upload_trouble("the clip").replace("link's box", "box for files"))
        self.panel = elements.column(
            elements.heading(title),
            elements.note(advice),
            self._sheet,
            self.status.panel,
            self._who,
            elements.row(upload, back),
            *below,
            elements.folded({"Use a path": [path], "Upload trouble?": [trouble]}),
        )

    @property
    def number(self) -> int | None:
        """Which person of a clip with several was chosen, counted from 0 at the left."""
        value: int | str = self._who.value
        return None if isinstance(value, str) else value

    @property
    def clip(self) -> Video:
        """The first clip of the material.

        Raises:
            InputError: There is none.
        """
        for source in self.sources:
            if source.is_file() and is_movie(source):
                return open_video(source)
        raise InputError("The swap is made in a clip of this person, and there are only photos: upload a clip, too.")

    def choose_sample(self) -> None:
        """Use the bundled material."""
        self._begin([], own=False)

    def choose(self, path: str | Path) -> None:
        """Use a file or a folder of the user's own."""
        self._begin([expanded(path)], own=True)

    def receive(self, files: Files) -> None:
        """Use uploaded files, all of one person."""
        self._received += 1
        folder = self._folder / str(self._received)
        # Phones call several photos `image.jpg`.
        self._begin([keep(folder / str(place), *file) for place, file in enumerate(files)], own=True)

    def wait(self) -> None:
        """Return when the faces are cut out, or it is told why not."""
        if self._job is not None:
            self._job.wait()

    def wait_in(self, job: Job) -> FaceSet:
        """Wait within another job for the faces.

        Raises:
            InputError: There are none.
            Stopped: The job was asked to stop.
        """
        while self._job is not None and self._job.running:
            job.pause()
        if self.faces is None:
            raise InputError("There are not yet faces of both people: see above what is missing.")
        return self.faces

    def _begin(self, sources: Sequence[Path], *, own: bool) -> None:
        """Use other material."""
        self.sources, self.own = [*sources], own
        self._offer(0)
        self._cut()
        self._changed()

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"] is not NOBODY:
            self._cut()

    def _offer(self, people: int) -> None:
        """Let the user choose among the people of a clip; one alone needs no choice."""
        self._who.options = [("choose one", NOBODY), *((f"person {one + 1}", one) for one in range(people))]
        self._who.value = NOBODY
        elements.show(self._who, people > 1)

    def _cut(self) -> None:
        """Begin to cut out the faces, and stop what was begun before."""
        if self._job is not None:
            self._job.stop()
        self.faces, self._sheet.value = None, ""
        self._job = Job(self._work)
        self._job.start()

    def _work(self, job: Job) -> None:
        with self.status.outcome(lambda: self._job is job):
            self.status.say("Getting ready …")
            tell, name = WholeJob(self.status, job), ""
            if not self.own:
                sample, name = self._sample(tell)
                self.sources = [sample]
            faces = self._faces_of(tell)
            job.check()
            if faces is not None:
                self.faces = replace(faces, name=name or faces.name)
                picture = elements.picture(sheet(faces), alt=f"Some of the {self.faces}")
                self._sheet.value = elements.figure(picture, str(self.faces))
                self.status.say("")

    def _faces_of(self, tell: Progress) -> FaceSet | None:
        """Cut out the faces; None if the user has to choose a person first."""
        try:
            return extract_faces([*self.sources], face=self.number, progress=tell)
        except InputError as error:
            if self.number is not None or "face" not in error.remedy:
                raise
            self._ask_who()
            return None

    def _ask_who(self) -> None:
        """Show the people of the first clip with several, and ask for one."""
        for source in self.sources:
            if source.is_file() and is_movie(source):
                still, boxes = first_faces(open_video(source))
                if len(boxes) > 1:
                    self._offer(len(boxes))
                    marked = read_image(draw_faces(still, boxes, first=1), max_side=SHOWN)
                    self._sheet.value = elements.picture(marked, alt="The people of the clip, numbered from the left")
                    self.status.say(f"There are {len(boxes)} people in {source.name}: choose one.")
                    return


def sheet(faces: FaceSet) -> np.ndarray:
    """Lay out some faces in rows, uint8 RGB."""
    shown = [*faces.few(SHEET).inner(FACE)]
    shown += [np.full_like(shown[0], 255)] * (-len(shown) % COLUMNS)
    return np.vstack([np.hstack(shown[start : start + COLUMNS]) for start in range(0, len(shown), COLUMNS)])
