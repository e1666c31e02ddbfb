"""Compressed rows: one flat array for all tiles of a slide, and where each tile begins."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float64s, Int64s


def checked_offsets(offsets: npt.ArrayLike, total: int) -> Int64s:
    """``offsets`` as int64 (n_tiles + 1,), from 0 to ``total`` without a step back.

    Raises
    ------
    ValueError
        If they are anything else.
    """
    given = np.asarray(offsets)
    if given.ndim != 1 or len(given) == 0 or given.dtype.kind not in "iu":
        raise ValueError(
            f"offsets must be a one-dimensional array of integers, found shape {given.shape}, {given.dtype}."
        )
    checked = given.astype(np.int64)
    if checked[0] != 0 or checked[-1] != total or (np.diff(checked) < 0).any():
        raise ValueError(f"offsets must rise from 0 to {total}, found {checked[0]} to {checked[-1]}.")
    return checked


def checked_points(xy: npt.ArrayLike) -> Float64s:
    """``xy`` as finite float64 (n, 2); an empty sequence is (0, 2).

    Raises
    ------
    ValueError
        If the shape differs or a coordinate is not finite.
    """
    points = np.asarray(xy, np.float64)
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points must be of shape (n, 2), found {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError(
            f"points must be finite; {int((~np.isfinite(points)).any(axis=1).sum())} of {len(points)} are not."
        )
    return points


def tile_of_each(offsets: Int64s) -> Int64s:
    """Tile number of every element, int64 (total,)."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def offsets_of_counts(counts: npt.NDArray[Any]) -> Int64s:
    """Offsets int64 (n + 1,) of rows with ``counts`` elements."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def offsets_of_tiles(tile: Int64s, n_tiles: int) -> Int64s:
    """Offsets (n_tiles + 1,) of elements whose tile numbers ``tile`` (n,) do not decrease."""
    return offsets_of_counts(np.bincount(tile, minlength=n_tiles))


def segment_sum(values: npt.NDArray[Any], offsets: Int64s) -> npt.NDArray[Any]:
    """Sum (n_rows, ...) of each row of ``values`` (n, ...); 0 for an empty row."""
    return _reduce(np.add, values, offsets, 0)


def segment_min(values: Float64s, offsets: Int64s) -> Float64s:
    """Smallest value (n_rows, ...) of each row of ``values`` (n, ...); NaN for an empty row."""
    return _reduce(np.minimum, values, offsets, np.nan)


def segment_max(values: Float64s, offsets: Int64s) -> Float64s:
    """Largest value (n_rows, ...) of each row of ``values`` (n, ...); NaN for an empty row."""
    return _reduce(np.maximum, values, offsets, np.nan)


def segment_or(values: npt.NDArray[np.uint64], offsets: Int64s) -> npt.NDArray[np.uint64]:
    """Bitwise or (n_rows, ...) of each row of ``values`` (n, ...); 0 for an empty row."""
    return _reduce(np.bitwise_or, values, offsets, 0)


def _reduce(ufunc: np.ufunc, values: npt.NDArray[Any], offsets: Int64s, empty: float) -> npt.NDArray[Any]:
    reduced = np.full((len(offsets) - 1, *values.shape[1:]), empty, values.dtype)
    # reduceat returns the next element for an empty row, so empty rows are left out.
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        reduced[filled] = ufunc.reduceat(values, offsets[filled], axis=0)
    return reduced
