"""A clip played for longer than it lasts: back and forth, or with its last picture standing still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from memegen.base.arrays import Image
from memegen.media.video import Video

BEHIND = 64 * 2**20  # bytes of frames that are kept in memory while a clip is played backwards


def play(clip: Video, count: int, *, loop: bool) -> Iterator[tuple[int, Image]]:
    """Play a clip until there are `count` frames.

    Args:
        clip: What to play.
        count: How many frames to yield.
        loop: Whether it goes back and forth after its end; otherwise the last frame stays.

    Yields:
        The number of a frame in the clip, and the frame, uint8 RGB (H, W, 3), which must not be changed.
    """
    last, done, forwards = clip.frame_count - 1, 0, True
    while done < count:
        run = _forwards(clip) if forwards else _backwards(clip)
        for number, frame in run:
            if done and number == (0 if forwards else last) and loop:
                continue  # the frame at which it turns is shown once
            yield number, frame
            done += 1
            if done == count:
                return
        if not loop:
            yield from ((number, frame) for _ in range(count - done))
            return
        forwards = not forwards


def _forwards(clip: Video) -> Iterator[tuple[int, Image]]:
    with closing(clip.frames()) as frames:
        yield from enumerate(frames)


def _backwards(clip: Video) -> Iterator[tuple[int, Image]]:
    """Decode part after part, from the end."""
    size = max(BEHIND // (clip.width * clip.height * 3), 2)
    for end in range(clip.frame_count, 0, -size):
        first = max(end - size, 0)
        part = replace(clip, start=float(clip.start + first / clip.fps), duration=float((end - first) / clip.fps))
        frames = [*part.frames()]
        for number in reversed(range(first, end)):
            yield number, frames.pop()
