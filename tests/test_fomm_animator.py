"""The learned engine as users call it: crops, best frame, kept analysis, and a whole clip through the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the engine fomm needs torch: pip install 'memegen-sings[fomm]'")

from fomm_states import save_golden

from memegen.animator import load_animator
from memegen.base.errors import InputError, NoFaceError
from memegen.cli import main
from memegen.face.cropping import FaceBox
from memegen.face.detection import detect_faces, face_mesh, pick_face
from memegen.face.tracking import track_face
from memegen.fomm.animator import FommAnimator
from memegen.fomm.driver import find_best_frame
from memegen.media.video import Video, open_video


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_golden(tmp_path_factory.mktemp("checkpoint") / "tiny-cpk.pth.tar")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def engine(checkpoint: Path) -> FommAnimator:
    animator = load_animator(checkpoint, device="cpu", precision="float32")
    assert isinstance(animator, FommAnimator)
    return animator


def acting(engine: FommAnimator, **words: Any) -> FommAnimator:
    return replace(engine, acting=replace(engine.acting, **words))


def with_options(engine: FommAnimator, **words: Any) -> FommAnimator:
    return replace(engine, options=replace(engine.options, **words))


def test_the_command_line_makes_a_clip_with_sound(
    tmp_path: Path, checkpoint: Path, small_photo: Path, singer: Video
) -> None:
    out = tmp_path / "out.mp4"
    words = ["make", str(small_photo), "daisy-bell", "--engine", str(checkpoint)]
    assert main([*words, "--duration", "0.6", "-o", str(out)]) == 0
    made = open_video(out)
    assert (made.width, made.height, made.frame_count, made.has_audio) == (204, 240, 15, True)


def test_the_next_photo_does_not_watch_the_driver_again(
    engine: FommAnimator, small_portrait: np.ndarray, singer: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(singer, duration=0.4)
    first = list(engine.animate(small_portrait, short))
    monkeypatch.setattr(Video, "frames", lambda *_, **__: pytest.fail("the driver was read again"))
    again = list(engine.animate(small_portrait, short))
    assert len(first) == 10
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_damaged_kept_analysis_is_made_anew(
    tmp_path: Path, engine: FommAnimator, small_portrait: np.ndarray, singer: Video
) -> None:
    short = replace(singer, duration=0.2)
    first = list(engine.animate(small_portrait, short))
    kept = list((tmp_path / "cache" / "analyses").glob("*.npz"))
    assert len(kept) == 2  # the track and the keypoints
    for file in kept:
        file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(list(engine.animate(small_portrait, short)), first)


def test_another_span_is_another_analysis(
    tmp_path: Path, engine: FommAnimator, small_portrait: np.ndarray, singer: Video
) -> None:
    for duration in (0.2, 0.32):
        list(engine.animate(small_portrait, replace(singer, duration=duration)))
    assert len(list((tmp_path / "cache" / "analyses").glob("*.npz"))) == 4


def test_another_rate_or_part_of_the_picture_is_another_analysis(
    tmp_path: Path, engine: FommAnimator, small_portrait: np.ndarray, singer: Video
) -> None:
    short = replace(singer, duration=0.24)
    slower, part = replace(short, fps=short.fps / 2), short.cropped((40, 20, 480, 500))
    assert [len(list(engine.animate(small_portrait, clip))) for clip in (short, slower)] == [6, 3]
    assert next(engine.animate(small_portrait, part)).shape == small_portrait.shape
    assert len(list((tmp_path / "cache" / "analyses").glob("*.npz"))) == 6  # a track and keypoints of each


@pytest.mark.parametrize("crop", [(300, 0, 400, 90), (0, -90, 90, -1), (float("nan"), 0, 90, 90), (0, 0, 0.5, 90)])
def test_a_crop_that_shows_nothing(
    engine: FommAnimator, small_portrait: np.ndarray, singer: Video, crop: tuple[float, float, float, float]
) -> None:
    with pytest.raises(InputError, match="shows nothing of the photo, which is 205 x 240 pixels"):
        next(with_options(engine, crop=FaceBox(*crop)).animate(small_portrait, singer))


def test_a_crop_far_beyond_the_photo_is_all_of_it(
    engine: FommAnimator, small_portrait: np.ndarray, singer: Video
) -> None:
    short = replace(singer, duration=0.08)
    huge, whole = (with_options(engine, crop=FaceBox(*box)) for box in ((-1e9, -1e9, 1e9, 1e9), (0, 0, 205, 240)))
    assert np.array_equal(list(huge.animate(small_portrait, short)), list(whole.animate(small_portrait, short)))


def test_the_best_frame_is_the_one_most_like_the_photo(singer: Video) -> None:
    frames = list(singer.frames())
    landmarks = np.stack([mesh[:, :2] for mesh in track_face(frames, smooth=False).landmarks])
    for number in range(10, 25, 2):  # from the first word on: before, the singer is still and the frames are alike
        photo = cv2.resize(frames[number], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
        assert abs(find_best_frame(face_mesh(photo, pick_face(detect_faces(photo))), landmarks) - number) <= 1


def test_what_has_no_face_needs_a_box_or_no_crop(engine: FommAnimator, singer: Video) -> None:
    drawing = np.full((300, 200, 3), 200, np.uint8)
    short = replace(singer, duration=0.12)
    with pytest.raises(NoFaceError, match="a drawing's or an animal's place as the crop") as caught:
        next(engine.animate(drawing, short))
    assert caught.value.remedy == {"crop": "none"}
    for crop in (FaceBox(20, 40, 180, 200), "none"):
        cropped = with_options(engine, crop=crop)
        assert next(cropped.animate(drawing, short)).shape == drawing.shape
        assert next(acting(cropped, framing="face").animate(drawing, short)).shape == (256, 256, 3)


def test_no_crop_takes_the_middle_square_and_squashes_nothing() -> None:
    box = FaceBox(0, 0, 400, 200).inside(400, 200)
    assert (box.left, box.top, box.right, box.bottom) == (100, 0, 300, 200)


def test_options_of_one_engine_are_refused_by_the_other(checkpoint: Path) -> None:
    with pytest.raises(InputError, match="The mesh engine has no crop"):
        load_animator("mesh", crop="none")
    with pytest.raises(InputError, match="expression"):
        load_animator(checkpoint, expression=9)


# Several faces


@pytest.fixture(scope="module")
def couple(small_portrait: np.ndarray) -> np.ndarray:
    return np.hstack([small_portrait, small_portrait[:, ::-1]])


def changed(frames: list[np.ndarray], photo: np.ndarray) -> tuple[float, float]:
    """The most that the left and the right half change, mean grey levels."""
    half = photo.shape[1] // 2
    apart = [np.abs(frame.astype(int) - photo) for frame in frames]
    return max(a[:, : half - 8].mean() for a in apart), max(a[:, half + 8 :].mean() for a in apart)


def test_one_face_or_all_move_in_the_whole_photo(engine: FommAnimator, couple: np.ndarray, singer: Video) -> None:
    short = replace(singer, duration=0.4)
    frames = list(acting(engine, face="all").animate(couple, short))
    assert [frame.shape for frame in frames] == [couple.shape] * 10
    assert min(changed(frames, couple)) > 0.2
    left, right = changed(list(acting(engine, face=1).animate(couple, short)), couple)
    assert left == 0
    assert right > 0.2


def test_a_duet_lasts_as_long_as_its_longest_clip(engine: FommAnimator, couple: np.ndarray, singer: Video) -> None:
    duet = {1: replace(singer, duration=0.4), 0: replace(singer, start=2.0, duration=1.2, fps=singer.fps / 2)}
    frames = list(engine.animate(couple, duet))
    assert len(frames) == 30
    first, last = changed(frames[2:10], couple)[1], changed(frames[-3:], couple)[1]
    assert last < first


def test_several_faces_do_not_fit_one_square(engine: FommAnimator, couple: np.ndarray, singer: Video) -> None:
    with pytest.raises(InputError, match="2 faces do not fit one square"):
        next(acting(engine, face="all", framing="face").animate(couple, singer))
    with pytest.raises(InputError, match="leave the crop out"):
        next(with_options(engine, crop="none").animate(couple, {0: singer}))


def test_the_mouth_alone_follows_in_the_whole_photo_only(
    engine: FommAnimator, small_portrait: np.ndarray, singer: Video
) -> None:
    short, mouth = replace(singer, duration=0.4), acting(engine, part="mouth")
    frames = [*mouth.animate(small_portrait, short)]
    nose = round(float(face_mesh(small_portrait, pick_face(detect_faces(small_portrait)))[1, 1]))
    apart = np.max([np.abs(frame.astype(int) - small_portrait).mean((1, 2)) for frame in frames], axis=0)
    assert apart[nose:].max() > 1
    assert apart[: nose - 20].max() == 0
    for other in (acting(mouth, framing="face"), with_options(mouth, crop="none")):
        with pytest.raises(InputError, match="only in the whole photo") as caught:
            next(other.animate(small_portrait, short))
        assert caught.value.remedy == {"part": "face"}


def test_a_part_does_not_follow_absolute_motion(
    engine: FommAnimator, small_portrait: np.ndarray, singer: Video
) -> None:
    with pytest.raises(InputError, match="Absolute motion moves the whole head, so the face can't follow alone"):
        next(with_options(acting(engine, part="face"), relative=False).animate(small_portrait, singer))


def test_without_movement_the_photo_stays_as_it_is(
    engine: FommAnimator, small_portrait: np.ndarray, singer: Video
) -> None:
    calm = acting(engine, expression=0.0, motion=0.0)
    frames = list(calm.animate(small_portrait, replace(singer, duration=0.2)))
    assert [float(np.abs(frame.astype(int) - small_portrait).mean()) for frame in frames] == pytest.approx(
        [0] * 5, abs=2
    )
