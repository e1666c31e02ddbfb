import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.artefacts.feature_parts import open_features
from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.cellgraph.features.describe_features import describe_features, lazy_array
from pipeline.errors import ArtefactError, CohortError

NAMES = ("a", "b", "c", "never", "flat")


@pytest.fixture
def cohort(tmp_path):
    """Six images of 1 to 40 tiles; ``b`` follows ``a`` and misses values, ``c`` follows the class."""
    random = np.random.default_rng(0)
    tables, caches, labels = {}, [], {}
    for number, n_tiles in enumerate([40, 1, 25, 30, 12, 33]):
        slide = f"s{number}"
        labels[slide] = "xy"[number % 2] if number < 5 else None
        a = random.normal(1e4, 1, n_tiles)
        b = np.where(random.random(n_tiles) < 0.2, np.nan, 2 * a + random.normal(0, 0.5, n_tiles))
        c = random.normal(10 * (number % 2), 1, n_tiles)
        x = np.stack([a, b, c, np.full(n_tiles, np.nan), np.full(n_tiles, 3.1)], axis=1).astype(np.float32)
        tables[slide] = pd.DataFrame(x.astype(np.float64), columns=NAMES)
        store = FeatureStore(slide, x, NAMES, np.zeros((n_tiles, 2), int), np.arange(n_tiles), valid=~np.isnan(x))
        write_features(tmp_path / f"{slide}.zarr", store)
        caches.append(open_features(tmp_path / f"{slide}.zarr"))
    return tables, caches, labels


def test_nothing_is_read_before_it_is_asked_for(cohort, tmp_path):
    tables, caches, _ = cohort
    array = lazy_array(caches)
    assert array.shape == (141, 5)
    assert array.numblocks == (6, 1)
    np.testing.assert_array_equal(array[40:66].compute(), pd.concat(tables.values())[40:66])


def test_distribution_equals_pandas_on_all_tiles_at_once(cohort):
    tables, caches, labels = cohort
    distribution = describe_features(caches, labels).distribution.set_index(["class", "feature"])
    for label in ("x", "y", "all"):
        images = [table for slide, table in tables.items() if label in (labels[slide], "all")]
        tiles = pd.concat(images)
        for name in NAMES:
            row, values = distribution.loc[(label, name)], tiles[name]
            assert (row["n_images"], row["n_tiles"]) == (len(images), len(tiles))
            expected = [values.isna().mean(), values.mean(), values.std(), values.min(), values.max()]
            expected += [values.quantile(q) for q in (0.25, 0.5, 0.75)]
            keys = ["missing_share", "mean", "sd", "min", "max", "q25", "median", "q75"]
            np.testing.assert_allclose(row[keys].astype(float), expected, rtol=1e-6, atol=1e-6, err_msg=name)


def test_correlation_equals_pandas_over_pairs_of_defined_values(cohort):
    tables, caches, labels = cohort
    correlation = describe_features(caches, labels).correlation
    expected = pd.concat(tables.values()).corr()
    expected.loc["flat"] = expected["flat"] = np.nan
    pd.testing.assert_frame_equal(correlation, expected, rtol=1e-5)
    assert correlation.loc["a", "b"] > 0.9


def test_group_effects_equal_analysis_of_variance_of_the_image_means(cohort):
    tables, caches, labels = cohort
    site = {"s0": "p", "s1": "p", "s2": "q", "s3": "q", "s4": "q", "s5": "r"}
    effects = describe_features(caches, labels, {"site": site}).groups.set_index(["grouping", "feature"])
    means = {slide: table["c"].mean() for slide, table in tables.items()}
    for grouping, groups in (("class", labels), ("site", site)):
        samples = [
            [means[s] for s, g in groups.items() if g == group]
            for group in sorted(set(groups.values()) - {None}, key=str)
        ]
        expected = stats.f_oneway(*samples)
        row = effects.loc[(grouping, "c")]
        assert row["p"] == pytest.approx(expected.pvalue, rel=1e-6)
        k, n = len(samples), sum(map(len, samples))
        assert row["eta_squared"] == pytest.approx(1 / (1 + (n - k) / ((k - 1) * expected.statistic)), rel=1e-6)
    assert effects.loc[("class", "c"), "eta_squared"] > 0.9
    assert np.isnan(effects.loc[("class", "never"), "eta_squared"])
    assert np.isnan(effects.loc[("class", "flat"), "eta_squared"])


def test_groups_of_one_image_each_explain_everything_and_prove_nothing(cohort):
    _, caches, labels = cohort
    alone = {f"s{n}": str(n) for n in range(6)}
    row = describe_features(caches, labels, {"patient": alone}).groups.set_index(["grouping", "feature"])
    assert row.loc[("patient", "a"), "eta_squared"] == pytest.approx(1)
    assert np.isnan(row.loc[("patient", "a"), ["omega_squared", "p"]].astype(float)).all()


def test_images_without_tiles_are_left_out_and_a_cohort_of_them_is_refused(cohort, tmp_path):
    _, caches, labels = cohort
    none = FeatureStore("e", np.zeros((0, 5), np.float32), NAMES, np.zeros((0, 2), int), np.zeros(0), reason="none")
    write_features(tmp_path / "e.zarr", none)
    empty = open_features(tmp_path / "e.zarr")
    assert describe_features([empty, *caches], labels).distribution["n_images"].max() == 6
    with pytest.raises(CohortError, match="none of the 1 caches has a tile"):
        describe_features([empty], labels)


def test_caches_of_other_features_are_refused(cohort, tmp_path):
    _, caches, labels = cohort
    other = FeatureStore("o", np.ones((2, 1), np.float32), ("z",), np.zeros((2, 2), int), np.arange(2))
    write_features(tmp_path / "o.zarr", other)
    with pytest.raises(ArtefactError, match=r"o\.zarr: expected the 5 features"):
        describe_features([*caches, open_features(tmp_path / "o.zarr")], labels)
