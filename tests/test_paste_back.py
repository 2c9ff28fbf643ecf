"""Squares back in the photo: the photo's own pixels where nothing is new, no seam, no flicker, at any edge."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from memegen.animator import load_animator
from memegen.face.cropping import FaceBox, crop_face, whole_square
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.fomm.paste_back import PasteBack
from memegen.media.video import Video

SIDE = 256


def network(photo: np.ndarray, box: FaceBox) -> np.ndarray:
    """What a network would give for a crop: 256 pixels, soft, and off in colour."""
    crop = cv2.GaussianBlur(crop_face(photo, box, margin=0, side=SIDE), (0, 0), 1.2)
    return np.clip(crop * np.array([0.93, 1.0, 1.05]) + [9, -4, 2], 0, 255).astype(np.uint8)


def pasted(photo: np.ndarray, box: FaceBox, square: np.ndarray) -> np.ndarray:
    picture = photo.copy()
    PasteBack(photo, box, network(photo, box)).onto(picture, square)
    return picture


def detail(picture: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def mouth(picture: np.ndarray) -> float:
    points = face_mesh(picture, pick_face(detect_faces(picture)))
    return float(np.linalg.norm(points[13, :2] - points[14, :2]) / np.linalg.norm(points[33, :2] - points[263, :2]))


@pytest.fixture(scope="module")
def large(portrait: np.ndarray) -> np.ndarray:
    """The portrait at 768 x 900, with a little grain, as a phone would take it."""
    photo = cv2.resize(portrait, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(3).normal(0, 1.5, (*photo.shape[:2], 1))
    return np.clip(photo + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def box(large: np.ndarray) -> FaceBox:
    return whole_square(pick_face(detect_faces(large)).square(0.4))


@pytest.fixture(scope="module")
def moving(large: np.ndarray, box: FaceBox, singer: Video) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the mesh engine makes of the photo, and what a network's square of that would be."""
    frames = list(load_animator("mesh").animate(large, replace(singer, duration=0.6)))
    return [(frame, network(frame, box)) for frame in frames]


@pytest.fixture(scope="module")
def back(large: np.ndarray, box: FaceBox, moving: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """The squares back in the photo."""
    paste = PasteBack(large, box, network(large, box))
    pictures = []
    for _, square in moving:
        pictures.append(large.copy())
        paste.onto(pictures[-1], square)
    return pictures


@pytest.mark.parametrize("scale", [0.3, 1.0, 1.7])
def test_a_face_that_does_not_move_leaves_the_photo_as_it_is(large: np.ndarray, scale: float) -> None:
    photo = cv2.resize(large, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    box = whole_square(pick_face(detect_faces(photo)).square(0.4))
    picture = pasted(photo, box, network(photo, box))
    inside = np.zeros(photo.shape[:2], bool)
    inside[int(max(box.top, 0)) : int(box.bottom), int(max(box.left, 0)) : int(box.right)] = True
    apart = np.abs(picture.astype(int) - photo)
    assert apart[inside].mean() <= 2
    assert apart[~inside].max() == 0


def test_noise_that_a_network_adds_is_hardly_seen(large: np.ndarray, box: FaceBox) -> None:
    square = network(large, box)
    noise = np.random.default_rng(1).integers(-2, 3, square.shape)
    picture = pasted(large, box, np.clip(square + noise, 0, 255).astype(np.uint8))
    assert np.abs(picture.astype(int) - large).mean() <= 2


def test_outside_the_square_nothing_changes(large: np.ndarray, box: FaceBox, back: list[np.ndarray]) -> None:
    outside = np.ones(large.shape[:2], bool)
    outside[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = False
    assert all(np.array_equal(picture[outside], large[outside]) for picture in back)


def test_the_seam_is_no_stronger_than_the_photo(large: np.ndarray, box: FaceBox, back: list[np.ndarray]) -> None:
    top, bottom, left, right = (round(v) for v in (box.top, box.bottom, box.left, box.right))
    band = np.zeros(large.shape[:2], bool)
    band[top - 3 : bottom + 3, left - 3 : right + 3] = True
    band[top + 24 : bottom - 24, left + 24 : right - 24] = False

    def gradient(picture: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))[band]

    own = gradient(large)
    for picture in back:
        assert gradient(picture).mean() <= 1.02 * own.mean()
        assert np.percentile(gradient(picture), 99) <= 1.05 * np.percentile(own, 99)


def test_the_movement_is_the_networks(moving: list[tuple[np.ndarray, np.ndarray]], back: list[np.ndarray]) -> None:
    wanted = [mouth(frame) for frame, _ in moving]
    made = [mouth(picture) for picture in back]
    assert max(wanted) > 0.08
    assert float(np.corrcoef(wanted, made)[0, 1]) > 0.97
    assert max(made) > 0.7 * max(wanted)  # a soft square opens its mouth a little less


def test_the_photos_detail_is_kept(
    large: np.ndarray, box: FaceBox, moving: list[tuple[np.ndarray, np.ndarray]], back: list[np.ndarray]
) -> None:
    part = np.s_[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    side = round(box.width)
    for (_, square), picture in list(zip(moving, back, strict=True))[::4]:
        enlarged = cv2.resize(square, (side, side), interpolation=cv2.INTER_CUBIC)
        assert detail(picture[part]) > 0.5 * detail(large[part])
        assert detail(picture[part]) > 3 * detail(enlarged)


def test_colours_are_the_photos_and_do_not_flicker(
    large: np.ndarray, box: FaceBox, moving: list[tuple[np.ndarray, np.ndarray]], back: list[np.ndarray]
) -> None:
    part = np.s_[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    for (frame, _), picture in zip(moving, back, strict=True):
        assert np.abs(picture[part].mean((0, 1)) - frame[part].mean((0, 1))).max() < 1.5
    shifts = np.array(
        [
            picture[part].mean((0, 1)) - frame[part].mean((0, 1))
            for (frame, _), picture in zip(moving, back, strict=True)
        ]
    )
    assert shifts.std(0).max() < 0.4


@pytest.mark.parametrize("box", [FaceBox(-60, -40, 240, 260), FaceBox(400, 450, 700, 750), FaceBox(-50, -50, 700, 700)])
def test_squares_that_reach_beyond_the_photo(portrait: np.ndarray, box: FaceBox) -> None:
    still = network(portrait, box)
    assert np.array_equal(pasted(portrait, box, still), portrait)
    moved = np.roll(still, 12, axis=0)
    picture = pasted(portrait, box, moved)
    assert picture.shape == portrait.shape
    assert np.abs(picture.astype(int) - portrait).mean() > 0.5


def test_a_square_quite_outside_changes_nothing(portrait: np.ndarray) -> None:
    box = FaceBox(900, 20, 1100, 220)
    assert np.array_equal(pasted(portrait, box, np.zeros((SIDE, SIDE, 3), np.uint8)), portrait)


def test_what_belongs_to_others_is_left_to_them(portrait: np.ndarray) -> None:
    box = FaceBox(100, 80, 400, 380)
    part = np.zeros((300, 300), np.float32)
    part[:, :100] = 1
    picture = portrait.copy()
    PasteBack(portrait, box, network(portrait, box), part=part).onto(picture, np.zeros((SIDE, SIDE, 3), np.uint8))
    assert np.array_equal(picture[:, 205:], portrait[:, 205:])
    assert picture[200:300, 160:190].mean() < 20


def test_a_face_already_in_the_picture_stays(portrait: np.ndarray) -> None:
    part = np.zeros((300, 300), np.float32)
    part[:, :100] = 1
    box, picture = FaceBox(100, 80, 400, 380), portrait.copy()
    picture[:, 220:] = 0  # what another face's square drew
    PasteBack(portrait, box, network(portrait, box), part=part).onto(picture, np.zeros((SIDE, SIDE, 3), np.uint8))
    assert picture[:, 225:].max() == 0


def test_boxes_become_squares_of_whole_pixels() -> None:
    assert whole_square(FaceBox(10.2, 20.7, 30.4, 50.1)) == FaceBox(6, 21, 35, 50)
    assert whole_square(FaceBox(5, 5, 5.1, 5.1)).width == 2
