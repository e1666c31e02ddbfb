"""Statistics of values that are grouped by tile, all tiles at once."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.cellgraph.graphs.csr import segment_max, segment_min, segment_sum

ROUNDING = 1e-9
"""Guard: values this little beyond 3 SD are taken to be at 3 SD."""


@dataclass(frozen=True)
class GroupedValues:
    """One group of non-negative values per tile.

    Attributes
    ----------
    values
        float64 (total,), grouped by tile.
    offsets
        int64 (n_tiles + 1,).
    """

    values: Float64s
    offsets: Int64s


@dataclass(frozen=True)
class Summary:
    """Statistics of each group, float64 (n_tiles,) each; NaN where undefined.

    Attributes
    ----------
    mean
        Arithmetic mean; NaN for no value.
    sd
        Standard deviation; NaN for ``ddof`` values or fewer.
    min_max
        Smallest over largest value, 0 to 1; NaN for no value, or when all are 0.
    disorder
        ``1 - 1 / (1 + sd / mean)``, which is ``sd / (mean + sd)``, 0 to 1; NaN when ``sd`` is or all values are 0.
    """

    mean: Float64s
    sd: Float64s
    min_max: Float64s
    disorder: Float64s


def summarise(grouped: GroupedValues, *, ddof: int = 1) -> Summary:
    """Statistics of each group; ``ddof`` 1 is the sample SD, 0 the population SD."""
    values, offsets = grouped.values, grouped.offsets
    counts = np.diff(offsets)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = segment_sum(values, offsets) / counts
        squares = segment_sum((values - np.repeat(mean, counts)) ** 2, offsets)
        sd = np.sqrt(squares / np.where(counts > ddof, counts - ddof, np.nan))
        min_max = segment_min(values, offsets) / segment_max(values, offsets)
        disorder = sd / (mean + sd)
    return Summary(mean, sd, min_max, disorder)


def quantile(rising: GroupedValues, share: float) -> Float64s:
    """Quantile of groups whose values are in rising order, interpolated (Hyndman and Fan 1996, type 7)."""
    quantiles = np.full(len(rising.offsets) - 1, np.nan)
    filled = np.flatnonzero(np.diff(rising.offsets))
    place = (np.diff(rising.offsets)[filled] - 1) * share
    below = place.astype(np.int64)
    low = rising.values[rising.offsets[filled] + below]
    high = rising.values[rising.offsets[filled] + np.ceil(place).astype(np.int64)]
    quantiles[filled] = low + (place - below) * (high - low)
    return quantiles


def without_outliers(grouped: GroupedValues) -> GroupedValues:
    """Drop values farther than 3 population SD from their mean, again and again until none is.

    Two of twenty values that differ from eighteen equal ones lie at 3 SD exactly; they stay, whatever rounding says.
    """
    values, offsets = grouped.values, grouped.offsets
    while True:
        summary, counts = summarise(GroupedValues(values, offsets), ddof=0), np.diff(offsets)
        near = np.abs(values - np.repeat(summary.mean, counts)) <= (3 + ROUNDING) * np.repeat(summary.sd, counts)
        if near.all():
            return GroupedValues(values, offsets)
        offsets = np.concatenate([[0], np.cumsum(near)])[offsets]
        values = values[near]
