"""Motion arithmetic in numpy; test_fomm_parity.py holds it to the original's numbers."""

import numpy as np
import pytest

from memegen.fomm.keypoints import Keypoints, movement_scale, transfer_motion, with_gains


def random_keypoints(frames: int, *, seed: int) -> Keypoints[np.ndarray]:
    rng = np.random.default_rng(seed)
    jacobian = np.eye(2) + 0.2 * rng.standard_normal((frames, 10, 2, 2))
    return Keypoints(rng.uniform(-1, 1, (frames, 10, 2)), jacobian)


def frame(keypoints: Keypoints[np.ndarray], index: int) -> Keypoints[np.ndarray]:
    return Keypoints(keypoints.value[index : index + 1], keypoints.jacobian[index : index + 1])


def test_the_initial_frame_leaves_the_source_as_it_is() -> None:
    source, driving = random_keypoints(1, seed=0), random_keypoints(5, seed=1)
    moved = transfer_motion(source, driving, initial=frame(driving, 2), scale=1.7)
    np.testing.assert_allclose(moved.value[2], source.value[0])
    np.testing.assert_allclose(moved.jacobian[2], source.jacobian[0])


def test_a_shift_and_a_turn_of_the_driver_become_the_source_s() -> None:
    source, initial = random_keypoints(1, seed=0), random_keypoints(1, seed=1)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    driving = Keypoints(initial.value + np.array([0.1, -0.2]), turn @ initial.jacobian)
    moved = transfer_motion(source, driving, initial=initial, scale=0.5)
    np.testing.assert_allclose(moved.value, source.value + np.array([0.05, -0.1]))
    np.testing.assert_allclose(moved.jacobian, turn @ source.jacobian)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_movement_scale_is_the_ratio_of_sizes(factor: float) -> None:
    driver = random_keypoints(1, seed=2)
    source = Keypoints(driver.value * factor + 0.3, driver.jacobian)
    assert movement_scale(source, driver) == pytest.approx(factor, rel=1e-5)


def test_movement_scale_of_points_without_area_is_one() -> None:
    driver = random_keypoints(1, seed=2)
    flat = Keypoints(np.zeros((1, 10, 2)), driver.jacobian)
    assert movement_scale(driver, flat) == 1.0
    assert movement_scale(flat, driver) == 1.0


def nodding(frames: int) -> tuple[Keypoints[np.ndarray], Keypoints[np.ndarray], np.ndarray]:
    """A driver that turns, grows and shifts as a whole; its initial frame; its angles."""
    initial = random_keypoints(1, seed=3)
    angles = np.linspace(0, 0.6, frames)
    turns = np.stack([(1 + a) * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles])
    middle = initial.value.mean(axis=1, keepdims=True)
    value = (initial.value - middle) @ turns.swapaxes(-1, -2) + middle + 0.2 * angles[:, None, None]
    return Keypoints(value, turns[:, None] @ initial.jacobian), initial, angles


def test_gains_of_one_change_nothing() -> None:
    driving = random_keypoints(4, seed=4)
    same = with_gains(driving, initial=frame(driving, 1))
    np.testing.assert_allclose(same.value, driving.value, atol=1e-12)
    np.testing.assert_allclose(same.jacobian, driving.jacobian, atol=1e-12)


def test_without_motion_a_nodding_head_stays_and_with_half_it_nods_half_as_far() -> None:
    driving, initial, angles = nodding(5)
    still = with_gains(driving, initial=initial, motion=0.0)
    np.testing.assert_allclose(still.value, np.repeat(initial.value, 5, axis=0), atol=1e-12)
    np.testing.assert_allclose(still.jacobian, np.repeat(initial.jacobian, 5, axis=0), atol=1e-12)
    half = with_gains(driving, initial=initial, motion=0.5)
    turned = (half.jacobian @ np.linalg.inv(initial.jacobian))[:, 0]
    np.testing.assert_allclose(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]), angles / 2, atol=1e-12)
    shift = (half.value - initial.value).mean(axis=1)
    np.testing.assert_allclose(shift, np.repeat(0.1 * angles[:, None], 2, axis=1), atol=1e-12)


def test_the_expression_gain_leaves_a_nodding_head_alone_and_widens_a_mouth() -> None:
    driving, initial, _ = nodding(5)
    np.testing.assert_allclose(with_gains(driving, initial=initial, expression=3.0).value, driving.value, atol=1e-12)
    mouth = initial.value + np.zeros((2, 1, 1))
    mouth[1, 0, 1] += 0.05
    mouth[1, 1, 1] -= 0.05
    opened = with_gains(Keypoints(mouth, np.repeat(initial.jacobian, 2, axis=0)), initial=initial, expression=2.0)
    gaps = np.diff(opened.value[:, :2, 1] - initial.value[:, :2, 1], axis=1)[:, 0]
    assert gaps[0] == pytest.approx(0.0, abs=1e-12)
    assert gaps[1] == pytest.approx(-0.2, rel=0.1)
