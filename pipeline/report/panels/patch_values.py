"""Features of patches as a panel tells them: in standard deviations of the slide's own patches."""

import warnings

import numpy as np

from pipeline.arrays import Float32s, Float64s, Int64s
from pipeline.report.panels.packed import UNDEFINED, Packed, packed

STEPS_PER_SD = 20
"""Steps of a byte: values are told to 0.05 SD, up to 6.35 SD."""


def standardised(features: Float32s) -> Float64s:
    """Features less their median, over their SD, both over the patches of the slide, float64 (n_tiles, n_features).

    NaN where the value is undefined, and where all patches have the same.
    """
    values = features.astype(np.float64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice|Degrees of freedom|Mean of empty", RuntimeWarning)
        middle, spread = np.nanmedian(values, axis=0), np.nanstd(values, axis=0)
    spread[~(spread > 0)] = np.nan
    scaled: Float64s = (values - middle) / spread
    return scaled


def packed_features(values: Float64s, nodes: Int64s) -> Packed:
    """Standardised features (n_patches, d) of the patches ``nodes``, a byte each."""
    steps = np.rint(np.clip(values[nodes] * STEPS_PER_SD, UNDEFINED + 1, np.iinfo("i1").max))
    return packed(np.where(np.isnan(steps), UNDEFINED, steps), "i1")
