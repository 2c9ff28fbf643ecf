"""Fit a clip to the place where it will be posted: its frame rate, and a check of the finished file."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

from memegen.base.arrays import Image
from memegen.media.destinations import Destination, in_bytes, in_seconds
from memegen.media.video import Video


def paced(frames: Iterable[Image], fps: Fraction, place: Destination) -> tuple[Iterator[Image], Fraction]:
    """Leave out or repeat frames evenly until their rate is one that a place takes.

    Returns:
        The frames, and their new rate.
    """
    slowest, fastest = place.rates
    every, times = max(1, math.ceil(fps / fastest)), max(1, math.ceil(slowest / fps))
    kept = itertools.islice(frames, 0, None, every)
    repeated = (frame for frame in kept for _ in range(times))
    return (kept if times == 1 else repeated), fps * times / every


def broken_limits(clip: Video, place: Destination) -> list[str]:
    """Return which limits of a place a finished clip breaks, in words: by the user's choice or a short song."""
    slowest, fastest = place.rates
    size, length, sides = clip.path.stat().st_size, f"the clip has {clip.duration:.2f} s", {clip.width, clip.height}
    found = f"the clip has {clip.width} × {clip.height}"
    largest, limit = place.side or max(sides), place.limit_of(clip.path.suffix)
    checks = [
        (size <= limit, f"at most {in_bytes(limit)}, the clip has {in_bytes(size)}"),
        (clip.duration <= place.longest, f"at most {in_seconds(place.longest)}, {length}"),
        (clip.duration >= place.shortest, f"at least {in_seconds(place.shortest)}, {length}"),
        (
            slowest <= clip.fps <= fastest,
            f"{slowest:g} to {fastest:g} frames a second, the clip has {float(clip.fps):g}",
        ),
        (not place.sticker or sides == {place.side}, f"{place.side} × {place.side} pixels, {found}"),
        (
            place.sticker or place.least_side <= min(sides) <= max(sides) <= largest,
            f"sides of {place.least_side} to {largest} pixels, {found}",
        ),
        (not (place.sticker and clip.has_audio), "no sound, the clip has some"),
    ]
    return [words for kept, words in checks if not kept]
