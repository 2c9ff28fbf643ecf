"""Draw several pictures at once in copies of this process: Python runs one thread at a time, and the others wait."""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from mmap import mmap
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from memegen.base.arrays import Image
from memegen.base.threads import AHEAD, WORKERS, in_parallel, one_thread_each

PATIENCE = 20.0  # seconds for one picture: a copy that takes longer hangs

Item = tuple[Any, ...]
"""Numbers and uint8 pictures."""


def in_copies(work: Callable[..., Image], items: Iterable[Item]) -> Iterator[Image]:
    """Yield the picture `work(*item)` for each item, in order, a few items ahead of the reader.

    What a copy leaves undone, because it failed, was killed or hangs, is done here: no picture is lost, and an error is
    raised here. Only Linux copies a process at once and completely; elsewhere threads do the work.

    Args:
        work: Returns uint8 pictures (H, W, C) of one size. It must not need other threads, nor anything that changes in
            this process after the first picture.
        items: Numbers and uint8 pictures. Consumed one by one, at most AHEAD + 1 ahead of what has been yielded.
    """
    rest = iter(items)
    beginning = next(rest, None)
    if beginning is None:
        return
    with ExitStack() as stack:
        stack.enter_context(one_thread_each())  # OpenCV's own threads would be missing in a copy
        picture = work(*beginning)
        slots = _Slots(beginning, picture)
        copies = _start(work, slots, stack)
        yield picture
        if not copies:
            yield from in_parallel(lambda item: work(*item), rest)
            return
        ahead: deque[tuple[int, Item, _Copy | None]] = deque()

        def done() -> Image:
            slot, item, copy = ahead.popleft()
            return slots.picture(slot).copy() if copy and copy.drew() else work(*item)

        for number, item in enumerate(rest):
            if len(ahead) == AHEAD:
                yield done()
            slot, copy = number % AHEAD, copies[number % len(copies)]
            ahead.append((slot, item, copy if copy.give(slot, slots.put(slot, item)) else None))
        while ahead:
            yield done()


class _Slots:
    """Memory that this process and its copies share: room for AHEAD items and what becomes of them.

    Args:
        item: One that is as large as all.
        picture: What becomes of it.
    """

    def __init__(self, item: Item, picture: Image) -> None:
        self._shape, self._size = picture.shape, picture.nbytes
        self._room = sum(part.nbytes for part in item if isinstance(part, np.ndarray)) or 1
        self._items, self._pictures = mmap(-1, AHEAD * self._room), mmap(-1, AHEAD * self._size)

    def put(self, slot: int, item: Item) -> Item | None:
        """Put an item's pictures into a slot; return the item with their shapes instead, None if there is no room."""
        place, end, told = slot * self._room, (slot + 1) * self._room, []
        for part in item:
            if isinstance(part, np.ndarray):
                if place + part.nbytes > end:
                    return None
                self._shared(place, part.shape)[:] = part
                place += part.nbytes
                part = part.shape
            told.append(part)
        return tuple(told)

    def item(self, slot: int, told: Item) -> Item:
        """Return the item in a slot, whose pictures stay there."""
        place, item = slot * self._room, []
        for part in told:
            if isinstance(part, tuple):
                part = self._shared(place, part)
                place += part.nbytes
            item.append(part)
        return tuple(item)

    def picture(self, slot: int) -> Image:
        """Return the picture in a slot, not a copy."""
        return np.frombuffer(self._pictures, np.uint8, self._size, slot * self._size).reshape(self._shape)

    def _shared(self, place: int, shape: tuple[int, ...]) -> Image:
        return np.frombuffer(self._items, np.uint8, math.prod(shape), place).reshape(shape)


class _Copy:
    """A copy of this process, which draws until it is ended."""

    def __init__(self, work: Callable[..., Image], slots: _Slots) -> None:
        self._pipe, theirs = Pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # locks of other threads stay locked: see PATIENCE
            self._process = os.fork()
        if not self._process:
            _serve(work, slots, theirs)
        theirs.close()

    def give(self, slot: int, told: Item | None) -> bool:
        """Ask for the picture of the item in a slot; return False if it will not come."""
        if not self._process or told is None:
            return False
        with suppress(OSError):
            self._pipe.send((slot, told))
            return True
        return False

    def drew(self) -> bool:
        """Wait for the next picture; return False if it will not come."""
        with suppress(EOFError, OSError):
            if self._process and self._pipe.poll(PATIENCE):
                self._pipe.recv_bytes()
                return True
        self.end()
        return False

    def end(self) -> None:
        """End the copy at once: it owns nothing."""
        process, self._process = self._process, 0
        if process:
            self._pipe.close()
            with suppress(ProcessLookupError, ChildProcessError):  # somebody else has waited for it
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def _start(work: Callable[..., Image], slots: _Slots, stack: ExitStack) -> list[_Copy]:
    """Start copies that end with the stack; none where that can't be done or does not pay."""
    copies: list[_Copy] = []
    if sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1:
        with suppress(OSError):  # no memory for another one
            for _ in range(WORKERS):
                copies.append(_Copy(work, slots))
                stack.callback(copies[-1].end)
    return copies


def _serve(work: Callable[..., Image], slots: _Slots, pipe: Connection) -> NoReturn:
    """Draw what is asked for, until the original has ended."""
    try:
        gc.disable()  # what it would tidy up, temporary files too, is the original's
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # While a copy has a pipe of ffmpeg's open, ffmpeg would wait for more.
        for file in [*Path("/proc/self/fd").iterdir()]:
            if int(file.name) not in (0, 1, 2, pipe.fileno()):
                with suppress(OSError):
                    os.close(int(file.name))
        while True:
            slot, told = pipe.recv()
            slots.picture(slot)[:] = work(*slots.item(slot, told))
            pipe.send_bytes(b".")
    finally:
        os._exit(0)
