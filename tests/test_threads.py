"""Tests of working on several frames at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import cv2
import pytest

from memegen.base.threads import WORKERS, in_parallel


@pytest.fixture
def usual() -> Iterator[int]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield cv2.getNumThreads()
    cv2.setNumThreads(before)


def test_results_come_in_order() -> None:
    assert list(in_parallel(lambda number: number**2, range(20))) == [number**2 for number in range(20)]


def test_opencv_keeps_to_one_thread_until_the_last_is_done(usual: int) -> None:
    outer, inner = (in_parallel(lambda _: cv2.getNumThreads(), range(9)) for _ in range(2))
    assert next(outer) == next(inner) == 1
    outer.close()  # not the one that began last
    assert next(inner) == 1
    inner.close()
    assert cv2.getNumThreads() == usual


def test_opencv_has_its_threads_back_after_an_error(usual: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(lambda number: 1 // number, range(3)))
    assert cv2.getNumThreads() == usual


def test_works_on_each_others_results_share_their_threads() -> None:
    def note(seen: list[int]) -> list[int]:
        return [*seen, threading.get_ident()]

    seen = list(in_parallel(note, in_parallel(note, [[]] * 50)))
    assert len({thread for pair in seen for thread in pair}) <= WORKERS
    assert {len(pair) for pair in seen} == {2}


def test_a_work_may_divide_itself() -> None:
    assert list(in_parallel(lambda number: sum(in_parallel(abs, range(number))), range(5))) == [0, 0, 1, 3, 6]


def test_a_reader_that_leaves_waits_for_its_own_work() -> None:
    begun, done = threading.Event(), threading.Event()

    def work(number: int) -> int:
        if number:
            begun.set()
            time.sleep(0.05)
            done.set()
        return number

    other, mine = in_parallel(abs, range(9)), in_parallel(work, range(9))
    assert next(other) == next(mine) == 0
    begun.wait()
    mine.close()  # while the threads go on for the other
    assert done.is_set()
    assert list(other) == list(range(1, 9))
