"""Where clips are posted, and what each place takes: one table of limits, which set the options of a meme."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memegen.base.errors import InputError
from memegen.base.options import did_you_mean

MB = 1_000_000


@dataclass(frozen=True)
class Destination:
    """What a place takes. The figures are those of November 2026.

    Attributes:
        title: What people call it.
        source: Where the figures are from.
        suffix: The kind of file that is made for it; its codecs are H.264 and AAC in .mp4, VP9 in .webm.
        format: The shape of the picture, see `Look`.
        limit: Most bytes that it takes, or that play without a detour.
        gif_limit: The same for a GIF, where it differs.
        side: Exact width and height of a sticker in pixels; of other clips the longest side.
        least_side: The shortest side that it takes, in pixels.
        longest: Most seconds that it takes.
        shortest: Fewest seconds.
        length: Seconds that are made unless more are asked for, where `longest` would leave too little for each.
        rates: Slowest and fastest frames a second.
        sticker: Whether it is a sticker: without sound, exactly `side` wide and high, the head cut out.
        note: What else to know.
    """

    title: str
    source: str = ""
    suffix: str = ".mp4"
    format: str = "original"
    limit: float = math.inf
    gif_limit: float = math.inf
    side: int | None = None
    least_side: int = 1
    longest: float = math.inf
    shortest: float = 0.0
    length: float = math.inf
    rates: tuple[float, float] = (0.0, math.inf)
    sticker: bool = False
    note: str = ""

    @property
    def words(self) -> dict[str, Any]:
        """The options of `make_meme` that it sets, apart from the size of the file."""
        sticker = {"framing": "face", "cutout": True, "mute": True} if self.sticker else {}
        shape = {} if self.format == "original" else {"format": self.format}
        return {**shape, **sticker}

    def limit_of(self, suffix: str) -> float:
        """Return the most bytes of a kind of file."""
        return min(self.limit, self.gif_limit if suffix.lower() == ".gif" else math.inf)

    @property
    def limits(self) -> str:
        """What it takes, in one line."""
        low, high = self.rates
        wide = f"{self.side} × {self.side}" if self.sticker else f"sides of at most {self.side} pixels"
        rates = f"{low:g} to {high:g} frames a second" if low else f"at most {high:g} frames a second"
        said = [
            (self.format == "vertical", "1080 × 1920"),
            (self.side, wide),
            (self.longest < math.inf, f"at most {in_seconds(self.longest)}"),
            (self.shortest, f"at least {in_seconds(self.shortest)}"),
            (high < math.inf, rates),
            (self.limit < math.inf, f"at most {in_bytes(self.limit)}"),
            (self.sticker, "no sound"),
        ]
        return ", ".join([self.suffix, *(words for holds, words in said if holds)])


DESTINATIONS = {
    "anywhere": Destination("anywhere"),
    "telegram-sticker": Destination(
        "Telegram, as a sticker", "core.telegram.org/stickers",
        suffix=".webm", format="sticker", limit=256_000, side=512, longest=3, rates=(0, 30), sticker=True,
        note="Send it to the bot @Stickers. An animated WebP would stand still there.",
    ),
    "whatsapp-sticker": Destination(
        "WhatsApp, as a sticker", "github.com/WhatsApp/stickers",
        suffix=".webp", format="sticker", limit=499_999, side=512, longest=10, length=4, rates=(0, 125), sticker=True,
    ),
    "whatsapp": Destination(
        "WhatsApp, as a video", "faq.whatsapp.com",
        limit=16 * MB, note="It plays in the chat; a larger file would be sent as a document.",
    ),
    "discord": Destination(
        "Discord", "support.discord.com, File Attachments FAQ",
        limit=10 * MB, note="Without Nitro.",
    ),
    "discord-sticker": Destination(
        "Discord, as a sticker", "support.discord.com, Tips for Sticker Creators FAQ",
        suffix=".apng", format="sticker", limit=500_000, side=320, longest=5, length=2, rates=(0, 60), sticker=True,
        note="If your program does not offer the file, change its ending to .png.",
    ),
    "instagram": Destination(
        "Instagram, as a reel", "developers.facebook.com, Instagram Platform, Media",
        format="vertical", limit=300 * MB, side=1920, shortest=3, longest=900, rates=(23, 60),
    ),
    "tiktok": Destination(
        "TikTok", "developers.tiktok.com, Content Posting API, Media Transfer Guide",
        format="vertical", side=4096, least_side=360, rates=(23, 60),
    ),
    "youtube": Destination(
        "YouTube, as a short", "support.google.com/youtube, Shorts",
        format="vertical", longest=180, note="A short of over a minute with music that somebody claims is blocked.",
    ),
    "x": Destination(
        "X", "developer.x.com, Media best practices",
        limit=512 * MB, gif_limit=15 * MB, longest=140, rates=(0, 60), note="A GIF may have 15 MB.",
    ),
    "imessage-sticker": Destination(
        "iMessage, as a sticker", "developer.apple.com, Messages framework, MSSticker",
        suffix=".apng", format="sticker", limit=499_999, side=300, length=2, sticker=True,
        note="300 pixels are Apple's small size: larger ones leave room for few frames.",
    ),
    "email": Destination(
        "e-mail", "our own figure: many servers refuse messages over 10 MB, and mail makes a file 37 % larger",
        limit=7 * MB,
    ),
}  # fmt: skip
"""Every destination by its name: the one place that has their limits."""
_KNOWN = f"Choose one of {', '.join(DESTINATIONS)}."


def destination_of(words: Mapping[str, Any]) -> Destination:
    """Return the destination among the options of `make_meme`.

    Raises:
        InputError: There is no such place; the message lists them.
    """
    name = words.get("destination", "anywhere")
    if name not in DESTINATIONS:
        raise InputError(f"There is no destination {name!r}. {did_you_mean(str(name), DESTINATIONS)}{_KNOWN}")
    return DESTINATIONS[name]


def fill_in(words: Mapping[str, Any], suffix: str = "", *, duet: bool = False) -> dict[str, Any]:
    """Add what a destination asks for to the options of a meme; what is among them already stays.

    Args:
        words: Options of `make_meme`.
        suffix: The ending of the file, if the user chose it: of a kind that can't be transparent nothing is cut out.
        duet: Whether several faces sing: then the whole photo is shown, as a square around one would cut others.

    Raises:
        InputError: There is no such destination.
    """
    from memegen.media.encoders import TRANSPARENT

    place = destination_of(words)
    asked, limit = place.words, place.limit_of(suffix)
    if limit < math.inf:
        asked["max_size"] = int(limit)
    if suffix and suffix.lower() not in TRANSPARENT:
        asked.pop("cutout", None)
    if duet or words.get("face") == "all":
        asked.pop("framing", None)
    return {**asked, **words}


def in_seconds(length: float) -> str:
    """Write a length in seconds, or in minutes where that is shorter."""
    return f"{length / 60:g} min" if length >= 180 else f"{length:g} s"


def in_bytes(size: float) -> str:
    """Write a number of bytes, rounded down to kilobytes or to four digits of megabytes."""
    return f"{size / MB:.4g} MB" if size >= MB else f"{size // 1000:g} kB"
