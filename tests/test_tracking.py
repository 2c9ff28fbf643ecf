"""One face followed through a clip: bridged where it is lost, steady where it is still, and singing where it sings."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from memegen.base.downloads import asset
from memegen.base.errors import NoFaceError
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.face.topology import face_model
from memegen.face.tracking import FaceTrack, calm, crop_video, track_face
from memegen.media.video import Video, open_video


def mouth(track: FaceTrack) -> np.ndarray:
    """How far the lips are apart in each frame, over the inter-ocular distance."""
    points = np.array(track.landmarks)[..., :2]
    eyes = np.linalg.norm(points[:, 33] - points[:, 263], axis=1)
    return np.linalg.norm(points[:, 13] - points[:, 14], axis=1) / eyes


def blanked(frames: list[np.ndarray], *numbers: int) -> list[np.ndarray]:
    """Return the frames with some painted over."""
    grey = np.full_like(frames[0], 127)
    return [grey if number in numbers else frame for number, frame in enumerate(frames)]


@pytest.fixture(scope="module")
def frames(singer: Video) -> list[np.ndarray]:
    return list(singer.frames(max_side=256))


@pytest.fixture(scope="module")
def track(frames: list[np.ndarray]) -> FaceTrack:
    return track_face(frames)


def test_every_frame_has_its_landmarks(frames: list[np.ndarray], track: FaceTrack) -> None:
    assert len(track.landmarks) == len(track.found) == len(frames)
    assert all(mesh.shape == (478, 3) and mesh.dtype == np.float32 for mesh in track.landmarks)
    assert track.lost == 0
    for number in (0, 8, 24):
        alone = face_mesh(frames[number], pick_face(detect_faces(frames[number])))
        eyes = np.linalg.norm(alone[33] - alone[263])
        apart = np.linalg.norm(track.landmarks[number][:, :2] - alone[:, :2], axis=1)
        assert apart.mean() < 0.06 * eyes


def test_frames_are_used_one_by_one(frames: list[np.ndarray]) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def stream() -> Iterator[np.ndarray]:
        nonlocal most
        for frame in frames:
            fresh = frame.copy()
            alive.append(weakref.ref(fresh))
            most = max(most, sum(ref() is not None for ref in alive))
            yield fresh

    assert len(track_face(stream()).landmarks) == len(frames)
    assert most <= 20  # a few may be under way at a time, whatever the length of the clip


def test_lost_frames_are_bridged_and_counted(frames: list[np.ndarray]) -> None:
    whole = track_face(frames, smooth=False)
    gappy = track_face(blanked(frames, 0, 10, 11, 12, 24), smooth=False)
    assert gappy.lost == 5
    assert [number for number, found in enumerate(gappy.found) if not found] == [0, 10, 11, 12, 24]
    before, after = gappy.landmarks[9], gappy.landmarks[13]
    assert gappy.landmarks[11] == pytest.approx((before + after) / 2, abs=1e-3)
    assert gappy.landmarks[10] == pytest.approx((3 * before + after) / 4, abs=1e-3)
    assert np.array_equal(gappy.landmarks[0], gappy.landmarks[1])
    assert np.array_equal(gappy.landmarks[24], gappy.landmarks[23])
    eyes = np.linalg.norm(whole.landmarks[0][33] - whole.landmarks[0][263])
    assert np.abs(np.array(gappy.landmarks) - whole.landmarks)[..., :2].mean() < 0.03 * eyes


@pytest.mark.parametrize("face", [slice(0, 10), slice(0, 0)])
def test_a_clip_that_is_mostly_faceless_is_refused(frames: list[np.ndarray], face: slice) -> None:
    nobody = [np.full_like(frames[0], 127)] * 30
    begins = f"{2 + len(frames[face]) / 10:.1f}"
    with pytest.raises(NoFaceError) as caught:
        track_face([*frames[face], *nobody], fps=10, start=2.0, name="dance.mp4")
    ends = f"{2 + (len(frames[face]) + 30) / 10:.1f}"
    assert str(caught.value) == (
        f"No face was found in dance.mp4 between {begins} s and {ends} s: "
        "choose a clip, or a part of it, in which one face stays in view."
    )


def test_the_longest_gap_is_the_one_named(frames: list[np.ndarray]) -> None:
    gone = [0, 1, *range(5, 19), *range(21, 25)]
    with pytest.raises(NoFaceError, match=r"between 0\.2 s and 0\.8 s"):
        track_face(blanked(frames, *gone), fps=25)


def test_smoothing_keeps_a_singing_mouth() -> None:
    busy = list(open_video(asset("templates/daisy-bell.mp4"), start=6.2, duration=1.4).frames(max_side=256))
    smooth, raw = mouth(track_face(busy)), mouth(track_face(busy, smooth=False))
    assert smooth.std() >= 0.95 * raw.std()
    assert smooth.max() >= 0.95 * raw.max()
    assert np.corrcoef(smooth, raw)[0, 1] > 0.98
    assert abs(int(smooth.argmax()) - int(raw.argmax())) <= 1  # and does not come late


def test_smoothing_takes_the_jitter_off_a_still_clip(small_portrait: np.ndarray) -> None:
    noise = np.random.default_rng(1).normal(0, 12, (25, *small_portrait.shape))
    still = [np.clip(small_portrait + part, 0, 255).astype(np.uint8) for part in noise]
    smooth, raw = (np.array(track_face(still, smooth=smooth).landmarks)[..., :2] for smooth in (True, False))
    assert smooth.std(0).mean() < 0.8 * raw.std(0).mean()
    assert np.diff(smooth, axis=0).std() < 0.7 * np.diff(raw, axis=0).std()
    assert smooth.mean(0) == pytest.approx(raw.mean(0), abs=0.5)


@pytest.mark.parametrize("trusted", [1.0, 0.0])
def test_a_head_that_moves_fast_now_and_then_does_not_drift_away(trusted: float) -> None:
    # The landmarks sway around a face that stands still. The flow tells by how much, but for 5 frames of 25.
    random, still = np.random.default_rng(0), 60 * face_model().mean_shape + 200
    fault = np.cumsum(random.normal(0, 0.5, 500))
    fault -= np.convolve(np.pad(fault, 12, mode="edge"), np.full(25, 1 / 25), mode="valid")
    steps, trust = -np.diff(fault, prepend=fault[0]), np.ones(500)
    fast = np.arange(500) % 25 < 5
    steps[fast] += random.normal(0, 2 * (1 - trusted), fast.sum())
    trust[fast] = trusted
    meshes = [(still + np.array([x, 0, 0])).astype(np.float32) for x in fault]
    calm(meshes, [(0.0, x, 0.0, sure) for x, sure in zip(steps.tolist(), trust.tolist(), strict=True)], 25.0)
    left = (np.array(meshes) - still)[..., 0].mean(1)
    assert left.std() < (0.2 if trusted == 1 else 0.6) * fault.std()


def test_one_frame_is_a_clip_too(frames: list[np.ndarray]) -> None:
    assert track_face(frames[:1]).found == [True]


def test_the_crop_is_one_box_for_the_clip(track: FaceTrack) -> None:
    box = crop_video(track)
    points = np.array(track.landmarks)[..., :2]
    assert (box.left, box.top) == pytest.approx(points.min((0, 1)))
    assert (box.right, box.bottom) == pytest.approx(points.max((0, 1)))
    assert box.roll == 0


def test_a_face_that_jumps_is_found_again(singer: Video) -> None:
    frame = next(singer.frames(max_side=256))
    height, width = frame.shape[:2]
    wide = np.full((height, 2 * width, 3), 127, np.uint8)
    left, right = wide.copy(), wide.copy()
    left[:, :width], right[:, width:] = frame, frame
    track = track_face([left] * 6 + [right] * 6)
    assert track.lost == 0
    middles = [float(mesh[:, 0].mean()) for mesh in track.landmarks]
    assert max(middles[:5]) < width < min(middles[7:])
