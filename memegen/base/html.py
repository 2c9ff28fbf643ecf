"""HTML that notebooks, clips and the form share."""

from __future__ import annotations

import base64
from pathlib import Path


def data_address(data: bytes | Path, mime: str) -> str:
    """Return an address that holds the content itself, for `src` and `href`.

    Args:
        data: The content, or the path of a file with it.
        mime: Its media type, such as "image/webp".
    """
    content = data.read_bytes() if isinstance(data, Path) else data
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
