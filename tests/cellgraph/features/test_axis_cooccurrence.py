import numpy as np
import pytest

from pipeline.cellgraph.features.axis_cooccurrence import CORE_NAMES, N_BINS, axial_bins, cooccurrence, core_statistics

ONE_TILE = np.zeros(1, np.int64)


def _statistics(*pairs):
    a, b = np.array(pairs).T
    return dict(zip(CORE_NAMES, core_statistics(cooccurrence(a, b, np.zeros(len(a), np.int64), 1))[0], strict=True))


def _slowly(frequency):
    """The thirteen statistics by loops over the cells of one matrix."""
    far = [min(b, N_BINS - b) for b in range(N_BINS)]
    contrast, intensity = {}, {}
    for a in range(N_BINS):
        for b in range(N_BINS):
            k, level = min(abs(a - b), N_BINS - abs(a - b)), (far[a] + far[b]) / 2
            contrast[k] = contrast.get(k, 0) + frequency[a, b]
            intensity[level] = intensity.get(level, 0) + frequency[a, b]

    def mean(distribution, value=lambda k: k):
        return sum(p * value(k) for k, p in distribution.items())

    def entropy(ps):
        return -sum(p * np.log(p) for p in ps if p > 0)

    margin, joint = frequency.sum(axis=1), entropy(frequency.ravel())
    outer = np.outer(margin, margin)
    single = entropy(margin)
    hxy1 = -sum(p * np.log(q) for p, q in zip(frequency.ravel(), outer.ravel(), strict=True) if p > 0)
    x = [np.sin(2 * np.deg2rad(10 * b)) for b in range(N_BINS)]
    return [
        mean(contrast, lambda k: k * k),
        mean(contrast, lambda k: 1 / (1 + k * k)),
        mean(contrast),
        mean(contrast, lambda k: (k - mean(contrast)) ** 2),
        entropy(contrast.values()),
        mean(intensity),
        mean(intensity, lambda k: (k - mean(intensity)) ** 2),
        entropy(intensity.values()),
        joint,
        (frequency**2).sum(),
        sum(frequency[a, b] * x[a] * x[b] for a in range(N_BINS) for b in range(N_BINS))
        / sum(margin[a] * x[a] ** 2 for a in range(N_BINS)),
        (joint - hxy1) / single,
        np.sqrt(1 - np.exp(-2 * (entropy(outer.ravel()) - joint))),
    ]


def test_bins_are_centred_on_the_mean_axis_and_close_the_half_turn():
    degrees = np.array([0, 4.9, -4.9, 5.1, 90, -90, 174, 176, -10])
    assert axial_bins(np.deg2rad(degrees)).tolist() == [0, 0, 0, 1, 9, 9, 17, 0, 17]


def test_all_thirteen_equal_the_loops():
    bins = np.random.default_rng(0).integers(0, N_BINS, (2, 300))
    frequency = cooccurrence(bins[0], np.where(bins[1] < 9, bins[0], bins[1]), np.zeros(300, np.int64), 1)
    np.testing.assert_allclose(core_statistics(frequency)[0], _slowly(frequency[0]), rtol=1e-9)


def test_frequency_is_symmetric_and_sums_to_one_in_each_tile():
    frequency = cooccurrence(np.array([1, 2, 3]), np.array([2, 2, 5]), np.array([0, 0, 2]), 3)
    np.testing.assert_allclose(frequency, frequency.transpose(0, 2, 1))
    np.testing.assert_allclose(frequency.sum(axis=(1, 2)), [1, np.nan, 1])
    assert frequency[0, 1, 2] == 0.25
    assert frequency[0, 2, 2] == 0.5


def test_parallel_axes_by_hand():
    statistics = _statistics((0, 0), (0, 0))
    assert statistics["core_contrast_mean"] == statistics["core_entropy"] == statistics["core_intensity_mean"] == 0
    assert statistics["core_energy"] == statistics["core_contrast_inverse_moment"] == 1
    assert np.isnan([statistics["core_correlation"], statistics["core_information_1"]]).all()


def test_bins_17_and_1_are_two_apart_and_not_sixteen():
    statistics = _statistics((17, 1))
    assert statistics["core_contrast_mean"] == 2
    assert statistics["core_contrast_energy"] == 4
    assert statistics["core_intensity_mean"] == 1
    assert statistics["core_correlation"] == pytest.approx(-1)
    assert statistics["core_entropy"] == pytest.approx(np.log(2))
    assert statistics["core_information_1"] == pytest.approx(-1)
    assert statistics["core_information_2"] == pytest.approx(np.sqrt(0.75))


def test_no_pair_gives_nan():
    none = np.zeros(0, np.int64)
    assert np.isnan(core_statistics(cooccurrence(none, none, none, 2))).all()
