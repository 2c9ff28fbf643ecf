"""The painted mouth belongs to the picture: its colours, light, sharpness and grain."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from memegen.animator import load_animator
from memegen.face.detection import detect_faces, face_mesh, mesh_box, pick_face, shows_face
from memegen.face.topology import INNER_LIPS, LIPS, LOWER_FACE, eye_distance
from memegen.media.video import Video
from memegen.mesh.mouth import mouth_opacity, paint_mouth
from memegen.mesh.palette import Palette, match_colours

LUMA = np.array([0.299, 0.587, 0.114])
SEPIA = np.array([255, 228, 180]) / 255


def mesh_of(picture: np.ndarray) -> np.ndarray:
    return face_mesh(picture, pick_face(detect_faces(picture)))


def in_grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def opened(landmarks: np.ndarray, by: float) -> np.ndarray:
    """The landmarks with the lips apart by so much of the inter-ocular distance."""
    apart = landmarks.copy()
    middle = apart[LIPS, 1].mean()
    for lip, way in zip(INNER_LIPS, (-0.5, 0.5), strict=True):
        bow = np.sin(np.linspace(0, np.pi, len(lip)))
        apart[lip, 1] = middle + way * by * eye_distance(landmarks[:, :2]) * bow
    return apart


def inside(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Colours (N, 3) of the opening."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [landmarks[LIPS, :2].astype(np.int32)], 1)
    return picture[mask > 0].astype(int)


@pytest.fixture(scope="module")
def mesh(small_portrait: np.ndarray) -> np.ndarray:
    return mesh_of(small_portrait)


@pytest.fixture(scope="module")
def first(singer: Video) -> np.ndarray:
    return next(singer.frames())


@pytest.fixture(scope="module")
def theirs(first: np.ndarray) -> np.ndarray:
    return mesh_of(first)


def painted(photo: np.ndarray, mesh: np.ndarray, frame: np.ndarray, driving: np.ndarray, by: float) -> np.ndarray:
    """Colours (N, 3) in the opening, with a driver's mouth as far open as the photo's."""
    lips, palette = opened(mesh, by), match_colours(photo, mesh, frame, driving)
    region = paint_mouth(photo.copy(), lips, frame, opened(driving, by), palette=palette, opacity=1.0)
    return inside(region, lips)


def white_mouth(frame: np.ndarray, driving: np.ndarray, by: float) -> np.ndarray:
    """The frame with nothing but white between its opened lips."""
    white = frame.copy()
    cv2.fillPoly(white, [opened(driving, by)[LIPS, :2].astype(np.int32)], (255, 255, 255))
    return white


# Colours


def test_a_black_and_white_photo_gets_a_grey_mouth(small_portrait: np.ndarray, singer: Video) -> None:
    frames = list(load_animator("mesh").animate(in_grey(small_portrait), singer))
    assert max(int(np.ptp(frame, axis=2).max()) for frame in frames) <= 1


def test_a_brown_photo_gets_a_brown_mouth(
    small_portrait: np.ndarray, mesh: np.ndarray, first: np.ndarray, theirs: np.ndarray
) -> None:
    brown = np.round(in_grey(small_portrait) * SEPIA).astype(np.uint8)
    colours = painted(brown, mesh, first, theirs, 0.3)
    tone = colours @ LUMA / (SEPIA @ LUMA)
    assert np.abs(colours - tone[:, None] * SEPIA).max() <= 8


@pytest.mark.parametrize("light", [[1.0, 0.85, 0.6], [1.0, 1.0, 1.0]])
def test_white_teeth_have_the_photos_tint_and_are_not_brighter_than_it(
    small_portrait: np.ndarray, mesh: np.ndarray, first: np.ndarray, theirs: np.ndarray, light: list[float]
) -> None:
    photo = np.round(small_portrait * np.array(light)).astype(np.uint8)
    colours = painted(photo, mesh, white_mouth(first, theirs, 0.3), theirs, 0.3)
    bright = colours[colours @ LUMA > np.percentile(colours @ LUMA, 60)].mean(0)
    skin = inside_face(photo, mesh).mean(0)
    assert bright @ LUMA > skin @ LUMA
    assert bright @ LUMA < np.percentile(photo @ LUMA, 99.9)
    assert 1.05 < bright[0] / bright[2] < skin[0] / skin[2]


def inside_face(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [landmarks[LOWER_FACE, :2].astype(np.int32)], 1)
    return picture[mask > 0]


def test_the_mouth_of_a_dark_driver_is_as_light_as_that_of_a_light_one(
    small_portrait: np.ndarray, mesh: np.ndarray, first: np.ndarray, theirs: np.ndarray
) -> None:
    lit = painted(small_portrait, mesh, first, theirs, 0.3) @ LUMA
    dim = painted(small_portrait, mesh, (first * 0.5).astype(np.uint8), theirs, 0.3) @ LUMA
    assert abs(lit.mean() - dim.mean()) < 12


# Small openings


def test_a_mouth_as_open_as_in_the_photo_is_left_alone(
    small_portrait: np.ndarray, mesh: np.ndarray, first: np.ndarray, theirs: np.ndarray
) -> None:
    palette = match_colours(small_portrait, mesh, first, theirs)
    region, opacity = small_portrait.copy(), mouth_opacity(0.02, 0.02)
    paint_mouth(region, opened(mesh, 0.02), first, theirs, palette=palette, opacity=opacity)
    assert np.array_equal(region, small_portrait)


@pytest.mark.parametrize("driven", ["teeth", "darkness"])
def test_a_mouth_that_is_hardly_open_is_a_line_between_the_lips(
    small_portrait: np.ndarray, mesh: np.ndarray, first: np.ndarray, theirs: np.ndarray, driven: str
) -> None:
    frame = white_mouth(first, theirs, 0.03) if driven == "teeth" else np.zeros_like(first)
    palette = match_colours(small_portrait, mesh, first, theirs)
    lips = opened(mesh, 0.03)
    region = small_portrait.copy()
    paint_mouth(region, lips, frame, opened(theirs, 0.03), palette=palette, opacity=1.0)
    lumas = inside(region, lips) @ LUMA
    line, skin = palette.line @ LUMA, np.median(inside_face(small_portrait, mesh) @ LUMA)
    assert lumas.max() < skin  # no white speck
    assert lumas.min() > 0.5 * line  # no black one


def test_closed_lips_of_the_driver_are_not_shown_in_an_open_mouth(
    small_portrait: np.ndarray, mesh: np.ndarray, first: np.ndarray, theirs: np.ndarray
) -> None:
    red = first.copy()
    cv2.fillPoly(red, [theirs[LOWER_FACE, :2].astype(np.int32)], (200, 110, 100))
    palette, lips = match_colours(small_portrait, mesh, first, theirs), opened(mesh, 0.08)
    region = paint_mouth(small_portrait.copy(), lips, red, opened(theirs, 0.03), palette=palette, opacity=1.0)
    assert np.abs(np.median(inside(region, lips), axis=0) - palette.line).max() < 12


# Sharpness and grain


def shown_grey(palette: Palette) -> np.ndarray:
    return palette.show(np.full((60, 90, 3), 150, np.uint8), 50.0).astype(float)


def test_grain_is_as_strong_as_on_the_skin_and_stays_the_same(
    small_portrait: np.ndarray, mesh: np.ndarray, first: np.ndarray, theirs: np.ndarray
) -> None:
    calm = cv2.bilateralFilter(small_portrait, 9, 60, 9)
    noise = np.random.default_rng(1).normal(0, 6, small_portrait.shape[:2])[..., None]
    rough = np.clip(calm + noise, 0, 255).astype(np.uint8)
    deviations = []
    for photo in (calm, rough):
        palette = match_colours(photo, mesh, first, theirs)
        assert np.array_equal(shown_grey(palette), shown_grey(match_colours(photo, mesh, first, theirs)))
        deviations.append(shown_grey(palette)[..., 0].std())
    assert deviations[0] < 2.5
    assert 3 < deviations[1] < 8


def test_a_soft_photo_gets_a_soft_mouth_and_a_soft_driver_is_sharpened(
    small_portrait: np.ndarray, mesh: np.ndarray, first: np.ndarray, theirs: np.ndarray
) -> None:
    soft_photo, soft_frame = (cv2.GaussianBlur(picture, (0, 0), 3) for picture in (small_portrait, first))
    even = match_colours(small_portrait, mesh, small_portrait, mesh).blur
    softer = match_colours(soft_photo, mesh, small_portrait, mesh).blur
    sharper = match_colours(small_portrait, mesh, soft_frame, theirs).blur
    assert sharper < even == 0 < softer
    assert softer * eye_distance(mesh[:, :2]) == pytest.approx(3, rel=0.4)


# What is no human face


def test_no_mouth_is_painted_where_the_landmarks_lie_on_no_face(
    small_portrait: np.ndarray, singer: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[float] = []
    monkeypatch.setattr("memegen.mesh.animator.shows_face", lambda *_: False)
    monkeypatch.setattr("memegen.mesh.animator.paint_mouth", lambda *_, **__: painted.append(1))
    assert len(list(load_animator("mesh").animate(small_portrait, singer))) == singer.frame_count
    assert not painted


def test_faces_in_any_style_count_as_faces(small_portrait: np.ndarray) -> None:
    def styles() -> Iterator[np.ndarray]:
        yield in_grey(small_portrait)
        yield cv2.GaussianBlur(small_portrait, (0, 0), 2)
        yield cv2.stylization(small_portrait)

    assert all(shows_face(picture, mesh_box(mesh_of(picture))) for picture in styles())
