"""Options for songs that the singer knows as notes: whose name, which words, which voice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from memegen.base.options import check_options, option

Height = Literal["high", "middle", "low"]
HEIGHTS: dict[Height, str] = {"high": "high, a child's", "middle": "middle, a woman's", "low": "low, a man's"}
Language = Literal["", "en", "es", "it", "de", "ja"]
LANGUAGES: dict[Language, str] = {
    "": "the song's own",
    "en": "English",
    "es": "Spanish",
    "it": "Italian",
    "de": "German",
    "ja": "Japanese in Latin letters",
}


@dataclass(frozen=True)
class Singing:
    """What is sung to a tune, and how.

    Raises:
        InputError: There is no such voice or language.
    """

    name: str = option("", "Name", "Whose name is sung, in a song that has a place for one.")
    words: str | Path = option(
        "",
        "Other words",
        "Words to sing to the tune instead of its own: a text, in which / begins a new line, or a .txt file.",
    )
    voice: Height = option("low", "Voice", "Who sings.", choices=HEIGHTS)
    language: Language = option("", "Language of the words", "The language of name and words.", choices=LANGUAGES)

    def __post_init__(self) -> None:
        check_options(self)


def wished(options: Mapping[str, Any]) -> Singing:
    """Return what some options of `make_meme` say about the singing."""
    names = [field.name for field in fields(Singing)]
    return Singing(**{name: options[name] for name in names if name in options})
