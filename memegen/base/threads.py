"""Work on several frames at once, in order; OpenCV releases the interpreter lock while it computes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2  # more threads gain little: the rest of the machine decodes and encodes

_lock = threading.Lock()
_undivided: list[int] = []  # OpenCV's own number of threads, once for everybody who works on several frames now


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order, a few items ahead of the reader.

    Args:
        work: Called in threads; must not change anything shared.
        items: Consumed one by one, at most three ahead of what has been yielded.
    """
    with ThreadPoolExecutor(WORKERS) as pool, _one_thread_each():
        ahead: deque[Future[Result]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) > WORKERS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


@contextmanager
def _one_thread_each() -> Iterator[None]:
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
