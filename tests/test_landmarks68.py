"""The second landmark detector: the choice of a face, following it, its messages; then the package itself, offline."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from memegen.base.errors import DownloadError, InputError, NoFaceError, UnavailableError
from memegen.face import landmarks68
from memegen.face.cropping import FaceBox
from memegen.face.detection import pick_face
from memegen.face.landmarks68 import WEIGHTS, align_clip, align_face, alignment_box, obtain_weights
from memegen.face.tracking import crop_video

ANGLES = np.linspace(0, 2 * np.pi, 68, endpoint=False)
ELLIPSE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)


def picture(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (240, 320)) -> np.ndarray:
    """A black picture in which white boxes (left, top, right, bottom) are what the fake package takes for faces."""
    image = np.zeros((*size, 3), np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = 255
    return image


class FakeAligner:
    """Stands in for `face_alignment.FaceAlignment`: its faces are white boxes, their landmarks an ellipse inside."""

    def __init__(self, landmarks_type: str, **options: Any) -> None:
        self.landmarks_type, self.options = landmarks_type, options
        self.detections: list[tuple[int, ...]] = []
        self.boxes: list[list[float]] = []
        self.face_detector = SimpleNamespace(detect_from_image=self.detect)

    def detect(self, image: np.ndarray) -> list[np.ndarray]:
        self.detections.append(image.shape)
        stats = cv2.connectedComponentsWithStats((image[..., 0] > 127).astype(np.uint8))[2][1:]
        return [np.array([x, y, x + w, y + h, 0.9], np.float32) for x, y, w, h, _ in stats[::-1]]

    def get_landmarks_from_image(
        self, image: np.ndarray, detected_faces: list[list[float]], *, return_landmark_score: bool
    ) -> tuple[list[np.ndarray], list[np.ndarray], None]:
        assert return_landmark_score
        [[left, top, right, bottom, _]] = detected_faces
        self.boxes.append(detected_faces[0])
        x, y = (left + right) / 2, (top + bottom) / 2
        ys, xs = np.nonzero(image[..., 0] > 127)
        inside = (abs(xs - x) < 0.75 * (right - left)) & (abs(ys - y) < 0.75 * (bottom - top))
        if not inside.any():
            return [np.full((68, 2), (x, y), np.float32)], [np.full(68, 0.1, np.float32)], None
        seen = np.stack([xs[inside], ys[inside]], 1)
        low, high = seen.min(0), seen.max(0)
        points = (low + high) / 2 + ELLIPSE * (high - low) / 2
        return [points.round().astype(np.float32)], [np.full(68, 1.7, np.float32)], None


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A fake face-alignment and torch, the weights in place."""
    torch = SimpleNamespace(
        hub=SimpleNamespace(get_dir=lambda: str(tmp_path)), cuda=SimpleNamespace(is_available=lambda: False)
    )
    fake = SimpleNamespace(FaceAlignment=FakeAligner, LandmarksType=SimpleNamespace(TWO_D="TWO_D"), torch=torch)
    monkeypatch.setitem(sys.modules, "face_alignment", fake)
    monkeypatch.setitem(sys.modules, "torch", torch)
    (tmp_path / "checkpoints").mkdir()
    for name in WEIGHTS:
        (tmp_path / "checkpoints" / name).touch()
    landmarks68._aligner.cache_clear()
    yield fake
    landmarks68._aligner.cache_clear()


LARGE, SMALL, MIDDLE = (180, 40, 280, 160), (10, 60, 50, 110), (80, 20, 140, 90)


def test_the_largest_face_is_chosen(package: SimpleNamespace) -> None:
    points = align_face(picture(SMALL, LARGE, MIDDLE))
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    assert [*points.min(0), *points.max(0)] == pytest.approx([180, 40, 279, 159], abs=1)


@pytest.mark.parametrize(("index", "box"), [(0, SMALL), (1, MIDDLE), (2, LARGE)])
def test_faces_are_counted_from_the_left(package: SimpleNamespace, index: int, box: tuple[int, ...]) -> None:
    points = align_face(picture(LARGE, MIDDLE, SMALL), index)
    assert [*points.min(0), *points.max(0)] == pytest.approx([*box[:2], box[2] - 1, box[3] - 1], abs=1)


@pytest.mark.parametrize(("boxes", "index"), [((), None), ((), 0), ((LARGE, SMALL), 2), ((LARGE,), -1)])
def test_the_messages_are_those_of_pick_face(
    package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, boxes: tuple[tuple[int, ...], ...], index: int | None
) -> None:
    with pytest.raises(InputError) as first:
        pick_face([FaceBox(*box) for box in boxes], index, name="me.jpg")
    with pytest.raises(InputError) as second:
        align_face(picture(*boxes), index, name="me.jpg")
    assert str(second.value) == str(first.value)
    assert type(second.value) is type(first.value)
    assert "me.jpg" in str(second.value)


def test_a_large_photo_is_scaled_for_the_detector_only(package: SimpleNamespace) -> None:
    points = align_face(picture((900, 300, 1300, 800), size=(1200, 1600)))
    assert landmarks68._aligner().detections == [(480, 640, 3)]
    assert landmarks68._aligner().boxes[0][:4] == pytest.approx([900, 300, 1300, 800], abs=5)
    assert [*points.min(0), *points.max(0)] == pytest.approx([900, 300, 1299, 799], abs=1)


@pytest.mark.parametrize(("gpu", "device"), [(False, "cpu"), (True, "cuda")])
def test_how_the_package_is_called(package: SimpleNamespace, tmp_path: Path, gpu: bool, device: str) -> None:
    package.torch.cuda.is_available = lambda: gpu
    aligner = landmarks68._aligner()
    assert aligner.landmarks_type == "TWO_D"
    assert aligner.options["compile"] is False
    assert aligner.options["device"] == device
    s3fd = Path(aligner.options["face_detector_kwargs"]["path_to_detector"])
    assert s3fd == tmp_path / "checkpoints" / "s3fd-619a316812.pth"
    assert landmarks68._aligner() is aligner


def moving(number: int) -> tuple[int, int, int, int]:
    """Where the singer is in a frame: 4 pixels further to the right each time."""
    return 60 + 4 * number, 50, 140 + 4 * number, 150


def test_the_box_comes_from_the_frame_before(package: SimpleNamespace) -> None:
    track = align_clip(picture(moving(number)) for number in range(10))
    aligner = landmarks68._aligner()
    assert len(aligner.detections) == 1
    assert track.found == [True] * 10
    for number, points in enumerate(track.landmarks):
        left, top, right, bottom = moving(number)
        assert points.shape == (68, 2)
        assert [*points.min(0), *points.max(0)] == pytest.approx([left, top, right - 1, bottom - 1], abs=1)
    for before, box in zip(track.landmarks, aligner.boxes[1:], strict=False):
        assert box[:4] == [*before.min(0), *before.max(0)]


def test_the_same_face_is_followed_when_another_grows_larger(package: SimpleNamespace) -> None:
    frames = [picture((20, 60, 70, 120), (180, 100 - 6 * n, 200 + 8 * n, 120 + 6 * n)) for n in range(10)]
    track = align_clip(frames)
    assert all(points.max() <= 120 for points in track.landmarks)


def test_lost_frames_are_bridged_and_counted(package: SimpleNamespace) -> None:
    hidden = {0, 4, 5, 6, 11}
    frames = [picture() if number in hidden else picture(moving(number)) for number in range(12)]
    track = align_clip(frames)
    assert track.lost == 5
    assert {number for number, found in enumerate(track.found) if not found} == hidden
    assert track.landmarks[5] == pytest.approx((track.landmarks[3] + track.landmarks[7]) / 2)
    assert np.array_equal(track.landmarks[0], track.landmarks[1])
    assert np.array_equal(track.landmarks[11], track.landmarks[10])
    assert len(landmarks68._aligner().detections) == len(hidden) + 2  # and once for each time the face is there again


def test_a_doubtful_face_is_looked_for_anew(package: SimpleNamespace) -> None:
    frames = [picture(LARGE), picture(SMALL), picture(SMALL)]  # a cut
    track = align_clip(frames)
    assert track.lost == 0
    assert len(landmarks68._aligner().detections) == 2
    assert track.landmarks[1].max(0) == pytest.approx([49, 109], abs=1)


@pytest.mark.parametrize("spot", [(50.0, 50.0), (-40.0, 50.0), (50.0, 400.0)])
def test_landmarks_that_show_nothing_are_not_followed(package: SimpleNamespace, spot: tuple[float, float]) -> None:
    reach = 0.5 if spot[0] == spot[1] else 30.0
    astray = (np.array(spot) + reach * ELLIPSE).astype(np.float32)
    points = landmarks68._refind(picture(LARGE), astray)
    assert len(landmarks68._aligner().boxes) == 1
    assert points is not None
    assert points.max(0) == pytest.approx([279, 159], abs=1)


def test_a_clip_without_the_face_names_the_time(package: SimpleNamespace) -> None:
    frames = [picture(LARGE)] * 5 + [picture()] * 20
    with pytest.raises(NoFaceError, match=r"in song\.mp4 between 3\.5 s and 5\.5 s"):
        align_clip(frames, fps=10, start=3.0, name="song.mp4")
    with pytest.raises(NoFaceError):
        align_clip([])


def test_the_box_of_landmarks(package: SimpleNamespace) -> None:
    points = (np.array([100, 80]) + [30, 40] * ELLIPSE).astype(np.float32)
    points[36], points[45] = (90, 70), (110, 90)
    box = alignment_box(points)
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((70, 40, 130, 120))
    assert box.roll == pytest.approx(np.pi / 4)


def test_a_track_of_68_points_can_be_cropped(package: SimpleNamespace) -> None:
    track = align_clip(picture(moving(number)) for number in range(3))
    assert crop_video(track) == FaceBox(60, 50, 147, 149)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    landmarks68._aligner.cache_clear()
    with pytest.raises(UnavailableError, match=r'run pip install "memegen-sings\[landmarks\]"') as caught:
        align_face(picture(LARGE))
    assert caught.value.remedy == {"landmarks": "mesh"}


def test_unusable_weights(package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("unexpected EOF\nand a long story")

    monkeypatch.setattr(package, "FaceAlignment", refuse)
    with pytest.raises(DownloadError) as caught:
        align_face(picture(LARGE))
    message = str(caught.value)
    for part in ("(unexpected EOF)", "delete s3fd-619a316812.pth and 2DFAN4-11f355bf06.pth.tar"):
        assert part in message
    assert caught.value.remedy == {"landmarks": "mesh"}
    assert str(tmp_path / "checkpoints") in message


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder of torch's, and the fake package over the real torch."""
    torch = pytest.importorskip("torch")
    fake = SimpleNamespace(FaceAlignment=FakeAligner, LandmarksType=SimpleNamespace(TWO_D="TWO_D"))
    monkeypatch.setitem(sys.modules, "face_alignment", fake)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    landmarks68._aligner.cache_clear()
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize(("body", "reason"), [(None, "HTTP 404"), (b"not the weights", "not the expected one")])
def test_a_failed_download_says_what_to_do(
    hub: Path, monkeypatch: pytest.MonkeyPatch, body: bytes | None, reason: str
) -> None:
    from http_server import HttpServer

    with HttpServer() as server:
        monkeypatch.setattr(landmarks68, "SITE", server.url)
        if body is not None:
            server.add("/s3fd-619a316812.pth", body)
        with pytest.raises(DownloadError) as caught:
            align_face(picture(LARGE))
    for part in (f"{server.url}/s3fd-619a316812.pth", reason, f"save it as {hub / 's3fd-619a316812.pth'}."):
        assert part in str(caught.value)
    assert "MEMEGEN_CACHE" not in str(caught.value)  # it does not move torch's folder
    assert caught.value.remedy == {"landmarks": "mesh"}
    assert [path.name for path in hub.iterdir() if path.suffix != ".lock"] == []


def test_a_download_is_kept(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    from http_server import HttpServer

    with HttpServer() as server:
        monkeypatch.setattr(landmarks68, "SITE", server.url)
        for name in WEIGHTS:
            server.add(f"/{name}", name.encode())
            monkeypatch.setitem(WEIGHTS, name, hashlib.sha256(name.encode()).hexdigest())
        told: list[tuple[str, int, int]] = []
        assert obtain_weights(lambda *step: told.append(step)) == hub
        assert [step for step in told if step[1] == step[2]] == [(f"Downloading {name}", 1, 1) for name in WEIGHTS]
    kept = {path.name: path.read_bytes() for path in hub.iterdir() if path.suffix != ".lock"}
    assert kept == {name: name.encode() for name in WEIGHTS}
    assert align_face(picture(LARGE)).shape == (68, 2)  # the server is gone


needs_package = pytest.mark.skipif(
    importlib.util.find_spec("face_alignment") is None,
    reason='face-alignment is not installed: pip install "memegen-sings[landmarks]"',
)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Weights by chance in the shapes and the file format of the published ones; the detector never finds a face."""
    import torch
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    home = tmp_path_factory.mktemp("torch")
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    states = s3fd().half().state_dict(), FAN(4).half().state_dict()
    for key, value in states[0].items():
        if key.endswith("conf.bias"):
            value[:-1] = 100.0  # background, in each of the six layers
    states[1]["l0.bias"] += 1.0  # heatmaps as if sure
    for name, state in zip(WEIGHTS, states, strict=True):
        torch.save(state, folder / name, _use_new_zipfile_serialization=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        patch.setattr(torch.hub, "_hub_dir", None)
        patch.setattr(landmarks68, "SITE", "http://127.0.0.1:9")
        landmarks68._aligner.cache_clear()
        yield folder
        landmarks68._aligner.cache_clear()


@needs_package
def test_the_package_finds_no_face(seeded: Path) -> None:
    photo = picture(LARGE)
    photo.setflags(write=False)
    with pytest.raises(NoFaceError, match=r"No face was found in me\.jpg"):
        align_face(photo, name="me.jpg")


@needs_package
def test_the_package_follows_a_face(seeded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def detect(image: np.ndarray) -> list[np.ndarray]:
        seen.append(image.shape)
        return [np.array([180, 40, 280, 160, 0.9], np.float32)]

    aligner = landmarks68._aligner()
    monkeypatch.setattr(aligner.face_detector, "detect_from_image", detect)
    monkeypatch.setattr(aligner.face_alignment_net, "num_modules", 1)  # of four hourglasses: for speed
    noise = np.random.default_rng(5).integers(0, 256, (2, 240, 320, 3), np.uint8)
    points = align_face(noise[0])
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    side = 200 / 195 * (100 + 120)  # of the crop, which lies 0.12 of the box's height above its middle
    middle = np.array([230, 100 - 0.12 * 120])
    assert (abs(points - middle) <= side / 2 + 2).all()
    assert np.ptp(points, axis=0).min() > 5
    track = align_clip(noise)
    assert np.array_equal(track.landmarks[0], points)
    assert track.lost == 0
    assert seen == [(240, 320, 3)] * 2  # the photo's and the clip's first frame


@needs_package
def test_the_package_refuses_files_cut_short(seeded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for name in WEIGHTS:
        (folder / name).write_bytes((seeded / name).read_bytes()[:5000])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    landmarks68._aligner.cache_clear()
    with pytest.raises(DownloadError, match="can't be used"):
        align_face(picture(LARGE))
    landmarks68._aligner.cache_clear()


@needs_package
def test_the_package_does_not_run_what_a_file_brings(
    seeded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for name in WEIGHTS:
        (folder / name).write_bytes(pickle.dumps(Trap(), protocol=2))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    landmarks68._aligner.cache_clear()
    with pytest.raises(DownloadError, match="can't be used"):
        align_face(picture(LARGE))
    assert not (tmp_path / "sprung").exists()
    landmarks68._aligner.cache_clear()
