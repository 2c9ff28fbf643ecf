"""Faces in pictures: where they are, which one is meant, their landmarks, and crops of them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from memegen.base.errors import InputError, NoFaceError
from memegen.face.cropping import FaceBox, crop_face
from memegen.face.detection import detect_faces, face_mesh, mesh_box, pick_face

# Where the portrait's features are, measured by eye on the picture.
EYES, NOSE, MOUTH = ((225, 193), (308, 191)), (266, 232), ((232, 277), (302, 277))
FACE = FaceBox(178, 128, 352, 335)


def placed(photo: np.ndarray, *, width: int, height: int, face: float, left: int = 100, top: int = 60) -> np.ndarray:
    """Return a grey picture with the portrait in it, its face `face` pixels high."""
    scale = face / FACE.height
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full((height, width, 3), 127, np.uint8)
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small[: height - top, : width - left]
    return picture


def error_between(found: np.ndarray, expected: np.ndarray) -> float:
    """Mean distance of landmarks in the picture, over the inter-ocular distance."""
    eyes = np.linalg.norm(expected[33, :2] - expected[263, :2])
    return float(np.linalg.norm(found[:, :2] - expected[:, :2], axis=1).mean() / eyes)


@pytest.fixture(scope="module")
def landmarks(portrait: np.ndarray) -> np.ndarray:
    return face_mesh(portrait, pick_face(detect_faces(portrait)))


@pytest.fixture(scope="module")
def couple(portrait: np.ndarray) -> np.ndarray:
    """A small face at the left, a large one at the right."""
    picture = placed(portrait, width=900, height=620, face=110, left=10, top=90)
    picture[10:610, 380:892] = portrait
    return picture


# Finding


def test_the_portrait_has_one_face_with_five_points(portrait: np.ndarray) -> None:
    (face,) = detect_faces(portrait)
    near = 0.1 * FACE.width
    for side in ("left", "top", "right", "bottom"):
        assert getattr(face, side) == pytest.approx(getattr(FACE, side), abs=near)
    assert np.array(face.points) == pytest.approx(np.array([*EYES, NOSE, *MOUTH]), abs=near)
    assert abs(face.roll) < 0.1
    assert 0.8 < face.score <= 1


def test_faces_are_listed_from_left_to_right(couple: np.ndarray) -> None:
    small, large = detect_faces(couple)
    assert small.right < large.left
    assert small.width < 0.7 * large.width


def test_the_largest_face_is_meant_unless_one_is_named(couple: np.ndarray) -> None:
    small, large = detect_faces(couple)
    assert pick_face(detect_faces(couple)) == large
    assert pick_face(detect_faces(couple), 0) == small
    assert pick_face(detect_faces(couple), 1) == large
    mirrored = np.ascontiguousarray(couple[:, ::-1])
    assert pick_face(detect_faces(mirrored)) == pick_face(detect_faces(mirrored), 0)


@pytest.mark.parametrize("index", [2, -1])
def test_a_face_that_is_not_there(couple: np.ndarray, index: int) -> None:
    with pytest.raises(InputError) as caught:
        pick_face(detect_faces(couple), index, name="friends.jpg")
    assert str(caught.value) == (
        f"Face {index} was asked for, but friends.jpg has 2: count from 0 at the left, so give 0 to 1."
    )
    assert not isinstance(caught.value, NoFaceError)


@pytest.mark.parametrize("height", [2, 80, 1500])
def test_no_face_is_said_plainly(height: int) -> None:
    nobody = np.random.default_rng(7).integers(0, 255, (height, 100, 3)).astype(np.uint8)
    assert detect_faces(nobody) == []
    with pytest.raises(NoFaceError, match=r"^No face was found in wall\.jpg: try one where a single face looks at"):
        pick_face(detect_faces(nobody), name="wall.jpg")


def test_low_and_narrow_pictures_have_no_faces() -> None:
    rng = np.random.default_rng(1)
    for turn in range(60):  # between larger ones: what OpenCV 4 finds depends on what it saw before
        height, width = rng.integers(1, 40 if turn % 2 else 700), rng.integers(1, 700)
        assert detect_faces(rng.integers(0, 255, (height, width, 3)).astype(np.uint8)) == []


@pytest.mark.parametrize(("width", "face"), [(640, 20), (2400, 44)])
def test_tiny_faces_are_found(portrait: np.ndarray, width: int, face: int) -> None:
    picture = placed(portrait, width=width, height=width // 2, face=face)
    found = pick_face(detect_faces(picture))
    scale = face / FACE.height
    middle = 100 + scale * FACE.centre[0], 60 + scale * FACE.centre[1]
    assert found.centre == pytest.approx(middle, abs=0.15 * face)
    assert found.height == pytest.approx(face, rel=0.25)


@pytest.mark.parametrize("side", [200, 1500])
def test_a_face_that_fills_the_picture_is_found(portrait: np.ndarray, side: int) -> None:
    close = cv2.resize(portrait[118:340, 160:365], (side, side), interpolation=cv2.INTER_CUBIC)
    face = pick_face(detect_faces(close))
    assert face.width > 0.7 * side
    assert error_between(face_mesh(close, face), face_mesh(close, FaceBox(0, 0, side, side))) < 0.03


def test_boxes_are_in_pixels_of_the_picture_itself(portrait: np.ndarray, small_portrait: np.ndarray) -> None:
    large = cv2.resize(portrait, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    for picture, scale in ((small_portrait, 0.4), (large, 2.0)):
        centre = pick_face(detect_faces(picture)).centre
        assert centre == pytest.approx([scale * x for x in FACE.centre], abs=0.07 * scale * FACE.width)


# Landmarks


def test_landmarks_lie_on_the_face(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    assert landmarks.shape == (478, 3)
    assert landmarks.dtype == np.float32
    around = FACE.scaled(1.25)
    assert ((landmarks[:, :2] > [around.left, around.top]) & (landmarks[:, :2] < [around.right, around.bottom])).all()
    eyes = [landmarks[[33, 133], :2].mean(0), landmarks[[263, 362], :2].mean(0)]
    corners = landmarks[[61, 291], :2]
    found, near = np.array([*eyes, *corners]), 0.1 * FACE.width
    assert found == pytest.approx(np.array([*EYES, *MOUTH]), abs=near)
    assert landmarks[1, 2] < landmarks[[234, 454], 2].min() - 0.2 * FACE.width  # the nose is nearer than the ears


@pytest.mark.parametrize("shift", [(37, 21), (120, 0)])
def test_landmarks_follow_a_shift(portrait: np.ndarray, landmarks: np.ndarray, shift: tuple[int, int]) -> None:
    moved = cv2.copyMakeBorder(portrait, shift[1], 0, shift[0], 0, cv2.BORDER_REPLICATE)
    found = face_mesh(moved, pick_face(detect_faces(moved)))
    assert error_between(found, landmarks[:, :2] + shift) < 0.025


@pytest.mark.parametrize("scale", [0.4, 2.0])
def test_landmarks_follow_a_change_of_size(portrait: np.ndarray, landmarks: np.ndarray, scale: float) -> None:
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=kind)
    found = face_mesh(resized, pick_face(detect_faces(resized)))
    assert error_between(found, (landmarks + 0.5) * scale - 0.5) < 0.025
    assert np.ptp(found[:, 2]) == pytest.approx(scale * np.ptp(landmarks[:, 2]), rel=0.1)


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_landmarks_follow_a_tilted_head(portrait: np.ndarray, landmarks: np.ndarray, degrees: int) -> None:
    matrix = cv2.getRotationMatrix2D(FACE.centre, -degrees, 1)
    tilted = cv2.warpAffine(portrait, matrix, portrait.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    face = pick_face(detect_faces(tilted))
    assert face.roll * degrees > 0
    found = face_mesh(tilted, face)
    assert error_between(found, landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]) < 0.03
    assert mesh_box(found).roll - mesh_box(landmarks).roll == pytest.approx(math.radians(degrees), abs=0.05)


def test_landmarks_do_not_change_the_picture(portrait: np.ndarray) -> None:
    picture = portrait.copy()
    face_mesh(picture, pick_face(detect_faces(picture)))
    assert np.array_equal(picture, portrait)


@pytest.mark.parametrize("box", [FaceBox(5, 5, 5, 5), FaceBox(50, 50, 20, 20)])
def test_landmarks_in_an_empty_box_are_refused(portrait: np.ndarray, box: FaceBox) -> None:
    with pytest.raises(InputError, match="is empty: give left < right"):
        face_mesh(portrait, box)


def test_the_box_of_landmarks_holds_them(landmarks: np.ndarray) -> None:
    box = mesh_box(landmarks)
    assert (box.left, box.top) == pytest.approx(landmarks[:, :2].min(0))
    assert (box.right, box.bottom) == pytest.approx(landmarks[:, :2].max(0))


# Boxes and crops


def test_boxes_are_values_with_plain_arithmetic() -> None:
    box = FaceBox(10, 20, 40, 80, roll=0.2, score=0.9)
    assert (box.width, box.height, box.centre) == (30, 60, (25, 50))
    assert box.scaled(2) == FaceBox(-5, -10, 55, 110, roll=0.2, score=0.9)
    assert box.square() == FaceBox(-5, 20, 55, 80, roll=0.2, score=0.9)
    assert box.square(0.5) == FaceBox(-35, -10, 85, 110, roll=0.2, score=0.9)
    assert box.union(FaceBox(0, 30, 20, 90)) == FaceBox(0, 20, 40, 90, roll=0.2, score=0.9)
    assert box.scaled(2).clip(50, 100) == FaceBox(0, 0, 50, 100, roll=0.2, score=0.9)
    outside = FaceBox(-30, 5, -10, 25).clip(50, 100)
    assert (outside.width, outside.height) == (0, 20)
    assert box == FaceBox(10, 20, 40, 80, roll=0.2, score=0.9)


@pytest.mark.parametrize("side", [64, 256, 500])
def test_a_crop_is_a_square_with_the_face_in_its_middle(portrait: np.ndarray, side: int) -> None:
    crop = crop_face(portrait, FACE, side=side)
    assert crop.shape == (side, side, 3)
    assert crop.dtype == np.uint8
    face = pick_face(detect_faces(crop))
    assert face.centre == pytest.approx((side / 2, side / 2), abs=0.06 * side)
    assert face.height == pytest.approx(side / 1.8, rel=0.1)  # 40 % of room on each side, unless told otherwise


def test_the_margin_is_the_room_around_the_face(portrait: np.ndarray) -> None:
    tight, wide = (pick_face(detect_faces(crop_face(portrait, FACE, margin=margin))) for margin in (0.1, 0.6))
    assert tight.height / wide.height == pytest.approx(2.2 / 1.2, rel=0.08)


def test_a_crop_of_its_own_size_is_the_picture_itself(portrait: np.ndarray) -> None:
    crop = crop_face(portrait, FaceBox(100, 150, 300, 350), margin=0, side=200)
    assert np.array_equal(crop, portrait[150:350, 100:300])


def test_a_crop_past_the_border_repeats_the_edge() -> None:
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[:, 20:] = 200
    crop = crop_face(photo, FaceBox(20, 0, 60, 40), margin=0.5, side=80)
    assert (crop[:, 25:] == 200).all()
    assert (crop[:, :15] == 0).all()


def test_a_small_crop_of_fine_stripes_does_not_alias() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = crop_face(stripes, FaceBox(0, 0, 400, 400), margin=0, side=100)
    assert crop.std() < 12


@pytest.mark.parametrize("box", [FaceBox(5, 5, 5, 5), FaceBox(50, 50, 20, 20)])
def test_a_crop_of_an_empty_box_is_refused(portrait: np.ndarray, box: FaceBox) -> None:
    with pytest.raises(InputError, match="is empty: give left < right and top < bottom"):
        crop_face(portrait, box)
