"""A driving clip is watched once: its track is bundled or kept, found again by its content, and never half read."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from media import make_clip

from memegen.base.downloads import asset
from memegen.face import watching
from memegen.face.tracking import FaceTrack, track_face
from memegen.face.watching import DRIVING_SIDE, span_key, watch
from memegen.media.video import Video, open_video
from memegen.singer.acting import perform
from memegen.singer.drawing.mouth import gap
from memegen.singer.fitting import write_score
from memegen.singer.options import Singing
from memegen.singer.tunes import TUNES
from memegen.templates import TEMPLATES, Template

BUNDLED = [template for template in TEMPLATES if template.bundled]


class Follower:
    """Stands in for `track_face`: landmarks that depend on the frames, and a count of the clips followed."""

    __name__ = "follower"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frames: Iterable[np.ndarray], **_: object) -> FaceTrack:
        self.calls += 1
        random = np.random.default_rng(3)
        landmarks = [random.normal(frame.mean(), 90, (468, 3)).astype(np.float32) for frame in frames]
        return FaceTrack(landmarks, [number % 7 > 0 for number in range(len(landmarks))])


def equal(a: FaceTrack, b: FaceTrack) -> bool:
    return a.found == b.found and np.array_equal(a.landmarks, b.landmarks)


@pytest.fixture
def follow() -> Follower:
    return Follower()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "analyses"


@pytest.fixture
def clip(tmp_path: Path, cache: Path) -> Video:
    return open_video(make_clip(tmp_path / "clip.mp4", seconds=1.0))


# What ships


@pytest.mark.parametrize("template", BUNDLED, ids=lambda template: template.name)
def test_a_bundled_template_ships_its_track(template: Template, cache: Path) -> None:
    clip = open_video(asset(template.bundled))
    told: list[str] = []
    track = watch(clip, lambda stage, *_: told.append(stage))
    assert not told
    assert not cache.exists()
    assert len(track.landmarks) == clip.frame_count
    lips = np.array(track.landmarks)[:, [13, 14], 1]
    script = [gap(instant) for instant in perform(write_score(TUNES[template.name], Singing()))]
    assert np.corrcoef(lips[:, 1] - lips[:, 0], script)[0, 1] > 0.9


def test_the_tracker_still_gives_the_bundled_track() -> None:
    clip = open_video(asset(TEMPLATES[0].bundled))
    track = watch(clip, None)
    fresh = track_face(clip.frames(max_side=DRIVING_SIDE), fps=float(clip.fps))
    assert track.found == fresh.found
    apart = np.abs(np.array(track.landmarks) - fresh.landmarks)
    reason = "the tracker gives other numbers than when the track was made: raise VERSION and run `make assets`"
    # The bundled track was made with LiteRT. Where OpenCV runs the networks it is 0.034 pixels apart, the farthest
    # thousandth 0.57, as they differ in the last bits; the eyes are 135 pixels apart.
    mean, farthest = (0.02, 0.5) if find_spec("ai_edge_litert") else (0.05, 0.8)
    assert apart.mean() < mean, reason
    assert np.percentile(apart, 99.9) < farthest, reason


def test_a_part_of_a_bundled_template_is_followed(cache: Path, follow: Follower) -> None:
    whole = open_video(asset("templates/daisy-bell.mp4"))
    keys = {span_key(replace(whole, duration=2.0)), span_key(replace(whole, fps=Fraction(10))), span_key(whole)}
    assert len(keys) == 3
    watch(replace(whole, duration=0.2), None, follow)
    assert follow.calls == 1


# What is kept


def test_a_track_is_kept_to_the_last_bit(clip: Video, follow: Follower) -> None:
    made, again = (watch(clip, None, follow) for _ in range(2))
    assert follow.calls == 1
    assert equal(made, again)
    assert equal(made, Follower()(clip.frames(max_side=DRIVING_SIDE)))
    assert made.landmarks[0].dtype == np.float32
    assert made.lost == 4


def test_a_clip_is_known_by_its_content(tmp_path: Path, clip: Video, follow: Follower) -> None:
    watch(clip, None, follow)
    moved = shutil.copy(clip.path, tmp_path / "renamed.mp4")
    watch(replace(clip, path=Path(moved)), None, follow)
    assert follow.calls == 1
    make_clip(clip.path, seconds=1.0, filters="negate")
    watch(clip, None, follow)
    assert follow.calls == 2


@pytest.mark.parametrize(
    "change", [{"duration": 0.8}, {"start": 0.2, "duration": 0.8}, {"fps": Fraction(10)}, {"corner": (0, 0)}]
)
def test_another_span_rate_or_part_is_followed_again(clip: Video, follow: Follower, change: dict[str, object]) -> None:
    watch(clip, None, follow)
    watch(replace(clip, **change), None, follow)  # type: ignore[arg-type]
    assert follow.calls == 2


def test_another_version_or_tracker_follows_again(
    clip: Video, follow: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(clip, None, follow)
    monkeypatch.setattr(watching, "VERSION", watching.VERSION + 1)
    watch(clip, None, follow)
    follow.__name__ = "another"  # type: ignore[misc]
    watch(clip, None, follow)
    assert follow.calls == 3


def test_a_damaged_track_is_followed_again(clip: Video, cache: Path, follow: Follower) -> None:
    first = watch(clip, None, follow)
    [kept] = cache.glob("*.npz")
    whole = kept.read_bytes()
    random = np.random.default_rng(1)
    flipped = [bytearray(whole) for _ in range(20)]
    for data in flipped:
        data[random.integers(len(data))] ^= 1 << random.integers(8)
    tails = [bytearray(whole) for _ in range(40)]  # the zip's directory, whose damage comes in every kind
    for data in tails:
        data[-random.integers(1, 230)] ^= 1 << random.integers(8)
    for data in (b"", b"PK", whole[:100], whole[: len(whole) // 2], whole[:-1], bytes(len(whole)), *flipped, *tails):
        kept.write_bytes(data)
        assert equal(watch(clip, None, follow), first)


def test_an_older_cache_makes_room(clip: Video, cache: Path, follow: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "KEPT", 2)
    for count in (10, 11, 12, 13):
        watch(replace(clip, duration=count / 25), None, follow)
    assert len(list(cache.glob("*"))) == 2


def test_without_a_cache_it_works_too(tmp_path: Path, clip: Video, cache: Path, follow: Follower) -> None:
    cache.parent.write_text("a file where the folder should be")
    assert [len(watch(clip, None, follow).found) for _ in range(2)] == [25, 25]
    assert follow.calls == 2


def test_a_tracker_that_fails_leaves_no_decoder(clip: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    class Watched(Video):
        def frames(self, *, max_side: int | None = None) -> Iterable[np.ndarray]:
            try:
                yield from Video.frames(self, max_side=max_side)
            finally:
                ended.append(True)

    def fail(frames: Iterable[np.ndarray], **_: object) -> FaceTrack:
        next(iter(frames))
        raise RuntimeError

    with pytest.raises(RuntimeError) as kept:
        watch(Watched(**vars(clip)), None, fail)
    assert kept.value.__traceback__ is not None
    assert ended == [True]
