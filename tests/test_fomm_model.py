"""The learned engine's border: numpy in and out, streams, options and refusals, with the tiny golden networks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fomm_states import golden

from memegen.base.errors import InputError, UnavailableError
from memegen.fomm import compute as compute_module
from memegen.fomm.checkpoint import build_networks
from memegen.fomm.compute import Compute, choose_compute
from memegen.fomm.keypoints import Keypoints
from memegen.fomm.model import FommModel

EXACT = Compute(device="cpu", dtype=torch.float32, batch=2, decode=1, winograd=True)
ONE_GREY_LEVEL = 1


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return golden("tiny_vox_aligned")[0]


def animator(compute: Compute = EXACT) -> FommModel:
    return FommModel(build_networks(golden("tiny_vox_aligned")[1], name="tiny"), compute=compute)


def expected(arrays: dict[str, np.ndarray], motion: str) -> np.ndarray:
    return np.moveaxis(arrays[f"{motion}/prediction"] * 255, 1, -1).round()


@pytest.mark.parametrize(
    ("motion", "options"),
    [
        ("absolute", {"relative": False}),
        ("relative", {"scale": 1.0}),
        ("relative_scaled", {}),
    ],
)
def test_frames_are_those_of_the_original(arrays: dict[str, np.ndarray], motion: str, options: dict[str, Any]) -> None:
    frames = list(animator().animate_crops(arrays["source"], arrays["driving"], **options))
    assert {(frame.dtype, frame.shape) for frame in frames} == {(np.dtype(np.uint8), (64, 64, 3))}
    assert np.abs(np.stack(frames) - expected(arrays, motion)).max() <= ONE_GREY_LEVEL


def test_known_keypoints_give_the_same_frames(arrays: dict[str, np.ndarray]) -> None:
    engine = animator()
    known = engine.keypoints(iter(arrays["driving"]))
    assert known.value.shape == (5, 10, 2)
    assert known.jacobian.shape == (5, 10, 2, 2)
    assert known.value.dtype == np.float32
    frames = list(engine.animate_keypoints(arrays["source"], known, best_frame=3))
    again = list(engine.animate_crops(arrays["source"], arrays["driving"], best_frame=3))
    np.testing.assert_array_equal(frames, again)


def test_keypoints_of_another_checkpoint_have_another_key() -> None:
    other = FommModel(build_networks(golden("tiny_mgif")[1], name="other"), compute=EXACT)
    assert animator().keypoints_key == animator(choose_compute(device="cpu")).keypoints_key != other.keypoints_key


def test_at_the_best_frame_the_photo_is_itself(arrays: dict[str, np.ndarray]) -> None:
    engine = animator()
    frames = list(engine.animate_crops(arrays["source"], arrays["driving"], best_frame=2))
    itself = next(engine.animate_crops(arrays["source"], [arrays["source"]], relative=False))
    assert np.abs(frames[2].astype(int) - itself).max() <= ONE_GREY_LEVEL
    assert np.abs(frames[0].astype(int) - itself).max() > 10


@pytest.mark.parametrize("relative", [True, False])
def test_a_driver_whose_every_movement_is_damped_away_gives_one_still_frame(
    arrays: dict[str, np.ndarray], relative: bool
) -> None:
    options = {"relative": relative, "expression": 0.0, "motion": 0.0}
    frames = np.stack(list(animator().animate_crops(arrays["source"], arrays["driving"], **options)))
    assert np.abs(frames.astype(int) - frames[0]).max() <= ONE_GREY_LEVEL


def test_frames_come_while_the_driver_is_still_running(arrays: dict[str, np.ndarray]) -> None:
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield arrays["driving"][taken % 5]

    frames = animator().animate_crops(arrays["source"], endless())
    for _ in range(6):
        next(frames)
    assert taken <= 8


def test_bfloat16_stays_close(arrays: dict[str, np.ndarray]) -> None:
    half = animator(Compute(device="cpu", dtype=torch.bfloat16, batch=8, decode=2, winograd=False))
    frames = np.stack(list(half.animate_crops(arrays["source"], arrays["driving"], relative=False)))
    error = (frames - expected(arrays, "absolute")) / 255
    assert -10 * np.log10((error**2).mean()) > 30


@pytest.mark.parametrize(
    ("crop", "words"),
    [
        (np.zeros((64, 64, 3), np.float32), "uint8 RGB"),
        (np.zeros((64, 64), np.uint8), "uint8 RGB"),
        (np.zeros((64, 60, 3), np.uint8), "multiples of 32"),
        (np.zeros((1, 1, 3), np.uint8), "multiples of 32"),
    ],
)
def test_wrong_crops_are_refused(arrays: dict[str, np.ndarray], crop: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        list(animator().animate_crops(crop, arrays["driving"]))
    with pytest.raises(InputError, match=words):
        list(animator().animate_crops(arrays["source"], [crop]))


def test_an_empty_driver_and_a_best_frame_beyond_the_end_are_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="no frames"):
        list(animator().animate_crops(arrays["source"], []))
    with pytest.raises(InputError, match="no frames"):
        animator().keypoints([])
    with pytest.raises(InputError, match=r"best frame 5 .* 5 frames"):
        list(animator().animate_crops(arrays["source"], arrays["driving"], best_frame=5))


def test_frames_that_are_not_numbers_name_the_checkpoint(arrays: dict[str, np.ndarray]) -> None:
    states = golden("tiny_vox_aligned")[1]
    states["generator"]["final.bias"] = torch.full((3,), torch.nan)
    engine = FommModel(build_networks(states, name="broken.pth.tar"), compute=EXACT)
    with pytest.raises(InputError, match=r"broken\.pth\.tar gives frames that are not numbers: its file is damaged\.$"):
        next(engine.animate_crops(arrays["source"], arrays["driving"]))
    half = Compute(device="cpu", dtype=torch.bfloat16, batch=2, decode=1)
    engine = FommModel(build_networks(states, name="broken.pth.tar"), compute=half)
    with pytest.raises(InputError, match="bfloat16 is too coarse") as refused:
        next(engine.animate_crops(arrays["source"], arrays["driving"]))
    assert refused.value.remedy == {"precision": "float32"}


def test_out_of_memory_is_met_with_smaller_batches(
    arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = animator(Compute(device="cpu", dtype=torch.float32, batch=4, decode=4))
    want = list(engine.animate_crops(arrays["source"], arrays["driving"]))
    drawn, sizes = engine._drawn, []

    def small_device(source: Any, driving: Keypoints[Any]) -> np.ndarray:
        sizes.append(len(driving.value))
        if len(driving.value) > 1:
            raise torch.cuda.OutOfMemoryError
        return drawn(source, driving)

    monkeypatch.setattr(engine, "_drawn", small_device)
    got = list(engine.animate_crops(arrays["source"], arrays["driving"]))
    assert sizes == [4, 2, 1, 1, 1, 1, 1]
    assert np.abs(np.stack(got).astype(int) - np.stack(want)).max() <= ONE_GREY_LEVEL


def test_too_little_memory_for_one_frame_says_so(
    arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = animator()

    def full(*_: Any) -> np.ndarray:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(engine, "_drawn", full)
    with pytest.raises(UnavailableError, match="too little free memory") as refused:
        list(engine.animate_crops(arrays["source"], arrays["driving"]))
    assert refused.value.remedy == {"device": "cpu"}


def test_compute_follows_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for units, dtype, winograd in (("amx", "bfloat16", False), ("avx512", "bfloat16", True), (None, "float32", True)):
        monkeypatch.setattr(compute_module, "bfloat16_units", lambda units=units: units)
        chosen = choose_compute(device="cpu")
        assert (chosen.dtype, chosen.winograd) == (getattr(torch, dtype), winograd)
    assert choose_compute(device="cpu", precision="float32").dtype == torch.float32
    monkeypatch.setattr("memegen.base.devices.devices", lambda: ["cuda", "cpu"])
    assert choose_compute() == Compute(device="cuda", dtype=torch.float16, batch=16, decode=16)
    assert choose_compute(precision="float32").dtype == torch.float32


def test_compute_refuses_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memegen.base.devices.devices", lambda: ["cpu"])
    with pytest.raises(UnavailableError, match="no cuda") as refused:
        choose_compute(device="cuda")
    assert refused.value.remedy == {"device": "cpu"}
    with pytest.raises(InputError, match="tpu"):
        choose_compute(device="tpu")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="int4"):
        choose_compute(precision="int4")  # type: ignore[arg-type]


# Explanations


@pytest.mark.parametrize(
    ("motion", "options"),
    [
        ("absolute", {"relative": False}),
        ("relative", {"scale": 1.0}),
        ("relative_scaled", {}),
    ],
)
def test_what_lies_between_is_that_of_the_original(
    arrays: dict[str, np.ndarray], motion: str, options: dict[str, Any]
) -> None:
    inside = animator().explain(arrays["source"], arrays["driving"], **options)
    for got, want in (
        (inside.source.value[0], arrays["source_value"]),
        (inside.source.jacobian[0], arrays["source_jacobian"]),
        (inside.driving.value, arrays[f"{motion}/driving_value"]),
        (inside.moved.value, arrays[f"{motion}/moved_value"]),
        (inside.moved.jacobian, arrays[f"{motion}/moved_jacobian"]),
        (inside.masks, arrays[f"{motion}/mask"]),
        (inside.deformation, arrays[f"{motion}/deformation"]),
        (inside.occlusion_map, arrays[f"{motion}/occlusion_map"][:, 0]),
    ):
        assert isinstance(got, np.ndarray)
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=3e-3)  # random networks magnify what fusing rounds
    assert np.abs(inside.frames - expected(arrays, motion)).max() <= ONE_GREY_LEVEL


def test_the_deformation_is_the_sparse_motions_shared_out_by_the_masks(arrays: dict[str, np.ndarray]) -> None:
    inside = animator().explain(arrays["source"], arrays["driving"])
    assert inside.sparse_motion.shape == (5, 11, 16, 16, 2)
    assert inside.warped.shape == (5, *inside.features.shape)
    np.testing.assert_allclose(inside.masks.sum(1), 1, atol=1e-5)
    shared = (inside.masks[..., None] * inside.sparse_motion).sum(1)
    np.testing.assert_allclose(shared, inside.deformation, rtol=1e-4, atol=1e-3)
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    np.testing.assert_allclose(inside.sparse_motion[:, 0], np.stack([x, y], -1)[None].repeat(5, 0), atol=1e-6)


def test_explaining_a_frame_beyond_the_end_is_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="best frame 9 is beyond"):
        animator().explain(arrays["source"], arrays["driving"], best_frame=9)
