"""Options of a swap: how long it is trained, who is who, and where it computes."""

from __future__ import annotations

from dataclasses import dataclass

from memegen.base.devices import DEVICES, Device
from memegen.base.options import check_options, option


@dataclass(frozen=True)
class Swapping:
    """How a face is swapped.

    Raises:
        InputError: A value can't be used.
    """

    minutes: float = option(
        5.0, "Training", "How long the networks learn, earlier runs with the same checkpoint included; more makes "
        "sharper faces.",
        low=0.01, high=10_000, unit="minutes",
    )  # fmt: skip
    whose: int | None = option(
        None, "Whose face", "Which person of a clip with several gives the face, counted from 0 at the left.",
        low=0, high=99, unit="persons",
    )  # fmt: skip
    onto: int | None = option(
        None, "Onto whom", "Which person of a clip with several gets it, counted from 0 at the left.",
        low=0, high=99, unit="persons",
    )  # fmt: skip
    device: Device = option("auto", "Device", "Where the networks run.", choices=DEVICES)

    def __post_init__(self) -> None:
        check_options(self)
