"""Every error a user can meet, each a sentence that says what failed, on which file or value, and what to do next.

MemegenError
├── InputError          a photo, clip, sound or setting that can't be used as given
│   ├── NoFaceError     no face where one is needed
│   └── NoPictureError  sound only where a video is needed
├── DownloadError       nothing usable came from any mirror
├── OutputError         the result can't be written where it was asked for
└── UnavailableError    an engine or format that needs something this machine lacks
"""

from __future__ import annotations

from collections.abc import Mapping


class MemegenError(Exception):
    """Base of all errors raised on purpose; its message is meant to be shown to the user as it is.

    Attributes:
        message: What failed, on which file or value, and what to do next; one sentence, details after a line break.
        remedy: Options with which the same call would work, by their names in Python: `{"engine": "mesh"}`. The command
            line and the form each say it in their own words; `str` of the error says it in Python's.
    """

    def __init__(self, message: str = "", *, remedy: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message, self.remedy = message, dict(remedy or {})

    def __str__(self) -> str:
        spelled = ", ".join(f"{name}={value!r}" for name, value in self.remedy.items())
        return f"{self.message} Or use {spelled}." if spelled else self.message


class InputError(MemegenError):
    """A photo, clip, sound or setting can't be used as given."""


class NoFaceError(InputError):
    """No face was found where one is needed."""


class NoPictureError(InputError):
    """A file has sound but no picture, where a video is needed."""


class DownloadError(MemegenError):
    """No mirror gave a usable file."""


class OutputError(MemegenError):
    """The result can't be written where it was asked for."""


class UnavailableError(MemegenError):
    """An engine or a format needs something that this machine lacks."""
