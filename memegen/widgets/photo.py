"""The step that chooses who sings: a photo or a clip, the face in it, and a box to tick that everyone agreed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import ipywidgets

from memegen.base.arrays import Image
from memegen.base.downloads import asset
from memegen.base.errors import MemegenError
from memegen.base.files import plain_stem
from memegen.face.cropping import FaceBox
from memegen.face.detection import detect_faces, pick_face
from memegen.face.targets import first_faces
from memegen.media.images import PhotoSource, read_image
from memegen.media.subjects import open_subject
from memegen.media.video import Video
from memegen.preview import draw_faces
from memegen.widgets import elements
from memegen.widgets.duet import DuetChoice, Songs
from memegen.widgets.jobs import Status
from memegen.widgets.platforms import Files, colab_snapshot, keep, on_colab, upload_trouble

LARGEST: Literal["largest"] = "largest"  # a choice of None would show as an empty box
DUET: Literal["duet"] = "duet"
PHOTO_KINDS = "image/*,.heic,.heif"
CLIP_KINDS = f"{PHOTO_KINDS},video/*"
CHOOSE, ANOTHER = "Upload your own", "Upload another"
SHOWN = 480  # longest side in pixels of the photo on the page
CONSENT = "Everyone in this {} agreed to be in a meme"
RULES = "For jokes that the people shown would laugh at too. Never pass a clip off as real."
SAMPLE = "the sample"


class Photo(NamedTuple):
    """A photo that was read, and the faces found in it.

    Attributes:
        name: The file's name without its ending.
        subject: What `make_meme` takes: uint8 RGB (H, W, 3), or a clip.
        pixels: The photo, or the first frame of the clip with a face, uint8 RGB.
        faces: Boxes in these pixels, left to right; at least one.
        own: Whether it is the user's own, which needs everyone's permission.
    """

    name: str
    subject: Image | Video
    pixels: Image
    faces: list[FaceBox]
    own: bool

    @property
    def kind(self) -> str:
        """What it is called on the page."""
        return "video" if isinstance(self.subject, Video) else "photo"


class PhotoChoice:
    """Which photo and face to use.

    Args:
        source: The first photo: a path or an address; the bundled portrait when empty.
        permission: Whether everyone in that photo agreed.
        folder: Where uploaded photos are kept.
        changed: Called when another photo or face is chosen, or the box is ticked.
    """

    def __init__(self, source: str, *, permission: bool, folder: Path, changed: Callable[[], object]) -> None:
        self.photo: Photo | None = None
        self.status = Status()
        self._folder = folder
        self._changed: Callable[[], object] = lambda: None
        self._picture = ipywidgets.HTML()
        self._face = elements.control(ipywidgets.Dropdown, "Who sings?", options=[("the largest face", LARGEST)])
        self._face.observe(lambda _: self._faced(), "value")
        self._duet = DuetChoice(lambda: self._changed())
        self._consent = elements.checkbox(CONSENT.format("photo"))
        self._consent.observe(lambda _: self._changed(), "value")
        self._asking = elements.column(self._consent, elements.note(RULES))
        link = elements.address("A link to a photo or a video", "https://… then Enter", self.choose)
        self.panel = elements.column(
            self._picture,
            elements.row(*self._buttons()),
            self.status.panel,
            self._face,
            self._duet.panel,
            self._asking,
            elements.folded({"Use a link": [link], "Upload trouble?": [elements.note(upload_trouble("the photo"))]}),
            style="meme-photo-step",
        )
        if source:
            self.choose(source)
        else:
            self.choose_portrait()
        self._consent.value = permission
        self._changed = changed

    @property
    def face(self) -> int | Literal["all"] | None:
        """The number of the face from the left, counted from 0, "all", or None for the largest."""
        value: int | Literal["largest", "all", "duet"] = self._face.value
        return None if value in (LARGEST, DUET) else value

    @property
    def is_duet(self) -> bool:
        """Whether each face has its own song."""
        return bool(self._face.value == DUET)

    @property
    def duet(self) -> dict[int, str | Path]:
        """Which face sings what; empty when there is one song for all.

        Raises:
            InputError: Nobody sings.
        """
        return self._duet.songs if self.is_duet else {}

    @property
    def allowed(self) -> bool:
        """Whether a clip may be made: it is the sample portrait, or the box is ticked."""
        return self.photo is not None and (not self.photo.own or self._consent.value)

    def offer(self, songs: Songs, chosen: str | Path) -> None:
        """Set what the faces of a duet can sing."""
        self._duet.offer(songs, chosen)

    def choose(self, source: str | Path) -> None:
        """Use a photo of the user's own. If it can't be read, the form says so and keeps the photo before."""
        self._take(source, plain_stem(source) or "me", own=True)

    def choose_portrait(self) -> None:
        """Use the bundled portrait."""
        self._take(asset("portrait.jpg"), "grace-hopper", own=False)

    def receive(self, files: Files) -> None:
        """Use the last of some uploaded photos."""
        name, content = files[-1]
        self._take(keep(self._folder, name, content), plain_stem(name) or "me", own=True)

    def _buttons(self) -> list[Any]:
        """List the buttons that choose a photo, and below them the places of Colab's dialogs."""
        self._upload, *below = elements.uploads(CHOOSE, CLIP_KINDS, self.receive, self.status.fail)
        back = elements.button("Use the sample", self.choose_portrait)
        if not on_colab():
            return [self._upload, back]
        camera, here = elements.dialog("Take a picture", colab_snapshot, self._snapped, self.status.fail)
        return [self._upload, camera, back, *below, here]

    def _snapped(self, picture: bytes) -> None:
        self.receive([("me.jpg", picture)])

    def _take(self, source: PhotoSource, name: str, *, own: bool) -> None:
        self.status.say("Looking for faces …")
        with self.status.outcome():
            try:
                self._look(source, name, own=own)
            except MemegenError as error:
                if self.photo is None:
                    raise
                still = self.photo.name if self.photo.own else SAMPLE
                raise type(error)(f"{error.message} Still using {still}.") from error

    def _look(self, source: PhotoSource, name: str, *, own: bool) -> None:
        subject = open_subject(source)
        if isinstance(subject, Video):
            pixels, faces = first_faces(subject)
        else:
            pixels, faces = subject, detect_faces(subject)
        pick_face(faces, name=name)
        self.photo = None  # no clip may be made of the old photo while the widgets change
        numbered = [(f"face {number + 1}", number) for number in range(len(faces))]
        together = [("everyone", "all"), ("a duet: each face its own song", DUET)]
        everyone = [("the largest face", LARGEST), *numbered, *together]
        self._face.options = everyone if len(faces) > 1 else everyone[:1]
        self._face.value = LARGEST
        self._duet.seat(len(faces))
        self._consent.value = False
        self.photo = Photo(name, subject, pixels, faces, own)
        self._consent.description = CONSENT.format(self.photo.kind)
        elements.rename(self._upload, ANOTHER if own else CHOOSE)
        elements.show(self._face, len(faces) > 1)
        elements.show(self._asking, own)
        self._faced()

    def _faced(self) -> None:
        """Show the photo with its faces, and what was found in it."""
        if self.photo is None:
            return
        name, _, pixels, faces, own = self.photo
        elements.show(self._duet.panel, self.is_duet)
        chosen = faces.index(pick_face(faces)) if self._face.value == LARGEST else self.face
        first = 1 if len(faces) > 1 else None  # one face alone needs no number
        marked = draw_faces(pixels, faces, chosen=chosen if isinstance(chosen, int) else None, first=first)
        found = "One face" if len(faces) == 1 else f"{len(faces)} faces, numbered from the left"
        caption = f"{found} in {name}." if own else "The sample: Grace Hopper, 1984."
        shown = elements.picture(
            read_image(marked, max_side=SHOWN), alt=f"The {self.photo.kind} {name} with a box around each face"
        )
        self._picture.value = elements.figure(shown, caption)
        self.status.say("")
        self._changed()
