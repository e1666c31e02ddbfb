"""Standardised node features: the median for undefined values, then zero mean and unit SD."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bools, Float32s, Float64s


@dataclass(frozen=True)
class NodeScaler:
    """Standardisation of node features.

    Attributes
    ----------
    median
        float64 (d,), stands for undefined values.
    mean, scale
        float64 (d,), over the training nodes after replacement; scale is infinite where
        they are constant, so that such a feature is 0 everywhere, at test as well.
    indicator
        bool (d,), features that get a 0/1 column "was undefined" after all features.
    clip_sd
        Largest absolute standardised value; 0 does not clip.
    """

    median: Float64s
    mean: Float64s
    scale: Float64s
    indicator: Bools
    clip_sd: float

    @property
    def n_outputs(self) -> int:
        """Columns after scaling."""
        return len(self.mean) + int(self.indicator.sum())

    def apply(self, x: Float32s) -> Float32s:
        """Standardised nodes, float32 (n, n_outputs), from x (n, d)."""
        missing = np.isnan(x)
        standard = (np.where(missing, self.median, x) - self.mean) / self.scale
        if self.clip_sd:
            standard = standard.clip(-self.clip_sd, self.clip_sd)
        columns = np.concatenate([standard, missing[:, self.indicator]], axis=1)
        return np.asarray(columns, np.float32)
