"""Motion arithmetic in numpy; in torch the same functions are held to the original's numbers by test_fomm_parity.py."""

import numpy as np
import pytest

from memegen.keypoints import Keypoints, movement_scale, relative_motion


def random_keypoints(frames: int, *, seed: int) -> Keypoints[np.ndarray]:
    rng = np.random.default_rng(seed)
    jacobian = np.eye(2) + 0.2 * rng.standard_normal((frames, 10, 2, 2))
    return Keypoints(rng.uniform(-1, 1, (frames, 10, 2)), jacobian)


def frame(keypoints: Keypoints[np.ndarray], index: int) -> Keypoints[np.ndarray]:
    return Keypoints(keypoints.value[index : index + 1], keypoints.jacobian[index : index + 1])


def test_the_initial_frame_leaves_the_source_as_it_is() -> None:
    source, driving = random_keypoints(1, seed=0), random_keypoints(5, seed=1)
    moved = relative_motion(source, driving, initial=frame(driving, 2), scale=1.7)
    np.testing.assert_allclose(moved.value[2], source.value[0])
    np.testing.assert_allclose(moved.jacobian[2], source.jacobian[0])


def test_a_shift_and_a_turn_of_the_driver_become_the_source_s() -> None:
    source, initial = random_keypoints(1, seed=0), random_keypoints(1, seed=1)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    driving = Keypoints(initial.value + np.array([0.1, -0.2]), turn @ initial.jacobian)
    moved = relative_motion(source, driving, initial=initial, scale=0.5)
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
