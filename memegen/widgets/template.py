"""The step that chooses what is sung: cards of the templates, or a clip of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import ipywidgets

from memegen.base.downloads import cache_dir
from memegen.media.video import open_video
from memegen.templates import TEMPLATES, Template, resolve_driving
from memegen.widgets import elements
from memegen.widgets.jobs import Status
from memegen.widgets.platforms import colab_upload, keep, on_colab

THUMB = f"width: {elements.CARD}; height: {elements.CARD}; object-fit: cover; display: block"
HINT = (
    "A clip of more than 10 MB did not arrive? Put it beside this notebook and write its name in the box, "
    "or its web address."
)


class TemplateChoice:
    """Which driving clip to use.

    Args:
        source: What is chosen at first: a template's name, or the path or address of a clip.
        folder: Where uploaded clips are kept.
        changed: Called when another one was chosen.
    """

    def __init__(self, source: str | Path, *, folder: Path, changed: Callable[[], object]) -> None:
        self.source: str | Path = TEMPLATES[0].name
        self.status = Status()
        self._brought: dict[str | Path, str] = {}
        self._folder, self._changed = folder, changed
        self._buttons = {template.name: self._button(template) for template in TEMPLATES}
        self._own, self._credit = ipywidgets.HTML(), ipywidgets.HTML()
        words = "Upload your own clip"
        self._upload = elements.upload(words, "video/*,image/gif", self._receive)
        dialog, below = elements.dialog(words, colab_upload, self._receive, self.status.fail, icon="upload")
        self._address = elements.address("or its path or address", "clip.mp4 or https://… then Enter", self.choose)
        cards = [_card(template, self._buttons[template.name]) for template in TEMPLATES]
        own = elements.row(*([dialog, below] if on_colab() else [self._upload]), self._address)
        self.panel = elements.column(
            elements.row(*cards, self._own), self._credit, own, elements.note(HINT), self.status.panel
        )
        self.choose(source, tell=False)

    @property
    def songs(self) -> list[tuple[str, str | Path]]:
        """What can be sung, in words and as `resolve_driving` takes it: the templates, and what the user brought."""
        templates: list[tuple[str, str | Path]] = [(template.title, template.name) for template in TEMPLATES]
        return templates + [(words, source) for source, words in self._brought.items()]

    def choose(self, source: str | Path, *, tell: bool = True) -> None:
        """Take a template's name, or the path or address of a clip; one that can't be used is refused in the form."""
        try:
            template = next((template for template in TEMPLATES if template.name == source), None)
            self._own.value = "" if template else _own_card(source)
            self._credit.value = "" if template is None else _credit(template)
        except Exception as error:  # shown, so that the form stays usable
            self.status.fail(error)
            return
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

    def _receive(self, file: tuple[str, bytes]) -> None:
        self.choose(keep(self._folder, *file))


def _card(template: Template, button: Any) -> Any:
    """Show a template, with the button that chooses it."""
    button.layout.width = elements.CARD
    button.layout.margin = "4px 0"
    path = resolve_driving(template).local_path if template.bundled else _fetched(template)
    look = _thumbnail(path, template.title) if path else elements.card(template.title, "fetched at first use")
    return ipywidgets.VBox([ipywidgets.HTML(look), button], layout={"margin": "0 8px 8px 0"})


def _fetched(template: Template) -> Path | None:
    """Give the clip of a template that was fetched before."""
    path = cache_dir() / "templates" / f"{template.name}.mp4"
    return path if path.is_file() else None


def _thumbnail(path: Path, title: str) -> str:
    """Show a frame from the first third of a clip."""
    clip = open_video(path)
    frame = next(open_video(path, start=clip.duration / 3).frames(max_side=480))
    return elements.picture(frame, alt=f"A frame of {title}", style=THUMB)


def _own_card(source: str | Path) -> str:
    """Show a clip of the user's own; one with an address is fetched only once it is needed."""
    if re.match(r"\w+://", str(source)):
        return elements.figure(elements.card("Your clip", "fetched when it is needed"), "Chosen: your own")
    clip = resolve_driving(source, progress=False)
    return elements.figure(
        _thumbnail(clip.local_path, clip.title), f"Chosen: {clip.title}", style=f"width: {elements.CARD}"
    )


def _credit(template: Template) -> str:
    return str(elements.note(f"{template.credit} {template.licence}.".replace("..", ".")).value)
