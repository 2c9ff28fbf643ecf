"""What differs between Colab, Jupyter and Voilà: how files come in and go out, and whether anybody is watching."""

from __future__ import annotations

import base64
import os
import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython

from memegen.base.errors import InputError

Files = list[tuple[str, bytes]]
"""Names and bytes of files that were chosen on the page."""

_SNAPSHOT = """
(async () => {
  const box = document.createElement('div'), video = document.createElement('video');
  const button = document.createElement('button');
  button.textContent = 'Take the picture';
  button.style.cssText = 'display: block; min-height: 44px; margin: 8px 0';
  video.style.maxWidth = '100%';
  video.playsInline = true;
  box.append(video, button);
  document.body.append(box);
  try {
    const stream = await navigator.mediaDevices.getUserMedia({video: true});
    video.srcObject = stream;
    await video.play();
    google.colab.output.setIframeHeight(document.documentElement.scrollHeight, true);
    await new Promise(pressed => { button.onclick = pressed; });
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    stream.getTracks().forEach(track => track.stop());
    return canvas.toDataURL('image/jpeg', 0.95);
  } catch (problem) {
    return '';
  } finally {
    box.remove();
  }
})()
"""


def on_colab() -> bool:
    """Tell whether this is a Colab notebook."""
    if "google.colab" in sys.modules:
        return True
    try:
        return find_spec("google.colab") is not None
    except ModuleNotFoundError:  # there is no package `google` at all
        return False


def under_voila() -> bool:
    """Tell whether the notebook runs as an app (Voilà), whose page appears after every cell has run."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


def somebody_there() -> bool:
    """Tell whether a person runs the cell; nbclient and similar programs do not allow questions (`allow_stdin`)."""
    return bool(getattr(getattr(get_ipython(), "kernel", None), "_allow_stdin", False))


def uploaded(value: Any) -> Files:
    """Return the files of a FileUpload's value, which ipywidgets 7 and 8 shape differently."""
    files = [{"name": name, **file} for name, file in value.items()] if isinstance(value, dict) else value
    return [(str(file["name"]), bytes(file["content"])) for file in files]


def keep(folder: Path, name: str, content: bytes) -> Path:
    """Write an uploaded file into a folder, under a name that every system accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^\w.-]+", "_", name)[-80:].lstrip(".") or "file")
    path.write_bytes(content)
    return path


def colab_uploads() -> Files:
    """Open Colab's own file dialog.

    Returns:
        Names and bytes of the files that were chosen.

    Raises:
        InputError: The dialog did not open.
    """
    try:
        files = import_module("google.colab.files").upload()
    except Exception as error:  # Colab's MessageError, which has no other parent
        raise InputError(
            "Colab's file dialog did not open: drag the file into the folder on the left and type its name here."
        ) from error
    return [(str(name), bytes(content)) for name, content in files.items()]


def colab_snapshot() -> bytes:
    """Take a picture with the user's camera, through Colab.

    Returns:
        A JPEG file.

    Raises:
        InputError: There is no camera, or the browser may not use it.
    """
    answer = str(import_module("google.colab.output").eval_js(_SNAPSHOT) or "")
    if "," not in answer:
        raise InputError("The camera gave no picture: allow this page to use it, or upload a photo instead.")
    return base64.b64decode(answer.partition(",")[2])


def colab_download(path: Path) -> None:
    """Download a file to the user's computer with Colab's own dialog."""
    import_module("google.colab.files").download(str(path))
