"""Worker processes behind the interface of `concurrent.futures`, which go on when one of them is killed."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from functools import partial
from typing import Any

PATIENCE = 5  # seconds that a process has to end, once its work is done
ATTEMPTS = 5  # how often a task is begun; one that kills its process every time is given up then


class Processes(Executor):
    """Runs tasks in processes of this machine.

    When a process is killed, for example because memory is short, the standard pool gives up all tasks. This one starts
    new processes and begins the unfinished tasks again.

    Args:
        count: How many processes.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._unfinished: set[Future[Any]] = set()
        self._pool = self._started()

    def submit(self, work: Callable[..., Any], /, *args: Any, **words: Any) -> Future[Any]:
        """Run `work(*args, **words)` in one of the processes; what is not a module's function can't be sent there."""
        whole: Future[Any] = Future()
        self._unfinished.add(whole)
        whole.add_done_callback(self._unfinished.discard)
        self._begin(whole, partial(work, *args, **words), 1)
        return whole

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; those that work finish their task first."""
        processes = list((self._pool._processes or {}).values())
        if wait and not cancel_futures:
            concurrent.futures.wait(list(self._unfinished))
        self._pool.shutdown(wait=False, cancel_futures=cancel_futures)
        for process in processes if wait else ():
            process.join(PATIENCE)
            process.kill()  # now and then one that has nothing left to do does not end by itself

    def _started(self) -> ProcessPoolExecutor:
        # Forking would copy locks that other threads hold; Ctrl-C is for the process that gives the work.
        fresh = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._count, fresh, signal.signal, (signal.SIGINT, signal.SIG_IGN))

    def _begin(self, whole: Future[Any], work: Callable[[], Any], attempt: int) -> None:
        pool = self._pool
        try:
            # Without our lock: a pool that breaks holds its own while it tells its futures.
            part = pool.submit(work)
        except BrokenExecutor:
            with self._lock:
                self._pool = self._started() if self._pool is pool else self._pool
            self._begin(whole, work, attempt)
        except RuntimeError as error:  # it was shut down meanwhile
            whole.set_exception(error)
        else:
            part.add_done_callback(partial(self._end, whole, work, attempt))
            whole.add_done_callback(lambda whole: part.cancel() if whole.cancelled() else None)

    def _end(self, whole: Future[Any], work: Callable[[], Any], attempt: int, part: Future[Any]) -> None:
        if whole.cancelled() or part.cancelled():
            whole.cancel()
        elif isinstance(part.exception(), BrokenExecutor) and attempt < ATTEMPTS:
            # In a thread of its own, as the broken pool's thread waits for the end of this function.
            threading.Thread(target=self._begin, args=(whole, work, attempt + 1), daemon=True).start()
        elif error := part.exception():
            whole.set_exception(error)
        else:
            whole.set_result(part.result())
