"""A video as the target of the learned engine: what changes in it, what stays, and where the square goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the engine fomm needs torch: pip install 'memegen-sings[fomm]'")

from fomm_states import save_golden

from memegen.animator import load_animator
from memegen.base.arrays import Floats
from memegen.base.errors import InputError
from memegen.face.targets import TargetPlan, Targets, TargetTrack, watch_targets
from memegen.face.topology import FACE_OVAL, POINTS
from memegen.fomm.animator import FommAnimator
from memegen.fomm.keypoints import Keypoints
from memegen.fomm.target import steady_squares
from memegen.media.video import Video, write_video
from memegen.meme import make_meme

FPS = 25


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> FommAnimator:
    checkpoint = save_golden(tmp_path_factory.mktemp("checkpoint") / "tiny-cpk.pth.tar")
    animator = load_animator(checkpoint, device="cpu", precision="float32")
    assert isinstance(animator, FommAnimator)
    return animator


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Video:
    """Eight frames of the portrait, 360 pixels high, drifting to the right by a pixel a frame."""
    photo = cv2.resize(portrait, (308, 360), interpolation=cv2.INTER_AREA)
    frames = [np.roll(photo, number, axis=1) for number in range(8)]
    return clip_of(tmp_path_factory.mktemp("target") / "target.mp4", frames)


@pytest.fixture(scope="module")
def driver(singer: Video) -> Video:
    return replace(singer, start=0.4, duration=0.32)


def clip_of(path: Path, frames: Iterable[np.ndarray]) -> Video:
    return write_video(path, iter(frames), fps=FPS)


def acting(engine: FommAnimator, **words: Any) -> FommAnimator:
    return replace(engine, acting=replace(engine.acting, **words))


def differences(frames: list[np.ndarray], target: Video) -> Floats:
    """How much each pixel of each frame is changed, (N, H, W) grey levels."""
    return np.stack([abs(a.astype(int) - b).max(2) for a, b in zip(frames, target.frames(), strict=True)])


def inside(target: Video, points: list[int] | slice, grown: float) -> np.ndarray:
    """Whether a pixel lies in the grown outline of some landmarks in a frame, (N, H, W)."""
    masks = []
    for mesh in watch_targets(target, None, None).tracks[0].landmarks:
        outline = cv2.convexHull(mesh[points, :2])[:, 0]
        middle = outline.mean(0)
        mask = np.zeros((target.height, target.width), np.uint8)
        masks.append(cv2.fillConvexPoly(mask, np.round(middle + grown * (outline - middle)).astype(np.int32), 1) > 0)
    return np.stack(masks)


@pytest.fixture(scope="module")
def parts(engine: FommAnimator, target: Video, driver: Video) -> dict[str, Floats]:
    """What each part changes."""
    return {
        part: differences([*acting(engine, part=part).animate(target, driver)], target)
        for part in ("mouth", "face", "head")
    }


def test_by_default_the_face_changes_and_nothing_around_it(target: Video, parts: dict[str, Floats]) -> None:
    face, change = inside(target, FACE_OVAL, 1.0), parts["face"]
    assert change[2:][face[2:]].mean() > 0.5
    assert change[~inside(target, FACE_OVAL, 1.6)].max() == 0


def test_the_mouth_changes_alone(target: Video, parts: dict[str, Floats]) -> None:
    meshes = watch_targets(target, None, None).tracks[0].landmarks
    for change, mesh in zip(parts["mouth"], meshes, strict=True):
        assert change[: int(mesh[[145, 374], 1].min())].max() == 0  # above the lower lids
    assert parts["mouth"].max() > 10
    assert parts["mouth"].sum() < 0.8 * parts["face"].sum()


def test_the_head_moves_with_its_hair(target: Video, parts: dict[str, Floats]) -> None:
    around = ~inside(target, FACE_OVAL, 1.6)
    assert parts["head"][around].mean() > 10 * parts["face"][around].mean()


def test_a_driver_that_does_nothing_leaves_every_frame_as_it_is(
    engine: FommAnimator, target: Video, driver: Video
) -> None:
    short, driver = replace(target, duration=0.12), replace(driver, duration=0.12)
    for part in ("face", "head"):
        calm = acting(engine, part=part, expression=0.0, motion=0.0)
        assert differences([*calm.animate(short, driver)], short).max() <= 1


def test_where_the_face_is_lost_the_target_is_untouched(
    engine: FommAnimator, target: Video, driver: Video, monkeypatch: pytest.MonkeyPatch, parts: dict[str, Floats]
) -> None:
    visible = np.repeat([1.0, 0.4, 0.0], [3, 3, 2])
    monkeypatch.setattr("memegen.fomm.target.how_visible", lambda *_: visible)
    change = differences([*engine.animate(target, driver)], target)
    assert change[6:].max() == 0
    assert 0.1 < change[3:6].mean() / parts["face"][3:6].mean() < 0.8
    assert np.array_equal(change[:3], parts["face"][:3])  # without a part it is the face


def test_groups_of_frames_change_nothing(
    engine: FommAnimator, target: Video, driver: Video, monkeypatch: pytest.MonkeyPatch, parts: dict[str, Floats]
) -> None:
    monkeypatch.setattr(engine.model, "compute", replace(engine.model.compute, batch=3))
    change = differences([*engine.animate(target, driver)], target)
    assert np.abs(change - parts["face"]).max() <= 1


def test_the_target_goes_on_until_the_song_ends(engine: FommAnimator, target: Video, driver: Video) -> None:
    short = replace(target, duration=0.12)
    still = {name: acting(engine, ending=name, expression=0.0) for name in ("loop", "freeze", "cut")}
    made = {name: [*one.animate(short, driver)] for name, one in still.items()}
    own = [*short.frames()]
    orders = {"loop": [0, 1, 2, 1, 0, 1, 2, 1], "freeze": [0, 1, *[2] * 6], "cut": [0, 1, 2]}
    for name, order in orders.items():
        assert len(made[name]) == len(order)
        for frame, number in zip(made[name], order, strict=True):
            assert np.abs(frame.astype(int) - own[number]).max() <= 1


def test_a_meme_has_the_targets_rate_and_size(engine: FommAnimator, target: Video, tmp_path: Path) -> None:
    made = make_meme(target.path, "daisy-bell", engine=engine, duration=0.2, out=tmp_path / "out.mp4")
    assert (made.width, made.height, made.fps, made.frame_count) == (308, 360, FPS, 5)


def test_a_square_that_follows_the_face(engine: FommAnimator, target: Video, driver: Video) -> None:
    frames = [*acting(engine, framing="face").animate(target, driver)]
    assert {frame.shape for frame in frames} == {(256, 256, 3)}
    assert len(frames) == 8


def test_a_duet_in_a_video(engine: FommAnimator, small_portrait: np.ndarray, driver: Video, tmp_path: Path) -> None:
    couple = clip_of(tmp_path / "couple.mp4", [np.hstack([small_portrait[:, :204], small_portrait[:, 203::-1]])] * 5)
    driver = replace(driver, duration=0.2)
    both = differences([*acting(engine, face="all").animate(couple, driver)], couple)
    right = differences([*engine.animate(couple, {1: driver})], couple)
    assert both[..., :200].max() > 10
    assert right[..., :196].max() == 0
    assert np.array_equal(both[..., 212:], right[..., 212:])
    with pytest.raises(InputError, match="2 faces do not fit one square"):
        next(acting(engine, face="all", framing="face").animate(couple, driver))


def test_what_a_video_can_not_have(engine: FommAnimator, target: Video, driver: Video) -> None:
    for options, message in (
        ({"relative": False}, "Absolute motion moves the whole head"),
        ({"crop": "none"}, "the mesh's landmarks find the face"),
        ({"landmarks": "face-alignment"}, "the mesh's landmarks find the face"),
    ):
        other = replace(engine, options=replace(engine.options, **options))
        with pytest.raises(InputError, match=message):
            next(other.animate(target, driver))


def test_each_source_gives_what_it_gives_alone(engine: FommAnimator, target: Video) -> None:
    model, crops = engine.model, [cv2.resize(frame, (256, 256)) for frame in target.frames()][::3]
    keypoints = model.keypoints(crops)
    initial = Keypoints(*(values[:1] for values in keypoints))
    drawn = [*model.reenact(crops, keypoints, initial=initial, scale=1.0)]
    for number, (crop, (moved, still)) in enumerate(zip(crops, drawn, strict=True)):
        alone = [*model.animate_keypoints(crop, keypoints, scale=1.0)]
        for one, other in ((alone[number], moved), (alone[0], still)):
            assert np.abs(one.astype(int) - other).mean() < 0.05  # rounding: another batch is another order of sums


# The square


def track_of(middles: Floats, sides: Floats) -> TargetTrack:
    """A face that is a grid of points, of a height and half as wide; 0 where it has no side."""
    grid = np.random.default_rng(0).uniform(-0.5, 0.5, (POINTS, 3)) * [0.5, 1, 1]
    grid[:4, :2] = [[-0.25, -0.5], [0.25, -0.5], [-0.25, 0.5], [0.25, 0.5]]
    meshes = grid * sides[:, None, None]
    meshes[..., :2] += middles[:, None]
    return TargetTrack(meshes.astype(np.float32), sides > 0, (sides > 0).astype(np.float32))


def squares(target: Video, middles: Floats, sides: Floats, shots: list[int]) -> Floats:
    track = track_of(middles, sides)
    longer = replace(target, duration=len(sides) / FPS)
    plan = TargetPlan(longer, len(sides), {0: target}, Targets(shots, {0: track}))
    return np.array([[*box.centre, box.width] for box in steady_squares(track, plan, 1.5)])


def test_a_square_follows_a_head_and_no_syllables(target: Video) -> None:
    time = np.arange(100)
    chin = 100 + 5 * np.sin(2 * np.pi * 4 * time / FPS)  # four syllables a second
    middles = np.column_stack([100 + 2.0 * time, 80 + (chin - 100) / 2])
    found = squares(target, middles, chin, [0])[15:-15]
    assert np.abs(found[:, 0] - middles[15:-15, 0]).max() < 0.1  # no lag
    assert np.ptp(found[:, 1]) < 0.1
    assert found[:, 2] == pytest.approx(150, abs=0.3)


def test_a_square_begins_anew_in_each_shot(target: Video) -> None:
    sides = np.repeat([100.0, 0.0, 60.0], 10)
    middles = np.repeat([[100.0, 120.0], [0.0, 0.0], [200.0, 90.0]], 10, axis=0)
    found = squares(target, middles, sides, [0, 10, 20])
    expected = [[100, 120, 150], [target.width / 2, target.height / 2, target.width], [200, 90, 90]]
    assert found == pytest.approx(np.repeat(expected, 10, axis=0), abs=1e-3)
