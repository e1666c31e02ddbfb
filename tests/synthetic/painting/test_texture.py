import numpy as np
import pytest

from pipeline.synthetic.painting.texture import Canvas, enlarge, smooth_noise


def test_noise_has_about_unit_variance_and_is_seeded() -> None:
    canvas = Canvas(600, 400, 0.5)
    noise = smooth_noise(canvas, 4.0, np.random.default_rng(0))
    assert noise.shape == (400, 600)
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(1.0, abs=0.1)
    np.testing.assert_array_equal(noise, smooth_noise(canvas, 4.0, np.random.default_rng(0)))


def test_grain_is_physical() -> None:
    fine = smooth_noise(Canvas(400, 400, 0.25), 8.0, np.random.default_rng(0))
    coarse = smooth_noise(Canvas(200, 200, 0.5), 8.0, np.random.default_rng(0))
    halved = fine.reshape(200, 2, 200, 2).mean(axis=(1, 3))
    assert np.corrcoef(halved.ravel(), coarse.ravel())[0, 1] > 0.999


def test_stretched_grain_changes_slowly_along_its_axis() -> None:
    noise = smooth_noise(Canvas(300, 300, 1.0), 4.0, np.random.default_rng(0), axis_rad=0.0, stretch=8.0)
    along, across = np.abs(np.diff(noise, axis=1)).mean(), np.abs(np.diff(noise, axis=0)).mean()
    assert along < across / 4


def test_enlarged_cells_meet_between_their_centres() -> None:
    plane = enlarge(np.array([[0.0, 1.0]]), 10.0, Canvas(20, 10, 1.0))
    np.testing.assert_allclose(plane[0, [0, 4, 15, 19]], [0.0, 0.0, 1.0, 1.0], atol=0.06)
    assert plane[0, 9] == pytest.approx(0.45, abs=0.01)
