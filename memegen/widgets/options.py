"""The folded step that changes how the clip looks and sounds, and its kind of file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import ipywidgets

from memegen.base.options import Option, options_of
from memegen.meme import OPTIONS
from memegen.widgets.elements import control, folded

PAGES = {  # the options on each folded page
    "Movement": ("expression", "motion"),
    "Captions and label": ("top", "bottom", "subtitles", "intro", "label"),
    "Picture": ("format", "bars", "framing", "side_by_side"),
    "Sound": ("audio", "offset", "fade_in", "fade_out", "loop", "loudness"),
    "File": ("max_size",),
}
OFFERED: dict[str, Mapping[Any, str]] = {  # a form offers a few values where any would do
    "bars": {"blur": "the photo, blurred", "#000000": "black", "#ffffff": "white"},
    "loudness": {-14.0: "as loud as platforms play it", None: "as it is"},
    "max_size": {"": "any size", "10MB": "at most 10 MB (Discord, e-mail)", "5MB": "at most 5 MB"},
}
KINDS = [("MP4 video", ".mp4"), ("GIF, no sound", ".gif"), ("animated WebP, no sound", ".webp")]
LIMITS = {"seconds": (10.0, 0.5), "milliseconds": (60_000.0, 10.0)}  # of a number in a form, and its step; else 0.1


class OptionsChoice:
    """Captions, canvas and file: what `make_meme` is told beyond photo and template."""

    def __init__(self) -> None:
        declared = {one.name: one for kind in OPTIONS for one in options_of(kind)}
        self._controls = {name: _control(declared[name]) for names in PAGES.values() for name in names}
        self._plain = {name: widget.value for name, widget in self._controls.items()}
        self._kind = control(ipywidgets.Dropdown, "Kind of file", options=KINDS)
        pages = {title: [self._controls[name] for name in names] for title, names in PAGES.items()}
        pages["File"].insert(0, self._kind)
        self.panel = folded(pages)

    @property
    def chosen(self) -> dict[str, Any]:
        """Options for `make_meme`: those that differ from their defaults."""
        given = {name: widget.value for name, widget in self._controls.items()}
        return {name: value for name, value in given.items() if value != self._plain[name]}

    @property
    def suffix(self) -> str:
        """The ending of the file to make."""
        return str(self._kind.value)


def _control(one: Option) -> Any:
    """Make the input of an option: a list, a box to tick, a number or a text."""
    choices = one.choices or OFFERED.get(one.name)
    if choices:
        value = next(iter(choices)) if one.default is None else one.default
        words = [(words, value) for value, words in choices.items()]
        return control(ipywidgets.Dropdown, one.title, options=words, value=value)
    if one.default is False:
        return control(ipywidgets.Checkbox, one.title, indent=False)
    if not one.is_number:
        return control(ipywidgets.Text, one.title)
    most, step = LIMITS.get(one.unit, (one.high, 0.1))
    least = one.low if math.isfinite(one.low) else -most
    return control(ipywidgets.BoundedFloatText, one.title, min=least, max=most, step=step, value=one.default)
