"""Options for every clip: which part of a song is used, and what is done to its sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memegen.base.options import check_options, option
from memegen.media.destinations import DESTINATIONS

TARGET, BOTH = "target", "both"  # words for `Cut.audio`
BELOW = -15.0  # dB: a target's own sound below the song's
LOUDNESS = -14.0  # LUFS: the level at which large platforms play


@dataclass(frozen=True)
class Cut:
    """For which place the clip is, which part of the song is used, whose sound is heard, and how large the file may be.

    Raises:
        InputError: A value can't be used.
    """

    destination: str = option(
        "anywhere", "Where will you post it?",
        "Where you will post it: sets kind of file, shape, length and size, apart from what you choose yourself.",
        choices={name: place.title for name, place in DESTINATIONS.items()},
    )  # fmt: skip
    start: float | None = option(
        None, "Start", "Where to begin in the driving clip; the template's own start when left out.",
        low=0.0, unit="seconds",
    )  # fmt: skip
    duration: float | None = option(
        None, "Length", "How much of the driving clip to use; all of it when left out.",
        low=0.0, unit="seconds",
    )  # fmt: skip
    max_size: str | int | None = option(None, "Size", "Largest size of the file, such as 10MB; no limit when left out.")
    audio: str | Path | None = option(
        None, "Whose sound", "Sound or video file whose sound replaces the driving clip's. For a video that sings: "
        "target keeps its own sound, both lets it be heard below the song.",
    )  # fmt: skip
    mute: bool = option(False, "No sound", "Leave the sound out.")
    from_sound: bool = option(
        False,
        "Follow only the clip's sound",
        "Let a drawn singer perform the sound of a video; its picture is not used.",
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Sound:
    """What is done to the sound.

    Raises:
        InputError: A value can't be used.
    """

    offset: float = option(
        0.0, "Later by, milliseconds", "How much later the sound starts; a negative number cuts off its beginning.",
        unit="milliseconds",
    )  # fmt: skip
    fade_in: float = option(
        0.0, "Fade in, seconds", "How long the sound takes to fade in from silence.", low=0.0, unit="seconds"
    )
    fade_out: float = option(
        0.0, "Fade out, seconds", "How long it takes to fade out to silence, at its end or at that of the picture.",
        low=0.0, unit="seconds",
    )  # fmt: skip
    loudness: float | None = option(
        LOUDNESS, "Loudness", "Integrated loudness of the sound (EBU R 128).",
        low=-40.0, high=-5.0, unit="LUFS",
    )  # fmt: skip
    loop: bool = option(False, "Repeat it until the picture ends", "Repeat the sound until the picture ends.")

    def __post_init__(self) -> None:
        check_options(self)
