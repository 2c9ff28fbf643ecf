"""Paths as people type them, and files that appear only when they are complete."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeGuard
from urllib.parse import unquote, urlsplit

from memegen.base.errors import InputError

_HIDDEN = ".memegen-"  # how the folders of unfinished files begin

_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*+<(!doctype\s+html|html|head)\b", re.IGNORECASE | re.DOTALL)
_PLAYLIST = re.compile(
    rb"(\xef\xbb\xbf)?\s*(#EXTM3U|\[playlist\]|(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*+<(MPD|playlist)\b)", re.DOTALL
)


def expanded(path: str | Path) -> Path:
    """Return a path as people paste it: `~` is the home folder, quotes around it and `file://` before it are taken off.

    A file whose name really has these stays as it is.
    """
    text = str(path)
    if isinstance(path, str) and not os.path.lexists(text):
        text = text.strip()
        if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        if text.lower().startswith("file://"):
            from urllib.request import url2pathname  # slow to import

            text = url2pathname(urlsplit(text).path)
    with suppress(RuntimeError):  # there is no such home
        return Path(text).expanduser()
    return Path(text)


def is_address(source: object) -> TypeGuard[str]:
    """Return whether a source is an http(s) address."""
    return isinstance(source, str) and re.match(r"\s*https?://", source, re.IGNORECASE) is not None


def plain_name(name: str) -> str:
    """Return a file name of at most 80 letters, from any text, that stays inside its folder and keeps its ending."""
    last = re.sub(r"[^\w.+-]+", "_", re.split(r"[/\\]", name)[-1]).lstrip(".") or "file"
    ending = Path(last).suffix[:10]
    return last if len(last) <= 80 else f"{last[: 80 - len(ending)]}{ending}"


def plain_stem(source: object) -> str:
    """Return a short name for what is made of a file or an address: its own name, without ending or query."""
    text = str(source).strip()
    if is_address(text):
        parts = urlsplit(text)
        return plain_name(Path(unquote(parts.path)).stem or parts.hostname or "")[:40]
    # Two such names, a hyphen, a number and an ending make a name that file systems take: at most 255 bytes.
    stem = expanded(text).stem
    return stem if len(os.fsencode(stem)) <= 110 else os.fsencode(stem)[:110].decode(errors="ignore")


def is_page(head: bytes) -> bool:
    """Return whether a file is a web page, by its first bytes."""
    return _PAGE.match(head) is not None


def not_media(head: bytes) -> str:
    """Return what a file is that holds no picture, video or sound itself, by its first bytes; or nothing."""
    return "a web page" if is_page(head) else "a playlist" if _PLAYLIST.match(head) else ""


def reason_of(error: Exception) -> str:
    """Return the system's reason for an error, without number and file name."""
    return str(getattr(error, "strerror", None) or error)


def check_file(path: str | Path, *, kind: str) -> Path:
    """Return the absolute path of an ordinary file that exists and is not empty.

    Args:
        path: The file; ``~`` stands for the home folder.
        kind: What it should be, for the error message, such as "photo".

    Raises:
        InputError: If it is missing, a folder, a device or pipe, empty, not readable, a web page or a playlist.
    """
    file = expanded(path).absolute()
    try:
        if file.is_dir():
            raise InputError(f"{Path(path)} is a folder: give the {kind} file itself.")
        if file.exists() and not file.is_file():
            raise InputError(f"{path} is a device or a pipe: save the {kind} as a file first.")
        with file.open("rb") as stream:
            head = stream.read(1024)
    except FileNotFoundError:
        raise InputError(f"There is no {kind} at {path}: check the spelling and the folder.") from None
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        raise InputError(f"The {kind} {path} can't be read ({reason}): check its name and permissions.") from error
    if not head:
        raise InputError(f"{path} is empty: copy or download the {kind} again.")
    if other := not_media(head):
        raise InputError(f"{path} is {other}, not a {kind}: download the {kind} itself first, and give that file.")
    return file


@contextmanager
def whole_file(file: Path, *, guard: Callable[[Path], AbstractContextManager[object]] = nullcontext) -> Iterator[Path]:
    """Yield a name in a new folder beside a file; what is there at the end of the block becomes the file.

    Args:
        file: The file, or the folder, to write.
        guard: Called with the file for a context around the steps that the system may refuse: making the new folder
            and giving the file its name. It can turn an OSError into another error, and sees none from the block.

    Raises:
        OSError: The folder can't be made, or the file can't be replaced.
    """
    with ExitStack() as stack:
        with guard(file):
            folder = stack.enter_context(_claimed(file.parent))
        part = folder / f"part{file.suffix}"
        yield part
        with guard(file):
            part.replace(file)


@contextmanager
def _claimed(parent: Path) -> Iterator[Path]:
    """Yield a new hidden folder, after removing those of programs that were killed.

    A lock beside each folder lasts as long as its program: the system opens it, however the program ends.
    """
    import filelock

    for lock in [path for path in parent.iterdir() if fnmatch(path.name, f"{_HIDDEN}*.lock")]:
        with suppress(OSError, NotImplementedError, filelock.Timeout), filelock.FileLock(lock, timeout=0):
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    lock = parent / f"{_HIDDEN}{uuid.uuid4().hex[:12]}.lock"
    with ExitStack() as stack:
        stack.callback(lock.unlink, missing_ok=True)
        with suppress(NotImplementedError, filelock.Timeout):  # a file system without locks
            stack.enter_context(filelock.FileLock(lock, timeout=0))
        folder = lock.with_suffix("")
        folder.mkdir()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder
