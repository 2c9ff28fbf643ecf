"""Pictures for notebooks: what is drawn is where it should be, figures fit, and the input stays as it was."""

from __future__ import annotations

import base64
import gc
import re
import subprocess
import sys
import wave
import weakref
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from memegen import preview
from memegen.base.errors import InputError, NoFaceError, UnavailableError
from memegen.face.cropping import FaceBox
from memegen.face.detection import detect_faces, face_mesh
from memegen.face.topology import face_model
from memegen.face.tracking import FaceTrack, track_face
from memegen.fomm.keypoints import Keypoints
from memegen.media.video import Video, open_video, write_video
from memegen.preview import points
from memegen.templates import load_template

figures = pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
notebooks = pytest.mark.skipif(find_spec("IPython") is None, reason="IPython is not installed")


def picture(shown: Any) -> np.ndarray:
    """The picture in what `show` returns, RGB."""
    data = base64.b64decode(re.search(r'src="data:image/webp;base64,([^"]+)"', shown.data)[1])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def drawn(axes: Any) -> np.ndarray:
    """The picture that axes show."""
    return np.asarray(axes.images[0].get_array())


def titles(figure: Any, loc: str = "center") -> list[str]:
    return [axes.get_title(loc) for axes in figure.axes]


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, memegen.preview; assert not {'matplotlib', 'IPython', 'torch'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_faces_are_boxed_and_the_chosen_one_stands_out(portrait: np.ndarray) -> None:
    group = np.concatenate([portrait, portrait[:, ::-1]], axis=1)
    faces = detect_faces(group)
    plain, marked = preview.draw_faces(group, faces), preview.draw_faces(group, faces, chosen=1)
    assert plain.shape == group.shape
    assert plain.dtype == np.uint8
    for number, face in enumerate(faces):
        side = plain[round(face.centre[1]), round(face.left)]
        assert side.tolist() == list(points.WHITE)
        colour = points.YELLOW if number == 1 else points.WHITE
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


@notebooks
def test_showing_names_what_is_seen_and_escapes_it(portrait: np.ndarray) -> None:
    shown = preview.show(portrait, 'A <b>"face"</b>')
    assert 'alt="A &lt;b&gt;&quot;face&quot;&lt;/b&gt;"' in shown.data
    assert "<b>" not in shown.data
    assert 'width="512"' in shown.data
    assert np.abs(picture(shown).astype(int) - portrait).mean() < 4


# Pages


@figures
@notebooks
def test_a_figure_is_shown_sharp_once_and_then_forgotten(portrait: np.ndarray) -> None:
    import matplotlib.pyplot as plt

    figure = preview.side_by_side(portrait, portrait, labels=["left", "right"])
    shown, kept = preview.show(figure, "Twice"), weakref.ref(figure)
    width = int(re.search(r'width="(\d+)"', shown.data)[1])
    assert 640 <= width <= 740
    assert picture(shown).shape[1] in (2 * width, 2 * width + 1)
    del figure
    gc.collect()
    assert kept() is None
    assert plt.get_fignums() == []


@figures
def test_pictures_side_by_side_have_one_height_and_their_shape(portrait: np.ndarray) -> None:
    figure = preview.side_by_side(portrait, portrait[:200, :100], labels=["a", "b"])
    figure.draw_without_rendering()
    left, right = (axes.get_window_extent() for axes in figure.axes)
    assert left.height == pytest.approx(right.height, rel=0.02)
    assert left.width / left.height == pytest.approx(512 / 600, rel=0.02)
    assert right.width / right.height == pytest.approx(0.5, rel=0.02)
    assert titles(figure) == ["a", "b"]
    assert (drawn(figure.axes[1]) == portrait[:200, :100]).all()
    for images, labels in (([portrait], ["a", "b"]), ([], [])):
        with pytest.raises(InputError, match="labels"):
            preview.side_by_side(*images, labels=labels)


@figures
def test_maps_span_their_range_and_have_a_scale() -> None:
    figure = preview.side_by_side(np.tile(np.linspace(0.25, 0.75, 64), (8, 1)))
    figure.draw_without_rendering()
    [axes] = figure.axes
    [scale] = axes.child_axes
    low, high = axes.images[0].to_rgba(axes.images[0].get_array())[0, [0, -1], :3]
    assert low.sum() < 0.1
    assert high.sum() > 2.2
    assert scale.get_xlim() == pytest.approx((0.25, 0.75), abs=0.01)


@figures
def test_large_pictures_are_shrunk_to_their_place(portrait: np.ndarray) -> None:
    large = np.asarray(cv2.resize(portrait, None, fx=4, fy=4))
    assert max(drawn(preview.side_by_side(large, large).axes[0]).shape) < 1000


def test_frames_are_taken_evenly_with_both_ends(singer: Video) -> None:
    assert list(preview.sample_frames(iter([np.zeros((2, 2, 3), np.uint8)] * 11), 3)) == [0, 5, 10]
    sampled = preview.sample_frames(singer, 4)
    assert list(sampled) == [0, 8, 16, 24]
    assert (sampled[8] == list(singer.frames())[8]).all()
    assert len(preview.sample_frames(singer, 99)) == singer.frame_count
    with pytest.raises(InputError, match="no frames to show"):
        preview.contact_sheet([])


@figures
def test_sheets_and_strips_hold_what_they_should(singer: Video) -> None:
    sheet = preview.contact_sheet(singer, count=3, columns=2)
    assert titles(sheet) == ["0.00 s", "0.48 s", "0.96 s", ""]
    assert (drawn(sheet.axes[2]) == list(singer.frames())[24]).all()
    assert not sheet.axes[3].images
    frames = preview.crop_frames(singer, FaceBox(100, 100, 300, 300))
    assert [frame.shape for frame in frames] == [(256, 256, 3)] * 25
    assert titles(preview.contact_sheet(frames, count=2)) == ["frame 0", "frame 24", "", ""]
    strip = preview.strips({"one": frames, "two": iter(frames[:3])}, count=4)
    assert titles(strip, "left") == ["one", "", "", "", "two", "", "", ""]
    assert [bool(axes.images) for axes in strip.axes] == [True] * 7 + [False]


# Points


def test_landmarks_are_drawn_where_they_are(portrait: np.ndarray, small_portrait: np.ndarray) -> None:
    [face] = detect_faces(portrait)
    landmarks = face_mesh(portrait, face)
    x, y = np.round(landmarks[4, :2]).astype(int)  # the tip of the nose
    assert preview.draw_landmarks(portrait, landmarks)[y, x].tolist() == list(points.CYAN)
    few = preview.draw_landmarks(small_portrait, np.array([[50.0, 60.0]]))
    assert max(few.shape) == points.READABLE
    scale = few.shape[1] / small_portrait.shape[1]
    at = np.round((np.array([60.0, 50.0]) + 0.5) * scale - 0.5).astype(int)
    assert few[at[0], at[1]].tolist() == list(points.CYAN)


@figures
def test_keypoints_are_marked_with_what_their_jacobians_do(small_portrait: np.ndarray) -> None:
    value = np.array([[[-0.5, -0.5], [0.5, 0.25]]])
    wide = np.array([[[[4.0, 0], [0, 1]], [[2.0, 0], [0, 2]]]])
    still, there = Keypoints(value * 0, wide), Keypoints(np.concatenate([value * 0, value]), wide.repeat(2, 0))
    inside: Any = SimpleNamespace(source=still, driving=there)
    square = small_portrait[:200, :200]
    figure = preview.draw_keypoints(inside, square, [square, square], frames=[1])
    assert titles(figure) == ["source", "driving 1"]
    ring, coloured, white = (np.array(line.get_xydata()) for line in figure.axes[1].lines[:3])
    assert np.ptp(ring, axis=0) == pytest.approx([4 * 0.11, 0.11], abs=0.001)
    assert coloured == pytest.approx(np.array([[-0.5, -0.5], [-0.28, -0.5]]), abs=0.001)
    assert white == pytest.approx(np.array([[-0.5, -0.5], [-0.5, -0.445]]), abs=0.001)
    assert [(text.get_text(), text.xy) for text in figure.axes[1].texts] == [
        ("0", pytest.approx((-0.5, -0.5))),
        ("1", pytest.approx((0.5, 0.25))),
    ]
    assert figure.axes[1].get_ylim() == (1, -1)  # as in the keypoints, y points down


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


@figures
def test_arrows_point_to_where_it_moves(portrait: np.ndarray) -> None:
    from matplotlib.quiver import Quiver

    figure = preview.draw_deformation(portrait, identity(40) - [0.2, 0.1])
    assert titles(figure) == ["arrows", "colours", "legend of the colours", "moved"]
    [arrows] = [one for one in figure.axes[0].collections if isinstance(one, Quiver)]
    assert pytest.approx(0.2) == arrows.U
    assert pytest.approx(0.1) == arrows.V
    assert arrows.pivot == "tip"
    assert arrows.N == 20 * 20
    assert np.ptp(arrows.XY, axis=0) == pytest.approx([1.95, 1.95], abs=0.05)
    assert figure.axes[0].get_xlim() == (-1, 1)


def test_warping_takes_pixels_from_where_the_deformation_says(portrait: np.ndarray) -> None:
    square = portrait[:257, :257]
    assert np.abs(preview.warp(square, identity(17)).astype(int) - square).max() <= 2
    mirrored = preview.warp(square, identity(17) * [-1, 1])
    assert np.abs(mirrored.astype(int) - square[:, ::-1]).max() <= 2
    assert (preview.warp(square, identity(17) + np.array([2.5, 0])) == 0).all()


@figures
def test_sheets_of_masks_motions_and_features(small_portrait: np.ndarray) -> None:
    names = ["background", *(f"keypoint {number}" for number in range(10)), ""]
    masks, motions = np.linspace(0, 1, 11)[:, None, None].repeat(16, 1).repeat(16, 2), np.stack([identity()] * 11)
    sheet = preview.draw_masks(small_portrait, masks)
    assert titles(sheet) == names
    assert [float(axes.images[1].get_array().mean()) for axes in sheet.axes[:11]] == pytest.approx(masks.mean((1, 2)))
    assert sheet.axes[0].images[1].get_alpha().max() == 0
    assert sheet.axes[10].images[1].get_alpha().max() > 0.5
    sheet = preview.draw_sparse_motions(small_portrait, motions)
    assert titles(sheet) == names
    assert np.abs(drawn(sheet.axes[10]).astype(int) - small_portrait).mean() < 2
    features = np.random.default_rng(1).normal(size=(5, 8, 8)) * np.array([1, 9, 3, 1, 1])[:, None, None]
    sheet = preview.draw_features(features, features * 0, count=2)
    assert titles(sheet) == ["channel 1", "channel 2", "1, moved", "2, moved"]
    assert np.ptp(drawn(sheet.axes[0])) == 1
    assert np.ptp(drawn(sheet.axes[2])) == 0


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


@figures
def test_the_sound_is_plotted_on_the_time_axis_of_the_movement(singer: Video, singer_track: FaceTrack) -> None:
    figure = preview.plot_motion(singer_track.landmarks, singer)
    eyes, head, mouth, sound = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["eyes open", "head, degrees", "mouth open", "sound"]
    assert [line.get_label() for line in (*eyes.lines, *head.lines)][:2] == ["eyes", "yaw (right)"]
    assert np.ptp(mouth.lines[0].get_ydata()) > 0.05
    assert mouth.get_ylim()[1] > 1.2 * eyes.get_ylim()[1]  # on one axis a blink would be tiny
    end = (singer.frame_count - 1) / 25
    for axes in figure.axes:
        assert axes.get_xlim() == pytest.approx((0, end))
    [shape] = sound.collections
    assert np.abs(shape.get_paths()[0].vertices[:, 1]).max() > 0.1
    assert shape.get_paths()[0].vertices[:, 0].max() == pytest.approx(1.0, abs=0.05)


@pytest.fixture(scope="module")
def lesson() -> Video:
    """What notebook 02 follows."""
    return open_video(load_template("daisy-bell").local_path, start=4.8, duration=3.3)


def test_the_span_of_notebook_02_shows_what_its_text_says(lesson: Video) -> None:
    landmarks = track_face(lesson.frames(), fps=25).landmarks
    curves = preview.motion_curves(landmarks)
    mouth, eyes = curves["mouth"], curves["eyes"]
    oo, blink, ah, ee = np.linspace(0, len(mouth) - 1, 4).round().astype(int)  # the four moments of its strips
    assert eyes[blink] < 0.5 * np.median(eyes)
    shut = np.flatnonzero(eyes < 0.8 * np.median(eyes))
    assert 0.12 < len(shut) / 25 < 0.28
    assert (np.diff(shut) == 1).all()
    assert mouth[ah] > 0.8 * mouth.max()
    assert mouth[ah] > 3 * mouth[oo]
    assert mouth[ah] > 3 * mouth[ee]
    assert 0.65 < preview.agreement(landmarks, lesson) < 0.8


def test_mouth_and_sound_agree_where_they_move_together(tmp_path: Path, singer_track: FaceTrack) -> None:
    mouth = preview.motion_curves(singer_track.landmarks)["mouth"]
    tone = np.sin(np.arange(8000 * len(mouth) // 25) * 0.7) * np.repeat(mouth, 320)
    for name, sound in (("with", tone), ("against", np.sin(np.arange(tone.size) * 0.7) * 0.4 - tone)):
        path = tmp_path / f"{name}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((sound * 30000).astype("<i2").tobytes())
        frames = [np.zeros((64, 64, 3), np.uint8)] * len(mouth)
        clip = write_video(tmp_path / f"{name}.mp4", frames, fps=25, audio=path)
        follows = preview.agreement(singer_track.landmarks, clip)
        assert follows > 0.9 if name == "with" else follows < -0.9


def test_what_stands_still_is_dark() -> None:
    frames = np.full((3, 4, 6, 3), 100, np.uint8)
    frames[1, 2, 5] = 109
    still = preview.change_map(iter(frames))
    assert still.shape == (4, 6)
    assert still[2, 5] == pytest.approx(3)  # the square root of 9 grey levels
    assert still.sum() == still[2, 5]
    assert (preview.change_map([frames[0]]) == 0).all()


def test_a_photo_that_is_moved_stands_still_and_a_film_does_not() -> None:
    chat, real, meme = (preview.change_map(open_video(path)) for path in preview.LESSON_CLIPS)
    assert np.median(chat[-60:]) < 0.2  # jacket and flag
    assert np.median(meme[-60:]) < 0.05
    assert np.median(real[:60]) > 0.4  # the wall


@figures
def test_a_silent_clip_and_paths_can_be_plotted(faceless: Path, singer_track: FaceTrack) -> None:
    silent = replace(open_video(faceless), has_audio=False)
    assert len(preview.plot_motion(singer_track.landmarks, silent).axes) == 4
    assert preview.agreement(singer_track.landmarks, silent) == 0
    one = Keypoints(np.zeros((1, 10, 2)), np.zeros((1, 10, 2, 2)))
    path = Keypoints(np.random.default_rng(2).uniform(-1, 1, (5, 10, 2)), np.zeros((5, 10, 2, 2)))
    inside: Any = SimpleNamespace(source=one, driving=path, moved=path)
    left, right = preview.plot_keypoints(inside).axes
    assert len(left.lines) == len(right.lines) == 11


def test_without_matplotlib_the_way_on_is_told(
    monkeypatch: pytest.MonkeyPatch, singer: Video, singer_track: FaceTrack
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnavailableError, match=r"memegen-sings\[notebook\]"):
        preview.plot_motion(singer_track.landmarks, singer)


# Lessons


def test_a_pair_of_crops_shows_the_two_faces(small_portrait: np.ndarray, singer: Video, faceless: Path) -> None:
    source, driving = preview.crop_pair(small_portrait, singer, every=8)
    assert source.shape == (256, 256, 3)
    assert [frame.shape for frame in driving] == [(256, 256, 3)] * 4
    for crop in (source, driving[0], driving[-1]):
        [face] = detect_faces(crop)
        assert np.hypot(*np.subtract(face.centre, 128)) < 40
    with pytest.raises(NoFaceError):
        preview.crop_pair(small_portrait, open_video(faceless))


def test_the_mesh_engines_deformation_shows_the_frame_that_it_draws(
    small_portrait: np.ndarray, sung: list[np.ndarray], singer: Video, singer_track: FaceTrack
) -> None:
    frame = int(np.argmax(preview.motion_curves(singer_track.landmarks)["mouth"]))
    inside = preview.explain_mesh(small_portrait, singer, frame=frame)
    assert inside.deformation.shape == (240, 205, 2)
    assert inside.jacobian == pytest.approx(np.eye(2), abs=0.3)
    moved = preview.warp(small_portrait, inside.deformation).astype(int)
    forehead = np.s_[85:100, 85:125]
    before, after = (np.abs(a.astype(int) - sung[frame])[forehead].mean() for a in (small_portrait, moved))
    assert after < 0.5 * before
    corners = preview.movement(inside.deformation)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.abs(corners).max() < 0.01
