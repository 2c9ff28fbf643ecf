"""Tests of working on several frames at once."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest

from memegen.base.threads import in_parallel


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
