"""What differs between Colab, Jupyter and Voilà: how files come in and go out, and whether anybody is watching."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython

from memegen.base.errors import InputError
from memegen.base.files import plain_name

COPIES = "memegen-clips"  # how the names of folders beside the notebook begin
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
    path = folder / plain_name(name)
    path.write_bytes(content)
    return path


def copy_beside(files: Mapping[str, Path]) -> str:
    """Copy files, by the names they get, into a new folder beside the notebook.

    Returns:
        A sentence that says so; nothing where that folder can't be written, or is not the user's, as in an app.
    """
    if under_voila():
        return ""
    folder = next(Path(name) for number in itertools.count(1) if not Path(name := f"{COPIES}-{number}").exists())
    try:
        folder.mkdir()
        for name, file in files.items():
            shutil.copy2(file, folder / name)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return ""
    return f"Copied into the folder {folder} beside this notebook."


def upload_limit() -> int:
    """Return how many bytes an upload may have, as Jupyter's own settings say: 10 MB, unless a file raises that."""
    from jupyter_core.paths import jupyter_config_path

    limit = 10 * 2**20
    for folder in jupyter_config_path():
        for name, part in (("jupyter_server_config.json", "ServerApp"), ("voila.json", "Voila")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                settings = json.loads(Path(folder, name).read_text("utf-8"))
                limit = max(limit, int(settings[part]["tornado_settings"]["websocket_max_message_size"]))
    return limit


def upload_trouble(file: str) -> str:
    """Say what to do when a file does not arrive."""
    if on_colab():
        return f"Drag {file} into the folder on the left, and type its name in the link's box."
    beside = "" if under_voila() else "put it beside this notebook and type its name in the link's box, or "
    limit = f"Up to {upload_limit() // 2**20} MB can be uploaded here."
    return f"{limit} If {file} is larger, {beside}use a direct link to it."


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
