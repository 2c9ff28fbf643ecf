"""The tiny trained checkpoint for classrooms: it loads like any other, finds the face and moves it.

What BENCHMARKS.md says of it is measured here, on frames kept out of its training; `pytest tests/test_tiny.py -rP`
prints the numbers.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fomm_states import GOLDEN

from memegen import preview
from memegen.animator import load_animator
from memegen.base.arrays import Floats, Image
from memegen.base.downloads import asset
from memegen.face.cropping import crop_face, points_box
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.face.tracking import track_face
from memegen.fomm.checkpoint import load_networks, read_states
from memegen.fomm.compute import Compute
from memegen.fomm.model import FommInternals, FommModel
from memegen.media.video import open_video

TINY = asset("models/tiny_vox.safetensors")
SINGER = asset("templates/daisy-bell.mp4")
HELD_OUT = 9.0  # seconds of the clip; what comes later was not trained on
SHUT = 9.2  # seconds: his mouth is shut, as the portrait's is
SHIFT = 16  # pixels
PIXEL = 2 / 255  # in the keypoints' unit


@pytest.fixture(scope="module")
def animator() -> FommModel:
    return FommModel(load_networks(TINY), compute=Compute(device="cpu", dtype=torch.float32, batch=8, decode=1))


@pytest.fixture(scope="module")
def held_out() -> list[Image]:
    """Every sixth frame of the singer's last seconds, cut around where the face is in the first."""
    frames = list(open_video(SINGER, start=HELD_OUT, duration=1.2).frames(max_side=640))
    box = points_box(face_mesh(frames[0], pick_face(detect_faces(frames[0])))).square(0.3)
    return [crop_face(frame, box, margin=0) for frame in frames[::6]]


class Show(NamedTuple):
    """A face that sings what the networks never saw: its picture, what they computed, its mouth and the driver's."""

    source: Image
    inside: FommInternals
    mouth: Floats
    driver: Floats

    @property
    def face(self) -> tuple[slice, slice]:
        """Where the face is in the source."""
        box = points_box(face_mesh(self.source, pick_face(detect_faces(self.source)))).clip(256, 256)
        return np.s_[round(box.top) : round(box.bottom), round(box.left) : round(box.right)]


@pytest.fixture(scope="module")
def pair(portrait: Image) -> tuple[Image, list[Image]]:
    """The portrait, and every third frame of the singer's last seconds."""
    return preview.crop_pair(portrait, open_video(SINGER, start=SHUT), every=3)


@pytest.fixture(scope="module", params=["portrait", "singer"])
def show(request: pytest.FixtureRequest, animator: FommModel, pair: tuple[Image, list[Image]]) -> Show:
    """The portrait, or the singer's own first frame, moved as the singer moves."""
    portrait, driving = pair
    source = portrait if request.param == "portrait" else driving[0]
    inside = animator.explain(source, driving)
    mouths = [preview.motion_curves(track_face(frames).landmarks)["mouth"] for frames in (inside.frames, driving)]
    return Show(source, inside, *mouths)


def test_it_has_the_architecture_of_the_published_ones() -> None:
    published = json.loads((GOLDEN / "vox-256.state_dict.json").read_text())
    states = read_states(TINY)
    assert TINY.stat().st_size < 4e6
    left_out = tuple(f"bottleneck.r{number}." for number in range(2, 6))
    for part, keys in published.items():
        assert set(states[part]) == {key for key in keys if not key.startswith(left_out)}
    assert states["kp_detector"]["jacobian.weight"].shape[0] == 4 * states["kp_detector"]["kp.weight"].shape[0] == 40


def test_it_animates_the_portrait(portrait: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path))
    singer = open_video(SINGER, start=HELD_OUT + 0.4, duration=0.12)
    frames = np.stack(list(load_animator(TINY, precision="float32").animate(portrait, singer)))
    assert len(frames) == 3
    assert frames.dtype == np.uint8
    assert frames.std(axis=(1, 2)).min() > 30  # a picture, not a wash
    assert np.abs(np.diff(frames.astype(int), axis=0)).max() > 10


def test_keypoints_follow_the_face(animator: FommModel, held_out: list[Image]) -> None:
    value = animator.keypoints(held_out).value
    assert np.ptp(value, axis=0).max(axis=1).min() > 2 * PIXEL  # every keypoint moves while he sings
    source = held_out[0]
    still, right, lower = animator.keypoints(
        [source, np.roll(source, SHIFT, axis=1), np.roll(source, SHIFT, axis=0)]
    ).value
    assert np.median((right - still)[:, 0]) == pytest.approx(SHIFT * PIXEL, rel=0.25)
    assert np.median((lower - still)[:, 1]) == pytest.approx(SHIFT * PIXEL, rel=0.25)
    assert np.abs(np.median((right - still)[:, 1])) < 3 * PIXEL


def test_it_beats_a_still_picture_on_frames_it_never_saw(animator: FommModel, held_out: list[Image]) -> None:
    source, *driving = held_out
    rendered = np.stack(list(animator.animate_crops(source, driving, relative=False)))
    wanted = np.stack(driving).astype(float)
    copied, drawn = (np.abs(pictures - wanted).mean() for pictures in (source, rendered))
    assert drawn < 0.9 * copied


def test_the_face_moves_by_its_keypoints(animator: FommModel, held_out: list[Image]) -> None:
    networks = load_networks(TINY)
    image = torch.from_numpy(np.stack(held_out[:3])).movedim(-1, 1).float() / 255
    keypoints = networks.detector(image)
    source = networks.generator.encode(image[:1], type(keypoints)(*(part[:1] for part in keypoints)))
    masks = networks.generator.dense_motion_network(source.small, source.keypoints, keypoints).masks
    assert masks.sum(dim=1).numpy() == pytest.approx(1.0, abs=1e-5)
    assert masks[:, 1:, 24:40, 24:40].sum(dim=1).mean() > 0.8  # the middle of the face is no background


def test_the_mouth_follows(show: Show) -> None:
    r, gain = np.corrcoef(show.driver, show.mouth)[0, 1], np.polyfit(show.driver, show.mouth, 1)[0]
    sys.stdout.write(f"mouth: r {r:.3f}, gain {gain:.2f}\n")
    assert r >= 0.8
    assert gain >= 0.5


def test_the_face_is_sharp(show: Show) -> None:
    face = show.face

    def slopes(frame: Image) -> float:
        """Mean length of the gradient in the face."""
        grey = cv2.cvtColor(frame[face], cv2.COLOR_RGB2GRAY).astype(np.float64)
        return float(np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1)).mean())

    def curves(frame: Image) -> float:
        """Variance of the Laplacian in the face: the finest detail, as in benchmarks/quality.py."""
        return float(cv2.Laplacian(cv2.cvtColor(frame[face], cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())

    slope, curve = (np.median([f(frame) for frame in show.inside.frames]) / f(show.source) for f in (slopes, curves))
    sys.stdout.write(f"sharpness: {slope:.2f} of the source's gradients, {curve:.2f} of its Laplacian's variance\n")
    assert slope >= 0.6


def test_the_occlusion_map_closes(show: Show) -> None:
    low = np.percentile(show.inside.occlusion_map, 5)
    sys.stdout.write(f"occlusion map: 5th percentile {low:.3f}, lowest {show.inside.occlusion_map.min():.2f}\n")
    assert low < 0.7


def test_most_masks_are_alive(show: Show) -> None:
    highest = show.inside.masks[:, 1:].max(axis=(0, 2, 3))  # of each keypoint; the background's comes first
    sys.stdout.write(f"masks above 0.1 somewhere: {(highest > 0.1).sum()} of {len(highest)}\n")
    assert (highest > 0.1).sum() >= 6
