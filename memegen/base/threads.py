"""Work on several frames at once, in order; OpenCV releases the interpreter lock while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2  # more threads gain little: the rest of the machine decodes and encodes


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order, a few items ahead of the reader.

    Args:
        work: Called in threads; must not change anything shared.
        items: Consumed one by one, at most three ahead of what has been yielded.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
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
