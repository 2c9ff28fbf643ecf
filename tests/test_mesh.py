"""The mesh engine: a photo that sings as the driver does, on a background that stays where it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from memegen.animator import load_animator
from memegen.base.downloads import asset
from memegen.base.errors import InputError, NoFaceError
from memegen.face.casting import Role
from memegen.face.cropping import FaceBox, points_box
from memegen.face.detection import detect_faces, face_mesh, mesh_box, pick_face
from memegen.face.options import Acting
from memegen.face.performance import study
from memegen.face.pose import fit_pose, lids_of, openings, shape_of, yaw_of
from memegen.face.topology import EYE_LIDS, FACE_OVAL, LOWER_FACE, eye_distance, face_model
from memegen.face.tracking import FaceTrack, track_face
from memegen.media.video import Video, open_video, write_video
from memegen.mesh.animator import PhotoFace, Singer, prepare_face
from memegen.mesh.moments import Moment
from memegen.mesh.motion import Reference, find_reference, place, retarget
from memegen.mesh.rig import lay_rings
from memegen.mesh.unfolding import partners, unfold
from memegen.mesh.warp import deformation, follow, move, set_scene, set_stage
from memegen.singer.tunes import TUNES

CLIP = asset("templates/daisy-bell.mp4")
BLINKS = TUNES["daisy-bell"].blinks


def sing(photo: np.ndarray, driving: Video, *, expression: float = 1.0, motion: float = 1.0) -> list[np.ndarray]:
    return list(load_animator("mesh", expression=expression, motion=motion).animate(photo, driving))


def openness(track: FaceTrack) -> np.ndarray:
    """(N, 3): openings of mouth, right eye and left eye, over the inter-ocular distance."""
    points = np.array(track.landmarks)[..., :2]
    eyes = np.linalg.norm(points[:, 33] - points[:, 263], axis=1)
    gaps = [points[:, a] - points[:, b] for a, b in ((13, 14), (159, 145), (386, 374))]
    return np.stack([np.linalg.norm(gap, axis=1) / eyes for gap in gaps], 1)


def travel(track: FaceTrack) -> float:
    """How far the head moves and leans about its mean place, over the inter-ocular distance."""
    eyes = np.array(track.landmarks)[:, [33, 263], :2]
    return float(eyes.std(0).mean() / np.linalg.norm(eyes[0, 0] - eyes[0, 1]))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(a.astype(int) - b).mean())


def beyond(photo: np.ndarray, box: FaceBox) -> np.ndarray:
    """(H, W) where a picture lies outside a box."""
    box = box.clip(*photo.shape[1::-1])
    outside = np.ones(photo.shape[:2], bool)
    outside[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = False
    return outside


@pytest.fixture(scope="module")
def sung_track(sung: list[np.ndarray]) -> FaceTrack:
    return track_face(sung)


@pytest.fixture(scope="module")
def first_frame(singer: Video) -> np.ndarray:
    return next(singer.frames())


@pytest.fixture(scope="module")
def landmarks(portrait: np.ndarray) -> np.ndarray:
    return face_mesh(portrait, pick_face(detect_faces(portrait)))


# The frames themselves


def test_one_frame_for_each_driving_frame(sung: list[np.ndarray], small_portrait: np.ndarray, singer: Video) -> None:
    assert len(sung) == singer.frame_count == 25
    assert all(frame.shape == small_portrait.shape and frame.dtype == np.uint8 for frame in sung)
    assert all(np.shares_memory(a, b) is (a is b) for a in sung[:3] for b in sung[:3])


def test_the_photo_is_left_alone_and_two_runs_are_identical(
    sung: list[np.ndarray], small_portrait: np.ndarray, singer: Video
) -> None:
    photo = small_portrait.copy()
    again = sing(photo, singer)
    assert np.array_equal(photo, small_portrait)
    assert all(np.array_equal(a, b) for a, b in zip(sung, again, strict=True))


def test_frames_are_drawn_as_they_are_asked_for(
    small_portrait: np.ndarray, singer: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path))  # another test may have watched the singer
    passes: list[int] = []
    ended: list[bool] = []

    class Watched(Video):
        def frames(self, *, max_side: int | None = None) -> Iterator[np.ndarray]:
            number = len(passes)
            passes.append(0)
            try:
                for frame in Video.frames(self, max_side=max_side):
                    passes[number] += 1
                    yield frame
            finally:
                ended.append(True)

    driving = Watched(**vars(singer))
    frames = load_animator("mesh").animate(small_portrait, driving)
    assert passes == []
    assert next(frames).shape == small_portrait.shape
    assert passes[0] == singer.frame_count  # the whole clip is watched first
    assert len(passes) == 2
    assert passes[1] <= 12  # and drawn a few frames ahead at most
    frames.close()  # type: ignore[attr-defined]
    assert ended == [True, True]


@pytest.mark.parametrize("shape", [(240, 205), (241, 206), (399, 331)])
def test_the_photo_keeps_its_size(portrait: np.ndarray, singer: Video, shape: tuple[int, int]) -> None:
    photo = cv2.resize(portrait, shape[::-1], interpolation=cv2.INTER_AREA)
    short = replace(singer, duration=0.16)
    assert [frame.shape for frame in sing(photo, short)] == [photo.shape] * 4


# What stays


def test_far_from_the_face_the_photo_does_not_change_at_all(portrait: np.ndarray, singer: Video) -> None:
    small = cv2.resize(portrait, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    photo = cv2.copyMakeBorder(small, 100, 60, 180, 140, cv2.BORDER_REPLICATE)
    face = mesh_box(face_mesh(photo, pick_face(detect_faces(photo))))
    far, near = beyond(photo, face.square(1.2)), beyond(photo, face.scaled(2))
    assert far.mean() > 0.3
    moved = sing(photo, singer)
    assert all(np.array_equal(frame[far], photo[far]) for frame in moved)
    assert np.mean([difference(frame[near], photo[near]) for frame in moved]) <= 1


def test_little_changes_around_a_portrait(portrait: np.ndarray, singer: Video) -> None:
    near = beyond(portrait, mesh_box(face_mesh(portrait, pick_face(detect_faces(portrait)))).scaled(2))
    moved = sing(portrait, replace(singer, duration=0.6))
    assert np.mean([difference(frame[near], portrait[near]) for frame in moved]) <= 1


def test_a_driver_that_does_not_move_leaves_the_photo_as_it_is(
    tmp_path: Path, portrait: np.ndarray, first_frame: np.ndarray
) -> None:
    still = write_video(tmp_path / "still.mp4", [first_frame] * 6, fps=25)
    moved = sing(portrait, still)
    face = mesh_box(face_mesh(portrait, pick_face(detect_faces(portrait))))
    inside = np.s_[int(face.top) : int(face.bottom), int(face.left) : int(face.right)]
    for frame in moved:
        assert difference(frame, portrait) <= 2
        assert difference(frame[inside], portrait[inside]) <= 4
        assert np.array_equal(frame[:, :20], portrait[:, :20])


def test_a_singer_sings_itself(first_frame: np.ndarray, singer: Video, singer_track: FaceTrack) -> None:
    again = track_face(sing(first_frame, singer))
    apart = np.array(again.landmarks)[..., :2] - np.array(singer_track.landmarks)[..., :2]
    eyes = np.linalg.norm(singer_track.landmarks[0][33] - singer_track.landmarks[0][263])
    assert np.linalg.norm(apart, axis=2).mean() < 0.04 * eyes


# What moves


def test_a_shut_mouth_opens_with_the_driver(sung_track: FaceTrack, singer_track: FaceTrack) -> None:
    mine, theirs = openness(sung_track)[:, 0], openness(singer_track)[:, 0]
    assert mine[0] < 0.03
    assert mine.max() > 0.12
    assert correlation(mine, theirs) >= 0.9
    assert 0.7 < mine.std() / theirs.std() < 1.4


def test_an_opened_mouth_shows_teeth_or_darkness(
    sung: list[np.ndarray], sung_track: FaceTrack, small_portrait: np.ndarray
) -> None:
    widest = int(openness(sung_track)[:, 0].argmax())
    lips = sung_track.landmarks[widest]
    x, y = np.round(lips[[13, 14], :2].mean(0)).astype(int)
    inside = sung[widest][y - 1 : y + 2, x - 3 : x + 4].astype(int)
    own = face_mesh(small_portrait, pick_face(detect_faces(small_portrait)))
    x, y = np.round(own[[13, 14], :2].mean(0)).astype(int)
    lip = small_portrait[y - 1 : y + 2, x - 3 : x + 4].astype(int)
    assert abs(inside.mean() - lip.mean()) > 15 or inside.std() > 1.5 * lip.std()


def test_a_clip_that_begins_in_mid_word_still_shuts_the_mouth(small_portrait: np.ndarray) -> None:
    driving = open_video(CLIP, start=6.4, duration=0.8)
    theirs = openness(track_face(driving.frames()))[:, 0]
    assert theirs[0] > 0.15
    assert theirs.min() < 0.06
    mine = openness(track_face(sing(small_portrait, driving)))[:, 0]
    assert mine[0] > 0.1
    assert mine.min() < 0.05
    assert correlation(mine, theirs) >= 0.9


@pytest.mark.parametrize("blink", BLINKS[:2])
def test_eyes_blink_with_the_driver(first_frame: np.ndarray, blink: float) -> None:
    driving = open_video(CLIP, start=blink - 0.4, duration=0.76)
    theirs = openness(track_face(driving.frames()))[:, 1:]
    mine = openness(track_face(sing(first_frame, driving)))[:, 1:]
    for eye in (0, 1):
        assert correlation(mine[:, eye], theirs[:, eye]) >= 0.85
        assert abs(int(mine[:, eye].argmin()) - int(theirs[:, eye].argmin())) <= 2


def test_the_head_moves_with_the_driver(sung_track: FaceTrack, singer_track: FaceTrack) -> None:
    mine, theirs = (np.array(track.landmarks) for track in (sung_track, singer_track))
    for axis in (0, 1):
        assert correlation(mine[:, 168, axis], theirs[:, 168, axis]) > 0.9
    assert travel(sung_track) == pytest.approx(travel(singer_track), rel=0.3)


# Gains


def test_no_expression_keeps_the_mouth_and_moves_the_head(
    small_portrait: np.ndarray, singer: Video, sung_track: FaceTrack
) -> None:
    calm = track_face(sing(small_portrait, singer, expression=0))
    assert openness(calm)[:, 0].std() < 0.1 * openness(sung_track)[:, 0].std()
    assert openness(calm)[:, 0].max() < 0.04
    assert travel(calm) > 0.7 * travel(sung_track)


def test_no_motion_keeps_the_head_and_moves_the_mouth(
    small_portrait: np.ndarray, singer: Video, sung_track: FaceTrack, singer_track: FaceTrack
) -> None:
    still = track_face(sing(small_portrait, singer, motion=0))
    assert travel(still) < 0.3 * travel(sung_track)
    assert correlation(openness(still)[:, 0], openness(singer_track)[:, 0]) >= 0.9
    assert openness(still)[:, 0].std() > 0.5 * openness(singer_track)[:, 0].std()


def test_larger_gains_exaggerate(small_portrait: np.ndarray, singer: Video, sung_track: FaceTrack) -> None:
    wild = track_face(sing(small_portrait, singer, expression=1.6, motion=1.6))
    assert openness(wild)[:, 0].std() > 1.2 * openness(sung_track)[:, 0].std()
    assert travel(wild) > 1.3 * travel(sung_track)


@pytest.mark.parametrize("gain", [{"expression": -0.1}, {"motion": 3.5}, {"motion": float("nan")}])
def test_senseless_gains_are_refused(gain: dict[str, float]) -> None:
    with pytest.raises(InputError, match="give 0 to 3 times the driver's own"):
        load_animator("mesh", **gain)  # type: ignore[arg-type]


def test_an_unknown_engine_lists_those_there_are() -> None:
    with pytest.raises(InputError, match=r"There is no .*magic.*Known engines: mesh, vox, .*tiny; "):
        load_animator("magic")


# Turning heads


def turned(points: np.ndarray, yaw: float, pitch: float = 0.0) -> np.ndarray:
    """Turn landmarks about their middle, radians: the nose to the right of the picture, then down."""
    rotation = cv2.Rodrigues(np.array([pitch, yaw, 0.0]))[0]
    middle = points.mean(0)
    return ((points - middle) @ rotation.T + middle).astype(np.float32)


def areas(points: np.ndarray) -> np.ndarray:
    """Signed areas of the mesh's triangles in the picture."""
    corners = points[face_model().triangles.astype(int), :2].astype(float)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def inner_face(points: np.ndarray) -> np.ndarray:
    """Which of the mesh's triangles lie within the face and not at its rim."""
    oval = points[list(FACE_OVAL), :2]
    rim = (oval.mean(0) + 0.85 * (oval - oval.mean(0))).astype(np.float32)
    middles = points[face_model().triangles.astype(int), :2].mean(1)
    return np.array([cv2.pointPolygonTest(rim, (float(x), float(y)), False) > 0 for x, y in middles])


@pytest.mark.parametrize(("yaw", "pitch"), [(0.3, 0), (-0.3, 0), (0, 0.25), (0, -0.25)])
def test_a_moderate_turn_does_not_fold_the_face(landmarks: np.ndarray, yaw: float, pitch: float) -> None:
    reference = find_reference(landmarks, study([landmarks] * 3))
    driver = turned(landmarks, yaw, pitch)
    moved = retarget(landmarks, driver, reference, expression=1, motion=1)
    rest, now, true = areas(landmarks), areas(moved), areas(driver)
    large = rest > np.percentile(rest, 40)  # slivers between the lips and on the lids say nothing
    assert (now[large & inner_face(landmarks)] > 0).all()
    assert (now[large] <= 0).sum() <= (true[large] <= 0).sum() + 2  # the rim hides where a real head's would
    assert now.sum() == pytest.approx(rest.sum(), rel=0.25)


@pytest.mark.parametrize("yaw", [1.0, -1.4])
def test_a_turn_out_of_the_picture_is_limited(landmarks: np.ndarray, yaw: float) -> None:
    reference = find_reference(landmarks, study([landmarks] * 3))
    for motion in (1.0, 3.0):
        moved = retarget(landmarks, turned(landmarks, yaw), reference, expression=1, motion=motion)
        turn = fit_pose(moved).rotation @ fit_pose(landmarks).rotation.T
        angle = np.arctan2(turn[0, 2], turn[2, 2])
        assert 0.3 < abs(angle) < np.radians(60)
        assert np.sign(angle) == np.sign(yaw)


def test_a_preview_and_a_clip_may_begin_at_once(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    alone = lay_rings(portrait, landmarks).matte
    begin = threading.Barrier(4)

    def work(_: int) -> list[np.ndarray]:
        begin.wait()
        return [lay_rings(portrait, landmarks).matte for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        together = [matte for mattes in pool.map(work, range(4)) for matte in mattes]
    assert len(together) == 20
    assert all(np.array_equal(matte, alone) for matte in together)


def test_the_reference_of_a_neutral_photo_is_neutral(landmarks: np.ndarray) -> None:
    driving = track_face(open_video(CLIP, start=6.4, duration=1.2).frames()).landmarks
    gaps = [float(openings(shape_of(mesh, fit_pose(mesh)))[0]) for mesh in driving]
    own = float(openings(shape_of(landmarks, fit_pose(landmarks)))[0])
    neutral = float(openings(find_reference(landmarks, study(driving)).shape)[0])
    assert own < 0.03
    assert np.median(gaps) > 0.08
    assert neutral < 0.07


def test_the_reference_is_seen_from_the_photos_side(landmarks: np.ndarray) -> None:
    def seen(yaw: float) -> np.ndarray:
        """The same face looks different to the network from each side."""
        face = landmarks.copy()
        face[LOWER_FACE, 0] += 0.3 * yaw * eye_distance(landmarks)
        return turned(face, yaw)

    photo, front = seen(-0.4), seen(0.0)
    reference = find_reference(photo, study([seen(yaw) for yaw in np.linspace(-0.5, 0.5, 41)])).shape
    own, other = (shape_of(mesh, fit_pose(mesh)) for mesh in (photo, front))
    assert np.abs(reference - own).max() < 0.2 * np.abs(other - own).max()


def test_without_a_change_in_the_driver_landmarks_stay(landmarks: np.ndarray, singer_track: FaceTrack) -> None:
    rest = singer_track.landmarks[0]
    reference = find_reference(landmarks, study([rest] * 5))
    stays = retarget(landmarks, rest, reference, expression=1, motion=1)
    eyes = np.linalg.norm(landmarks[33] - landmarks[263])
    assert np.linalg.norm((stays - landmarks)[:, :2], axis=1).max() < 0.05 * eyes


# Awkward photos and drivers


def cut(photo: np.ndarray, side: str) -> np.ndarray:
    """Return the portrait with a part of its face beyond the border."""
    parts: dict[str, Sequence[slice]] = {
        "left": np.s_[:, 210:],
        "right": np.s_[:, :310],
        "top": np.s_[170:, :],
        "bottom": np.s_[:290, :],
    }
    return np.ascontiguousarray(photo[parts[side]])


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_face_cut_off_by_the_border_works(portrait: np.ndarray, singer: Video, side: str) -> None:
    photo = cut(portrait, side)
    short = replace(singer, duration=0.4)
    moved = sing(photo, short)
    assert [frame.shape for frame in moved] == [photo.shape] * 10
    assert 0 < difference(moved[-1], photo) < 25


def test_a_photo_that_is_all_face_works(portrait: np.ndarray, singer: Video) -> None:
    photo = np.ascontiguousarray(portrait[125:335, 175:355])
    moved = sing(photo, replace(singer, duration=0.4))
    assert [frame.shape for frame in moved] == [photo.shape] * 10


def test_a_tiny_face_works(small_portrait: np.ndarray, singer: Video) -> None:
    tiny = cv2.resize(small_portrait, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    photo = cv2.copyMakeBorder(tiny, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    assert len(sing(photo, replace(singer, duration=0.2))) == 5


def test_the_face_to_move_can_be_chosen(small_portrait: np.ndarray, singer: Video) -> None:
    photo = np.hstack([small_portrait, small_portrait])
    width = small_portrait.shape[1]
    frames = list(load_animator("mesh", face=1).animate(photo, replace(singer, duration=0.4)))
    left, right = (
        max(difference(frame[:, part], photo[:, part]) for frame in frames)
        for part in (np.s_[: width // 2], np.s_[width:])
    )
    assert left == 0
    assert right > 1
    with pytest.raises(InputError, match=r"Face 2 was asked for, but the photo has 2"):
        next(load_animator("mesh", face=2).animate(photo, singer))


def test_no_face_in_the_photo(singer: Video) -> None:
    with pytest.raises(NoFaceError, match="No face was found in the photo"):
        next(load_animator("mesh").animate(np.full((100, 100, 3), 200, np.uint8), singer))


def test_no_face_in_the_driver(small_portrait: np.ndarray, faceless: Path) -> None:
    with pytest.raises(NoFaceError, match=r"No face was found in .*nobody\.mp4 between 0\.2 s and 1\.0 s"):
        next(load_animator("mesh").animate(small_portrait, open_video(faceless, start=0.2)))


def test_a_face_that_is_away_for_a_while_is_said_so(
    tmp_path: Path, small_portrait: np.ndarray, singer: Video, caplog: pytest.LogCaptureFixture
) -> None:
    frames = list(singer.frames())
    frames[8:14] = [np.full_like(frames[0], 127)] * 6
    gappy = write_video(tmp_path / "gappy.mp4", frames, fps=25)
    moved = sing(small_portrait, gappy)
    assert len(moved) == 25
    assert "out of sight in 6 of 25 frames" in caplog.text
    steps = [difference(a, b) for a, b in pairwise(moved)]
    assert max(steps[6:15]) < 3 * max(steps[:6] + steps[15:])  # no jump


def blinking() -> Video:
    """The part of daisy-bell around the singer's first blink."""
    return open_video(CLIP, start=BLINKS[0] - 0.4, duration=0.76)


def test_eyes_behind_glasses_shut_with_the_singers(portrait: np.ndarray) -> None:
    theirs = openness(track_face(blinking().frames()))[:, 1:]
    mine = openness(track_face(sing(portrait, blinking())))[:, 1:]
    assert correlation(mine.sum(1), theirs.sum(1)) >= 0.85  # as blinks are measured: both eyes


def test_eyes_shut_as_far_as_the_singers(first_frame: np.ndarray) -> None:
    theirs = openness(track_face(blinking().frames()))[:, 1:]
    mine = openness(track_face(sing(first_frame, blinking())))[:, 1:]
    for eye in (0, 1):
        assert np.ptp(mine[:, eye]) > 0.7 * np.ptp(theirs[:, eye])


def test_eyes_may_leave_the_picture(portrait: np.ndarray) -> None:
    landmarks = face_mesh(portrait, pick_face(detect_faces(portrait)))
    rig = lay_rings(portrait, landmarks)
    stage = set_stage(portrait, rig, points_box(landmarks))
    for shift in ([2000, 0, 0], [0, -2000, 0], [-2000, 2000, 0]):
        moved = follow(stage, rig.rest + shift, landmarks + shift)
        assert move(stage, moved).person.shape == stage.region.shape


def test_lids_are_measured_without_their_depth(landmarks: np.ndarray) -> None:
    deeper = landmarks + np.where(np.isin(np.arange(478), [159, 386])[:, None], [0, 0, 50], 0)
    assert lids_of(deeper) == pytest.approx(lids_of(landmarks))
    assert openings(deeper)[1:].min() > openings(landmarks)[1:].max()


# Heads that look aside


def before_green(portrait: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The portrait in front of pure green."""
    alpha = lay_rings(portrait, landmarks).matte[..., None]
    return (alpha * portrait + (1 - alpha) * np.array([0, 255, 0])).astype(np.uint8)


def look(photo: np.ndarray, points: np.ndarray, yaw: float, *, whole: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Turn a photo's head by the engine itself, radians: the picture and where the landmarks are."""
    rig = unfold(photo, lay_rings(photo, points), whole=whole)
    middle = points.mean(0)
    rotation = cv2.Rodrigues(np.array([0, yaw, 0.0]))[0]
    rigid = (rig.rest - middle) @ rotation.T + middle
    face = rigid[:478]
    scene = set_scene(photo, [rig], [points_box(rigid)])
    return scene.draw([follow(scene.stages[0], rigid, face)]), face.astype(np.float32)


def green_in_face(picture: np.ndarray, points: np.ndarray) -> float:
    """Which part of a face is green, its outline left out."""
    oval = points[list(FACE_OVAL), :2]
    inner = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(inner, cv2.convexHull((oval.mean(0) + 0.97 * (oval - oval.mean(0))).astype(np.int32)), 1)
    red, green, blue = picture[inner > 0].astype(int).T
    return float((green > np.maximum(red, blue) + 50).mean())


@pytest.mark.parametrize("yaw", [0.6, -0.6])
def test_a_hidden_cheek_has_no_background_in_it(portrait: np.ndarray, landmarks: np.ndarray, yaw: float) -> None:
    aside, points = look(before_green(portrait, landmarks), landmarks, yaw)
    # The tracker often takes the far outline for a little farther out.
    shape = face_model().mean_shape[list(FACE_OVAL), 0]
    points[list(FACE_OVAL), 0] -= np.where(shape * yaw < -0.3, np.sign(yaw) * 12, 0)
    for whole in (False, True):
        back, face = look(aside, points, -yaw, whole=whole)
        assert green_in_face(back, face) < 0.0001


@pytest.mark.parametrize("yaw", [0.8, -0.8])
def test_a_hat_goes_on_behind_its_outline(portrait: np.ndarray, landmarks: np.ndarray, yaw: float) -> None:
    aside, points = look(before_green(portrait, landmarks), landmarks, yaw)
    back, face = look(aside, points, -yaw)
    red, green, blue = back.astype(int).transpose(2, 0, 1)
    person = green <= np.maximum(red, blue) + 50
    middle, top, chin = face[168, 0], face[10, 1], face[152, 1]
    for row in np.linspace(top - 0.12 * (chin - top), top, 5).astype(int):
        [columns] = np.nonzero(person[row])
        halves = middle - columns.min(), columns.max() - middle
        far, near = halves if yaw > 0 else halves[::-1]  # now it is as wide as the other half
        assert far > 0.8 * near


@pytest.mark.parametrize("yaw", [0.6, -0.6])
def test_a_hidden_half_is_the_mirror_image_of_the_other(
    portrait: np.ndarray, landmarks: np.ndarray, yaw: float
) -> None:
    aside, points = look(portrait, landmarks, yaw)
    rig = unfold(aside, lay_rings(aside, points))
    texture, pose, mirror = rig.texture, fit_pose(points), partners()
    assert texture is not None
    # Its landmarks are, but for the outline, which the photo shows, ...
    inner = np.setdiff1d(np.arange(468), FACE_OVAL)
    head = ((rig.rest[:478] - pose.shift) @ pose.rotation / pose.scale)[inner]
    wide = np.abs(face_model().mean_shape[inner, 0]) > 0.2
    partner = ((rig.rest[mirror] - pose.shift) @ pose.rotation / pose.scale)[inner]
    assert np.abs(head - partner * [-1, 1, 1])[wide].max() < 1e-3
    # ... and so are its colours, whose light may differ.
    x, y = np.round(texture.places[[*inner[wide], *mirror[inner[wide]]], :2] - texture.corner).astype(int).T
    mine, theirs = np.split(cv2.cvtColor(cv2.GaussianBlur(texture.picture, (0, 0), 2), cv2.COLOR_RGB2GRAY)[y, x], 2)
    assert correlation(mine, theirs) > 0.8


@pytest.mark.parametrize("yaw", [0.6, -0.6])
def test_a_hidden_eye_lies_between_its_lids(portrait: np.ndarray, landmarks: np.ndarray, yaw: float) -> None:
    aside, points = look(portrait, landmarks, yaw)

    def between(lids: tuple[list[int], list[int]], points: np.ndarray, canvas: np.ndarray) -> np.ndarray:
        upper, lower = lids
        loop = np.round(points[[*upper, *lower[::-1]], :2]).astype(np.int32)
        return cv2.fillPoly(np.zeros(canvas.shape[:2], np.uint8), [loop], 1) > 0

    near, far = EYE_LIDS if face_model().mean_shape[33, 0] * yaw_of(fit_pose(points)) > 0 else EYE_LIDS[::-1]
    aside[between(near, points, aside)] = 0, 255, 0
    texture = unfold(aside, lay_rings(aside, points)).texture
    assert texture is not None
    red, green, blue = texture.picture.astype(int).transpose(2, 0, 1)
    eyes = (between(lids, texture.places - [*texture.corner, 0], texture.picture) for lids in (near, far))
    for eye in eyes:
        around = cv2.dilate(eye.astype(np.uint8), np.ones((9, 9))) > 0
        painted = around & (green > np.maximum(red, blue) + 60)
        assert (painted & eye).sum() / (painted | eye).sum() > 0.87


@pytest.mark.parametrize("yaw", [0.6, -0.6])
def test_a_head_is_unfolded_as_it_turns_towards_us(portrait: np.ndarray, landmarks: np.ndarray, yaw: float) -> None:
    aside, points = look(portrait, landmarks, yaw)
    role = Role(0, mesh_box(points), [], open_video(CLIP))
    face = prepare_face(aside, role)
    assert face.unfolded is not None
    reference = Reference(face.pose, face.shape, lids_of(face.landmarks))
    singer = Singer(face, role.clip, reference, None, Acting())  # type: ignore[arg-type]
    exposed = []
    for turn in (-0.2, 0, 0.15, 0.3, 0.5):  # away from us, ..., and towards us
        driver = turned(face.landmarks, -turn * np.sign(yaw))
        moment = Moment(aside, np.zeros(3), driver, fit_pose(driver), np.zeros(2), np.zeros(2), 1.0)
        exposed.append(singer.exposed(moment))
    assert exposed[:3] == [0, 0, 0]
    assert 0 < exposed[3] < exposed[4] == 1
    # One whose photo shows both halves is never unfolded, however it turns, nor is one that does not turn.
    seen = replace(singer, face=replace(face, unfolded=None))
    assert seen.exposed(moment) == 0
    assert prepare_face(aside, role, views=(False,)).unfolded is None


def test_at_rest_a_head_that_looks_aside_is_the_photo(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    aside, points = look(portrait, landmarks, 0.6)
    rig = unfold(aside, lay_rings(aside, points))
    scene = set_scene(aside, [rig], [points_box(points)])
    assert rig.texture is not None
    assert np.array_equal(scene.draw([rig.rest]), aside)


def test_a_head_that_looks_at_us_is_not_unfolded(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    rig = lay_rings(portrait, landmarks)
    assert unfold(portrait, rig) is rig
    stage = set_stage(portrait, rig, points_box(landmarks))
    assert difference(cv2.resize(stage.source[..., :3], stage.region.shape[1::-1]), stage.region) < 1


def test_a_cheek_beyond_the_oval_is_taken_from_the_oval(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    points = landmarks.copy()
    oval = points[list(FACE_OVAL), :2].copy()
    cheek = np.setdiff1d(np.argsort(-points[:, 0])[:40], FACE_OVAL)  # beside the left edge of the face
    points[cheek, 0] = oval[:, 0].max() + 14
    rig = lay_rings(portrait, points)
    scene = set_scene(portrait, [rig], [points_box(points)])
    [stage] = scene.stages
    assert min(cv2.pointPolygonTest(oval, place.tolist(), True) for place in stage.places[cheek, :2]) > -0.1
    assert np.array_equal(stage.places[468:], rig.rest[468:])
    assert np.array_equal(scene.draw([rig.rest]), portrait)


def test_partners_are_on_both_sides_of_the_face() -> None:
    mirror = partners()
    assert np.array_equal(mirror[mirror], np.arange(478))
    shape = face_model().mean_shape
    assert np.abs(shape[mirror] * [-1, 1, 1] - shape).max() < 0.1
    assert [mirror[33], mirror[61], mirror[10]] == [263, 291, 10]


def test_a_head_may_turn_as_far_as_its_mirror_image(landmarks: np.ndarray) -> None:
    aside = turned(landmarks, 0.6)
    reference = find_reference(aside, study([aside] * 3))
    yaws = {}
    for yaw in (-1.2, 0.6):
        moved = retarget(aside, turned(aside, yaw), reference, expression=1, motion=1)
        yaws[yaw] = yaw_of(fit_pose(moved)) - yaw_of(fit_pose(aside))
    assert abs(yaws[-1.2]) > 0.9
    assert 0.3 < abs(yaws[0.6]) < 0.6


# The photo's edges


def test_a_hat_cut_by_the_edge_is_not_stretched(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    top = int(landmarks[10, 1]) - 40
    photo, points = np.ascontiguousarray(portrait[top:]), landmarks - [0, top, 0]
    rig = lay_rings(photo, points)
    stage = set_stage(photo, rig, points_box(points))
    down = [0, 30, 0]  # the head sinks, and what was beyond the edge comes in
    cells = deformation(stage, follow(stage, rig.rest + down, points + down))
    x = np.round(stage.cells(points)[10, 0]).astype(int)
    scale = 1 + np.diff(cells[:12, x - 10 : x + 11, 1], axis=0) / stage.step
    assert scale.min() > 0.8


def test_the_lower_edge_stays(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    photo = np.ascontiguousarray(portrait[: int(landmarks[152, 1]) + 40])
    rig = lay_rings(photo, landmarks)
    stage = set_stage(photo, rig, points_box(landmarks))
    up = [0, -30, 0]
    moved = follow(stage, rig.rest + up, landmarks + up)
    assert np.abs(deformation(stage, moved)[-1]).max() < 4  # a cell's half
    assert areas_of(stage.triangles, moved).min() > -1  # and nothing folds on the way


def areas_of(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Signed areas of the triangles between rings."""
    corners = points[triangles[triangles.max(1) >= 478], :2].astype(float)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2


def test_what_does_not_move_is_left_out_without_a_trace(
    small_portrait: np.ndarray, singer: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(singer, start=0.2, duration=0.2)
    quick = sing(small_portrait, short)
    monkeypatch.setattr("memegen.mesh.warp.UNSEEN", -1.0)  # nothing is trimmed, ...
    monkeypatch.setattr("memegen.mesh.warp.LEAST", 0)  # ... every pixel is fetched, ...
    monkeypatch.setattr("memegen.mesh.moments.AROUND", 100.0)  # ... and all of the driving clip is decoded
    thorough = sing(small_portrait, short)
    for one, other in zip(quick, thorough, strict=True):
        assert difference(one, other) < 0.01
        assert cv2.absdiff(one, other).max() <= 16  # a few pixels at the mouth's edge


def test_a_driver_may_be_partly_out_of_the_picture(small_portrait: np.ndarray, singer: Video) -> None:
    close = singer.cropped((130, 120, 400, 420))
    assert [frame.shape for frame in sing(small_portrait, replace(close, duration=0.2))] == [small_portrait.shape] * 5


# Heads that the photo's upper edge cuts off


@pytest.mark.parametrize(("cut", "lower"), [(0, 120.0), (70, 20.0)])
def test_a_crown_that_the_photo_cuts_off_hardly_comes_in(portrait: np.ndarray, cut: int, lower: float) -> None:
    photo = portrait[cut:]
    points = face_mesh(photo, pick_face(detect_faces(photo)))
    pose, rig = fit_pose(points), lay_rings(photo, points)
    shape = shape_of(points, pose)
    reference = Reference(pose, shape, lids_of(points))
    face = PhotoFace(points, rig, pose, points, (), ())
    singer = Singer(face, None, reference, None, Acting())  # type: ignore[arg-type]
    heads = rig.rest - pose.shift
    moved = place(heads, singer.way(pose._replace(shift=pose.shift + np.array([0, 120, 0])))) - rig.rest
    assert moved[:, 1] == pytest.approx(lower, abs=5)  # as far for every point: the head is not squeezed
    assert np.ptp(moved[:, 1]) < 1e-3
    assert place(heads, singer.way(pose)) == pytest.approx(rig.rest, abs=1e-3)
