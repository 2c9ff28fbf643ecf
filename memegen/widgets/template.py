"""The step that chooses the song: cards of the templates, or a clip of the user's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import ipywidgets

from memegen.base.downloads import cache_file
from memegen.media.video import open_video
from memegen.templates import TEMPLATES, Template, resolve_driving
from memegen.widgets import elements
from memegen.widgets.jobs import Status
from memegen.widgets.platforms import Files, keep

THUMB = f"width: {elements.CARD}; height: {elements.CARD}; object-fit: cover; display: block"
HINT = (
    "If an upload over 10 MB fails, put the clip into this notebook's folder and type its name in the box, "
    "or type its web address."
)


class TemplateChoice:
    """Which driving clip to use.

    Args:
        source: The first choice: a template's name, or the path or address of a clip.
        folder: Where uploaded clips are kept.
        changed: Called when another clip is chosen.
    """

    def __init__(self, source: str | Path, *, folder: Path, changed: Callable[[], object]) -> None:
        self.source: str | Path = TEMPLATES[0].name
        self.status = Status()
        self._brought: dict[str | Path, str] = {}
        self._folder, self._changed = folder, changed
        self._buttons = {template.name: self._button(template) for template in TEMPLATES}
        self._own, self._credit = ipywidgets.HTML(), ipywidgets.HTML()
        upload = elements.uploads("Upload your own clip", "video/*,image/gif", self._receive, self.status.fail)
        self._address = elements.address("or its path or address", "clip.mp4 or https://… then Enter", self.choose)
        cards = [_card(template, self._buttons[template.name]) for template in TEMPLATES]
        own = elements.row(*upload, self._address)
        self.panel = elements.column(
            elements.row(*cards, self._own), self._credit, own, elements.note(HINT), self.status.panel
        )
        self.choose(source, tell=False)

    @property
    def songs(self) -> list[tuple[str, str | Path]]:
        """What can be sung, by title and as `resolve_driving` takes it: the templates, then the user's own clips."""
        templates: list[tuple[str, str | Path]] = [(template.title, template.name) for template in TEMPLATES]
        return templates + [(words, source) for source, words in self._brought.items()]

    def choose(self, source: str | Path, *, tell: bool = True) -> None:
        """Use a template's name, or the path or address of a clip. If it can't be used, the form says so."""
        with self.status.outcome():
            template = next((template for template in TEMPLATES if template.name == source), None)
            self._own.value = "" if template else _own_card(source)
            self._credit.value = "" if template is None else _credit(template)
            self.source = source
            if template is None:
                self._brought[source] = f"your clip {PurePath(str(source)).stem}"
            for name, button in self._buttons.items():
                button.button_style, button.icon = ("success", "check") if name == source else ("", "")
            self.status.say("")
            if tell:
                self._changed()

    def _button(self, template: Template) -> Any:
        short = template.title.partition(" (")[0]
        return elements.button(short, lambda: self.choose(template.name), hint=f"Choose {template.title}")

    def _receive(self, files: Files) -> None:
        self.choose(keep(self._folder, *files[-1]))


def _card(template: Template, button: Any) -> Any:
    """Show a template, with the button that chooses it."""
    button.layout.width = elements.CARD
    button.layout.margin = "4px 0"
    path = resolve_driving(template).local_path if template.bundled else _cached(template)
    look = _thumbnail(path, template.title) if path else elements.card(template.title, "downloaded at first use")
    return ipywidgets.VBox([ipywidgets.HTML(look), button], layout={"margin": "0 8px 8px 0"})


def _cached(template: Template) -> Path | None:
    """Return the clip of a template that was downloaded before."""
    path = cache_file("templates", f"{template.name}.mp4")
    return path if path.is_file() else None


def _thumbnail(path: Path, title: str) -> str:
    """Show a frame from the first third of a clip."""
    clip = open_video(path)
    frame = next(open_video(path, start=clip.duration / 3).frames(max_side=480))
    return elements.picture(frame, alt=f"A frame of {title}", style=THUMB)


def _own_card(source: str | Path) -> str:
    """Show a clip of the user's own; one from the web is downloaded when it is needed."""
    if re.match(r"\w+://", str(source)):
        return elements.figure(elements.card("Your clip", "downloaded when it is needed"), "Chosen: your own")
    clip = resolve_driving(source)
    return elements.figure(
        _thumbnail(clip.local_path, clip.title), f"Chosen: {clip.title}", style=f"width: {elements.CARD}"
    )


def _credit(template: Template) -> str:
    return str(elements.note(f"{template.credit} {template.licence}.".replace("..", ".")).value)
