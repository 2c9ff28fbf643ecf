"""Several faces of one photo: all of them, each with its own clip, and whole where they overlap."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from memegen.animator import load_animator
from memegen.base.errors import InputError, NoFaceError
from memegen.face.casting import cast_roles, choose_among, eased, territory
from memegen.face.cropping import FaceBox
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.media.video import Video
from memegen.mesh.rig import lay_rings
from memegen.mesh.warp import set_scene


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def mouths(picture: np.ndarray) -> list[float]:
    """How far each face's mouth is open, over the inter-ocular distance, left to right."""
    meshes = [face_mesh(picture, face)[:, :2] for face in detect_faces(picture)]
    return [float(np.linalg.norm(m[13] - m[14]) / np.linalg.norm(m[33] - m[263])) for m in meshes]


def halves(frame: np.ndarray, photo: np.ndarray) -> tuple[float, float]:
    middle = photo.shape[1] // 2
    return difference(frame[:, : middle - 6], photo[:, : middle - 6]), difference(
        frame[:, middle + 6 :], photo[:, middle + 6 :]
    )


@pytest.fixture(scope="module")
def couple(small_portrait: np.ndarray) -> np.ndarray:
    """Two people side by side, the right one mirrored and paler."""
    other = np.clip(small_portrait[:, ::-1].astype(int) + 25, 0, 255).astype(np.uint8)
    return np.hstack([small_portrait, other])


@pytest.fixture(scope="module")
def group(portrait: np.ndarray) -> np.ndarray:
    """Eight people in two rows, 640 x 480, some mirrored, each in a light of its own."""
    light = np.random.default_rng(5)
    rows = []
    for row in range(2):
        tiles = []
        for column in range(4):
            tile = portrait[20:, ::-1] if (row + column) % 2 else portrait[20:]
            tile = np.clip(tile * light.uniform(0.8, 1.15, 3) + light.uniform(-12, 12), 0, 255).astype(np.uint8)
            tiles.append(cv2.resize(tile, (160, 182), interpolation=cv2.INTER_AREA)[:180])
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


@pytest.fixture(scope="module")
def short(singer: Video) -> Video:
    """Ten frames in which the mouth opens."""
    return replace(singer, start=0.2, duration=0.4)


@pytest.fixture(scope="module")
def crowd(group: np.ndarray, short: Video) -> list[np.ndarray]:
    return list(load_animator("mesh", face="all").animate(group, short))


# Who is meant


def test_all_faces_are_chosen_left_to_right(couple: np.ndarray, group: np.ndarray) -> None:
    assert choose_among(couple, detect_faces(couple), "all") == [0, 1]
    assert choose_among(couple, detect_faces(couple), 1) == [1]
    assert len(choose_among(couple, detect_faces(couple), None)) == 1
    assert choose_among(group, detect_faces(group), "all") == list(range(8))


def test_specks_do_not_sing_with_the_others(small_portrait: np.ndarray) -> None:
    speck = cv2.resize(small_portrait, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
    photo = cv2.copyMakeBorder(small_portrait, 0, 0, 0, 60, cv2.BORDER_CONSTANT, value=(127, 127, 127))
    photo[40 : 40 + speck.shape[0], 230 : 230 + speck.shape[1]] = speck
    assert choose_among(photo, detect_faces(photo), "all") == [0]


def test_nobody_is_said_plainly(couple: np.ndarray, singer: Video) -> None:
    nobody = np.full((120, 160, 3), 90, np.uint8)
    for which in ("all", None, 0):
        with pytest.raises(NoFaceError, match="No face was found in the photo"):
            next(load_animator("mesh", face=which).animate(nobody, singer))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"Face 3 was asked for, but the photo has 2"):
        next(load_animator("mesh").animate(couple, {0: singer, 3: singer}))
    with pytest.raises(InputError, match="already says which face sings which clip: leave the face out"):
        next(load_animator("mesh", face=0).animate(couple, {0: singer}))
    with pytest.raises(InputError, match="The duet is empty"):
        next(load_animator("mesh").animate(couple, {}))
    with pytest.raises(InputError, match="The face is 'both': give a number"):
        load_animator("mesh", face="both")  # type: ignore[arg-type]


def test_a_duet_runs_at_the_first_clips_rate(couple: np.ndarray, singer: Video) -> None:
    slow = replace(singer, fps=Fraction(10))
    roles = cast_roles(couple, None, {1: singer, 0: slow})
    assert sorted(role.number for role in roles) == [0, 1]
    assert {role.clip.fps for role in roles} == {singer.fps}
    assert all(len(role.others) == 1 for role in roles)


def test_a_small_face_is_said_to_be_small(
    small_portrait: np.ndarray, singer: Video, caplog: pytest.LogCaptureFixture
) -> None:
    small = cv2.resize(small_portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    caplog.set_level(logging.WARNING)
    cast_roles(small, None, singer)
    assert "The face is only 3" in caplog.text
    caplog.clear()
    cast_roles(small_portrait, None, singer)
    assert not caplog.text


# Everyone


def test_everyone_sings(group: np.ndarray, crowd: list[np.ndarray]) -> None:
    assert [frame.shape for frame in crowd] == [group.shape] * 10
    before, widest = mouths(group), np.max([mouths(frame) for frame in crowd[4:]], axis=0)
    assert len(before) == len(widest) == 8
    assert max(before) < 0.04
    assert widest.min() > 0.06


def test_a_face_in_a_crowd_moves_as_it_would_alone(group: np.ndarray, crowd: list[np.ndarray], short: Video) -> None:
    alone = list(load_animator("mesh", face=3).animate(group, short))
    for one, many in zip(alone[::3], crowd[::3], strict=True):  # a coarser grid, but the same movement
        mine, theirs = (face_mesh(frame, detect_faces(one)[3])[:, :2] for frame in (many, one))
        eyes = np.linalg.norm(theirs[33] - theirs[263])
        assert np.linalg.norm(mine - theirs, axis=1).mean() < 0.03 * eyes
        gaps = [np.linalg.norm(mesh[13] - mesh[14]) / eyes for mesh in (mine, theirs)]
        assert gaps[0] == pytest.approx(gaps[1], abs=0.04)


def test_two_sing_as_each_would_alone(couple: np.ndarray, short: Video) -> None:
    both = list(load_animator("mesh", face="all").animate(couple, short))
    for number in (0, 1):
        alone = list(load_animator("mesh", face=number).animate(couple, short))
        for one, two in zip(alone, both, strict=True):
            assert halves(two, one)[number] < 0.6
            assert halves(one, couple)[1 - number] < 0.2


def test_a_neighbour_is_not_wiped_out(portrait: np.ndarray, short: Video) -> None:
    """Two heads so near that what moves with each reaches over the other."""
    head = cv2.resize(portrait[40:, 110:420], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    photo = np.hstack([head, head[:, ::-1]])
    faces = detect_faces(photo)
    rigs = [lay_rings(photo, face_mesh(photo, face), [other]) for face, other in (faces, faces[::-1])]
    scene = set_scene(photo, rigs, faces)
    first, second = (scene.within(stage)[1] for stage in scene.stages)
    assert first.stop - second.start > 0.5 * faces[0].width
    assert np.array_equal(scene.draw([stage.rig.rest for stage in scene.stages]), photo)
    for frame in load_animator("mesh", face="all").animate(photo, short):
        for face in faces:
            inner = face.scaled(0.8)
            part = np.s_[int(inner.top) : int(inner.bottom), int(inner.left) : int(inner.right)]
            drift = frame[part].mean((0, 1)) - photo[part].mean((0, 1))
            assert np.abs(drift).max() < 25  # it moves, but its skin is still there
        assert len(detect_faces(frame)) == 2


def test_a_mouth_behind_somebodys_head_is_not_painted(
    portrait: np.ndarray, short: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = cv2.copyMakeBorder(portrait[60:400], 0, 260, 0, 0, cv2.BORDER_REPLICATE)
    near = cv2.resize(portrait[10:420, 100:420], None, fx=1.2, fy=1.2, interpolation=cv2.INTER_CUBIC)
    photo[183:, 64:448] = near[: len(photo) - 183]
    heights: set[int] = set()

    def note(region: np.ndarray, lips: np.ndarray, *_: object, **__: object) -> None:
        heights.add(round(lips[13, 1] / 300))

    monkeypatch.setattr("memegen.mesh.animator.paint_mouth", note)
    frames = list(load_animator("mesh", face="all").animate(photo, short))
    assert len(detect_faces(photo)) == len(detect_faces(frames[-1])) == 2
    assert heights == {2}  # the lower, nearer face's only


def test_a_driver_that_does_not_move_leaves_the_group(group: np.ndarray, singer: Video) -> None:
    frames = list(
        load_animator("mesh", face="all", expression=0, motion=0).animate(group, replace(singer, duration=0.2))
    )
    assert max(difference(frame, group) for frame in frames) < 0.1


# Duets


def test_each_sings_its_own_clip_and_rests_when_it_ends(couple: np.ndarray, singer: Video) -> None:
    duet = {0: replace(singer, start=0.2, duration=0.4), 1: replace(singer, start=1.0, duration=1.2)}
    frames = list(load_animator("mesh").animate(couple, duet))
    assert len(frames) == 30
    changes = np.array([halves(frame, couple) for frame in frames])
    assert changes[:10, 0].max() > 1
    assert changes[26:, 0].max() < 0.1 < changes[26:, 1].max()
    steps = np.abs(np.diff(changes[8:27, 0]))
    assert steps.max() < 0.5 * changes[9, 0]  # no jump
    alone = list(load_animator("mesh", face=1).animate(couple, duet[1]))
    assert max(halves(a, b)[1] for a, b in zip(alone, frames, strict=True)) < 0.6


def test_faces_left_out_of_a_duet_keep_still(couple: np.ndarray, short: Video) -> None:
    changes = np.array([halves(frame, couple) for frame in load_animator("mesh").animate(couple, {1: short})])
    assert changes[:, 0].max() < 0.2
    assert changes[:, 1].max() > 1


def test_a_clip_is_followed_once_for_all_faces(
    couple: np.ndarray, short: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))  # another test may have followed it
    stages: list[tuple[str, int]] = []
    animator = load_animator("mesh", face="all", progress=lambda stage, done, total: stages.append((stage, done)))
    list(animator.animate(couple, replace(short, duration=0.28)))
    assert [done for _, done in stages] == list(range(1, 8))


def test_rest_comes_smoothly() -> None:
    left = [eased(late, 25) for late in range(30)]
    assert left[0] == 1
    assert left[15:] == [0] * 15
    assert np.diff(left).min() > -0.15


# Framing


@pytest.mark.parametrize("which", [0, "all"])
def test_a_square_around_the_face(couple: np.ndarray, short: Video, which: int) -> None:
    frames = list(load_animator("mesh", face=which, framing="face").animate(couple, short))
    height, width, _ = frames[0].shape
    assert height == width
    assert width % 2 == 0
    assert width >= 240
    assert len({frame.shape for frame in frames}) == 1


def test_a_square_of_a_small_face_is_scaled_up(small_portrait: np.ndarray, short: Video) -> None:
    small = cv2.resize(small_portrait, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    assert next(load_animator("mesh", framing="face").animate(small, short)).shape == (256, 256, 3)
    with pytest.raises(InputError, match="The framing is 'head': choose photo or face"):
        load_animator("mesh", framing="head")  # type: ignore[arg-type]


# Whose is what


def test_territories_share_a_picture() -> None:
    left, right = FaceBox(10, 20, 50, 60), FaceBox(110, 20, 150, 60)
    mine, theirs = (territory(a, [b], (160, 80)) for a, b in ((left, right), (right, left)))
    assert mine.shape == (80, 160)
    assert mine[40, 30] == theirs[40, 130] == 1
    assert mine[40, 130] == theirs[40, 30] == 0
    assert np.abs(mine + theirs - 1).max() < 1e-5
    shifted = territory(left, [right], (40, 40), corner=(60, 20))
    assert np.abs(shifted - mine[20:60, 60:100]).max() < 0.15
    assert territory(left, [], (7, 5)).shape == (5, 7)
    assert (territory(left, [], (7, 5)) == 1).all()


def test_a_larger_face_has_the_larger_part(couple: np.ndarray) -> None:
    large, small = FaceBox(0, 0, 80, 80), FaceBox(120, 20, 160, 60)
    assert territory(large, [small], (200, 80))[40].sum() > 105
    assert pick_face(detect_faces(couple)) in detect_faces(couple)
