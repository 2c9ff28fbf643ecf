"""The folder of settings, and the one answer kept there: that the people in the photos agreed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from memegen.base.errors import OutputError
from memegen.base.files import expanded

QUESTION = "Has everybody in the photo agreed to be in a meme?"
_log = logging.getLogger(__name__)


def config_dir() -> Path:
    """Return the folder of settings and keys, which may not exist: the variable MEMEGEN_CONFIG, or the usual place.

    Raises:
        OutputError: The user has no home folder.
    """
    given = os.environ.get("MEMEGEN_CONFIG")
    if given:
        return expanded(given)
    from platformdirs import user_config_path

    try:
        return user_config_path("memegen", appauthor=False)
    except RuntimeError as error:  # as in some containers
        raise OutputError("There is no home folder for the settings: name a folder in MEMEGEN_CONFIG.") from error


def remembered() -> bool:
    """Return whether the answer yes was kept on this machine; False if that can't be read."""
    try:
        return _file().is_file()
    except OSError:  # a folder that belongs to somebody else
        return False


def remember() -> None:
    """Keep the answer yes for the next time; log a warning if the folder can't be written."""
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    except OSError as error:
        message = "Your answer can't be kept in %s (%s): confirm each time, or name another folder in MEMEGEN_CONFIG."
        _log.warning(message, file.parent, error.strerror)


def _file() -> Path:
    return config_dir() / "has-permission"
