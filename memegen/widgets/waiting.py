"""Waiting in a cell while the page's buttons go on to work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from IPython.core.getipython import get_ipython

EVERY = 0.1  # seconds


async def answering(done: Callable[[], bool], interrupted: Callable[[], object]) -> None:
    """Wait until something is done; the buttons of the page are answered meanwhile.

    Args:
        done: Says whether it is.
        interrupted: Called when the user interrupts the cell; waiting goes on, until that has ended the work.
    """
    while not done():
        try:
            await asyncio.sleep(EVERY)
            await _answer_page()
        except (asyncio.CancelledError, KeyboardInterrupt):
            interrupted()


async def _answer_page() -> None:
    """Let an older kernel deal with what widgets have sent; newer ones do so themselves while a cell waits."""
    kernel: Any = getattr(get_ipython(), "kernel", None)
    queue = getattr(kernel, "msg_queue", None)  # of ipykernel 6, which handles one message after the other
    if queue is None:
        return
    parent, ident = kernel.get_parent("shell"), kernel._parent_ident["shell"]
    later = []
    while not queue.empty():
        entry = queue.get_nowait()
        _, dispatch, messages = entry
        if _is_from_widget(kernel, messages):
            await dispatch(*messages)
        else:
            later.append(entry)  # the cells below
    for entry in later:
        queue.put_nowait(entry)
    kernel.set_parent(ident, parent)  # what this cell shows belongs to it


def _is_from_widget(kernel: Any, messages: tuple[Any, ...]) -> bool:
    """Tell whether a message of the queue is from a widget; it is only peeked at."""
    try:
        _, frames = kernel.session.feed_identities(messages[0], copy=False)
        kind = kernel.session.deserialize(frames, content=False, copy=False)["header"]["msg_type"]
    except (ValueError, TypeError, KeyError, IndexError):  # the kernel's own
        return False
    return str(kind).startswith("comm_")
