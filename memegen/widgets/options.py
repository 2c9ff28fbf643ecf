"""What changes how the clip looks and sounds: length and look in sight, the rest folded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets

from memegen.base.arrays import Image
from memegen.base.options import Option, options_of
from memegen.face.options import REGIONS
from memegen.look.lyrics import read_lyrics
from memegen.media.destinations import DESTINATIONS, Destination
from memegen.media.encoders import TRANSPARENT
from memegen.media.options import BOTH, TARGET
from memegen.media.sound import sound_of
from memegen.media.video import Video
from memegen.meme import OPTIONS
from memegen.widgets import elements
from memegen.widgets.jobs import Status
from memegen.widgets.platforms import Files, keep

PAGES = {  # the options on each folded page
    "Words": ("name", "words", "voice", "language"),
    "Movement": ("expression", "motion", "part", "ending"),
    "Captions": ("top", "bottom", "subtitles", "intro", "label"),
    "Picture": ("format", "bars", "framing", "cutout", "side_by_side"),
    "Sound": ("audio", "mute", "from_sound", "offset", "fade_in", "fade_out", "loop", "loudness"),
    "File": ("max_size",),
}
NOTES = {  # below the controls of a page
    "Words": "For the songs of the drawn singer. Happy Birthday and Daisy Bell have a place for a name. "
    "In the words, / begins a new line.",
}
OFFERED: dict[str, Mapping[Any, str]] = {  # a form offers a few values where any would do
    "expression": {0.6: "calm", 1.0: "normal", 1.6: "wild"},
    "motion": {0.0: "still", 1.0: "normal", 1.6: "big"},
    "part": {"": "the head in a photo, the face in a video", **REGIONS},
    "bars": {"blur": "the photo, blurred", "#000000": "black", "#ffffff": "white"},
    "audio": {"": "the song's", TARGET: "your video's own", BOTH: "both, your video's quieter"},
    "loudness": {-14.0: "as loud as platforms play it", None: "as it is"},
    "max_size": {"": "any size", "10MB": "at most 10 MB", "5MB": "at most 5 MB"},
}
FILES = {  # options that take a file: what the button says, and which kinds it offers
    "audio": ("Upload another sound", "audio/*,video/*"),
    "subtitles": ("Upload the words (.lrc or .srt)", ".lrc,.srt,text/plain"),
}
KINDS = [
    ("MP4 video", ".mp4"),
    ("WebM video", ".webm"),
    ("GIF, no sound", ".gif"),
    ("animated WebP, no sound", ".webp"),
    ("animated PNG, no sound", ".apng"),
]
LIMITS = {"seconds": (10.0, 0.5), "milliseconds": (60_000.0, 10.0)}  # of a number in a form, and its step; else 0.1
LENGTHS = (5.0, 10.0, 15.0)


class OptionsChoice:
    """What `make_meme` is told beyond photo, template and engine.

    Args:
        duration: The first length, seconds; 0 for all.
        folder: Where uploaded files are kept.
        changed: Called when something else is chosen.
    """

    def __init__(self, duration: float, folder: Path, changed: Callable[[], object]) -> None:
        declared = {one.name: one for kind in OPTIONS for one in options_of(kind)}
        lengths = sorted({*LENGTHS, duration} - {0.0})
        options = [("the whole song", 0.0), *((f"{one:g} seconds", one) for one in lengths)]
        self._length = elements.control(ipywidgets.Dropdown, "Length", options=options, value=duration)
        self._start = elements.control(ipywidgets.BoundedFloatText, "Start at second", min=0.0, max=36_000.0, step=0.5)
        self.span = [self._length, self._start]
        self.destination = _control(declared["destination"])
        self.destination.add_class("meme-wide")
        self.destination.observe(self._fit, "value")
        self._files = {name: FileChoice(*FILES[name], folder, CHECKS[name], changed) for name in FILES}
        self._controls = {name: _control(declared[name]) for names in PAGES.values() for name in names}
        self._plain = {name: widget.value for name, widget in self._controls.items()}
        self._kind = elements.control(ipywidgets.Dropdown, "Kind of file", options=KINDS)
        for widget in (self.destination, self._length, self._start, self._kind, *self._controls.values()):
            widget.observe(lambda _: changed(), "value")
        self.panel = elements.folded({title: self._page(title) for title in PAGES})
        self.suit(None)

    @property
    def chosen(self) -> dict[str, Any]:
        """Options for `make_meme`: those that differ from their defaults, and those that a destination sets.

        The latter are in sight here, so they are the user's.
        """
        given = {name: widget.value for name, widget in self._controls.items()}
        words = {name: value for name, value in given.items() if value != self._plain[name] or name in self.place.words}
        if self.place.source:
            words["destination"] = self.destination.value
        if self.suffix not in TRANSPARENT:
            words.pop("cutout", None)
        span = {"duration": self._length.value, "start": self._start.value}
        files = {name: choice.file for name, choice in self._files.items()}
        return {**words, **{name: value for name, value in (span | files).items() if value}}

    @property
    def place(self) -> Destination:
        """Where the clip will be posted."""
        return DESTINATIONS[self.destination.value]

    def suit(self, subject: Image | Video | None) -> None:
        """Offer what only a video that is to sing can have: an end, and a sound, unless another sound was uploaded."""
        video = subject if isinstance(subject, Video) else None
        fits = {"ending": video is not None, "audio": video is not None and video.has_audio}
        for name, fit in fits.items():
            control, file = self._controls[name], self._files[name].file if name in self._files else None
            elements.show(control, fit and file is None)
            if not fit:
                control.value = self._plain[name]

    def _fit(self, _: object) -> None:
        """Show in the folded pages what a destination sets, so that each of it can be changed."""
        for name in ("format", "framing", "cutout", "mute"):
            self._controls[name].value = self.place.words.get(name, self._plain[name])
        self._kind.value = self.place.suffix

    @property
    def suffix(self) -> str:
        """The ending of the file to make."""
        return str(self._kind.value)

    @property
    def summary(self) -> str:
        """What is chosen on the folded pages, such as "Picture: vertical", so that nothing acts unseen."""
        chosen = {name for name in self.chosen if name in self._files or self._differs(name)}
        said = {title: [self._words(name) for name in names if name in chosen] for title, names in PAGES.items()}
        if self.suffix != KINDS[0][1]:
            said["File"].insert(0, str(self._kind.label))
        return " · ".join(f"{title}: {', '.join(words)}" for title, words in said.items() if words)

    def _differs(self, name: str) -> bool:
        return name in self._controls and self._controls[name].value != self._plain[name]

    def _words(self, name: str) -> str:
        if name in self._files and self._files[name].file:
            return self._files[name].name
        widget = self._controls[name]
        if isinstance(widget, ipywidgets.Dropdown):
            return f"{widget.description.lower()} {widget.label}"
        value = f"“{widget.value}”" if isinstance(widget.value, str) else f"{widget.value:g}"
        return widget.description if isinstance(widget.value, bool) else f"{widget.description.lower()} {value}"

    def _page(self, title: str) -> list[Any]:
        """List the widgets of a folded page."""
        widgets = [self._kind] if title == "File" else []
        for name in PAGES[title]:
            widgets += [self._controls[name]] if name in self._controls else []
            widgets += [self._files[name].panel] if name in self._files else []
        return [*widgets, elements.note(NOTES[title])] if title in NOTES else widgets


class FileChoice:
    """A file that replaces what a song brings: its sound, its words.

    Args:
        words: What the button says.
        accept: Kinds of files that are offered.
        folder: Where the file is kept.
        check: Called with the file; raises an InputError if it is of no use.
        changed: Called when another file is chosen.
    """

    def __init__(
        self, words: str, accept: str, folder: Path, check: Callable[[Path], object], changed: Callable[[], object]
    ) -> None:
        self.file: Path | None = None
        self.name = ""
        self._folder, self._check, self._changed = folder, check, changed
        self._status = Status()
        upload = elements.uploads(words, accept, self._receive, self._status.fail)
        self._remove = elements.button("Remove it", self._clear)
        self.panel = elements.column(elements.row(*upload, self._remove), self._status.panel)
        elements.show(self._remove, False)

    def _receive(self, files: Files) -> None:
        name, content = files[-1]
        with self._status.outcome():
            file = keep(self._folder, name, content)
            self._check(file)
            self._take(file, name)

    def _clear(self) -> None:
        self._take(None, "")

    def _take(self, file: Path | None, name: str) -> None:
        self.file, self.name = file, name
        self._status.say(f"{name} is used." if name else "")
        elements.show(self._remove, file is not None)
        self._changed()


CHECKS: dict[str, Callable[[Path], object]] = {"audio": sound_of, "subtitles": read_lyrics}


def _control(one: Option) -> Any:
    """Make the input of an option: a list, a box to tick, a number or a text."""
    choices = OFFERED.get(one.name) or one.choices
    if choices:
        value = next(iter(choices)) if one.default is None else one.default
        words = [(words, value) for value, words in choices.items()]
        return elements.control(ipywidgets.Dropdown, one.title, options=words, value=value)
    if one.default is False:
        return elements.checkbox(one.title)
    late = partial(elements.control, continuous_update=False)  # told when the box is left, not at each letter
    if not one.is_number:
        return late(ipywidgets.Text, one.title)
    most, step = LIMITS.get(one.unit, (one.high, 0.1))
    least = one.low if math.isfinite(one.low) else -most
    return late(ipywidgets.BoundedFloatText, one.title, min=least, max=most, step=step, value=one.default)
