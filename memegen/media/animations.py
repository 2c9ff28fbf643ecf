"""Animated pictures (GIF, WebP, APNG, AVIF) read as clips, one frame at a time."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from memegen.base.arrays import Image
from memegen.base.errors import InputError
from memegen.media.images import BACKGROUND, DAMAGE, file_brands

_SHORTEST, _DEFAULT = 10, 100  # milliseconds; browsers show a frame of at most 10 ms for 100 ms
_HEADS = re.compile(rb"GIF8|\x89PNG|RIFF....WEBP", re.DOTALL)
_MOVING_AVIF = b"avis"


def is_animation(path: Path) -> bool:
    """Return whether a file is a GIF, WebP, PNG or moving AVIF, by its first bytes; it may have one frame."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(64)
        return _HEADS.match(head) is not None or _MOVING_AVIF in file_brands(head)
    return False


def read_animation(path: Path) -> Generator[tuple[float, Image], None, None]:
    """Decode an animated picture; only one frame is in memory.

    Yields:
        The time in seconds at which a frame ends, and the frame: uint8 RGB (H, W, 3), transparent parts on BACKGROUND.

    Raises:
        InputError: The file is damaged.
    """
    end = 0.0
    try:
        with path.open("rb") as file, _opened(file) as pictures:
            for index, (frame, about) in enumerate(_steps(pictures)):
                if index == 0 and about.get("default_image"):
                    continue  # an APNG's picture for programs that can't animate it
                length = about.get("duration", 0)
                end += length if length > _SHORTEST else _DEFAULT
                yield end / 1000, on_background(frame)
    except DAMAGE as error:
        raise InputError(f"{path} can't be read as a video: it is damaged or incomplete; get it again.") from error


def _opened(file: BinaryIO) -> Any:
    """Open an animated picture without the warnings of Pillow, which nobody can act on."""
    import imageio.v3 as iio

    with warnings.catch_warnings(action="ignore"):
        return iio.imopen(file, "r", plugin="pillow")


def _steps(pictures: Any) -> Iterator[tuple[Image, dict[str, Any]]]:
    """Yield each picture, RGBA, and what is said about it."""
    frames = pictures.iter(mode="RGBA")
    for index in itertools.count():
        with warnings.catch_warnings(action="ignore"):
            if (frame := next(frames, None)) is None:
                return
            about = pictures.metadata(index=index)
        yield frame, about


def on_background(frame: Image) -> Image:
    """Return an RGBA frame, uint8 (H, W, 4), as RGB on BACKGROUND."""
    colours, alpha = frame[..., :3], frame[..., 3:]
    if alpha.min() == 255:
        return np.ascontiguousarray(colours)
    mixed = colours.astype(np.uint16) * alpha + np.array(BACKGROUND, np.uint16) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
