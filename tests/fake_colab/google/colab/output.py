"""Colab's way into the page: answers every script with the prepared photo, as the camera would."""

import base64

from google.colab.files import PHOTO, note


def eval_js(script: str) -> str:
    note("eval_js getUserMedia" if "getUserMedia" in script else "eval_js")
    return "data:image/jpeg;base64," + base64.b64encode(PHOTO.read_bytes()).decode()
