"""Exact medians of arrays larger than memory, by dask, in three readings.

The bits of a float32, with the sign folded in, are a whole number that rises with the
value.  An order statistic is therefore found digit by digit from the front: count how
often each digit stands behind the digits found so far, and go on with the one in which
the rank falls (radix selection).  Memory is that of the counts, whatever the number of rows.
"""

# dask has no types.
# mypy: disallow-untyped-calls=False

import dask.array as da
import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float32s, Float64s, Int64s

DIGIT_BITS = (11, 11, 10)
"""Bits of each digit, from the front; together those of a float32."""

SIGN = np.uint32(1 << 31)

MERGED = 4
"""Counts of blocks that are added up at a time."""

UInt32s = npt.NDArray[np.uint32]


def column_medians(x: da.Array, n_defined: Int64s) -> Float64s:
    """Median of the defined values of each column, float64 (d,), as ``numpy.nanmedian`` gives it.

    Parameters
    ----------
    x
        float32 (n, d), NaN where undefined, all columns of a row in one block.
    n_defined
        int64 (d,), defined values of each column, at least 1.
    """
    middle = np.stack([(n_defined - 1) // 2, n_defined // 2])
    medians: Float64s = _order_statistics(x, middle).astype(np.float64).mean(axis=0)
    return medians


def _order_statistics(x: da.Array, ranks: Int64s) -> Float32s:
    """Values of each column (d,) of ``x`` with ``ranks`` (k, d) among its defined ones, float32 (k, d)."""
    front = np.zeros(ranks.shape, np.uint32)
    left = 32
    for bits in DIGIT_BITS:
        left -= bits
        counts = _digit_counts(x, front, left, bits)
        below = counts.cumsum(axis=2)
        digit = (below <= ranks[:, :, None]).sum(axis=2)
        first = np.take_along_axis(below - counts, digit[:, :, None], axis=2)[:, :, 0]
        ranks = ranks - first
        front = (front << np.uint32(bits)) | digit.astype(np.uint32)
    return value_of_key(front)


def _digit_counts(x: da.Array, front: UInt32s, left: int, bits: int) -> Int64s:
    """Values of each column that begin with the digits ``front`` (k, d), by their next one, int64 (k, d, 2**bits)."""
    shape = (*front.shape, 1 << bits)

    def counted(block: Float32s) -> Int64s:
        key = key_of_value(block)
        digit = ((key >> np.uint32(left)) & np.uint32((1 << bits) - 1)).astype(np.int64)
        # Before the first digit all 32 bits would have to be shifted out, which is undefined.
        begin = key >> np.uint32(left + bits) if left + bits < 32 else np.zeros_like(key)
        cell = digit + np.arange(block.shape[1]) * shape[2]
        defined = ~np.isnan(block)
        counts = [np.bincount(cell[defined & (begin == own)], minlength=shape[1] * shape[2]) for own in front]
        return np.concatenate(counts)[None]

    size = int(np.prod(shape))
    chunks = ((1,) * x.numblocks[0], (size,))
    per_block = da.map_blocks(counted, x, dtype=np.int64, chunks=chunks, meta=np.zeros((0, 0), np.int64))
    total: Int64s = per_block.sum(axis=0, split_every=MERGED).compute()
    return total.reshape(shape)


def key_of_value(values: Float32s) -> UInt32s:
    """Whole numbers that are in the same order as ``values``, uint32, of their shape."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def value_of_key(keys: UInt32s) -> Float32s:
    """Inverse of ``key_of_value``, float32."""
    return np.where(keys & SIGN, keys & ~SIGN, ~keys).astype(np.uint32).view(np.float32)
