import dask.array as da
import numpy as np
import pytest

from pipeline.training.cohort.blockwise_median import column_medians, key_of_value, value_of_key


def medians(x, rows_of_a_block=7):
    x = np.asarray(x, np.float32)
    return column_medians(da.from_array(x, chunks=(rows_of_a_block, -1)), (~np.isnan(x)).sum(axis=0))


def test_by_hand():
    """Of an odd number the middle value, of an even one the mean of the two middle ones; undefined values are none."""
    x = [[3, -1, 5], [1, np.nan, 5], [2, 7, np.nan], [10, 9, np.nan], [0, np.nan, np.nan]]
    assert medians(x, 2).tolist() == [2, 7, 5]
    assert medians([[1.0], [2.0], [4.0], [np.nan], [8.0]], 2).tolist() == [3]


@pytest.mark.parametrize("n", [1, 2, 3, 100, 101])
def test_they_are_numpys_to_the_last_bit(n):
    rng = np.random.default_rng(n)
    columns = [
        rng.normal(size=n),
        rng.normal(size=n) * 1e30,
        rng.normal(size=n) * 1e-42,  # below the normal numbers of float32
        rng.integers(-2, 3, size=n),  # ties
        np.full(n, -0.0),
        1 + rng.integers(0, 3, size=n) * 2.0**-23,  # neighbours among float32
        -np.exp(rng.normal(size=n)),
    ]
    x = np.stack(columns, axis=1).astype(np.float32)
    x[1:][rng.random((n - 1, x.shape[1])) < 0.3] = np.nan
    np.testing.assert_array_equal(medians(x), np.nanmedian(x.astype(np.float64), axis=0))


def test_keys_rise_with_values_and_turn_back():
    rising = np.array([-np.inf, -3e38, -1, -1e-45, 0, 1e-45, 1, 1 + 2.0**-23, 3e38, np.inf], np.float32)
    keys = key_of_value(rising)
    assert (np.diff(keys.astype(np.int64)) > 0).all()
    np.testing.assert_array_equal(value_of_key(keys), rising)
