import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import Delaunay, Voronoi
from scipy.spatial.distance import cdist, pdist

from pipeline.cellgraph import SPATIAL_FEATURE_NAMES, spatial_features, spatial_features_batch
from tests.cellgraph.nuclei_layouts import SPECIAL, any_layout, quick, scattered

RADII = (10, 20, 30, 40, 50)
INDEX = {name: i for i, name in enumerate(SPATIAL_FEATURE_NAMES)}


def _statistics(values):
    mean, sd = statistics.fmean(values), statistics.stdev(values)
    disorder = 1 - 1 / (1 + sd / mean) if mean else float("nan")
    return {
        "mean": mean,
        "sd": sd,
        "min_max": min(values) / max(values) if max(values) else float("nan"),
        "d": disorder,
    }


def _tree(distance):
    """Branch lengths by Prim's algorithm over the complete graph."""
    inside, branches = {0}, []
    while len(inside) < len(distance):
        length, new = min((distance[a][b], b) for a in inside for b in range(len(distance)) if b not in inside)
        inside.add(new)
        branches.append(length)
    return branches


def _slowly(points):
    """The 51 features from the definitions, one patch and one population at a time."""
    diagram, triangles = Voronoi(points), Delaunay(points).simplices
    cells = [diagram.vertices[region] for region in diagram.regions if region and -1 not in region]
    area = [abs(np.cross(c, np.roll(c, -1, axis=0)).sum()) / 2 for c in map(_three_d, cells)]
    edge = [float(np.linalg.norm(a - b)) for c in cells for a, b in zip(c, np.roll(c, -1, axis=0), strict=True)]
    chord = [float(d) for c in cells for d in pdist(c)]
    side = [float(np.linalg.norm(points[t[i]] - points[t[i - 1]])) for t in triangles for i in range(3)]
    triangle = [abs(np.linalg.det(points[t[1:]] - points[t[0]])) / 2 for t in triangles]
    distance = cdist(points, points)
    near_first = np.sort(distance, axis=1)[:, 1:]
    sums = [_statistics(near_first[:, :k].sum(axis=1).tolist()) for k in (3, 5, 7)]
    counts = [_statistics(((distance <= r).sum(axis=1) - 1).tolist()) for r in RADII]
    values = [sum(area)]
    for population, order in (
        (area, ("sd", "mean", "min_max", "d")),
        (edge, ("sd", "mean", "min_max", "d")),
        (chord, ("sd", "mean", "min_max", "d")),
        (side, ("min_max", "sd", "mean", "d")),
        (triangle, ("min_max", "sd", "mean", "d")),
        (_tree(distance.tolist()), ("mean", "sd", "min_max", "d")),
    ):
        summary = _statistics([float(v) for v in population])
        values += [summary[name] for name in order]
    values += [len(points), len(points) / sum(area)]
    values += [s[name] for name in ("mean", "sd", "d") for s in sums]
    values += [c[name] for name in ("mean", "sd", "d") for c in counts]
    return np.array(values)


def _three_d(cell):
    return np.column_stack([cell, np.zeros(len(cell))])


def test_there_are_51_different_names():
    assert len(SPATIAL_FEATURE_NAMES) == len(set(SPATIAL_FEATURE_NAMES)) == 51
    assert SPATIAL_FEATURE_NAMES[25:27] == ("n_nuclei", "nuclei_per_voronoi_px2")


@quick
@given(scattered(min_size=12))
def test_all_51_equal_the_slow_formulas(points):
    np.testing.assert_allclose(spatial_features(points), _slowly(points), rtol=1e-5, atol=1e-7)


def test_a_square_with_its_centre_by_hand():
    """Corners of (0, 0) to (20, 20) and (10, 10): one bounded cell, four triangles, branches of 10 sqrt 2."""
    features = dict(
        zip(SPATIAL_FEATURE_NAMES, spatial_features([(0, 0), (20, 0), (20, 20), (0, 20), (10, 10)]), strict=True)
    )
    half = 10 * np.sqrt(2)
    sides = [20.0] * 4 + [half] * 8
    expected = {
        "voronoi_area_total_px2": 200,
        "voronoi_area_mean_px2": 200,
        "voronoi_area_min_max": 1,
        "voronoi_edge_length_mean_px": half,
        "voronoi_edge_length_sd_px": 0,
        "voronoi_edge_length_disorder": 0,
        "voronoi_chord_length_mean_px": (4 * half + 2 * 20) / 6,
        "voronoi_chord_length_min_max": half / 20,
        "delaunay_side_length_mean_px": statistics.fmean(sides),
        "delaunay_side_length_sd_px": statistics.stdev(sides),
        "delaunay_side_length_min_max": half / 20,
        "delaunay_triangle_area_mean_px2": 100,
        "delaunay_triangle_area_sd_px2": 0,
        "mst_branch_length_mean_px": half,
        "mst_branch_length_min_max": 1,
        "mst_branch_length_disorder": 0,
        "n_nuclei": 5,
        "nuclei_per_voronoi_px2": 5 / 200,
        "distance_to_3_nearest_mean_px": (4 * (half + 40) + 3 * half) / 5,
        "n_within_10px_mean": 0,
        "n_within_20px_mean": (4 * 3 + 4) / 5,
        "n_within_30px_mean": 4,
        "n_within_30px_disorder": 0,
    }
    assert {name: features[name] for name in expected} == pytest.approx(expected)
    undefined = {name for name, value in features.items() if np.isnan(value)}
    assert undefined == {
        "voronoi_area_sd_px2",
        "voronoi_area_disorder",
        *(f"distance_to_{k}_nearest_{s}" for k in (5, 7) for s in ("mean_px", "sd_px", "disorder")),
        "n_within_10px_disorder",
    }


COUNTS = {"n_nuclei"}
PAIRED = {name for name in SPATIAL_FEATURE_NAMES if name.startswith("n_within")}
PLANE = {name for name in SPATIAL_FEATURE_NAMES if name.startswith(("voronoi", "delaunay", "nuclei_per"))}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_layouts_never_raise_nor_turn_infinite(name):
    features = spatial_features(SPECIAL[name])
    assert not np.isinf(features).any()
    assert features[INDEX["n_nuclei"]] == len(SPECIAL[name])


@pytest.mark.parametrize(
    ("name", "defined"),
    [
        ("none", COUNTS),
        ("one", COUNTS | {f"n_within_{r}px_mean" for r in RADII}),
        ("two", COUNTS | {f"n_within_{r}px_{s}" for r in RADII for s in ("mean", "sd", "disorder")}
         | {"mst_branch_length_mean_px", "mst_branch_length_min_max"}),
    ],
)  # fmt: skip
def test_what_is_defined_for_0_1_and_2_nuclei(name, defined):
    features = spatial_features(SPECIAL[name])
    assert {n for n, value in zip(SPATIAL_FEATURE_NAMES, features, strict=True) if not np.isnan(value)} == defined


@pytest.mark.parametrize("name", ["three on a line", "twelve on a line", "vertical line", "five at one place"])
def test_nuclei_on_a_line_have_no_plane_features_but_the_others(name):
    features = dict(zip(SPATIAL_FEATURE_NAMES, spatial_features(SPECIAL[name]), strict=True))
    assert all(np.isnan(features[n]) for n in PLANE)
    assert not np.isnan([features["mst_branch_length_mean_px"], features["n_within_50px_mean"]]).any()


def test_a_triangle_has_triangle_features_and_no_bounded_cell():
    features = dict(zip(SPATIAL_FEATURE_NAMES, spatial_features(SPECIAL["triangle"]), strict=True))
    assert features["delaunay_triangle_area_mean_px2"] == pytest.approx(6)
    assert features["delaunay_side_length_mean_px"] == pytest.approx(4)
    assert features["mst_branch_length_mean_px"] == pytest.approx(3.5)
    assert np.isnan([features["voronoi_area_total_px2"], features["nuclei_per_voronoi_px2"]]).all()


def test_nuclei_at_one_place_count_as_nuclei_and_as_one_site():
    once, twice = SPECIAL["circle and centre"], [*SPECIAL["circle and centre"], (0.0, 0.0)]
    a, b = (dict(zip(SPATIAL_FEATURE_NAMES, spatial_features(p), strict=True)) for p in (once, twice))
    assert (a["n_nuclei"], b["n_nuclei"]) == (9, 10)
    assert b["voronoi_area_total_px2"] == pytest.approx(a["voronoi_area_total_px2"])
    assert b["nuclei_per_voronoi_px2"] == pytest.approx(a["nuclei_per_voronoi_px2"] * 10 / 9)
    assert b["mst_branch_length_min_max"] == 0


@quick
@given(any_layout())
def test_any_layout_has_values_or_nan_that_do_not_depend_on_order(points):
    features = spatial_features(points)
    assert not np.isinf(features).any()
    np.testing.assert_allclose(spatial_features(points[::-1]), features, rtol=1e-9)


@quick
@given(scattered(), st.floats(0, 6), st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)))
def test_moving_turning_and_mirroring_change_nothing(points, angle, shift):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (points * [1, -1]) @ turn.T + shift
    np.testing.assert_allclose(spatial_features(moved), spatial_features(points), rtol=1e-4, atol=1e-7)


def test_scaling_follows_the_unit_in_the_name():
    points = np.random.default_rng(3).uniform(0, 100, (60, 2))
    small = spatial_features(points)
    large = spatial_features(3 * points, radii_px=[3 * r for r in RADII])
    for name, a, b in zip(SPATIAL_FEATURE_NAMES, small, large, strict=True):
        power = -2 if name.startswith("nuclei_per") else 2 if name.endswith("px2") else 1 if name.endswith("_px") else 0
        assert b == pytest.approx(a * 3.0**power, rel=1e-9), name


@quick
@given(st.lists(any_layout(), max_size=5))
def test_batch_equals_single_bit_by_bit(patches):
    offsets = np.concatenate([[0], np.cumsum([len(p) for p in patches])]).astype(int)
    batch = spatial_features_batch(np.concatenate([np.zeros((0, 2)), *patches]), offsets)
    assert batch.shape == (len(patches), 51)
    for row, points in zip(batch, patches, strict=True):
        np.testing.assert_array_equal(row, spatial_features(points))


def test_whole_numbers_and_lists_are_accepted_and_nonsense_is_not():
    np.testing.assert_array_equal(spatial_features([[0, 0], [4, 0], [0, 3]]), spatial_features(SPECIAL["triangle"]))
    with pytest.raises(ValueError, match="finite"):
        spatial_features([[0.0, np.nan]])
    with pytest.raises(ValueError, match="offsets"):
        spatial_features_batch([[0.0, 1.0]], [0, 2])
