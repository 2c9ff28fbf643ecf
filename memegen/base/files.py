"""Paths as people type them, and files that appear only when they are complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from memegen.base.errors import InputError


def expanded(path: str | Path) -> Path:
    """Return a path with `~` replaced by the home folder, or unchanged if there is no such home."""
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
def whole_file(file: Path, *, guard: Callable[[Path], AbstractContextManager[object]] = nullcontext) -> Iterator[Path]:
    """Yield a name in a new folder beside a file; what is there at the end of the block becomes the file.

    Args:
        file: The file, or the folder, to write.
        guard: Called with the file for a context around the steps that the system may refuse: making the new folder
            and giving the file its name. It can turn an OSError into another error, and sees none from the block.

    Raises:
        OSError: The folder can't be made, or the file can't be replaced.
    """
    with guard(file):
        folder = TemporaryDirectory(dir=file.parent, prefix=".memegen-", ignore_cleanup_errors=True)
    with folder:
        part = Path(folder.name, f"part{file.suffix}")
        yield part
        with guard(file):
            part.replace(file)
