import numpy as np
import pytest

from pipeline.cellgraph.graphs import csr


def test_segments_reduce_row_by_row_and_say_what_an_empty_row_is():
    values, offsets = np.array([1.0, 2.0, 5.0, -1.0]), np.array([0, 0, 2, 2, 4, 4])
    np.testing.assert_array_equal(csr.segment_sum(values, offsets), [0, 3, 0, 4, 0])
    np.testing.assert_array_equal(csr.segment_min(values, offsets), [np.nan, 1, np.nan, -1, np.nan])
    np.testing.assert_array_equal(csr.segment_max(values, offsets), [np.nan, 2, np.nan, 5, np.nan])


def test_segments_of_rows_reduce_column_by_column():
    bits = np.array([[1, 0], [2, 8], [4, 1]], np.uint64)
    np.testing.assert_array_equal(csr.segment_or(bits, np.array([0, 2, 2, 3])), [[3, 8], [0, 0], [4, 1]])


def test_tiles_and_offsets_are_inverse():
    offsets = np.array([0, 0, 3, 4, 4])
    tile = csr.tile_of_each(offsets)
    np.testing.assert_array_equal(tile, [1, 1, 1, 2])
    np.testing.assert_array_equal(csr.offsets_of_tiles(tile, 4), offsets)


@pytest.mark.parametrize("offsets", [[0, 2], [1, 3], [0, 2, 1, 3], [], [0.0, 3.0], [[0, 3]]])
def test_offsets_that_do_not_fit_are_refused(offsets):
    with pytest.raises(ValueError, match="offsets must"):
        csr.checked_offsets(np.array(offsets), 3)


@pytest.mark.parametrize("points", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [[np.nan, 0.0]], [[0.0, np.inf]]])
def test_points_that_are_none_are_refused(points):
    with pytest.raises(ValueError, match="points must be"):
        csr.checked_points(points)
