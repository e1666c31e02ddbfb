import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.artefacts.nuclei import COLUMNS
from pipeline.cellgraph.features.morphology_features import (
    MORPHOLOGY_FEATURE_NAMES,
    MORPHOLOGY_MEASURES,
    morphology_features,
    morphology_features_batch,
)
from tests.cellgraph.nuclei_layouts import quick

CELLS = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e3, 1e3), st.just(float("nan")), st.just(float("inf")))


def test_five_statistics_by_hand():
    np.testing.assert_allclose(morphology_features([[1.0], [2.0], [3.0], [6.0]]), [3, np.sqrt(14 / 3), 1.75, 2.5, 3.75])


def test_names_go_measure_by_measure():
    assert MORPHOLOGY_FEATURE_NAMES[:6] == (
        *(f"nucleus_area_um2_{s}" for s in ("mean", "sd", "q25", "median", "q75")),
        "nucleus_major_axis_um_mean",
    )
    assert len(MORPHOLOGY_FEATURE_NAMES) == 5 * len(MORPHOLOGY_MEASURES)


def test_every_measure_is_a_column_of_the_nucleus_table():
    assert set(MORPHOLOGY_MEASURES) <= set(COLUMNS)


def test_none_and_one_nucleus():
    assert np.isnan(morphology_features(np.zeros((0, 2)))).all()
    np.testing.assert_array_equal(morphology_features([[4.0]]), [4, np.nan, 4, 4, 4])


@quick
@given(st.lists(st.lists(st.tuples(CELLS, CELLS), max_size=9), max_size=5))
def test_rows_equal_numpy_over_the_finite_values_of_each_patch(patches):
    values = np.array([row for patch in patches for row in patch]).reshape(-1, 2)
    offsets = np.concatenate([[0], np.cumsum([len(p) for p in patches])]).astype(int)
    batch = morphology_features_batch(values, offsets)
    for row, patch in zip(batch, patches, strict=True):
        for column in range(2):
            finite = np.array([cells[column] for cells in patch if np.isfinite(cells[column])])
            expected = np.full(5, np.nan)
            if len(finite):
                expected[0], expected[2:] = finite.mean(), np.quantile(finite, [0.25, 0.5, 0.75])
            if len(finite) > 1:
                expected[1] = finite.std(ddof=1)
            np.testing.assert_allclose(row[5 * column : 5 * column + 5], expected, rtol=1e-9, atol=1e-9)


def test_one_column_is_not_a_table():
    with pytest.raises(ValueError, match=r"shape \(n, k\)"):
        morphology_features([1.0, 2.0])
