"""Options for the picture: format, captions, label."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from memegen.base.errors import InputError
from memegen.base.options import check_options, option

Format = Literal["original", "square", "vertical", "horizontal", "sticker"]
FORMATS: dict[Format, str] = {
    "original": "as the photo",
    "square": "square, 1080 × 1080",
    "vertical": "vertical, 1080 × 1920 (phones)",
    "horizontal": "horizontal, 1920 × 1080",
    "sticker": "sticker, 512 × 512",
}
Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
CORNERS: dict[Corner, str] = {
    "top-left": "top left",
    "top-right": "top right",
    "bottom-left": "bottom left",
    "bottom-right": "bottom right",
}

INTRO = 1  # seconds


@dataclass(frozen=True)
class Look:
    """What the frames of a meme are put into.

    Raises:
        InputError: A value makes no sense.
    """

    top: str = option("", "Text at the top", "Text at the top, white with a black outline.")
    bottom: str = option("", "Text at the bottom", "Text at the bottom.")
    subtitles: bool | str | Path = option(
        False,
        "Show the words as they are sung",
        "Show the sung lines and light up the current word: the template's own, or those of an .lrc or .srt file, "
        "whose times count from the beginning of the driving clip's file.",
    )
    format: Format = option("original", "Shape", "Shape of the picture.", choices=FORMATS)
    bars: str = option("blur", "Bars beside the photo", "What fills the bars beside the picture: blur, or a colour.")
    side_by_side: bool = option(False, "Show the singer beside the meme", "Show the driving clip to the left as well.")
    intro: str = option("", "Title, shown first for a second", "Begin with a second of the still photo and this title.")
    cutout: bool = option(
        False, "Cut the head out", "Cut the people out: the rest becomes transparent, in .webm, .webp, .apng and .png."
    )
    label: bool | str = option(
        True, "Other words for the label", "Say in the picture that it was made with AI; a text replaces the words."
    )
    label_corner: Corner = option("bottom-right", "Corner of the label", "Where the label is.", choices=CORNERS)

    def __post_init__(self) -> None:
        check_options(self)
        if self.bars != "blur":
            read_colour(self.bars)
        if isinstance(self.label, str) and not _has_letters(self.label):
            raise InputError("The label has no letters: write something, or turn it off.")

    @property
    def lead(self) -> float:
        """Seconds by which the sound starts later than the picture; `lead_frames` is exact."""
        return float(INTRO) if _has_letters(self.intro) else 0.0

    def lead_frames(self, fps: Fraction | float) -> int:
        """Return how many frames come before the meme's own."""
        return max(round(INTRO * fps), 1) if self.lead else 0


def read_colour(bars: str) -> tuple[int, ...]:
    """Return the RGB of a colour in CSS notation.

    Raises:
        InputError: There is no such colour.
    """
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(bars)[:3]
    except (ValueError, AttributeError):
        raise InputError(f'The bars are {bars!r}: use "blur", or a colour such as "black" or "#ff8800".') from None


def _has_letters(text: str) -> bool:
    """Return whether there is something to draw in a text."""
    from memegen.look.captions import tidy

    return bool(text) and bool(tidy(text))
