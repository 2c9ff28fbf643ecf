"""Eyes that look and shut: where irises go, what hides them, and what an eye without an iris does."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.face.performance import study
from memegen.face.pose import fit_pose, lids_of, shape_of
from memegen.face.topology import EYE_LIDS, IRISES
from memegen.mesh.eyes import Eye, carried, open_up, placed, turn_eyes
from memegen.mesh.lids import Lid, held_open, shut_lids, skin_of_lids
from memegen.mesh.motion import Reference, retarget


@pytest.fixture(scope="module")
def landmarks(portrait: np.ndarray) -> np.ndarray:
    return face_mesh(portrait, pick_face(detect_faces(portrait)))


@pytest.fixture(scope="module")
def eyes(portrait: np.ndarray, landmarks: np.ndarray) -> tuple[Eye | None, ...]:
    return tuple(open_up(portrait, landmarks[:, :2], side) for side in (0, 1))


def acted(
    landmarks: np.ndarray, *, gaze: tuple[float, float] = (0, 0), shut: float = 0, expression: float = 1
) -> np.ndarray:
    """The photo's landmarks moved by a driver that is its twin, but looks elsewhere or shuts its eyes."""
    pose = fit_pose(landmarks)
    shape = shape_of(landmarks, pose)
    driver = landmarks.copy()
    for upper, lower in EYE_LIDS:
        driver[upper] = driver[lower] - (1 - shut) * (driver[lower] - driver[upper])
    reference = Reference(pose, shape, lids_of(landmarks))
    return retarget(landmarks, driver, reference, expression=expression, motion=1, gaze=np.array(gaze))


def looks(picture: np.ndarray) -> np.ndarray:
    """Where the right and the left iris are, right and down from the middle of the eye, in eye widths: (2, 2)."""
    mesh = face_mesh(picture, pick_face(detect_faces(picture)))[:, :2]
    corners = [mesh[[upper[0], upper[-1]]] for upper, _ in EYE_LIDS]
    return np.array(
        [
            (mesh[iris[0]] - pair.mean(0)) / np.linalg.norm(pair[0] - pair[1])
            for iris, pair in zip(IRISES, corners, strict=True)
        ]
    )


def look(picture: np.ndarray, eyes: Sequence[Eye | None], face: np.ndarray, landmarks: np.ndarray) -> None:
    """Turn the eyes of a picture."""
    turn_eyes(picture, eyes, face[:, :2], carried(face, landmarks))


def shut_down(picture: np.ndarray, lids: Sequence[Lid | None], face: np.ndarray, landmarks: np.ndarray) -> None:
    """Shut the eyes of a picture, which shows them open."""
    stay = carried(face, landmarks)
    shut_lids(picture, lids, held_open(face, stay)[:, :2], face[:, :2], stay)


def test_irises_lie_in_the_eyes(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    for (upper, lower), iris in zip(EYE_LIDS, IRISES, strict=True):
        middle, *edge = landmarks[iris, :2]
        width = np.linalg.norm(landmarks[upper[0], :2] - landmarks[upper[-1], :2])
        assert np.linalg.norm(middle - landmarks[[*upper, *lower], :2].mean(0)) < 0.25 * width
        assert np.linalg.norm(edge - middle, axis=1) == pytest.approx(0.22 * width, rel=0.25)
        x, y = middle.round().astype(int)
        dark = portrait[y - 1 : y + 2, x - 1 : x + 2].mean()
        assert dark < portrait[y + int(width / 2) :, x - 1 : x + 2][:3].mean()  # darker than the cheek


@pytest.mark.parametrize("gaze", [(-0.1, 0.0), (0.1, 0.0)])
def test_the_irises_go_where_the_driver_looks(
    portrait: np.ndarray, landmarks: np.ndarray, eyes: tuple[Eye | None, ...], gaze: tuple[float, float]
) -> None:
    picture = portrait.copy()
    look(picture, eyes, acted(landmarks, gaze=gaze), landmarks)
    moved = looks(picture) - looks(portrait)
    assert (moved[:, 0] / gaze[0] > 0.5).all()
    assert (abs(moved[:, 1]) < 0.05).all()


def test_only_the_eyes_change(portrait: np.ndarray, landmarks: np.ndarray, eyes: tuple[Eye | None, ...]) -> None:
    picture = portrait.copy()
    look(picture, eyes, acted(landmarks, gaze=(0.1, 0.05)), landmarks)
    inside = np.zeros(portrait.shape[:2], np.uint8)
    for upper, lower in EYE_LIDS:
        cv2.fillPoly(inside, [landmarks[[*upper, *lower[::-1]], :2].round().astype(np.int32)], 1)
    outside = cv2.dilate(inside, np.ones((3, 3), np.uint8)) == 0
    assert np.array_equal(picture[outside], portrait[outside])
    assert not np.array_equal(picture, portrait)


def test_an_eye_that_looks_as_in_the_photo_is_the_photo(
    portrait: np.ndarray, landmarks: np.ndarray, eyes: tuple[Eye | None, ...]
) -> None:
    picture = portrait.copy()
    still = acted(landmarks)[:, :2]
    look(picture, eyes, still, landmarks)
    lids = [skin_of_lids(portrait, landmarks[:, :2], side) for side in (0, 1)]
    shut_down(picture, lids, still, landmarks)
    assert np.array_equal(picture, portrait)


def test_an_iris_keeps_its_size_and_its_white(
    portrait: np.ndarray, landmarks: np.ndarray, eyes: tuple[Eye | None, ...]
) -> None:
    face = acted(landmarks, gaze=(0.15, 0))
    for iris in IRISES:
        before, after = (np.linalg.norm(mesh[iris[1:], :2] - mesh[iris[0], :2], axis=1) for mesh in (landmarks, face))
        assert after == pytest.approx(before, rel=0.01)
    picture = portrait.copy()
    look(picture, eyes, face, landmarks)
    # Where the iris was, its white is seen: brighter than the iris, and no brighter than anything in the eye before.
    for (upper, lower), iris in zip(EYE_LIDS, IRISES, strict=True):
        radius = np.linalg.norm(landmarks[iris[1], :2] - landmarks[iris[0], :2])
        x, y = (landmarks[iris[0], :2] - [0.7 * radius, 0]).round().astype(int)
        around = landmarks[[*upper, *lower], :2].round().astype(int)
        eye = portrait[around[:, 1].min() : around[:, 1].max(), around[:, 0].min() : around[:, 0].max()]
        assert portrait[y, x].mean() + 5 < picture[y, x].mean() <= eye.max()


def test_no_expression_leaves_the_gaze(landmarks: np.ndarray) -> None:
    assert acted(landmarks, gaze=(0.1, 0), expression=0) == pytest.approx(landmarks, abs=0.05)


def test_an_iris_stays_in_its_eye(landmarks: np.ndarray) -> None:
    face = acted(landmarks, gaze=(3, -3))
    for (upper, _), iris in zip(EYE_LIDS, IRISES, strict=True):
        corners = face[[upper[0], upper[-1]], :2]
        off = face[iris[0], :2] - corners.mean(0)
        assert (abs(off) < 0.36 * np.linalg.norm(corners[0] - corners[1])).all()


def test_shut_lids_hide_the_irises(portrait: np.ndarray, landmarks: np.ndarray, eyes: tuple[Eye | None, ...]) -> None:
    lids = [skin_of_lids(portrait, landmarks[:, :2], side) for side in (0, 1)]
    shown = []
    for gaze in (-0.15, 0.15):
        face = acted(landmarks, gaze=(gaze, 0), shut=1)[:, :2]
        picture = portrait.copy()
        look(picture, eyes, face, landmarks)
        shut_down(picture, lids, face, landmarks)
        shown.append(picture)
    assert abs(shown[0].astype(int) - shown[1]).max() <= 12
    shut, open_ = (face_mesh(picture, pick_face(detect_faces(picture))) for picture in (shown[0], portrait))
    assert lids_of(shut).max() < 0.75 * lids_of(open_).min()
    for iris in IRISES:  # skin where the iris was
        x, y = landmarks[iris[0], :2].round().astype(int)
        assert shown[0][y - 1 : y + 2, x - 1 : x + 2].mean() > portrait[y - 1 : y + 2, x - 1 : x + 2].mean() + 20


def test_lids_are_held_open_only_where_they_shut(landmarks: np.ndarray) -> None:
    wide, shut = (acted(landmarks, shut=part) for part in (-0.2, 1))
    assert held_open(wide, carried(wide, landmarks)) == pytest.approx(wide, abs=0.01)
    held = held_open(shut, carried(shut, landmarks))
    for upper, _ in EYE_LIDS:
        assert held[upper, :2] == pytest.approx(landmarks[upper, :2], abs=0.5)


def test_an_eye_without_an_iris_does_not_look(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    blind = portrait.copy()
    for upper, lower in EYE_LIDS:
        loop = landmarks[[*upper, *lower[::-1]], :2].round().astype(np.int32)
        cv2.fillPoly(blind, [loop], blind[loop[:, 1].max() + 8, loop[4, 0]].tolist())
    assert [open_up(cv2.GaussianBlur(blind, (0, 0), 1), landmarks[:, :2], side) for side in (0, 1)] == [None, None]
    assert open_up(portrait, landmarks[:, :2] + 5000, 0) is None  # outside the photo
    assert skin_of_lids(portrait, landmarks[:, :2] + 5000, 0) is None


@pytest.mark.parametrize("blink", [range(8, 12), range(2, 14)])
def test_the_gaze_is_measured_from_the_usual_one_and_not_through_shut_lids(landmarks: np.ndarray, blink: range) -> None:
    driving = [landmarks.copy() for _ in range(40)]
    width = np.mean([np.linalg.norm(landmarks[upper[0]] - landmarks[upper[-1]]) for upper, _ in EYE_LIDS])
    for number in range(20, 30):  # a look to the right in the picture
        for iris in IRISES:
            driving[number][iris, 0] += 0.1 * width
    for number in blink:  # in which the network sees the irises anywhere
        for (upper, lower), iris in zip(EYE_LIDS, IRISES, strict=True):
            driving[number][upper] = driving[number][lower]
            driving[number][iris, 0] -= 0.3 * width
    gaze = study(driving).gaze
    assert abs(gaze[:17]).max() < 0.01
    assert gaze[22:28, 0] == pytest.approx(0.1, abs=0.01)
    assert abs(gaze[:, 1]).max() < 0.01


def test_eyes_that_are_always_shut_look_nowhere(landmarks: np.ndarray) -> None:
    asleep = landmarks.copy()
    for upper, lower in EYE_LIDS:
        asleep[upper] = asleep[lower]
    assert not study([asleep] * 3).gaze.any()


def test_a_layer_goes_on_beyond_its_edge() -> None:
    layer, patch = np.full((4, 4, 3), 200, np.uint8), np.zeros((9, 9, 3), np.uint8)
    assert (placed(layer, np.eye(2, 3), np.array([2, 2]), np.zeros(2), patch) == 200).all()
