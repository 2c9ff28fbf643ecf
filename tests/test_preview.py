"""Pictures for notebooks: what is drawn is where it should be, sizes fit, and the input stays as it was."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from memegen import preview
from memegen.base.errors import InputError, UnavailableError
from memegen.face.cropping import FaceBox
from memegen.face.detection import detect_faces, face_mesh
from memegen.face.topology import face_model
from memegen.face.tracking import FaceTrack
from memegen.fomm.keypoints import Keypoints
from memegen.media.video import Video, open_video
from memegen.mesh.explain import explain_frame
from memegen.preview import drawing


def test_faces_are_boxed_and_the_chosen_one_stands_out(portrait: np.ndarray) -> None:
    group = np.concatenate([portrait, portrait[:, ::-1]], axis=1)
    faces = detect_faces(group)
    plain, marked = preview.draw_faces(group, faces), preview.draw_faces(group, faces, chosen=1)
    assert plain.shape == group.shape
    assert plain.dtype == np.uint8
    for number, face in enumerate(faces):
        side = plain[round(face.centre[1]), round(face.left)]
        assert side.tolist() == list(drawing.WHITE)
        colour = drawing.YELLOW if number == 1 else drawing.WHITE
        assert marked[round(face.centre[1]), round(face.left)].tolist() == list(colour)
    x, y = map(round, faces[0].centre)
    assert (plain[y, x] == group[y, x]).all()


@pytest.mark.parametrize("scale", [0.25, 1, 4])
def test_lines_grow_with_the_picture(portrait: np.ndarray, scale: float) -> None:
    image = np.asarray(cv2.resize(portrait, None, fx=scale, fy=scale))
    [face] = detect_faces(image)
    changed = (preview.draw_faces(image, [face]) != image).any(2)
    assert 0.01 < changed.mean() < 0.1


def test_no_face_and_boxes_that_leave_the_picture(portrait: np.ndarray) -> None:
    assert (preview.draw_faces(portrait, []) == portrait).all()
    preview.draw_faces(portrait, [FaceBox(-50, -80, 700, 900), FaceBox(1, 1, 3, 3)], chosen=0)
    with pytest.raises(InputError, match="Face 2 can't be marked: there are 1"):
        preview.draw_faces(portrait, [FaceBox(0, 0, 9, 9)], chosen=2)


def test_showing_names_what_is_seen_and_escapes_it(portrait: np.ndarray) -> None:
    shown = preview.show(portrait, 'A <b>"face"</b>')
    page = shown._repr_html_()
    assert 'alt="A &lt;b&gt;&quot;face&quot;&lt;/b&gt;"' in page
    assert "<b>" not in page
    assert 'src="data:image/jpeg;base64,' in page
    back = cv2.imdecode(np.frombuffer(shown.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(back.astype(int) - portrait).mean() < 4


# Pages


def test_pictures_side_by_side_have_one_height(portrait: np.ndarray) -> None:
    row = preview.side_by_side(portrait, portrait[:200, :100], labels=["a", "b"], height=200)
    assert row.shape == (200 + 30, round(512 / 3) + 8 + 100, 3)
    assert (row[:200, -100:] == portrait[:200, :100]).all()
    assert (row[200:] < 128).any()
    assert (preview.side_by_side(portrait) == portrait).all()
    for images, labels in (([portrait], ["a", "b"]), ([], [])):
        with pytest.raises(InputError, match="labels"):
            preview.side_by_side(*images, labels=labels)


def test_frames_are_taken_evenly_with_both_ends(singer: Video) -> None:
    assert list(preview.sample_frames(iter([np.zeros((2, 2, 3), np.uint8)] * 11), 3)) == [0, 5, 10]
    sampled = preview.sample_frames(singer, 4)
    assert list(sampled) == [0, 8, 16, 24]
    assert (sampled[8] == list(singer.frames())[8]).all()
    assert len(preview.sample_frames(singer, 99)) == singer.frame_count
    with pytest.raises(InputError, match="no frames to show"):
        preview.contact_sheet([])


def test_sheets_and_strips_hold_what_they_should(singer: Video) -> None:
    sheet = preview.contact_sheet(singer, count=5, columns=3, height=60)
    assert sheet.shape == (2 * (60 + 30) + 8, 3 * 60 + 2 * 8, 3)
    first = cv2.resize(next(singer.frames()), (60, 60), interpolation=cv2.INTER_AREA)
    assert (sheet[:60, :60] == first).all()
    frames = preview.crop_frames(singer, FaceBox(100, 100, 300, 300), side=64, count=6)
    assert [frame.shape for frame in frames] == [(64, 64, 3)] * 6
    strip = preview.strips({"one": frames, "two": iter(frames)}, count=4, height=64)
    assert strip.shape == (2 * (30 + 8 + 64) + 8, 4 * 64 + 3 * 8, 3)


# Points


def test_landmarks_are_drawn_where_they_are(portrait: np.ndarray, small_portrait: np.ndarray) -> None:
    [face] = detect_faces(portrait)
    landmarks = face_mesh(portrait, face)
    x, y = np.round(landmarks[4, :2]).astype(int)  # the tip of the nose
    assert preview.draw_landmarks(portrait, landmarks)[y, x].tolist() == list(drawing.CYAN)
    few = preview.draw_landmarks(small_portrait, np.array([[50.0, 60.0]]))
    assert max(few.shape) == drawing.READABLE
    scale = few.shape[1] / small_portrait.shape[1]
    at = np.round((np.array([60.0, 50.0]) + 0.5) * scale - 0.5).astype(int)
    assert few[at[0], at[1]].tolist() == list(drawing.CYAN)


def test_keypoints_are_drawn_with_their_maps(small_portrait: np.ndarray) -> None:
    grey = np.full_like(small_portrait[:200, :200], 90)
    value = np.array([[[-0.5, -0.5], [0.5, 0.5]]])
    wide = np.array([[[[4.0, 0], [0, 1]], [[2.0, 0], [0, 2]]]])
    drawn = preview.draw_keypoints(grey, Keypoints(value, wide))
    assert drawn.shape == (512, 512, 3)
    rows, columns = np.nonzero((drawn[:256, :256] != 90).any(2))
    assert 3 < np.ptp(columns) / np.ptp(rows) < 4.5
    assert rows.mean() == pytest.approx(128, abs=6)
    assert not (drawn[:, :256][256:] != 90).any()


# Fields


def identity(side: int = 16) -> np.ndarray:
    return np.stack(np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side)), -1)


def test_movement_is_against_the_backward_deformation() -> None:
    assert np.abs(preview.movement(identity())).max() < 1e-12
    from_the_left = identity() - [0.25, 0]
    np.testing.assert_allclose(preview.movement(from_the_left[None]), np.broadcast_to([0.25, 0], (1, 16, 16, 2)))


@pytest.mark.parametrize(
    ("way", "colour"),
    [((1, 0), (255, 0, 0)), ((0, 0), (255, 255, 255)), ((0.5, 0), (255, 128, 128)), ((-9, 0), (0, 197, 255))],
)
def test_colours_of_the_wheel(way: tuple[float, float], colour: tuple[int, int, int]) -> None:
    painted = preview.flow_to_rgb(np.full((4, 4, 2), way, float), largest=1.0)
    assert np.abs(painted[0, 0].astype(int) - colour).max() <= 2


def test_the_legend_is_white_in_the_middle_and_outside() -> None:
    wheel = preview.flow_wheel(101)
    assert wheel[50, 50].min() > 245
    assert wheel[0, 0].min() == 255
    right, down = wheel[50, 93].tolist(), wheel[93, 50].tolist()
    assert right[0] == 255
    assert max(right[1:]) < 60
    assert min(down[:2]) > 200
    assert down[2] < 60
    assert preview.flow_to_rgb(np.zeros((4, 8, 2)), side=40).shape == (40, 80, 3)


def test_arrows_point_to_where_it_moves() -> None:
    black = np.zeros((512, 512, 3), np.uint8)
    still = preview.draw_flow_arrows(black, np.zeros((8, 8, 2)), count=4)
    moved = preview.draw_flow_arrows(black, np.full((8, 8, 2), [0.2, 0.0]), count=4)
    assert (still[64, 64] == drawing.WHITE).all()
    assert (still == moved).mean() > 0.9
    yellow = (moved == drawing.YELLOW).all(2)
    assert yellow[64, 20:62].all()
    assert not yellow[64, 68:120].any()


def test_warping_takes_pixels_from_where_the_deformation_says(portrait: np.ndarray) -> None:
    square = portrait[:257, :257]
    assert np.abs(preview.warp(square, identity(17)).astype(int) - square).max() <= 2
    mirrored = preview.warp(square, identity(17) * [-1, 1])
    assert np.abs(mirrored.astype(int) - square[:, ::-1]).max() <= 2
    assert (preview.warp(square, identity(17) + np.array([2.5, 0])) == 0).all()


def test_heat_maps_span_their_range(portrait: np.ndarray) -> None:
    ramp = np.tile(np.linspace(0, 1, 64), (8, 1))
    bare = preview.heat_map(ramp)
    assert bare.shape == (8, 64, 3)
    assert bare[0, 0].sum() < 20
    assert bare[0, -1].sum() > 550
    assert (preview.heat_map(ramp, low=2, high=3) == bare[0, 0]).all()
    over = preview.heat_map(ramp, image=portrait)
    assert over.shape == portrait.shape
    assert over[:, -40:].mean() > over[:, :40].mean()


def test_sheets_of_masks_motions_and_features(small_portrait: np.ndarray) -> None:
    masks, motions = np.full((11, 16, 16), 1 / 11), np.stack([identity()] * 11)
    assert preview.draw_masks(small_portrait, masks, columns=6, height=60).shape[0] == 2 * 90 + 8
    sheet = preview.draw_sparse_motions(small_portrait, motions, columns=6, height=240)
    assert np.abs(sheet[:240, :205].astype(int) - small_portrait).mean() < 2
    features = np.random.default_rng(1).normal(size=(5, 8, 8)) * np.array([1, 9, 3, 1, 1])[:, None, None]
    both = [preview.draw_features(f, like=features, count=2, height=64) for f in (features, features * 0)]
    assert both[0].shape == both[1].shape == (94, 64 * 2 + 8, 3)
    assert np.ptp(both[0][:64, :64]) == 255
    assert np.ptp(both[1][:64, :64]) == 0
    assert preview.draw_features(features * 0).shape == (2 * 230 + 8, 4 * 200 + 3 * 8, 3)


# Curves


def test_curves_tell_turns_and_openings() -> None:
    mean = face_model().mean_shape.astype(np.float64)

    def turned(*vector: float) -> np.ndarray:
        return mean @ cv2.Rodrigues(np.array(vector, float))[0].T * 100 + 200

    curves = preview.motion_curves([turned(0, 0, 0), turned(0, -0.2, 0), turned(0.2, 0, 0), turned(0, 0, 0.2)])
    degrees = np.degrees(0.2)
    np.testing.assert_allclose(curves["yaw"], [0, degrees, 0, 0], atol=1e-6)
    np.testing.assert_allclose(curves["pitch"], [0, 0, degrees, 0], atol=1e-6)
    np.testing.assert_allclose(curves["roll"], [0, 0, 0, degrees], atol=1e-6)
    np.testing.assert_allclose(curves["mouth"], curves["mouth"][0], atol=1e-6)
    assert turned(0, -0.2, 0)[4, 0] > turned(0, 0, 0)[4, 0]  # the nose goes to the picture's right
    assert turned(0.2, 0, 0)[4, 1] > turned(0, 0, 0)[4, 1]  # and down


def test_the_sound_is_plotted_on_the_time_axis_of_the_movement(singer: Video, singer_track: FaceTrack) -> None:
    pytest.importorskip("matplotlib")
    figure = preview.plot_motion(singer_track.landmarks, singer)
    face, head, sound = figure.axes
    assert [line.get_label() for line in (*face.lines, *head.lines)][:3] == ["mouth", "eyes", "yaw (right)"]
    assert np.ptp(face.lines[0].get_ydata()) > 0.05
    end = (singer.frame_count - 1) / 25
    for axes in (face, head, sound):
        assert axes.get_xlim() == pytest.approx((0, end))
    [shape] = sound.collections
    assert np.abs(shape.get_paths()[0].vertices[:, 1]).max() > 0.1
    assert shape.get_paths()[0].vertices[:, 0].max() == pytest.approx(1.0, abs=0.05)
    data = preview.show(figure, "curves").data
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[1] == 990


def test_a_silent_clip_and_paths_can_be_plotted(faceless: Path, singer_track: FaceTrack) -> None:
    pytest.importorskip("matplotlib")
    silent = replace(open_video(faceless), has_audio=False)
    assert len(preview.plot_motion(singer_track.landmarks, silent).axes) == 3
    one = Keypoints(np.zeros((1, 10, 2)), np.zeros((1, 10, 2, 2)))
    path = Keypoints(np.random.default_rng(2).uniform(-1, 1, (5, 10, 2)), np.zeros((5, 10, 2, 2)))
    left, right = preview.plot_keypoints(one, path, path).axes
    assert len(left.lines) == len(right.lines) == 11


def test_without_matplotlib_the_way_on_is_told(
    monkeypatch: pytest.MonkeyPatch, singer: Video, singer_track: FaceTrack
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnavailableError, match=r"memegen\[notebook\]"):
        preview.plot_motion(singer_track.landmarks, singer)


# Inside the mesh engine


def test_the_mesh_engines_deformation_shows_the_frame_that_it_draws(
    small_portrait: np.ndarray, sung: list[np.ndarray], singer_track: FaceTrack
) -> None:
    landmarks = face_mesh(small_portrait, detect_faces(small_portrait)[0])
    frame = int(np.argmax(preview.motion_curves(singer_track.landmarks)["mouth"]))
    inside = explain_frame(small_portrait, landmarks, singer_track.landmarks, frame=frame)
    assert inside.deformation.shape == (240, 205, 2)
    assert inside.jacobian == pytest.approx(np.eye(2), abs=0.3)
    moved = preview.warp(small_portrait, inside.deformation).astype(int)
    forehead = np.s_[85:100, 85:125]
    before, after = (np.abs(a.astype(int) - sung[frame])[forehead].mean() for a in (small_portrait, moved))
    assert after < 0.5 * before
    corners = preview.movement(inside.deformation)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.abs(corners).max() < 0.01
