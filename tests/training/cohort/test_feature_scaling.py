import logging

import numpy as np
import pytest

from pipeline.errors import CohortError
from pipeline.training.cohort.cohort_nodes import SlideNodes
from pipeline.training.cohort.feature_scaling import fit_scaler

NAN = np.nan


def nodes(*images):
    return [SlideNodes(x, np.zeros((len(x), 2), np.float32)) for x in images]


def fitted(rows, *, indicator=False, clip=0.0):
    x = np.array(rows, np.float32)
    return fit_scaler(nodes(x[:1], x[1:]), [f"f{i}" for i in range(x.shape[1])], nan_indicator=indicator, clip_sd=clip)


def test_undefined_values_take_the_median_then_all_are_standardised():
    scaler = fitted([[1], [2], [NAN], [9]])
    # 1, 2, 2, 9 has mean 3.5 and SD sqrt(10.25).
    expected = (np.array([[1], [2], [2], [9]]) - 3.5) / np.sqrt(10.25)
    np.testing.assert_allclose(scaler.apply(np.array([[1], [2], [NAN], [9]], np.float32)), expected, rtol=1e-6)


def test_the_nodes_of_all_images_count_alike():
    x = np.random.default_rng(0).normal(5, 3, size=(40, 2)).astype(np.float32)
    standard = fit_scaler(nodes(x[:1], x[1:]), ["a", "b"], nan_indicator=False, clip_sd=0).apply(x)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standard.std(axis=0), 1, rtol=1e-5)


def test_the_indicator_marks_features_that_were_undefined_in_training():
    scaler = fitted([[1, NAN], [2, 5], [3, 7]], indicator=True)
    assert scaler.n_outputs == 3
    assert scaler.apply(np.array([[NAN, NAN], [1, 5]], np.float32))[:, 2].tolist() == [1, 0]


def test_constant_and_never_defined_features_are_zero_everywhere(caplog):
    with caplog.at_level(logging.WARNING, logger="abignet.training"):
        scaler = fitted([[3, NAN, 0], [3, NAN, 1]], indicator=True)
    assert "f1" in caplog.text
    assert scaler.apply(np.array([[1e6, 7, 0.5]], np.float32)).tolist() == [[0, 0, 0]]


def test_outliers_are_clipped_only_when_asked():
    values = [[0], [1], [2], [3]]
    assert fitted(values, clip=2).apply(np.array([[1000.0]], np.float32)) == 2
    assert fitted(values).apply(np.array([[1000.0]], np.float32)) > 100


def test_nothing_to_fit_is_an_error():
    with pytest.raises(CohortError, match="nothing to fit"):
        fit_scaler([], [], nan_indicator=False, clip_sd=0)
