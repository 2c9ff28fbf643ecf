"""The folder of settings, and the answers kept there: that the people shown agreed, to memes and to swaps."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import platformdirs

from memegen.base.errors import OutputError
from memegen.base.files import expanded

QUESTION = "Has everybody in the photo or video agreed to be in a meme?"
SWAP_QUESTION = (
    "Have both people agreed to a face swap: the one whose face it is (FACES), and the one who gets it (BODY)?"
)
_YES = {QUESTION: "has-permission", SWAP_QUESTION: "has-permission-for-swaps"}  # the files that stand for the answers
_log = logging.getLogger(__name__)


def config_dir() -> Path:
    """Return the folder of settings and keys, which may not exist: the variable MEMEGEN_CONFIG, or the usual place.

    Raises:
        OutputError: The user has no home folder.
    """
    given = os.environ.get("MEMEGEN_CONFIG")
    if given:
        return expanded(given)
    try:
        return platformdirs.user_config_path("memegen", appauthor=False)
    except RuntimeError as error:  # as in some containers
        raise OutputError("There is no home folder for the settings: name a folder in MEMEGEN_CONFIG.") from error


def remembered(question: str = QUESTION) -> bool:
    """Return whether the answer yes was kept on this machine; False if that can't be read."""
    try:
        return (config_dir() / _YES[question]).is_file()
    except OSError:  # a folder that belongs to somebody else
        return False


def remember(question: str = QUESTION) -> None:
    """Keep the answer yes; log a warning if the folder can't be written."""
    file = config_dir() / _YES[question]
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    except OSError as error:
        message = "Your answer can't be kept in %s (%s): confirm each time, or name another folder in MEMEGEN_CONFIG."
        _log.warning(message, file.parent, error.strerror)
