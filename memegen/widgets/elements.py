"""The parts that the steps of the form are made of: buttons, inputs, rows, pictures and links; form.css styles them."""

from __future__ import annotations

import html
import io
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets
from PIL import Image as Pillow

from memegen.base.arrays import Image
from memegen.base.html import data_address
from memegen.widgets.platforms import Files, colab_download, colab_uploads, copy_beside, on_colab, under_voila, uploaded

Answer = TypeVar("Answer")

LARGEST_LINK = 48 * 10**6  # bytes of a file that is put into the page for its download link
RULES = Path(__file__).with_name("form.css").read_text("utf-8")
ON_COLAB = ".memegen { --tall: 640px; }"  # a cell's frame there grows with its content: no share of it is a limit


def panel(*widgets: Any) -> Any:
    """Put widgets below each other in the form's only column, with the style they need."""
    made = column(ipywidgets.HTML(f"<style>{RULES}{ON_COLAB if on_colab() else ''}</style>"), *widgets)
    made.add_class("memegen")
    if under_voila():
        made.add_class("meme-app")
    return made


def column(*widgets: Any, style: str = "") -> Any:
    """Put widgets below each other."""
    return _styled(ipywidgets.VBox(widgets), style)


def row(*widgets: Any, style: str = "meme-row") -> Any:
    """Put widgets beside each other, on as many lines as the screen needs."""
    return _styled(ipywidgets.Box(widgets), style)


def _styled(widget: Any, style: str) -> Any:
    widget.layout.width = "100%"
    for name in style.split():
        widget.add_class(name)
    return widget


def mark(widget: Any, style: str, on: bool) -> None:
    """Give a widget one of the style's classes, or take it away."""
    (widget.add_class if on else widget.remove_class)(style)


def show(widget: Any, visible: bool) -> None:
    """Show or hide a widget."""
    widget.layout.display = "" if visible else "none"


def heading(words: str, level: int = 2) -> Any:
    """Make a heading."""
    return ipywidgets.HTML(f"<h{level}>{html.escape(words)}</h{level}>")


def note(words: str) -> Any:
    """Make a small line of explanation."""
    return ipywidgets.HTML(small(words))


def small(words: str) -> str:
    """Write a small line of explanation as HTML; without words nothing."""
    return f'<p class="meme-note">{html.escape(words)}</p>' if words else ""


def button(words: str, press: Callable[[], object], *, style: str = "", hint: str = "") -> Any:
    """Make a button."""
    made = ipywidgets.Button(description=words, tooltip=hint or words)
    made.on_click(lambda _: press())
    for name in style.split():
        made.add_class(name)
    return made


def control(kind: Callable[..., Any], words: str, **options: Any) -> Any:
    """Make an input with a label above it."""
    return kind(description=words, style={"description_width": "auto"}, **options)


def checkbox(words: str) -> Any:
    """Make a box to tick."""
    return ipywidgets.Checkbox(description=words, indent=False)


def address(words: str, hint: str, take: Callable[[str], object]) -> Any:
    """Make a text box for a path or an address; it is read when Enter is pressed or the box loses the focus."""
    box = control(ipywidgets.Text, words, placeholder=hint, continuous_update=False)

    def changed(change: dict[str, Any]) -> None:
        if change["new"].strip():
            take(change["new"].strip())

    box.observe(changed, "value")
    return box


def uploads(
    words: str,
    accept: str,
    take: Callable[[Files], object],
    fail: Callable[[BaseException], object],
    *,
    multiple: bool = False,
) -> list[Any]:
    """Make a button that lets the user choose files, and what has to stand below it.

    On Colab it opens Colab's own dialog: FileUpload loses large files there.

    Args:
        words: What the button says.
        accept: Kinds of files, as HTML's `accept` lists them.
        take: Called with the names and bytes of the chosen files.
        fail: Called with what went wrong.
        multiple: Whether several files can be chosen at once.
    """
    if on_colab():
        return dialog(words, colab_uploads, take, fail)
    made = ipywidgets.FileUpload(accept=accept, multiple=multiple, description=words)
    made.layout.width = "auto"
    if made.has_trait("tooltip"):  # not in ipywidgets 7, where the button shows its count of files
        made.tooltip = words
        made.add_class("meme-upload")

    def arrived(change: dict[str, Any]) -> None:
        files = uploaded(change["new"])
        if files:
            made.set_trait("value", type(change["new"])())  # so that the same file can come again
            take(files)

    made.observe(arrived, "value")
    return [made]


def rename(button: Any, words: str) -> None:
    """Give a button other words."""
    button.description = words
    if button.has_trait("tooltip"):
        button.tooltip = words


def dialog(
    words: str,
    ask: Callable[[], Answer],
    take: Callable[[Answer], object],
    fail: Callable[[BaseException], object],
) -> list[Any]:
    """Make a button that opens one of Colab's dialogs, and the place on the page where the dialog appears."""
    place = ipywidgets.Output(layout={"width": "100%"})

    def press() -> None:
        answer = None
        with place:  # an Output swallows what is raised in it
            try:
                answer = ask()
            except Exception as error:  # shown, so that the form stays usable
                fail(error)
        place.clear_output()
        if answer:
            take(answer)

    return [button(words, press), place]


def folded(pages: Mapping[str, Iterable[Any]]) -> Any:
    """Put widgets into pages that buttons in a row unfold; ipywidgets' Accordion does not open from the keyboard."""
    insides = {title: column(*page, style="meme-inside") for title, page in pages.items()}
    return column(row(*(_unfolding(title, inside) for title, inside in insides.items())), *insides.values())


def _unfolding(title: str, inside: Any) -> Any:
    """Make the button that unfolds a page."""
    bar = ipywidgets.ToggleButton(description=title)
    bar.add_class("meme-fold")

    def turned(_: object = None) -> None:
        bar.icon, bar.tooltip = ("caret-down", f"Fold {title}") if bar.value else ("caret-right", f"Unfold {title}")
        show(inside, bar.value)

    bar.observe(turned, "value")
    turned()
    return bar


def picture(image: Image, *, alt: str) -> str:
    """Write a picture, uint8 RGB (H, W, 3), as HTML with the words for those who don't see it."""
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "JPEG", quality=88)
    return f'<img src="{data_address(file.getvalue(), "image/jpeg")}" alt="{html.escape(alt, quote=True)}">'


def figure(content: str, caption: str) -> str:
    """Put a caption below a picture or a clip, given as HTML."""
    return f'<figure>{content}<figcaption class="meme-note">{html.escape(caption)}</figcaption></figure>'


class Download:
    """A link that saves a file; on Colab a button, which opens Colab's own dialog.

    Args:
        style: A class of the style for it.
    """

    def __init__(self, style: str = "meme-main") -> None:
        self._style, self._file = style, Path()
        self._link = ipywidgets.HTML()
        self._button = button("Download", lambda: colab_download(self._file), style=style)
        self.panel = column(self._link, self._button)
        show(self._button, False)

    def offer(self, file: Path) -> None:
        """Offer a file; one that is too large for a page is copied beside the notebook."""
        self._file = file
        if on_colab():
            rename(self._button, f"Download {file.name}")
        show(self._button, on_colab())
        self._link.value = "" if on_colab() else download_link(file, self._style)

    def clear(self) -> None:
        """Offer nothing."""
        self._link.value = ""
        show(self._button, False)


def download_link(path: Path, style: str = "meme-main", *, at_once: bool = False) -> str:
    """Write a link that saves a file under its own name; a large file is copied beside the notebook instead.

    Args:
        path: The file.
        style: A class of the style for the link.
        at_once: Whether the link follows itself as soon as it is in the page.
    """
    if path.stat().st_size > LARGEST_LINK:
        advice = copy_beside({path.name: path}) or "Choose a smaller size under File, and make it again."
        return small(f"{path.name} is too large for a download link. {advice}")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    name = html.escape(path.name, quote=True)
    # A picture that can't be loaded is a way to act when HTML arrives: scripts in it do not run.
    follow = '<img src="data:," alt="" hidden onerror="this.parentNode.click(); this.remove()">' if at_once else ""
    source = data_address(path, kind)
    return f'<a class="meme-button {style}" download="{name}" href="{source}">Download {name}{follow}</a>'
