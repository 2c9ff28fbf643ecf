"""The step that chooses who sings: a photo, the face in it, and the word that everyone in it agreed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

import ipywidgets

from memegen.base.arrays import Image
from memegen.base.downloads import asset
from memegen.face.cropping import FaceBox
from memegen.face.detection import detect_faces, pick_face
from memegen.media.images import PhotoSource, read_image
from memegen.preview import draw_faces
from memegen.widgets import elements
from memegen.widgets.duet import DuetChoice, Songs
from memegen.widgets.jobs import Status
from memegen.widgets.platforms import colab_snapshot, colab_upload, on_colab

LARGEST: Literal["largest"] = "largest"  # a choice of None would show as an empty box
DUET: Literal["duet"] = "duet"
SHOWN = 420  # longest side in pixels of the photo on the page
HINT = (
    "A photo of more than 10 MB did not arrive? Drag it into the folder of this notebook, and write its name "
    "in the box; a web address will do as well."
)
CONSENT = "Everyone in this photo agreed to be in a meme"
RULES = "For jokes that the people shown would laugh at too. Never pass a clip off as real."


class Photo(NamedTuple):
    """A photo that was read, and the faces found in it.

    Attributes:
        name: The file's name without its ending.
        pixels: uint8 RGB (H, W, 3).
        faces: Boxes in pixels, left to right; at least one.
        own: Whether it is the user's own, so that somebody has to be asked.
    """

    name: str
    pixels: Image
    faces: list[FaceBox]
    own: bool


class PhotoChoice:
    """Which photo and face to use.

    Args:
        source: What is chosen at first: a path or an address; the bundled portrait when empty.
        permission: Whether everyone in that photo agreed.
        changed: Called when another photo or face was chosen, or the box was ticked.
    """

    def __init__(self, source: str, *, permission: bool, changed: Callable[[], object]) -> None:
        self.photo: Photo | None = None
        self.status = Status()
        self._changed: Callable[[], object] = lambda: None
        self._picture = ipywidgets.HTML()
        self._upload = elements.upload("Upload a photo", "image/*,.heic,.heif", self._receive, style="primary")
        self._address = elements.address("or its path or address", "me.jpg or https://… then Enter", self.choose)
        self._face = elements.control(ipywidgets.Dropdown, "Who sings", options=[("the largest face", LARGEST)])
        self._face.observe(lambda _: self._faced(), "value")
        self._duet = DuetChoice(lambda: self._changed())
        self._consent = ipywidgets.Checkbox(description=CONSENT, indent=False, layout={"width": "100%"})
        self._consent.observe(lambda _: self._changed(), "value")
        self._asking = ipywidgets.VBox([self._consent, elements.note(RULES)])
        back = elements.button("Use the sample portrait", self.choose_portrait)
        self.panel = elements.column(
            *(elements.row(*line) for line in self._ways(back)),
            elements.note(HINT),
            self.status.panel,
            self._picture,
            self._face,
            self._duet.panel,
            self._asking,
        )
        if source:
            self.choose(source)
        else:
            self.choose_portrait()
        self._consent.value = permission
        self._changed = changed

    @property
    def face(self) -> int | Literal["all"] | None:
        """The number of the face from the left, "all", or None for the largest."""
        value: int | Literal["largest", "all", "duet"] = self._face.value
        return None if value in (LARGEST, DUET) else value

    @property
    def duet(self) -> dict[int, str | Path]:
        """Which face sings what; empty when all who sing sing the same.

        Raises:
            InputError: Nobody sings.
        """
        return self._duet.songs if self._face.value == DUET else {}

    @property
    def allowed(self) -> bool:
        """Whether a clip may be made: nobody needs to be asked, or everybody was."""
        return self.photo is not None and (not self.photo.own or self._consent.value)

    def offer(self, songs: Songs, chosen: str | Path) -> None:
        """List what the faces of a duet can sing."""
        self._duet.offer(songs, chosen)

    def choose(self, source: PhotoSource, *, name: str | None = None) -> None:
        """Take a photo of the user's own; one that can't be used is refused in the form, and the one before stays."""
        self._take(source, PurePath(str(source) if name is None else name).stem or "me", own=True)

    def choose_portrait(self) -> None:
        """Take the portrait that travels with memegen."""
        self._take(asset("portrait.jpg"), "grace-hopper", own=False)

    def _ways(self, back: ipywidgets.Button) -> list[list[ipywidgets.Widget]]:
        """List what a photo can come from, line by line: on Colab its own dialog, as FileUpload loses photos there."""
        if not on_colab():
            return [[self._upload, back], [self._address]]
        fail = self.status.fail
        upload, below = elements.dialog(
            "Upload a photo", colab_upload, self._receive, fail, icon="upload", style="primary"
        )
        camera, here = elements.dialog("Take a picture", colab_snapshot, self._snapped, fail, icon="camera")
        return [[upload, camera, back], [below, here], [self._address]]

    def _receive(self, file: tuple[str, bytes]) -> None:
        self.choose(file[1], name=file[0])

    def _snapped(self, picture: bytes) -> None:
        self.choose(picture, name="me")

    def _take(self, source: PhotoSource, name: str, *, own: bool) -> None:
        self.status.say("Looking for faces …")
        try:
            self._look(source, name, own=own)
        except Exception as error:  # shown, so that the form stays usable
            self.status.fail(error)

    def _look(self, source: PhotoSource, name: str, *, own: bool) -> None:
        pixels = read_image(source)
        faces = detect_faces(pixels)
        pick_face(faces)
        self.photo = None  # while the widgets change, nothing may be made of the photo before
        numbered = [(f"face {number}", number) for number in range(len(faces))]
        together = [("everyone", "all"), ("a duet: each face its own song", DUET)]
        everyone = [("the largest face", LARGEST), *numbered, *together]
        self._face.options = everyone if len(faces) > 1 else everyone[:1]
        self._face.value = LARGEST
        self._duet.seat(len(faces))
        self._consent.value = False
        self.photo = Photo(name, pixels, faces, own)
        elements.show(self._face, len(faces) > 1)
        elements.show(self._asking, own)
        self._faced()

    def _faced(self) -> None:
        """Show the photo with its faces, and what was found in it."""
        if self.photo is None:
            return
        name, pixels, faces, own = self.photo
        elements.show(self._duet.panel, self._face.value == DUET)
        chosen = faces.index(pick_face(faces)) if self._face.value == LARGEST else self.face
        marked = draw_faces(pixels, faces, chosen=chosen if isinstance(chosen, int) else None)
        found = "One face" if len(faces) == 1 else f"{len(faces)} faces, numbered from the left"
        caption = f"{found} in {name}." if own else "The sample: Grace Hopper, 1984. Upload a photo to sing yourself."
        shown = elements.picture(
            read_image(marked, max_side=SHOWN), alt=f"The photo {name} with a box around each face"
        )
        self._picture.value = elements.figure(shown, caption)
        self.status.say("")
        self._changed()
