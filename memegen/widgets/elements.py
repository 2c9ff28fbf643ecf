"""The parts that the steps of the form are made of: buttons, inputs, rows, pictures and links."""

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
from memegen.widgets.platforms import Files, colab_uploads, on_colab, uploaded

Answer = TypeVar("Answer")

TALL = "44px"  # what a thumb can hit
WIDE = "min(100%, 420px)"
LARGEST_LINK = 48 * 2**20  # bytes of a file that is put into the page for its download link
CARD = "160px"  # two of them fit beside each other on a phone


def button(words: str, press: Callable[[], object], *, style: str = "", icon: str = "", hint: str = "") -> Any:
    """Make a button that a thumb can hit."""
    made = ipywidgets.Button(description=words, tooltip=hint or words, button_style=style, icon=icon)
    made.layout = _button_layout()
    made.on_click(lambda _: press())
    return made


def control(kind: Callable[..., Any], words: str, **options: Any) -> Any:
    """Make an input with a label in front."""
    layout = {"width": WIDE, "max_width": "100%", "min_height": "32px", "margin": "2px 0"}
    return kind(description=words, style={"description_width": "initial"}, layout=layout, **options)


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
    style: str = "",
    multiple: bool = False,
) -> list[Any]:
    """Make a button that lets the user choose files, and what has to stand below it.

    On Colab it opens Colab's own dialog: FileUpload loses large files there.

    Args:
        words: What the button says.
        accept: Kinds of files, as HTML's `accept` lists them.
        take: Called with the names and bytes of the chosen files.
        fail: Called with what went wrong.
        style: ipywidgets' style of the button.
        multiple: Whether several files can be chosen at once.
    """
    if on_colab():
        return dialog(words, colab_uploads, take, fail, icon="upload", style=style)
    made = ipywidgets.FileUpload(accept=accept, multiple=multiple, description=words, button_style=style)
    made.layout = _button_layout(width="190px")
    if made.has_trait("tooltip"):  # ipywidgets 8 shows "null" where there is none
        made.tooltip = words

    def arrived(change: dict[str, Any]) -> None:
        files = uploaded(change["new"])
        if files:
            made.set_trait("value", type(change["new"])())  # so that the same file can come again
            take(files)

    made.observe(arrived, "value")
    return [made]


def dialog(
    words: str,
    ask: Callable[[], Answer],
    take: Callable[[Answer], object],
    fail: Callable[[BaseException], object],
    *,
    icon: str,
    style: str = "",
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

    return [button(words, press, style=style, icon=icon), place]


def _button_layout(**changes: str) -> dict[str, str]:
    plain = {"height": TALL, "width": "auto", "min_width": "120px", "max_width": "100%", "margin": "2px 8px 2px 0"}
    return {**plain, **changes}


def row(*widgets: Any) -> Any:
    """Put widgets beside each other, on as many lines as the screen needs."""
    return ipywidgets.Box(
        widgets, layout={"flex_flow": "row wrap", "align_items": "center", "width": "100%", "margin": "4px 0 0 0"}
    )


def column(*widgets: Any) -> Any:
    """Put widgets below each other, in a column that fits a phone's screen."""
    return ipywidgets.VBox(widgets, layout={"width": "100%", "max_width": "880px", "padding": "0 0 8px 0"})


def folded(pages: Mapping[str, Iterable[Any]]) -> Any:
    """Put widgets into folded pages below bars with titles; ipywidgets' Accordion does not open from the keyboard."""
    return ipywidgets.VBox([_page(title, column(*page)) for title, page in pages.items()], layout={"width": "100%"})


def _page(title: str, inside: Any) -> Any:
    """Put a page below a bar that unfolds it."""
    bar = ipywidgets.ToggleButton(description=title)
    bar.layout = {"height": TALL, "width": "100%", "max_width": "880px", "margin": "2px 0"}
    inside.layout.padding = "4px 0 12px 12px"

    def turned(_: object = None) -> None:
        bar.icon, bar.tooltip = ("caret-down", f"Fold {title}") if bar.value else ("caret-right", f"Unfold {title}")
        show(inside, bar.value)

    bar.observe(turned, "value")
    turned()
    return ipywidgets.VBox([bar, inside], layout={"width": "100%"})


def show(widget: Any, visible: bool) -> None:
    """Show or hide a widget."""
    widget.layout.display = "" if visible else "none"


def note(words: str) -> Any:
    """Make a small line of explanation."""
    return ipywidgets.HTML(f'<div style="line-height: 1.4; opacity: 0.75">{html.escape(words)}</div>')


def picture(image: Image, *, alt: str, style: str = "max-width: 100%; height: auto") -> str:
    """Write a picture, uint8 RGB (H, W, 3), as HTML with the words for those who don't see it."""
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "JPEG", quality=88)
    source = data_address(file.getvalue(), "image/jpeg")
    return f'<img src="{source}" alt="{html.escape(alt, quote=True)}" style="{style}; border-radius: 6px">'


def figure(content: str, caption: str, *, style: str = "") -> str:
    """Put a caption below a picture or a clip, given as HTML."""
    words = f'<figcaption style="line-height: 1.4; padding: 4px 0">{html.escape(caption)}</figcaption>'
    return f'<figure style="margin: 6px 0 0 0; max-width: 100%; {style}">{content}{words}</figure>'


def beside(*figures: str) -> str:
    """Put figures side by side, or below each other where the screen is narrow."""
    return f'<div style="display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start">{"".join(figures)}</div>'


def card(title: str, words: str) -> str:
    """Draw a card for a clip that has no picture yet."""
    look = "display: flex; flex-direction: column; justify-content: center; gap: 8px; text-align: center; color: white"
    size = f"width: {CARD}; height: {CARD}; box-sizing: border-box; padding: 12px; border-radius: 6px; line-height: 1.3"
    back = "background: linear-gradient(135deg, #3a1c71, #b3446c)"
    name = html.escape(title, quote=True)
    lines = f"<strong>{name}</strong><span>{html.escape(words)}</span>"
    return f'<div role="img" aria-label="{name}" style="{look}; {size}; {back}">{lines}</div>'


def download_link(path: Path) -> str:
    """Write a link that saves a file under its own name; for a large file, a line that says where it is."""
    if path.stat().st_size > LARGEST_LINK:
        return str(note(f"The clip is too large for a download link: it is at {path}").value)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    look = "display: inline-block; min-height: 44px; line-height: 44px; padding: 0 20px; border-radius: 4px"
    name = html.escape(path.name, quote=True)
    return (
        f'<a download="{name}" href="{data_address(path, kind)}" style="{look}; margin: 12px 0 4px 0; '
        f'background: #1a7f37; color: white; text-decoration: none">Download {name}</a>'
    )
