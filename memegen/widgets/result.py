"""The step that shows the finished clip: large, playing, with what one does next."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import ipywidgets

from memegen.media.video import Video
from memegen.widgets import elements
from memegen.widgets.checkpoint import CPU_SECONDS
from memegen.widgets.jobs import Status
from memegen.widgets.photo import CLIP_KINDS
from memegen.widgets.platforms import Files

INTO_VIEW = "this.closest('.memegen').scrollIntoView({block: 'start'})"
# A picture that can't be loaded is a way to act when HTML arrives: scripts in it do not run.
CAN_SHARE = (
    "const file = new File([], 'a.mp4', {type: 'video/mp4'}); "
    "this.previousSibling.hidden = !(navigator.canShare ? navigator.canShare({files: [file]}) : false); this.remove();"
)
SOUND = (
    "const clip = this.closest('.meme-result').querySelector('video'); clip.muted = !clip.muted; "
    "if (!clip.muted) { clip.currentTime = 0; clip.play(); } "
    "this.textContent = clip.muted ? 'Sound on' : 'Sound off'; this.setAttribute('aria-pressed', !clip.muted);"
)
SHARE = (
    "const clip = this.closest('.memegen').querySelector('.meme-result video, .meme-result img'); "
    "fetch(clip.src).then(answer => answer.blob()).then(data => navigator.share("
    "{files: [new File([data], this.dataset.name, {type: data.type})]})).catch(() => undefined);"
)
TO_PHOTO = "document.querySelector('.meme-photo-step').scrollIntoView({block: 'start'}); this.remove();"


class Result:
    """The finished clip.

    Args:
        receive: Takes another photo.
        classic: Called when the clip is wanted with the classic look.
    """

    def __init__(self, receive: Callable[[Files], object], classic: Callable[[], object]) -> None:
        self._receive = receive
        self._clip, self._singer, self._hint = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self._download = elements.Download()
        self.status = Status()
        another = elements.uploads("Another photo or video, same song", CLIP_KINDS, self._another, self.status.fail)
        self._classic = elements.button("Make it with the classic look", classic)
        elements.show(self._classic, False)
        self._share = ipywidgets.HTML()
        self._next = elements.column(elements.row(*another, self._share, self._classic), self._hint)
        elements.show(self._next, False)
        self.panel = elements.panel(self._clip, self._download.panel, self._next, self.status.panel, self._singer)

    @property
    def value(self) -> str:
        """What is shown, as HTML."""
        return str(self._clip.value + self._singer.value)

    def show(self, meme: Video, singer: Video, photo: str, title: str) -> None:
        """Show a finished clip, playing, and small below it the singer."""
        name, song = meme.path.name, html.escape(title)
        label = f"The meme: {photo} sings {title}"
        self._clip.value = sounding(meme, label, f'onloadeddata="{INTO_VIEW}" onload="{INTO_VIEW}"')
        self._share.value = (
            f'<button class="meme-button" hidden data-name="{html.escape(name, quote=True)}" '
            f'onclick="{SHARE}">Share</button><img src="data:," alt="" hidden onerror="{CAN_SHARE}">'
        )
        small = singer.to_html(label=f"The singer: {title}", playing=True)
        self._singer.value = f'<div class="meme-beside">{small}<p class="meme-note">The singer: {song}</p></div>'
        self._hint.value = ""
        elements.show(self._classic, False)
        self._download.offer(meme.path)
        elements.show(self._next, True)

    def offer_classic(self, frames: int, *, gpu: bool) -> None:
        """Offer to make the clip again with the classic look; without a GPU with the time that will take."""
        took = "" if gpu else f" (about {max(round(frames * CPU_SECONDS / 60), 1)} min)"
        elements.rename(self._classic, f"Make it with the classic look{took}")
        elements.show(self._classic, True)

    def _another(self, files: Files) -> None:
        self._receive(files)
        name = html.escape(Path(files[-1][0]).name)
        jump = f'<img src="data:," alt="" hidden onerror="{TO_PHOTO}">'
        self._hint.value = f"<p>{name} is in step 2 above: tick the box there, then press Make it sing.{jump}</p>"


def sounding(clip: Video, label: str, more: str) -> str:
    """Write a clip that plays at once, with a button for its sound, as HTML; arguments as in `Video.to_html`."""
    sound = f'<button class="meme-button meme-sound" aria-pressed="false" onclick="{SOUND}">Sound on</button>'
    return (
        f'<div class="meme-result" style="--shape: {clip.width / clip.height:.4f}">'
        f"{clip.to_html(label=label, playing=True, more=more)}{sound if clip.has_audio else ''}</div>"
    )
