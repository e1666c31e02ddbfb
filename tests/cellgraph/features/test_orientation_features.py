import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from pipeline.cellgraph import ORIENTATION_FEATURE_NAMES, orientation_features, orientation_features_batch
from tests.cellgraph.nuclei_layouts import quick, scattered

INDEX = {name: i for i, name in enumerate(ORIENTATION_FEATURE_NAMES)}


def _named(xy, degrees, edges, reliable=None):
    features = orientation_features(xy, np.deg2rad(np.array(degrees, float)), edges, axis_reliable=reliable)
    return dict(zip(ORIENTATION_FEATURE_NAMES, features, strict=True))


def _near(xy, radius):
    return np.array(np.nonzero(np.triu(cdist(xy, xy) <= radius, k=1)))


def _patch(seed, n=40, side=80.0):
    random = np.random.default_rng(seed)
    xy = random.uniform(0, side, (n, 2))
    return xy, random.uniform(0, np.pi, n), _near(xy, 25.0), random.random(n) > 0.25


def test_there_are_31_different_names():
    assert len(ORIENTATION_FEATURE_NAMES) == len(set(ORIENTATION_FEATURE_NAMES)) == 31


def test_a_row_of_parallel_nuclei_lying_along_the_row():
    features = _named([(0, 0), (10, 0), (20, 0), (30, 0)], [0, 0, 180, 0], [[0, 1, 2], [1, 2, 3]])
    ones = (
        "axis_reliable_share",
        "nematic_order",
        "local_nematic_order_mean",
        "axis_agreement_mean",
        "edge_to_axis_mean",
    )
    assert {name: features[name] for name in ones} == pytest.approx(dict.fromkeys(ones, 1.0))
    zeros = ("axial_entropy", "local_nematic_order_sd", "edge_to_axis_sd", "core_contrast_mean", "core_entropy")
    assert {name: features[name] for name in zeros} == pytest.approx(dict.fromkeys(zeros, 0.0), abs=1e-12)
    assert features["axis_agreement_0_12um_mean"] == features["axis_agreement_22_32um_mean"] == pytest.approx(1)
    assert np.isnan([features["axis_agreement_32_48um_mean"], features["axis_correlation_length_um"]]).all()
    assert (features["edge_to_axis_0_30deg_share"], features["edge_to_axis_60_90deg_share"]) == (1, 0)
    assert features["edge_to_axis_entropy"] == 0


def test_a_palisade_stands_side_by_side():
    features = _named([(0, 0), (10, 0), (20, 0)], [90, 90, 90], [[0, 1], [1, 2]])
    assert features["edge_to_axis_mean"] == pytest.approx(-1)
    assert features["edge_to_axis_60_90deg_share"] == 1
    assert features["nematic_order"] == pytest.approx(1)


def test_correlation_lasts_to_the_first_shell_without_it():
    """Pairs at 10 um agree, those at 20 and 30 um are crossed: 12 um.  All parallel in every shell: 64 um."""
    crossed = _named([(0, 0), (10, 0), (30, 0)], [0, 0, 90], [])
    assert crossed["axis_agreement_0_12um_mean"] == pytest.approx(1)
    assert crossed["axis_agreement_12_22um_mean"] == crossed["axis_agreement_22_32um_mean"] == pytest.approx(-1)
    assert crossed["axis_correlation_length_um"] == pytest.approx(12)
    parallel = _named([(10 * i, 0) for i in range(8)], [30] * 8, [])
    assert parallel["axis_correlation_length_um"] == pytest.approx(64)
    turned_away = _named([(0, 0), (10, 0)], [0, 90], [])
    assert turned_away["axis_correlation_length_um"] == 0


def test_two_crossed_nuclei():
    """Axes 90 degrees apart cancel: no order, no mean axis, agreement -1."""
    features = _named([(0, 0), (15, 0)], [30, 120], [[0], [1]])
    assert features["nematic_order"] == pytest.approx(0, abs=1e-12)
    assert features["local_nematic_order_mean"] == pytest.approx(0, abs=1e-12)
    assert features["axis_agreement_mean"] == features["axis_agreement_12_22um_mean"] == pytest.approx(-1)
    assert np.isnan([features["axial_entropy"], features["core_entropy"]]).all()


def test_two_nuclei_forty_degrees_apart():
    """Each is 20 degrees from the mean axis: bins 2 and 16, four bins apart; order cos 40."""
    features = _named([(0, 0), (0, 25)], [10, 50], [[0], [1]])
    assert features["nematic_order"] == pytest.approx(np.cos(np.deg2rad(40)))
    assert features["axis_agreement_22_32um_mean"] == pytest.approx(np.cos(np.deg2rad(80)))
    assert features["core_contrast_mean"] == 4
    assert features["core_intensity_mean"] == 2
    assert features["axial_entropy"] == pytest.approx(np.log(2) / np.log(18))
    assert features["edge_to_axis_mean"] == pytest.approx((np.cos(np.deg2rad(160)) + np.cos(np.deg2rad(80))) / 2)
    assert [features[f"edge_to_axis_{s}deg_share"] for s in ("0_30", "30_60", "60_90")] == [0, 0.5, 0.5]
    assert features["edge_to_axis_entropy"] == pytest.approx(np.log(2) / np.log(9))


def test_opposite_domains_have_local_order_without_global_order():
    xy = [(0, 0), (10, 0), (20, 0), (100, 0), (110, 0), (120, 0)]
    features = _named(xy, [0, 0, 0, 90, 90, 90], [[0, 1, 3, 4], [1, 2, 4, 5]])
    assert features["nematic_order"] == pytest.approx(0, abs=1e-12)
    assert features["local_nematic_order_mean"] == pytest.approx(1)


def test_shells_equal_the_loop_over_all_pairs():
    xy, theta, edges, reliable = _patch(4)
    features = dict(
        zip(ORIENTATION_FEATURE_NAMES, orientation_features(xy, theta, edges, axis_reliable=reliable), strict=True)
    )
    pairs = [(i, j) for i in range(len(xy)) for j in range(i) if reliable[i] and reliable[j]]
    for low, high in ((0, 12), (12, 22), (22, 32), (32, 48), (48, 64)):
        agreeing = [np.cos(2 * (theta[i] - theta[j])) for i, j in pairs if low < np.linalg.norm(xy[i] - xy[j]) <= high]
        assert features[f"axis_agreement_{low}_{high}um_mean"] == pytest.approx(np.mean(agreeing))


def test_lengths_alone_follow_the_scale():
    xy, theta, edges, _ = _patch(5)
    small, large = (orientation_features(scale * xy, theta, edges) for scale in (1.0, 1.7))
    same = [not name.endswith("um_mean") and not name.endswith("_um") for name in ORIENTATION_FEATURE_NAMES]
    np.testing.assert_allclose(large[same], small[same], rtol=1e-9, atol=1e-12)
    assert sum(same) == 25


def test_random_axes_show_no_order_and_full_entropy():
    random = np.random.default_rng(0)
    xy = random.uniform(0, 500, (3000, 2))
    features = _named(xy, random.uniform(0, 180, 3000), _near(xy, 20.0))
    assert features["nematic_order"] < 0.05
    assert features["axial_entropy"] > 0.99
    assert abs(features["axis_agreement_mean"]) < 0.05
    assert abs(features["edge_to_axis_mean"]) < 0.05


def test_nuclei_without_axis_have_a_part_in_the_share_alone():
    xy, theta, edges, reliable = _patch(1)
    features = orientation_features(xy, theta, edges, axis_reliable=reliable)
    number = np.cumsum(reliable) - 1
    inside = reliable[edges].all(axis=0)
    without = orientation_features(xy[reliable], theta[reliable], number[edges[:, inside]])
    assert features[0] == reliable.mean()
    np.testing.assert_allclose(features[1:], without[1:], rtol=1e-12)
    theta[~reliable] = np.nan
    np.testing.assert_array_equal(orientation_features(xy, theta, edges), features)


@quick
@given(st.integers(0, 10**6), st.floats(0.0, 6.0), st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)))
def test_turning_and_moving_the_tissue_change_nothing(seed, angle, shift):
    xy, theta, edges, reliable = _patch(seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = orientation_features(xy @ turn.T + shift, np.mod(theta + angle, np.pi), edges, axis_reliable=reliable)
    plain = orientation_features(xy, theta, edges, axis_reliable=reliable)
    np.testing.assert_allclose(turned, plain, rtol=1e-8, atol=1e-8)


@quick
@given(st.integers(0, 10**6))
def test_mirroring_the_tissue_changes_nothing(seed):
    xy, theta, edges, reliable = _patch(seed)
    mirrored = orientation_features(xy * [-1, 1], np.pi - theta, edges, axis_reliable=reliable)
    np.testing.assert_allclose(mirrored, orientation_features(xy, theta, edges, axis_reliable=reliable), atol=1e-8)


@quick
@given(scattered(max_size=25), st.integers(0, 10**6))
def test_numbering_and_half_turns_do_not_matter(points, seed):
    random = np.random.default_rng(seed)
    theta, edges, order = random.uniform(0, np.pi, len(points)), _near(points, 150.0), random.permutation(len(points))
    number = np.argsort(order)
    shuffled = orientation_features(
        points[order], theta[order] + np.pi * random.integers(-2, 3, len(points)), number[edges][::-1]
    )
    np.testing.assert_allclose(shuffled, orientation_features(points, theta, edges), rtol=1e-7, atol=1e-7)


def test_batch_equals_single():
    patches = [_patch(seed, n) for seed, n in enumerate((30, 0, 1, 2, 45))]
    offsets = np.concatenate([[0], np.cumsum([len(p[0]) for p in patches])])
    edges = np.concatenate([p[2] + start for p, start in zip(patches, offsets, strict=False)], axis=1)
    batch = orientation_features_batch(
        np.concatenate([p[0] for p in patches]),
        np.concatenate([p[1] for p in patches]),
        edges,
        offsets,
        axis_reliable=np.concatenate([p[3] for p in patches]),
    )
    for row, (xy, theta, near, reliable) in zip(batch, patches, strict=True):
        np.testing.assert_allclose(row, orientation_features(xy, theta, near, axis_reliable=reliable), rtol=1e-12)


def test_what_is_defined_without_nuclei_without_axes_and_without_edges():
    assert np.isnan(orientation_features([], [], [])).all()
    round_ones = orientation_features([(0, 0), (1, 1)], [0.1, 0.2], [[0], [1]], axis_reliable=[False, False])
    assert round_ones[0] == 0
    assert np.isnan(round_ones[1:]).all()
    alone = orientation_features([(0, 0)], [0.3], [])
    np.testing.assert_allclose(alone[:3], [1, 1, 0], atol=1e-12)
    assert np.isnan(alone[3:]).all()


def test_coincident_nuclei_have_no_direction_between_them():
    features = _named([(5, 5), (5, 5)], [0, 0], [[0], [1]])
    assert np.isnan(features["edge_to_axis_mean"])
    assert features["axis_agreement_mean"] == pytest.approx(1)


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="per nucleus"):
        orientation_features([(0, 0), (1, 0)], [0.0], [])
