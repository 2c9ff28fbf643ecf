"""Paths as people type them, and files that appear only when they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory


def expanded(path: str | Path) -> Path:
    """Return a path in which `~` stands for the home folder, and for itself where there is no such home."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


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
