"""The face swap: faces cut out and counted, a training that can be stopped and taken up again, and the swap itself."""

from __future__ import annotations

import shutil
import sys
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import memegen
from memegen.base import tensors
from memegen.base.errors import InputError, NoFaceError, OutputError, UnavailableError
from memegen.base.progress import Stage
from memegen.cli import main
from memegen.face.topology import LEFT_EYE, RIGHT_EYE
from memegen.media.video import Video, open_video, write_video
from memegen.provenance import consent
from memegen.provenance.inspection import inspect
from memegen.swap import FaceSet, Swapper, conversion, extract_faces, load_swapper, train_swap, training
from memegen.swap import faces as cutting
from memegen.swap.capacity import Capacity
from memegen.swap.conversion import draw_faces, mask_in_frame, paste_face
from memegen.swap.cues import CUES, measure, missing
from memegen.swap.swapper import load_training

SIDE = 48
People = tuple[FaceSet, FaceSet]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that learn something in a second."""
    torch.set_num_threads(1)
    tiny = Capacity(device="cpu", side=SIDE, width=8, batch=8)
    for module in ("swapper", "training"):
        monkeypatch.setattr(f"memegen.swap.{module}.choose_capacity", lambda _device="auto": tiny)


@pytest.fixture(scope="module")
def singing(sung: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of the portrait, who sings."""
    return write_video(tmp_path_factory.mktemp("swap") / "grace.mp4", sung, fps=25).path


@pytest.fixture(scope="module")
def people(singing: Path, singer: Video) -> People:
    """The portrait's faces, and the drawn singer's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "LEAST", 10)
        return extract_faces(singing), extract_faces(singer)


@pytest.fixture(scope="module")
def trained(people: People, tmp_path_factory: pytest.TempPathFactory) -> tuple[Swapper, Path]:
    """What sixty steps teach, and the file of it."""
    file = tmp_path_factory.mktemp("trained") / "both.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "choose_capacity", lambda _device: Capacity(device="cpu", side=SIDE, width=8, batch=8))
        *_, state = train_swap(*people, steps=60, checkpoint=file)
    return state.swapper, file


def steps_of(states: Any) -> list[int]:
    return [state.swapper.step for state in states]


# Faces


def test_eyes_lie_on_eyes(people: People) -> None:
    for found in people:
        assert len(found) >= 20
        assert found.crops.shape[1:] == (cutting.SIDE, cutting.SIDE, 3)
        assert np.ptp(found.landmarks[:, [RIGHT_EYE, LEFT_EYE], :2], axis=0).max() < 4
    first, second = (found.landmarks[:, [RIGHT_EYE, LEFT_EYE], :2].mean(0) for found in people)
    assert abs(first - second).max() < 8


def test_masks_lie_on_the_face(people: People) -> None:
    for found in people:
        masks = found.masks()
        middle = masks[:, 60:110, 70:90]
        assert middle.mean() > 0.95
        assert masks[:, :10].max() < 0.05
        assert masks[:, :, :15].max() < 0.05


def test_photos_are_counted(singing: Path, small_portrait: np.ndarray, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(cutting, "LEAST", 3)
    folder = tmp_path / "anna"
    folder.mkdir()
    frames = [*open_video(singing).frames()]
    for number, frame in enumerate([*frames[:20:5], frames[0]]):
        cv2.imwrite(str(folder / f"{number}.png"), frame[..., ::-1])
    cv2.imwrite(str(folder / "blurred.png"), cv2.GaussianBlur(frames[7], (0, 0), 5)[..., ::-1])
    cv2.imwrite(str(folder / "grey.png"), np.full_like(small_portrait, 90))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photo")
    found = extract_faces(folder)
    assert len(found) == 4
    left = {"doubled": 1, "blurred": 1, "without a face": 1, "unreadable": 1}
    assert found.left_out == left
    assert str(found).startswith("4 faces from anna; left out: ")
    # A zip file of the same photos, with what a Mac adds
    archive = tmp_path / "anna.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(folder.iterdir()):
            packed.write(file, f"photos/{file.name}")
        packed.writestr("__MACOSX/._0.png", b"\0\5\26\7")
        packed.writestr("notes.txt", b"not a photo")
    packed_faces = extract_faces(archive)
    assert len(packed_faces) == 4
    assert packed_faces.left_out == left | {"unreadable": 2}
    assert packed_faces.key == found.key


def test_of_many_pictures_some_are_used(singing: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(cutting, "LEAST", 3)
    monkeypatch.setattr(cutting, "MOST", 6)
    assert 4 <= len(extract_faces(singing)) <= 7
    for number, frame in enumerate(islice(open_video(singing).frames(), 12)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame[..., ::-1])
    found = extract_faces(tmp_path)
    assert len(found) <= 6
    assert found.left_out["more than are needed"] == 6


def test_several_sources_are_one_person(singing: Path, people: People, small_photo: Path) -> None:
    both = extract_faces([singing, small_photo])
    assert len(people[0]) <= len(both) <= len(people[0]) + 1
    assert both.name == f"grace.mp4 and {small_photo.name}"


def test_too_few_pictures(small_photo: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has too few usable faces: 1\. A swap needs at least 20") as refused:
        extract_faces(small_photo)
    assert "give a longer clip, or more photos" in str(refused.value)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(InputError, match="has too few usable faces: 0"):
        extract_faces(tmp_path / "empty.zip")


def test_a_clip_without_a_face(faceless: Path) -> None:
    with pytest.raises(NoFaceError, match=r"No face was found in nobody\.mp4"):
        extract_faces(faceless)


def test_one_of_two_people_is_chosen(sung: list[np.ndarray], small_portrait: np.ndarray, tmp_path: Path) -> None:
    frames = [np.hstack([frame, small_portrait[:, ::-1]]) for frame in sung]
    both = write_video(tmp_path / "both.mp4", frames, fps=25)
    with pytest.raises(InputError, match=r"There are 2 people in both\.mp4: choose one") as refused:
        extract_faces(both)
    assert refused.value.remedy == {"face": 0}
    assert len(extract_faces(both, face=0)) >= 20
    with pytest.raises(InputError, match="Face 2 was asked for"):
        extract_faces(both, face=2)
    with pytest.raises(InputError) as asked:
        memegen.swap(both, both, minutes=0.01)
    assert asked.value.remedy == {"whose": 0}


def test_cues_tell_what_a_face_does(people: People) -> None:
    for found in people:
        cues = measure(found.landmarks)
        assert cues.shape == (len(found), len(CUES))
        gap = np.linalg.norm(found.landmarks[:, 13] - found.landmarks[:, 14], axis=1)
        assert np.corrcoef(gap, cues[:, CUES.index("mouth open")])[0, 1] > 0.99


def test_what_the_faces_never_show_is_named() -> None:
    still, moving = np.zeros((100, 8), np.float32), np.zeros((100, 8), np.float32)
    moving[:10, CUES.index("mouth open")] = 4
    moving[:10, CUES.index("left eye open")] = -3
    moving[0, CUES.index("turn")] = 9  # a single frame is misread
    moving[:, CUES.index("nod")] = 1
    assert missing(still, moving) == ["the mouth open", "the eyes shut"]
    assert missing(moving, still) == []


# Training


def test_errors_fall_and_the_last_state_says_why(people: People) -> None:
    states = [*train_swap(*people, steps=100)]
    assert steps_of(states) == [0, 20, 40, 60, 80, 100]
    assert [state.ended for state in states] == [""] * 5 + ["100 steps are done"]
    first, last = states[1].losses, states[-1].losses
    assert all(0 < after < before for before, after in zip(first, last, strict=True))
    assert states[-1].preview().shape == (6 * SIDE, training.PREVIEW * SIDE, 3)


def test_the_time_ends_it(people: People) -> None:
    *_, last = train_swap(*people, minutes=0.01)
    assert last.ended == "0.01 minutes are over"
    assert last.swapper.seconds >= 0.6


def test_it_ends_when_nothing_gets_better(people: People, monkeypatch: Any) -> None:
    monkeypatch.setattr(training, "LEARNING_RATE", 0.0)
    monkeypatch.setattr(training, "STAGNANT", 10)
    monkeypatch.setattr(training, "LEAST_GAIN", 0.5)
    *_, last = train_swap(*people)
    assert last.ended == "the faces no longer get better"
    assert last.swapper.step == 20


def test_a_stopped_training_goes_on(people: People, tmp_path: Path) -> None:
    file = tmp_path / "both.safetensors"
    for state in train_swap(*people, checkpoint=file):
        if state.swapper.step == 40:
            break
    kept = load_swapper(file)
    assert kept.step == 40
    faces = people[0].inner(SIDE)
    assert (kept.encode(faces) == state.swapper.encode(faces)).all()
    assert steps_of(train_swap(*people, checkpoint=file, steps=60)) == [40, 60]
    assert steps_of(train_swap(*people, checkpoint=file, steps=60)) == [60]


def test_a_killed_training_goes_on_from_its_last_checkpoint(people: People, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(training, "SAVED", 0.0)
    file, at_the_moment = tmp_path / "both.safetensors", tmp_path / "killed.safetensors"
    states = train_swap(*people, checkpoint=file)
    for _ in range(3):
        next(states)
    shutil.copy(file, at_the_moment)  # what a killed program would leave
    states.close()
    assert 20 < load_swapper(at_the_moment).step <= 40
    assert steps_of(train_swap(*people, checkpoint=at_the_moment, steps=60))[-1] == 60


def test_networks_of_another_machine_keep_their_size(people: People, tmp_path: Path, monkeypatch: Any) -> None:
    larger = Capacity(device="cpu", side=64, width=12, batch=4)
    monkeypatch.setattr(training, "choose_capacity", lambda _device: larger)
    file = tmp_path / "gpu.safetensors"
    *_, _last = train_swap(*people, steps=2, checkpoint=file)
    assert load_swapper(file).side == 64
    *_, last = train_swap(*people, steps=4, checkpoint=file)
    assert (last.swapper.step, last.swapper.side, last.swapper.networks.width) == (4, 64, 12)


def test_a_checkpoint_belongs_to_its_faces(people: People, trained: tuple[Swapper, Path], tmp_path: Path) -> None:
    faces, body = people
    with pytest.raises(InputError, match="is the training of other faces"):
        next(train_swap(body, faces, checkpoint=trained[1]))
    damaged = tmp_path / "cut.safetensors"
    damaged.write_bytes(trained[1].read_bytes()[:2000])
    with pytest.raises(InputError, match="is damaged or incomplete"):
        next(train_swap(faces, body, checkpoint=damaged))
    other = tmp_path / "other.safetensors"
    tensors.write_tensors(other, {"a": torch.zeros(2)})
    with pytest.raises(InputError, match="was not written by the training of a swap"):
        load_swapper(other)
    assert other.is_file()


def test_a_checkpoint_that_can_not_be_written_is_told_at_once(
    people: People, tmp_path: Path, small_photo: Path
) -> None:
    with pytest.raises(InputError, match=r"me\.png has another ending: name a file that ends in \.safetensors"):
        next(train_swap(*people, checkpoint=small_photo))
    states = train_swap(*people, checkpoint=tmp_path / "nowhere" / "both.safetensors")
    assert next(states).swapper.step == 0
    with pytest.raises(OutputError, match="can't be saved"):
        next(states)


def test_a_full_disk_keeps_what_was_saved(people: People, tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "both.safetensors"
    *_, _last = train_swap(*people, steps=20, checkpoint=file)
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("memegen.swap.swapper.write_tensors", full)
    with pytest.raises(OutputError, match=r"can't be saved in .*No space left.*What was saved before is kept"):
        _ = [*train_swap(*people, steps=40, checkpoint=file)]
    assert file.read_bytes() == before


def test_a_turned_number_moves_what_it_names(trained: tuple[Swapper, Path], people: People) -> None:
    swapper, _ = trained
    codes = swapper.encode(people[0].inner(SIDE)[:4])
    turned = codes.copy()
    turned[:, CUES.index("mouth open")] += 5
    assert (swapper.draw(turned, 0) != swapper.draw(codes, 0)).any()
    assert swapper.draw(codes, 1).shape == (4, SIDE, SIDE, 4)


def test_a_checkpoint_has_what_training_needs(trained: tuple[Swapper, Path]) -> None:
    swapper, extra = load_training(trained[1])
    assert swapper.step == 60
    names = {name.partition(".")[0] for name in extra}
    assert names == {"adam", "newest"}


# The swap


def test_nothing_changes_outside_the_mask(trained: tuple[Swapper, Path], singer: Video) -> None:
    frames = 0
    for new in draw_faces(trained[0], singer):
        result, mask = paste_face(new), mask_in_frame(new)
        assert (result[mask == 0] == new.frame[mask == 0]).all()
        assert (result[mask > 0.9] != new.frame[mask > 0.9]).mean() > 0.5
        frames += 1
    assert frames == singer.frame_count


class Knowing:
    """Networks that know the body's face, and draw the other as plain grey."""

    side = 96

    def __init__(self, body: np.ndarray) -> None:
        self._body = body

    def encode(self, crops: np.ndarray) -> np.ndarray:
        return np.zeros((len(crops), 64), np.float32)

    def draw(self, codes: np.ndarray, who: int) -> np.ndarray:
        colours = self._body if who else np.full_like(self._body, 128)
        return np.stack([np.dstack([colours, np.full((96, 96), 255, np.uint8)])] * len(codes))


def test_what_covers_the_face_stays(small_portrait: np.ndarray, tmp_path: Path) -> None:
    still = write_video(tmp_path / "still.mp4", [small_portrait] * 8, fps=25)
    [clean, *_] = draw_faces(Knowing(np.zeros((96, 96, 3), np.uint8)), still)  # type: ignore[arg-type]
    body = cutting.cut_face(clean.frame, clean.matrix, 96)
    knowing: Any = Knowing(body)
    frame = clean.frame.copy()
    x, y = np.linalg.inv(np.vstack([clean.matrix, [0, 0, 1]]))[:2] @ [60, 60, 1]
    frame[round(y) - 9 : round(y) + 9, round(x) - 9 : round(x) + 9] = (20, 200, 20)
    cover = np.s_[round(y) - 5 : round(y) + 5, round(x) - 5 : round(x) + 5]
    covered = write_video(tmp_path / "covered.mp4", [frame] * 8, fps=25)
    [new, *_] = draw_faces(knowing, covered)
    result = paste_face(new)
    assert mask_in_frame(new)[cover].max() < 0.2
    assert mask_in_frame(next(iter(draw_faces(knowing, still))))[cover].min() > 0.6
    assert abs(result[cover].astype(int) - new.frame[cover]).max() < 30


def test_a_face_that_turns_away_keeps_its_own(trained: tuple[Swapper, Path], singer: Video, monkeypatch: Any) -> None:
    monkeypatch.setattr(conversion, "turned_aside", lambda _: np.array([1.2, 0.0]))
    for new in islice(draw_faces(trained[0], singer), 3):
        assert (paste_face(new) == new.frame).all()


# One call


def test_swap_writes_a_marked_clip(singing: Path, tmp_path: Path, sung: list[np.ndarray]) -> None:
    told: list[tuple[str, int, int]] = []
    out, body = tmp_path / "out.mp4", memegen.load_template("daisy-bell").path
    clip = memegen.swap(
        singing,
        body,
        out=out,
        minutes=0.01,
        duration=1.2,
        progress=lambda *how: told.append(how),
        label_corner="top-left",
    )
    assert clip.path == out
    assert clip.has_audio
    assert clip.duration == pytest.approx(1.2)
    assert load_swapper(tmp_path / "out.safetensors").step > 0
    preview = cv2.imread(str(tmp_path / "out-preview.png"))
    assert preview.shape == (6 * SIDE, training.PREVIEW * SIDE, 3)
    stages = [*dict.fromkeys(stage for stage, *_ in told)]
    assert stages[-2:] == ["Training", "Swapping"]
    training_calls = [how for how in told if how[0] == "Training"]
    assert training_calls[-1][1] == training_calls[-1][2]
    assert isinstance(training_calls[-1][0], Stage)
    assert training_calls[-1][0].note.startswith("errors 0.")
    report = inspect(out)
    assert report.metadata.source_type is not None
    assert report.metadata.source_type.endswith("/compositeWithTrainedAlgorithmicMedia")
    assert "networks trained on both people" in str(report.metadata.comment)
    assert any("found, a face swap" in line for line in report.lines())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"from_sound": True}, "follows the picture of BODY"),
        ({"minutes": 0}, "The minutes is 0"),
        ({"onto": -1}, "The onto is -1"),
        ({"device": "tpu"}, "choose auto, cpu, cuda or mps"),
    ],
)
def test_swap_refuses_what_makes_no_sense(words: dict[str, Any], message: str, singing: Path) -> None:
    with pytest.raises(InputError, match=message):
        memegen.swap(singing, singing, **words)


def test_a_photo_can_not_be_the_body(singing: Path, small_photo: Path) -> None:
    with pytest.raises(InputError, match="is a photo: the body of a swap has to be a video"):
        memegen.swap(singing, small_photo)


def test_without_torch(singing: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for attempt in (lambda: memegen.swap(singing, singing), lambda: memegen.swap.train_swap):
        with pytest.raises(UnavailableError, match=r"Face swaps need torch: pip install 'memegen-sings\[swap\]'"):
            attempt()


def test_the_command_asks_for_both_people(singing: Path, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("MEMEGEN_CONFIG", str(tmp_path))
    consent.remember()
    command = ["swap", str(singing), str(singing), "-o", str(tmp_path / "out.mp4"), "--minutes", "0.01"]
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "the one whose face it is (FACES), and the one who gets it (BODY)" in told
    assert "add --i-have-permission" in told
    assert not (tmp_path / "out.mp4").exists()
    assert main([*command, "--i-have-permission"]) == 0
    told = capsys.readouterr().out
    assert "out.mp4: 1.0 s without sound" in told
    assert "out.safetensors" in told
    assert consent.remembered(consent.SWAP_QUESTION)


def test_the_command_names_its_own_options(
    singing: Path, sung: list[np.ndarray], small_portrait: np.ndarray, tmp_path: Path, capsys: Any
) -> None:
    frames = [np.hstack([frame, small_portrait[:, ::-1]]) for frame in sung]
    both = write_video(tmp_path / "both.mp4", frames, fps=25)
    consent.remember(consent.SWAP_QUESTION)
    assert main(["swap", str(singing), str(both.path), "-o", str(tmp_path / "out.mp4")]) == 1
    assert "There are 2 people in both.mp4: choose one, counted from 0 at the left. Or use --onto 0." in (
        capsys.readouterr().err
    )
    with pytest.raises(SystemExit):
        main(["swap", "a.mp4", "b.mp4", "-o", "c.mp4", "--whose", "left"])
    assert "'left' is not a whole number" in capsys.readouterr().err


def test_a_stop_keeps_what_was_learned(singing: Path, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    consent.remember(consent.SWAP_QUESTION)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("memegen.swap.making.write_clip", stop)
    out = tmp_path / "out.mp4"
    assert main(["swap", str(singing), str(singing), "-o", str(out), "--minutes", "0.01"]) == 130
    assert "what was learned is kept, and the same command goes on from it" in capsys.readouterr().err
    assert load_swapper(out.with_suffix(".safetensors")).step > 0
