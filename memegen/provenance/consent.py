"""The folder of settings, and the one yes that is kept there: that people in the photos agreed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from memegen.base.errors import OutputError
from memegen.base.files import expanded

QUESTION = "Has everybody in the photo agreed to be in a meme?"
_log = logging.getLogger(__name__)


def config_dir() -> Path:
    """The folder of settings and keys: that of the variable MEMEGEN_CONFIG, or the user's usual one; may not exist.

    Raises:
        OutputError: The user has no home.
    """
    given = os.environ.get("MEMEGEN_CONFIG")
    if given:
        return expanded(given)
    from platformdirs import user_config_path

    try:
        return user_config_path("memegen", appauthor=False)
    except RuntimeError as error:  # a user without a home, as in some containers
        raise OutputError("There is no home folder for the settings: name a folder in MEMEGEN_CONFIG.") from error


def remembered() -> bool:
    """Whether the yes was given on this machine; not, if that can't be told."""
    try:
        return _file().is_file()
    except OSError:  # a folder that belongs to somebody else
        return False


def remember() -> None:
    """Keep the yes for the next time; where the folder can't be written it holds for this time, with a warning."""
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    except OSError as error:
        told = "The yes can't be kept in %s (%s): give it each time, or name another folder in MEMEGEN_CONFIG."
        _log.warning(told, file.parent, error.strerror)


def _file() -> Path:
    return config_dir() / "has-permission"
