"""A video as the target: faces followed through shots, changed frame by frame, and everything else left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise, repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from media import ffmpeg, make_clicks

from memegen.animator import load_animator
from memegen.base.errors import InputError, NoFaceError
from memegen.batch import make_batch
from memegen.face import targets as module
from memegen.face.cropping import points_box
from memegen.face.detection import detect_faces, face_mesh
from memegen.face.options import Acting
from memegen.face.pose import openings
from memegen.face.targets import first_faces, how_visible, plan_target, watch_targets
from memegen.face.tracking import track_face
from memegen.media import playing
from memegen.media.images import is_movie
from memegen.media.playing import play
from memegen.media.subjects import open_subject
from memegen.media.video import Video, open_video, write_video
from memegen.meme import make_meme
from memegen.mesh.motion import shares
from memegen.mesh.rest import find_rest

BLINK = 2.3  # seconds: here the bundled singer is about to blink
SINGS = 2.0  # and here it opens its mouth wide

Clip = Callable[..., Video]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Writes frames as a clip of 25 frames a second."""
    folder = tmp_path_factory.mktemp("targets")

    def write(name: str, frames: Iterable[np.ndarray], **words: object) -> Video:
        return write_video(folder / f"{name}.mp4", frames, fps=25, **words)  # type: ignore[arg-type]

    return write


@pytest.fixture(scope="session")
def talking(sung: list[np.ndarray], clip: Clip) -> Video:
    """A second in which the portrait says a word."""
    return clip("talking", sung)


@pytest.fixture(scope="session")
def quiet(small_portrait: np.ndarray, clip: Clip) -> Video:
    """A second in which it keeps its mouth shut and its eyes open."""
    return clip("quiet", [small_portrait] * 25)


def mouths(frames: Iterable[np.ndarray]) -> np.ndarray:
    """How far the mouth is open in each frame, over the inter-ocular distance."""
    return np.array([openings(mesh)[0] for mesh in track_face(frames, smooth=False).landmarks])


def changed(target: Video, driving: object, **words: object) -> list[np.ndarray]:
    return list(load_animator("mesh", **words).animate(target, driving))  # type: ignore[arg-type]


def differs(frame: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two frames differ, (H, W)."""
    return (frame != other).any(2)


# Following


def test_a_face_is_followed_shot_by_shot(sung: list[np.ndarray], singer: Video, clip: Clip) -> None:
    nobody = [np.full_like(sung[0], 90)] * 8
    drawn = [np.asarray(cv2.resize(frame, sung[0].shape[1::-1])) for frame in [*singer.frames()][:8]]
    cut = clip("cut", [*sung[:10], *nobody, *drawn])
    found = watch_targets(cut, None, None)
    assert found.shots == [0, 10, 18]
    [track] = found.tracks.values()
    assert track.found.tolist() == [True] * 10 + [False] * 8 + [True] * 8
    assert (track.landmarks[10:18] == 0).all()
    expected = face_mesh(drawn[0], detect_faces(drawn[0])[0])
    assert np.linalg.norm(track.landmarks[18] - expected, axis=1).mean() < 3


def test_who_crosses_stays_the_same(small_portrait: np.ndarray, singer: Video, clip: Clip) -> None:
    # The portrait walks from the left to the right in front of the drawn singer.
    other = np.asarray(cv2.resize(next(singer.frames()), (200, 200)))
    frames, places = [], np.linspace(0, 395, 40).round().astype(int).tolist()
    for left in places:
        frame = np.full((260, 600, 3), 120, np.uint8)
        frame[40:240, 200:400] = other
        frame[10:250, left : left + 205] = small_portrait
        frames.append(frame)
    found = watch_targets(clip("crossing", frames), "all", None)
    middles = [track.landmarks[:, 1, 0] for track in found.tracks.values()]
    seen = [track.found for track in found.tracks.values()]
    at_first = points_box(face_mesh(small_portrait, detect_faces(small_portrait)[0])).centre[0]
    walker = int(np.argmin([abs(x[0] - at_first) for x in middles]))
    assert abs(middles[walker][-1] - (places[-1] + at_first)) < 20
    assert seen[walker].all()
    if len(middles) > 1:  # the drawn singer stays where it is, and is lost while it is hidden
        assert abs(middles[1 - walker][seen[1 - walker]] - 300).max() < 40


def test_the_track_is_kept(talking: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    found = watch_targets(talking, None, None)
    monkeypatch.delattr(module, "_follow")
    again = watch_targets(talking, None, None)
    assert np.array_equal(found.tracks[0].landmarks, again.tracks[0].landmarks)


def test_landmarks_are_in_the_targets_own_pixels(sung: list[np.ndarray], clip: Clip) -> None:
    large = [np.asarray(cv2.resize(frame, (820, 960))) for frame in sung[:4]]
    [track] = watch_targets(clip("large", large), None, None).tracks.values()
    box = detect_faces(large[0])[0]
    x, y = points_box(track.landmarks[0]).centre
    assert box.left < x < box.right
    assert box.top < y < box.bottom


def test_faces_are_numbered_in_the_first_frame_that_has_some(sung: list[np.ndarray], clip: Clip) -> None:
    late = clip("late", [*[np.full_like(sung[0], 90)] * 10, *sung[:10]])
    frame, faces = first_faces(late)
    assert len(faces) == 1
    assert np.abs(frame.astype(int) - sung[0][:, : frame.shape[1]]).mean() < 6
    [track] = watch_targets(late, 0, None).tracks.values()
    assert track.found.tolist() == [False] * 10 + [True] * 10


def test_a_target_without_a_face_is_refused(faceless: Path, singer: Video) -> None:
    for call in (lambda: first_faces(open_video(faceless)), lambda: changed(open_video(faceless), singer)):
        with pytest.raises(NoFaceError, match=r"No face was found in nobody.mp4: choose a clip in which"):
            call()


def test_too_few_faces_are_refused(talking: Video, singer: Video) -> None:
    with pytest.raises(InputError, match="Face 3 was asked for"):
        plan_target(talking, singer, Acting(face=3), None)
    with pytest.raises(InputError, match=r"There is no face 2 to sing: talking.mp4 has 1, from 0 on"):
        plan_target(talking, {0: singer, 2: singer}, Acting(), None)
    with pytest.raises(InputError, match="leave the face out"):
        plan_target(talking, {0: singer}, Acting(face=0), None)


# Changing


def test_a_target_that_is_driven_by_itself_stays_itself(talking: Video) -> None:
    frames = [*talking.frames()]
    made = changed(talking, talking)
    assert np.corrcoef(mouths(frames), mouths(made))[0, 1] > 0.97
    errors = []
    for frame, result, mesh in zip(frames, made, watch_targets(talking, None, None).tracks[0].landmarks, strict=True):
        box = points_box(mesh).clip(205, 240)
        face = np.s_[round(box.top) : round(box.bottom), round(box.left) : round(box.right)]
        errors.append(np.square(frame[face].astype(float) - result[face]).mean())
        wide = points_box(mesh).scaled(1.75)
        rows, columns = np.nonzero(differs(frame, result))
        assert columns.min(initial=205) >= wide.left - 1
        assert columns.max(initial=0) <= wide.right + 1
        assert rows.min(initial=240) >= wide.top - 1
    assert np.mean(errors) < 255**2 / 10**3  # 30 dB


def test_a_shut_mouth_shuts_a_speaking_one(talking: Video, quiet: Video) -> None:
    own = mouths(talking.frames())
    assert own.max() > 0.15
    assert mouths(changed(talking, quiet)).max() < 0.04


def test_the_drivers_mouth_opens_a_shut_one(quiet: Video, talking: Video) -> None:
    asked, made = mouths(talking.frames()), mouths(changed(quiet, talking))
    assert np.corrcoef(asked, made)[0, 1] > 0.95
    assert 0.7 < made.std() / asked.std() < 1.2  # the tracker reads about 0.8 of an opening, here twice


def test_what_does_not_follow_is_as_it_was_to_the_last_bit(talking: Video, quiet: Video) -> None:
    frames, made = [*talking.frames()], changed(talking, quiet, part="mouth")
    mesh = watch_targets(talking, None, None).tracks[0].landmarks
    for frame, result, points in zip(frames, made, mesh, strict=True):
        assert not differs(frame, result)[: round(float(points[[145, 374], 1].max()))].any()  # down to the eyes
    assert any(differs(*pair).any() for pair in zip(frames, made, strict=True))


def test_the_head_turns_with_the_driver_only_if_asked(quiet: Video, singer: Video) -> None:
    def tilt(frames: list[np.ndarray]) -> float:
        meshes = track_face(frames, smooth=False).landmarks
        angles = [np.arctan2(*(mesh[263, :2] - mesh[33, :2])[::-1]) for mesh in meshes]
        return float(np.ptp(angles))

    later = replace(singer, start=singer.start, duration=singer.duration)
    still, turned = changed(quiet, later), changed(quiet, later, part="head")
    theirs = tilt([*replace(later, fps=quiet.fps).frames()])
    assert tilt(still) < 0.4 * theirs
    assert tilt(turned) > 0.6 * theirs


def test_blinks_of_the_target_are_painted_over(
    small_portrait: np.ndarray, quiet: Video, singer: Video, clip: Clip
) -> None:
    blinks = open_video(singer.path, start=BLINK, duration=1.0)
    blinking = clip("blinking", load_animator("mesh", expression=1.0).animate(small_portrait, blinks))

    def lids(frames: Iterable[np.ndarray]) -> np.ndarray:
        return np.array([openings(mesh)[1:].mean() for mesh in track_face(frames, smooth=False).landmarks])

    # The driver's blink is deep; of the small one drawn after it the tracker reads only 0.68 to 0.73.
    theirs, own = lids(blinks.frames()), lids(blinking.frames())
    assert theirs.min() < 0.5 * np.percentile(theirs, 80)
    assert own.min() < 0.75 * np.percentile(own, 80)
    made = lids(changed(blinking, replace(quiet, duration=1.0)))
    assert made.min() > 0.85 * np.percentile(own, 80)


def test_a_blurred_beginning_covers_nothing(clip: Clip, small_portrait: np.ndarray, monkeypatch: Any) -> None:
    blurred = np.asarray(cv2.GaussianBlur(small_portrait, (0, 0), 4))
    target = clip("blurred", [small_portrait, blurred, *[small_portrait] * 23])
    [track] = watch_targets(target, None, None).tracks.values()
    assert track.likeness.min() > 0.95
    assert (how_visible(track, [(0, 25)], 25.0) == 1).all()
    monkeypatch.setattr(module, "UNJUDGED", 0)
    judged = module._follow(target, None, None)["likeness"][0]
    assert judged[1] < 0.92


def test_a_face_that_is_covered_is_left_alone(sung: list[np.ndarray], quiet: Video, clip: Clip) -> None:
    frames = [*sung, *sung[::-1]]
    mouth = face_mesh(sung[0], detect_faces(sung[0])[0])[[61, 291, 0, 17], :2]
    (left, top), (right, bottom) = mouth.min(0).astype(int) - 14, mouth.max(0).astype(int) + 14
    for number in range(24, 30):  # a dark hand
        frames[number] = frames[number].copy()
        frames[number][top:bottom, left:right] = 40, 30, 30
    target = clip("covered", frames)
    [track] = watch_targets(target, None, None).tracks.values()
    visible = how_visible(track, [(0, 50)], 25.0)
    assert (visible[24:30] == 0).all()
    assert visible[0] == visible[-1] == 1
    assert np.abs(np.diff(visible)).max() < 0.35  # it fades
    long = replace(quiet, duration=2.0) if quiet.duration >= 2 else clip("long", [*quiet.frames()] * 2)
    made = changed(target, long)
    shown = [*target.frames()]
    assert all(np.array_equal(made[number], shown[number]) for number in range(24, 30))
    assert not np.array_equal(made[12], shown[12])


def test_shots_without_the_face_are_left_alone(sung: list[np.ndarray], singer: Video, clip: Clip) -> None:
    target = clip("pause", [*sung[:8], *[np.full_like(sung[0], 90)] * 8, *sung[8:17]])
    made, shown = changed(target, singer), [*target.frames()]
    assert all(np.array_equal(made[number], shown[number]) for number in range(8, 16))
    assert not np.array_equal(made[5], shown[5])


def test_a_look_at_rest_has_its_mouth_shut(talking: Video) -> None:
    track = watch_targets(talking, None, None).tracks[0]
    rest = find_rest(track.landmarks)
    assert openings(rest.shape)[0] < 0.02
    opened = track.landmarks[[openings(mesh)[0] > 0.08 for mesh in track.landmarks]]
    assert openings(find_rest(opened).shape)[0] < 0.6 * min(openings(mesh)[0] for mesh in opened)


def test_shares() -> None:
    mouth, face = shares("mouth"), shares("face")
    assert mouth[[13, 14, 17, 152]].min() > 0.95
    assert mouth[[10, 33, 263, 159, 105, 1, 234, 454]].max() == 0
    assert face[[13, 14, 159, 386, 105, 334]].min() > 0.9
    assert face[[10, 1, 234, 454]].max() < 0.01


def test_two_faces_follow_two_clips(
    sung: list[np.ndarray], small_portrait: np.ndarray, talking: Video, quiet: Video, clip: Clip
) -> None:
    both = clip("both", [np.hstack([frame, small_portrait[:, ::-1]]) for frame in sung])
    made = changed(both, {0: quiet, 1: talking})
    left, right = (mouths(frame[:, part] for frame in made) for part in (np.s_[:205], np.s_[205:]))
    assert left.max() < 0.05
    assert right.max() > 0.12
    only = changed(both, talking, face=1)
    assert all(np.array_equal(a[:, :200], b[:, :200]) for a, b in zip(only, both.frames(), strict=True))


def test_only_the_face_is_shown(talking: Video, quiet: Video) -> None:
    made = changed(talking, quiet, framing="face")
    assert len({frame.shape for frame in made}) == 1
    height, width, _ = made[0].shape
    assert height == width
    assert height % 2 == 0


# Playing


@pytest.mark.parametrize("behind", [1, 10**9])
def test_a_target_goes_back_and_forth(talking: Video, behind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "BEHIND", behind)
    part = replace(talking, duration=0.2)
    frames = [*part.frames()]
    numbers, shown = zip(*play(part, 14, loop=True), strict=True)
    assert list(numbers) == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3, 4, 3]
    assert all(np.array_equal(frame, frames[number]) for number, frame in zip(numbers, shown, strict=True))


def test_a_target_stands_still_or_is_cut_off(talking: Video) -> None:
    part = replace(talking, duration=0.2)
    assert [number for number, _ in play(part, 8, loop=False)] == [0, 1, 2, 3, 4, 4, 4, 4]
    assert [number for number, _ in play(part, 3, loop=True)] == [0, 1, 2]


@pytest.mark.parametrize(("ending", "frames"), [("loop", 25), ("freeze", 25), ("cut", 10)])
def test_when_the_song_is_longer(talking: Video, singer: Video, ending: str, frames: int) -> None:
    assert len(changed(replace(talking, duration=0.4), singer, ending=ending)) == frames


def test_a_longer_target_ends_with_the_song(talking: Video, singer: Video) -> None:
    plan = plan_target(talking, replace(singer, duration=0.4), Acting(), None)
    assert plan.length == plan.target.frame_count == 10


# Making


def test_a_meme_of_a_video(talking: Video, singer: Video, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    meme = make_meme(
        talking.path, singer.path, out=tmp_path / "a.mp4", duration=0.6, top="now", side_by_side=True,
        progress=lambda *report: told.append((str(report[0]), *report[1:])),
    )  # fmt: skip
    assert (meme.fps, meme.frame_count, meme.has_audio) == (talking.fps, 15, True)
    assert meme.width > 205
    assert told[-1] == ("Singing", 15, 15)
    assert {stage for stage, *_ in told} >= {"Watching the target"}


def test_the_rate_is_the_targets(sung: list[np.ndarray], singer: Video, tmp_path: Path) -> None:
    fast = write_video(tmp_path / "fast.mp4", sung[:20], fps=50)
    meme = make_meme(fast, singer.path, duration=0.6)
    assert (meme.fps, meme.frame_count) == (50, 30)
    told: list[tuple[int, int]] = []
    cut = make_meme(
        fast, singer.path, duration=0.6, ending="cut", progress=lambda _, done, total: told.append((done, total))
    )
    assert cut.frame_count == 20
    assert told[-1] == (20, 20)


def loud_times(path: Path) -> np.ndarray:
    """Seconds at which the sound of a file is loud, from its samples."""
    samples = np.frombuffer(ffmpeg("-i", str(path), "-ac", "1", "-ar", "8000", "-f", "s16le", "-"), np.int16)
    return np.flatnonzero(np.abs(samples.astype(int)) > 3000) / 8000


def test_whose_sound_is_heard(sung: list[np.ndarray], tmp_path: Path) -> None:
    clicks = [make_clicks(tmp_path / f"{at}.wav", seconds=1.0, at=(at,)) for at in (0.3, 0.7)]
    target = write_video(tmp_path / "target.mp4", sung, fps=25, audio=clicks[0])
    song = write_video(tmp_path / "song.mp4", sung, fps=25, audio=clicks[1])
    words = {"loudness": None, "part": "mouth"}
    alone = make_meme(target.path, song.path, out=tmp_path / "a.mp4", **words)
    assert loud_times(alone.path).min() > 0.6
    own = make_meme(target.path, song.path, out=tmp_path / "b.mp4", audio="target", **words)
    assert loud_times(own.path).max() < 0.4
    both = make_meme(target.path, song.path, out=tmp_path / "c.mp4", audio="both", **words)
    assert loud_times(both.path).min() < 0.4 < 0.6 < loud_times(both.path).max()
    with pytest.raises(InputError, match="a photo has no sound"):
        make_meme(sung[0], song.path, out=tmp_path / "d.mp4", audio="target")


def test_a_photo_moves_in_part_too(small_portrait: np.ndarray, singer: Video) -> None:
    song = open_video(singer.path, start=SINGS, duration=1.0)
    whole, face, mouth = (
        [*load_animator("mesh", part=part).animate(small_portrait, song)] for part in (None, "face", "mouth")
    )
    mesh = face_mesh(small_portrait, detect_faces(small_portrait)[0])
    above = round(float(mesh[[33, 263], 1].mean() - 0.6 * np.linalg.norm(mesh[33] - mesh[263])))
    assert any(differs(frame, small_portrait)[:above].any() for frame in whole)
    assert not any(differs(frame, small_portrait)[: above // 2].any() for frame in face)
    eyes = round(float(mesh[[145, 374], 1].max()))
    assert not any(differs(frame, small_portrait)[:eyes].any() for frame in mouth)
    assert np.corrcoef(mouths(whole), mouths(mouth))[0, 1] > 0.95


def test_what_is_a_video(talking: Video, small_photo: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "clip.jpg"
    renamed.write_bytes(talking.path.read_bytes())
    assert is_movie(renamed)
    assert isinstance(open_subject(renamed), Video)
    for ending in ("webm", "mkv", "avi", "mpg", "ts", "mov"):
        other = tmp_path / f"clip.{ending}"
        ffmpeg("-i", str(talking.path), "-t", "0.2", str(other))
        assert is_movie(other), ending
    moving = write_video(tmp_path / "moving.gif", talking.frames(), fps=25).path
    for picture in (small_photo, moving, tmp_path / "missing.mp4", tmp_path):
        assert not is_movie(picture)
    assert isinstance(open_subject(moving), np.ndarray)


def test_a_turned_video_is_upright(talking: Video, singer: Video, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", str(talking.path), "-c", "copy", str(turned))
    subject = open_subject(turned)
    assert isinstance(subject, Video)
    assert (subject.width, subject.height) == (talking.height, talking.width)


def test_a_still_video_is_refused(small_portrait: np.ndarray, singer: Video, tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4", [small_portrait], fps=25).path
    with pytest.raises(InputError, match=r"one.mp4 is a still picture of one frame"):
        make_meme(one, singer.path, out=tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_long_target_is_read_only_as_far_as_the_song_goes(talking: Video, singer: Video) -> None:
    long = replace(talking, duration=600.0)
    with_song = replace(singer, duration=0.4)
    plan = plan_target(long, with_song, Acting(), None)
    assert plan.target.frame_count == 10


def test_videos_among_the_photos_of_a_batch(talking: Video, small_photo: Path, singer: Video, tmp_path: Path) -> None:
    outcomes = [*make_batch([talking.path, small_photo], str(singer.path), tmp_path / "out", duration=0.2)]
    assert [one.status for one in outcomes] == ["made", "made"]
    assert [one.clip.name for one in outcomes] == ["talking.mp4", "me.mp4"]


def test_a_face_in_view_for_a_moment(sung: list[np.ndarray], singer: Video, clip: Clip) -> None:
    blank = np.full_like(sung[0], 90)
    target = clip("moment", [*repeat(blank, 10), *sung[:3], *repeat(blank, 12)])
    made, shown = changed(target, singer), [*target.frames()]
    assert len(made) == 25
    assert all(np.array_equal(made[number], shown[number]) for number in (*range(10), *range(14, 25)))


def test_memory_holds_no_clip(talking: Video, singer: Video) -> None:
    stream = load_animator("mesh").animate(talking, singer)
    kept = [next(iter(stream)) for _ in range(3)]
    assert all(a is not b and a.base is None for a, b in pairwise(kept))
