"""Every error a user can meet, each a sentence that says what failed, on which file or value, and what to do next.

MemegenError
├── InputError          a photo, clip, sound or setting that can't be used as given
│   └── NoFaceError     no face where one is needed
├── DownloadError       nothing usable came from any mirror
├── OutputError         the result can't be written where it was asked for
└── UnavailableError    an engine or format that needs something this machine lacks
"""


class MemegenError(Exception):
    """Base of all errors raised on purpose; its message is meant to be shown to the user as it is."""


class InputError(MemegenError):
    """A photo, clip, sound or setting can't be used as given."""


class NoFaceError(InputError):
    """No face was found where one is needed."""


class DownloadError(MemegenError):
    """No mirror gave a usable file."""


class OutputError(MemegenError):
    """The result can't be written where it was asked for."""


class UnavailableError(MemegenError):
    """An engine or a format needs something that this machine lacks."""
