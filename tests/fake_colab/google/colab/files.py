"""Colab's dialogs for files. FAKE_COLAB_PHOTO names the file that gets chosen, FAKE_COLAB_LOG where calls are noted."""

import os
from pathlib import Path

PHOTO, LOG = Path(os.environ["FAKE_COLAB_PHOTO"]), Path(os.environ["FAKE_COLAB_LOG"])


def note(text: str) -> None:
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"{text}\n")


def upload() -> dict[str, bytes]:
    note("upload")
    return {PHOTO.name: PHOTO.read_bytes()}


def download(filename: str) -> None:
    note(f"download {filename} {Path(filename).stat().st_size}")
