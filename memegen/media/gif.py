"""The layout of a GIF file, as far as extensions are put into one."""

from __future__ import annotations


def after_gif_header(data: bytes) -> int:
    """Return where the header and the global colour table of a GIF end: the place of its first extension or picture."""
    # Byte 10: the top bit says that there is a colour table, the low three that it has 2^(n + 1) colours of 3 bytes.
    return 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
