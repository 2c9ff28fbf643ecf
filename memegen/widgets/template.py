"""The step that chooses the song: a card for each template and for each clip of the user's own."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import ipywidgets

from memegen.base.downloads import cache_file
from memegen.base.errors import NoPictureError
from memegen.base.files import is_address, plain_stem
from memegen.media.video import Video, open_video, write_video
from memegen.templates import TEMPLATES, Template, resolve_driving
from memegen.widgets import elements
from memegen.widgets.jobs import Status
from memegen.widgets.platforms import Files, keep, upload_trouble

IN_SIGHT = ("daisy-bell", "happy-birthday", "baka-mitai")  # the other templates are folded away
SAMPLE_SECONDS, SAMPLE_SIDE = 6.0, 320  # of the small clip on a card
CLIP_KINDS = "video/*,image/gif,audio/*"
HINT = "A direct link to a video or sound file. YouTube pages don't work."
SOUND = (
    "const clip = this.closest('.meme-card').querySelector('video'); clip.muted = !clip.muted; "
    "if (!clip.muted) { clip.currentTime = 0; clip.play(); } "
    "this.textContent = clip.muted ? 'Listen' : 'Mute'; this.setAttribute('aria-pressed', !clip.muted);"
)
HEARD_ONLY = "Your own song. A drawn singer performs what is heard in it, and your photo follows the singer."
SILENT = "This clip has no sound, so the meme will be silent. You can upload a sound below, under Sound."


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
        self._folder, self._changed = folder, changed
        self._cards: dict[str | Path, _Card] = {}
        self._row, self._more, self._about = elements.row(), elements.row(), ipywidgets.HTML()
        self._upload, *below = elements.uploads("+ Your own clip or song", CLIP_KINDS, self._receive, self.status.fail)
        self._upload.add_class("meme-add")
        link = elements.address("A link to a clip or song", "https://… then Enter", self.choose)
        trouble = elements.note(upload_trouble("the clip"))
        self.panel = elements.column(
            self._row,
            *below,
            self.status.panel,
            self._about,
            elements.folded(
                {"More songs": [self._more], "Use a link": [link, elements.note(HINT)], "Upload trouble?": [trouble]}
            ),
        )
        for template in TEMPLATES:
            self._add(template.name, _card_of(template, folder))
        self.choose(source, tell=False)

    @property
    def songs(self) -> list[tuple[str, str | Path]]:
        """What can be sung, by title and as `resolve_driving` takes it: the templates, then the user's own clips."""
        return [(card.title, source) for source, card in self._cards.items()]

    def choose(self, source: str | Path, *, tell: bool = True) -> None:
        """Use a template's name, or the path or address of a clip. If it can't be used, the form says so."""
        with self.status.outcome():
            if source not in self._cards:
                self._add(source, _own_card(source, self._folder))
            self.source = source
            for key, card in self._cards.items():
                card.choose(key == source)
            self._about.value = elements.small(self._cards[source].about)
            self.status.say("")
            if tell:
                self._changed()

    def _add(self, source: str | Path, card: _Card) -> None:
        self._cards[source] = card
        card.button.on_click(lambda _: self.choose(source))
        folded = {one.name for one in TEMPLATES}.difference(IN_SIGHT)
        self._more.children = [card.panel for key, card in self._cards.items() if key in folded]
        self._row.children = [*(card.panel for key, card in self._cards.items() if key not in folded), self._upload]

    def _receive(self, files: Files) -> None:
        name, content = files[-1]
        self.status.say("Looking at the clip …")
        self.choose(keep(self._folder / str(len(self._cards)), name, content))


class _Card:
    """A button with the song's title over its moving picture.

    Args:
        title: The song's.
        about: What one should know about it.
        inside: The picture, as HTML.
    """

    def __init__(self, title: str, about: str, inside: str) -> None:
        self.title, self.about = title, about
        self.button = elements.button(title, lambda: None, hint=f"Choose {title}")
        self.panel = elements.column(ipywidgets.HTML(inside), self.button, style="meme-card")
        self.panel.layout.width = None

    def choose(self, chosen: bool) -> None:
        """Show whether it is the chosen one, with a ring and in words."""
        elements.mark(self.panel, "meme-chosen", chosen)
        elements.rename(self.button, f"✓ {self.title}" if chosen else self.title)
        self.button.tooltip = f"Chosen: {self.title}" if chosen else f"Choose {self.title}"


def _card_of(template: Template, folder: Path) -> _Card:
    """Make a template's card; one that was not downloaded yet has no picture."""
    kept = cache_file("templates", f"{template.name}.mp4")
    if template.bundled:
        inside = _moving(open_video(resolve_driving(template).local_path), template.title)
    elif kept.is_file():
        inside = _moving(_sample(open_video(kept), folder / f"{template.name}-card.mp4"), template.title)
    else:
        inside = _still("Downloaded when it is needed")
    return _Card(template.title, template.licence, inside)


def _own_card(source: str | Path, folder: Path) -> _Card:
    """Make the card of a clip of the user's own; one from the web is downloaded when it is needed."""
    title = plain_stem(source)
    if is_address(source):
        return _Card(title, f"Your clip from {source}", _still("Downloaded when it is needed"))
    folder.mkdir(parents=True, exist_ok=True)
    file = resolve_driving(source).local_path
    try:
        clip = open_video(file)
    except NoPictureError:
        return _Card(title, HEARD_ONLY, _still("A song without a video"))
    small = _sample(clip, folder / f"{len(list(folder.iterdir()))}-card.mp4")
    return _Card(title, "Your own clip." if clip.has_audio else SILENT, _moving(small, title))


def _sample(clip: Video, out: Path) -> Video:
    """Write the beginning of a clip, small: browsers play this also where they don't know the clip's own kind."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = open_video(clip.path, duration=min(SAMPLE_SECONDS, clip.duration))
    frames = part.frames(max_side=SAMPLE_SIDE)
    return write_video(out, frames, fps=part.fps, audio=part if part.has_audio else None)


def _moving(clip: Video, title: str) -> str:
    """Write a clip that moves on its card, with a button for its sound, as HTML."""
    label = html.escape(f"Sound of {title}", quote=True)
    sound = f'<button class="meme-button meme-sound" aria-label="{label}" aria-pressed="false" onclick="{SOUND}">'
    return clip.to_html(label=title, playing=True) + (f"{sound}Listen</button>" if clip.has_audio else "")


def _still(words: str) -> str:
    return f'<div class="meme-words">{html.escape(words)}</div>'
