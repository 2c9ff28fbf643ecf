"""Work on several frames at once, in order; OpenCV releases the interpreter lock while it computes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2  # more threads gain little: the rest of the machine decodes and encodes
AHEAD = 4  # finished or begun works that wait for their reader: with fewer the threads wait while it writes

_lock = threading.Lock()
_undivided: list[int] = []  # OpenCV's own number of threads, once for everybody who works on several frames now


@dataclass
class _Team:
    """The threads that work for one thread, and how many of its iterators they work for."""

    users: int = 0
    pool: ThreadPoolExecutor | None = None


class _Own(threading.local):
    def __init__(self) -> None:
        self.team = _Team()


_own = _Own()


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order, a few items ahead of the reader.

    Where a reader's items come from this as well, all their works share the same threads.

    Args:
        work: Called in threads; must not change anything shared.
        items: Consumed one by one, at most AHEAD + 1 ahead of what has been yielded.
    """
    with _threads() as pool, one_thread_each():
        ahead: deque[Future[Result]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) > AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            wait([future for future in ahead if not future.cancel()])


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Give the threads that work for the calling thread: several pools would wait for each other and for Python."""
    team = _own.team
    with _lock:
        team.users += 1
        pool = team.pool = team.pool or ThreadPoolExecutor(WORKERS)
    try:
        yield pool
    finally:
        with _lock:
            team.users -= 1
            last = not team.users
            team.pool = None if last else pool
        if last:
            pool.shutdown()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep OpenCV from dividing one frame's work among threads: they would wait for each other, busily."""
    import cv2

    with _lock:
        _undivided.append(_undivided[0] if _undivided else cv2.getNumThreads())
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            usual = _undivided.pop()
            if not _undivided:  # the last one out
                cv2.setNumThreads(usual)
