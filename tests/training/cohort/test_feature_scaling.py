import logging
import weakref
from typing import ClassVar

import numpy as np
import pytest

from pipeline.errors import CohortError
from pipeline.training.cohort import feature_scaling as module
from pipeline.training.cohort.cohort_nodes import SlideNodes
from pipeline.training.cohort.feature_scaling import blockwise_moments, fit_scaler, whole_moments

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


def many_nodes(n_images=9, d=6):
    """Images of 0 to 40 patches: values of many sizes, ties, a constant, a never and a partly defined feature."""
    rng = np.random.default_rng(3)
    images = []
    for _ in range(n_images):
        x = (rng.normal(size=(rng.integers(0, 40), d)) * 10.0 ** np.arange(-2, d - 2)).astype(np.float32)
        x[:, 1], x[:, 2], x[:, 3] = 5.25, np.nan, np.round(x[:, 3])
        x[rng.random(len(x)) < 0.3, 4] = np.nan
        images.append(x)
    return nodes(*images)


def test_beyond_the_bound_images_are_read_one_by_one_for_the_same_scaler(monkeypatch):
    """Against the moments of all nodes in one piece."""
    names = [f"f{i}" for i in range(6)]
    whole = fit_scaler(many_nodes(), names, nan_indicator=True, clip_sd=3)
    monkeypatch.setattr(module, "MOST_VALUES_AT_ONCE", 6 * sum(len(image.coords) for image in many_nodes()) - 1)
    monkeypatch.setattr(module, "whole_moments", None)
    blockwise = fit_scaler(many_nodes(), names, nan_indicator=True, clip_sd=3)
    np.testing.assert_array_equal(blockwise.median, whole.median)
    np.testing.assert_allclose(blockwise.mean, whole.mean, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(blockwise.scale, whole.scale, rtol=1e-12)
    assert blockwise.indicator.tolist() == whole.indicator.tolist() == [False, False, False, False, True, False]
    assert blockwise.scale[1] == blockwise.scale[2] == np.inf


def test_moments_do_not_depend_on_threads():
    one, two = (blockwise_moments(many_nodes(), threads) for threads in (1, 2))
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(two, name), err_msg=name)


def test_moments_by_hand():
    """1, 2, undefined, 9 in two images: median 2, then 1, 2, 2, 9 with mean 3.5 and variance 10.25."""
    images = nodes(np.array([[1], [2]], np.float32), np.zeros((0, 1), np.float32), np.array([[NAN], [9]], np.float32))
    for moments in (whole_moments(images), blockwise_moments(images)):
        assert (moments.n_missing, moments.median, moments.mean, moments.largest) == (1, 2, 3.5, 9)
        np.testing.assert_allclose(moments.spread, np.sqrt(10.25), rtol=1e-15)


class Watched:
    """Nodes that know how many arrays of theirs are alive."""

    alive: ClassVar[list] = []
    most = 0

    def __init__(self, seed):
        self.seed, self.coords = seed, np.zeros((50, 2), np.float32)

    @property
    def x(self):
        values = np.random.default_rng(self.seed).normal(size=(50, 3)).astype(np.float32)
        Watched.alive = [reference for reference in Watched.alive if reference() is not None]
        Watched.alive.append(weakref.ref(values))
        Watched.most = max(Watched.most, len(Watched.alive))
        return values


def test_few_images_are_in_memory_at_once():
    images = [Watched(seed) for seed in range(40)]
    moments = blockwise_moments(images)
    assert Watched.most <= 3
    np.testing.assert_allclose(moments.mean, np.concatenate([image.x for image in images]).mean(axis=0), rtol=1e-5)


def test_nothing_to_fit_is_an_error():
    with pytest.raises(CohortError, match="nothing to fit"):
        fit_scaler([], [], nan_indicator=False, clip_sd=0)
