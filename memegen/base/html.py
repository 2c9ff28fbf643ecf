"""A piece of HTML that notebooks, clips and the form share."""

from __future__ import annotations

import base64


def data_address(content: bytes, kind: str) -> str:
    """Return an address that holds the bytes themselves, for `src` and `href`; `kind` is their media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
