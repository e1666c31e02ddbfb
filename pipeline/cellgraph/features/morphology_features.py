"""Size, shape and stain of the nuclei of a patch: mean, SD and quartiles of their measures.

Nothing here looks at where nuclei lie, so values do not change when the tissue is moved or turned, as far as the
measures do not.
"""

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Float64s, Int64s
from pipeline.artefacts.nuclei import PAPER_MEASURES
from pipeline.cellgraph.features.grouped_statistics import GroupedValues, quantile, summarise
from pipeline.cellgraph.graphs.csr import checked_offsets, offsets_of_tiles, tile_of_each

MORPHOLOGY_MEASURES = (
    *PAPER_MEASURES,
    "solidity",
    "convexity",
    "orientation_reliability",
    "mean_haematoxylin",
    "sd_haematoxylin",
)
"""Columns of the nucleus table that the block describes, in this order."""

STATISTICS = ("mean", "sd", "q25", "median", "q75")
QUARTILES = (0.25, 0.5, 0.75)

MORPHOLOGY_FEATURE_NAMES = tuple(
    f"nucleus_{measure}_{statistic}" for measure in MORPHOLOGY_MEASURES for statistic in STATISTICS
)
"""Five for each measure; the unit is that of the measure."""


def morphology_features(measures: npt.ArrayLike) -> Float64s:
    """Statistics of the measures of the nuclei of one patch.

    Parameters
    ----------
    measures
        float (n, k), one row per nucleus.

    Returns
    -------
    numpy.ndarray
        float64 (5 k,): mean, sample SD, lower quartile, median and upper quartile (linear between order statistics,
        Hyndman and Fan 1996, type 7) of each measure over the nuclei where it is finite; NaN without such a nucleus,
        the SD with fewer than two.

    Raises
    ------
    ValueError
        If ``measures`` is not two-dimensional.
    """
    values = np.asarray(measures, np.float64)
    features: Float64s = morphology_features_batch(values, np.array([0, len(values)]))[0]
    return features


def morphology_features_batch(measures: npt.ArrayLike, offsets: npt.ArrayLike) -> Float64s:
    """Statistics of the measures of the nuclei of many patches.

    Parameters
    ----------
    measures
        float (n, k), nuclei of all patches, grouped by patch.
    offsets
        int (n_patches + 1,); patch p has rows ``offsets[p]:offsets[p + 1]``.

    Returns
    -------
    numpy.ndarray
        float64 (n_patches, 5 k), each row as ``morphology_features`` of its patch.

    Raises
    ------
    ValueError
        If ``measures`` is not two-dimensional or ``offsets`` do not fit it.
    """
    values = np.asarray(measures, np.float64)
    if values.ndim != 2:
        raise ValueError(f"measures must be of shape (n, k), found {values.shape}.")
    checked = checked_offsets(offsets, len(values))
    columns = [statistic for measure in values.T for statistic in _statistics(measure, checked)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(checked) - 1, 0))


def _statistics(measure: Float64s, offsets: Int64s) -> list[Float64s]:
    finite = np.isfinite(measure)
    tile, values = tile_of_each(offsets)[finite], measure[finite]
    rising = values[np.lexsort((values, tile))]
    grouped = GroupedValues(rising, offsets_of_tiles(tile, len(offsets) - 1))
    summary = summarise(grouped)
    return [summary.mean, summary.sd, *(quantile(grouped, share) for share in QUARTILES)]
