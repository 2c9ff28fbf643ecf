"""The step, folded at first, that changes how the finished clip looks, sounds and is kept."""

from __future__ import annotations

from typing import Any

import ipywidgets

from memegen.widgets.elements import control, folded

FORMATS = [
    ("as the photo", "original"),
    ("square, 1080 × 1080", "square"),
    ("vertical, 1080 × 1920 (phones)", "vertical"),
    ("horizontal, 1920 × 1080", "horizontal"),
    ("sticker, 512 × 512", "sticker"),
]
BARS = [("the photo, blurred", "blur"), ("black", "#000000"), ("white", "#ffffff")]
SIZES = [("any size", ""), ("at most 10 MB (Discord, e-mail)", "10MB"), ("at most 5 MB", "5MB")]
KINDS = [("MP4 video", ".mp4"), ("GIF, no sound", ".gif"), ("animated WebP, no sound", ".webp")]
LOUDNESS = [("as loud as platforms play it", -14.0), ("as it is", None)]
FRAMING = [("the whole photo", "photo"), ("only the face (classic)", "face")]


class AfterChoice:
    """Captions, canvas and file: what `make_meme` is told beyond photo and template."""

    def __init__(self) -> None:
        gain = {"min": 0.0, "max": 2.0, "step": 0.1, "value": 1.0}  # a slider has no name for those who listen
        words, shape, sound = _words(), _shape(), _sound()
        singers = {
            "expression": control(ipywidgets.BoundedFloatText, "Face (1: as the driver)", **gain),
            "motion": control(ipywidgets.BoundedFloatText, "Head (1: as the driver)", **gain),
        }
        file = {"max_size": control(ipywidgets.Dropdown, "Size", options=SIZES)}
        self._kind = control(ipywidgets.Dropdown, "Kind of file", options=KINDS)
        self._controls: dict[str, Any] = singers | words | shape | sound | file
        self._plain = {word: widget.value for word, widget in self._controls.items()}
        self.panel = folded(
            {
                "Movement": singers.values(),
                "Captions and label": words.values(),
                "Picture": shape.values(),
                "Sound": sound.values(),
                "File": [self._kind, *file.values()],
            }
        )

    @property
    def options(self) -> dict[str, Any]:
        """Keywords for `make_meme`: only what differs from plain."""
        given = {word: widget.value for word, widget in self._controls.items()}
        return {word: value for word, value in given.items() if value != self._plain[word]}

    @property
    def suffix(self) -> str:
        """The ending of the file to make."""
        return str(self._kind.value)


def _words() -> dict[str, Any]:
    """What is written into the picture."""
    return {
        "top": control(ipywidgets.Text, "Text at the top"),
        "bottom": control(ipywidgets.Text, "Text at the bottom"),
        "subtitles": control(ipywidgets.Checkbox, "Show the words as they are sung", indent=False),
        "intro": control(ipywidgets.Text, "Title, shown first for a second"),
        "label": control(ipywidgets.Text, "Other words for the label"),
    }


def _shape() -> dict[str, Any]:
    """What the picture is put into."""
    return {
        "format": control(ipywidgets.Dropdown, "Shape", options=FORMATS),
        "bars": control(ipywidgets.Dropdown, "Bars beside the photo", options=BARS),
        "framing": control(ipywidgets.Dropdown, "Show", options=FRAMING),
        "side_by_side": control(ipywidgets.Checkbox, "Show the driver beside the meme", indent=False),
    }


def _sound() -> dict[str, Any]:
    """What is done to the sound."""
    return {
        "audio": control(ipywidgets.Text, "Another sound: a file's path"),
        "offset": control(ipywidgets.BoundedFloatText, "Later by, milliseconds", min=-60000.0, max=60000.0, step=10.0),
        "fade_in": control(ipywidgets.BoundedFloatText, "Fade in, seconds", min=0.0, max=10.0, step=0.5),
        "fade_out": control(ipywidgets.BoundedFloatText, "Fade out, seconds", min=0.0, max=10.0, step=0.5),
        "loop": control(ipywidgets.Checkbox, "Repeat it until the picture ends", indent=False),
        "loudness": control(ipywidgets.Dropdown, "Loudness", options=LOUDNESS),
    }
