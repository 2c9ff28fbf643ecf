"""Who sings what in a duet: a choice for each numbered face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from memegen.base.errors import InputError
from memegen.widgets import elements

SILENT = ""  # the choice of a face that does not sing; None would show as an empty box
HINT = "Your own clips of step 1 are in these lists too."
Songs = list[tuple[str, str | Path]]
"""What can be sung: in words, and as `resolve_driving` takes it."""


class DuetChoice:
    """One drop-down for each face of the photo.

    Args:
        changed: Called when a face gets another song.
    """

    def __init__(self, changed: Callable[[], object]) -> None:
        self.panel = elements.column()
        self._changed = changed
        self._known: Songs = []
        self._first: str | Path = SILENT
        self._faces: list[Any] = []

    @property
    def songs(self) -> dict[int, str | Path]:
        """Which face, counted from 0, sings what.

        Raises:
            InputError: Nobody sings.
        """
        songs = {number: face.value for number, face in enumerate(self._faces) if face.value != SILENT}
        if not songs:
            raise InputError("Nobody sings: choose a song for at least one face below your photo.")
        return songs

    def seat(self, count: int) -> None:
        """Set how many faces there are; all begin with the song chosen for everyone."""
        self._show([self._first] * count)

    def offer(self, songs: Songs, chosen: str | Path) -> None:
        """Set what can be sung; new faces begin with `chosen`, the others keep their song."""
        self._known, self._first = songs, chosen
        self._show([face.value for face in self._faces])

    def _show(self, songs: Sequence[str | Path]) -> None:
        """Make new drop-downs: changing the options of the old ones would reset their choice."""
        self._faces = [self._face(number, song) for number, song in enumerate(songs)]
        self.panel.children = [*self._faces, elements.note(HINT)]

    def _face(self, number: int, song: str | Path) -> Any:
        options = [*self._known, ("does not sing", SILENT)]
        face = elements.control(ipywidgets.Dropdown, f"Face {number + 1} sings", options=options, value=song)
        face.observe(lambda _: self._changed(), "value")
        return face
