"""Files of named tensors, in the safetensors format: reading one runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from memegen.base.errors import InputError
from memegen.base.files import whole_file

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(file: Path, tensors: Mapping[str, Tensor], words: Mapping[str, str] | None = None) -> None:
    """Write tensors to a file, which appears, or replaces another, only when it is complete.

    Args:
        file: A `.safetensors` file.
        tensors: By their names; they may share no memory.
        words: Kept beside them.

    Raises:
        OSError: The disk is full, or the folder can't be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with whole_file(file) as part:
        part.touch()
        mode = part.stat().st_mode  # as the umask has it; safetensors lets only the owner read what it writes
        try:
            save_file(dict(tensors), part, metadata={"format": "pt", **(words or {})})
        except SafetensorError as error:  # its own class for a full disk
            raise OSError(str(error)) from error
        part.chmod(mode)


def read_tensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a file by their names, and the words beside them.

    Raises:
        InputError: The file is damaged, or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as content:
            return {name: content.get_tensor(name) for name in content.keys()}, content.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{file} is damaged or incomplete: delete it and get it again.") from error
