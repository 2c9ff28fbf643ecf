"""Paths as people type them, and files that appear only when they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from memegen.base.errors import InputError


def expanded(path: str | Path) -> Path:
    """Return a path in which `~` stands for the home folder, and for itself where there is no such home."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def check_file(path: str | Path, *, kind: str) -> Path:
    """Return the absolute path of an ordinary file that exists and is not empty.

    Args:
        path: The file; ``~`` stands for the home folder.
        kind: What it should be, for the error message, such as "photo".

    Raises:
        InputError: If it is missing, a folder, a device or pipe, empty, or not readable.
    """
    file = expanded(path).absolute()
    try:
        if file.is_dir():
            raise InputError(f"{Path(path)} is a folder: give the {kind} file itself.")
        if file.exists() and not file.is_file():
            raise InputError(f"{path} is a device or a pipe: save the {kind} as a file first.")
        with file.open("rb") as stream:
            if not stream.read(1):
                raise InputError(f"{path} is empty: copy or download the {kind} again.")
    except FileNotFoundError:
        raise InputError(f"There is no {kind} at {path}: check the spelling and the folder.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"The {kind} {path} can't be read ({error}): check its name and permissions.") from error
    return file


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield a name in a new folder beside a file; what is there at the end of the block becomes the file.

    Raises:
        OSError: The folder can't be made, or the file not replaced.
    """
    with TemporaryDirectory(dir=file.parent, prefix=".memegen-", ignore_cleanup_errors=True) as folder:
        part = Path(folder, f"part{file.suffix}")
        yield part
        part.replace(file)
