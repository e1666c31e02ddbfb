import numpy as np

from pipeline.report.panels.packed import UNDEFINED
from pipeline.report.panels.patch_values import packed_features, standardised
from tests.report.panels.unpacking import unpacked


def test_features_are_told_in_standard_deviations_of_the_slide() -> None:
    features = np.array([[0, 5, np.nan], [2, 5, 1], [4, 5, 3]], np.float32)
    values = standardised(features)
    assert np.allclose(values[:, 0], np.array([-2, 0, 2]) / np.std([0, 2, 4]))
    assert np.isnan(values[:, 1]).all()  # all alike
    assert np.isnan(values[0, 2])
    assert np.allclose(values[1:, 2], [-1, 1])


def test_a_slide_of_one_patch_has_nothing_to_compare() -> None:
    assert np.isnan(standardised(np.ones((1, 2), np.float32))).all()


def test_bytes_hold_a_twentieth_of_a_deviation_and_end_at_six() -> None:
    values = np.array([[0.05, 100.0], [-0.1, np.nan]])
    assert unpacked(packed_features(values, np.array([1, 0]))).tolist() == [-2, UNDEFINED, 1, 127]
