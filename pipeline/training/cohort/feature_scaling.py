"""Median for undefined values, then zero mean and unit SD; fitted on ``train`` nodes only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import CohortError
from pipeline.logs import get_logger

log = get_logger("training")

CONSTANT_SPREAD = 1e-9
"""Guard: SD below which, relative to its largest value, a feature counts as constant."""

Floats = npt.NDArray[np.float64]


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

    median: Floats
    mean: Floats
    scale: Floats
    indicator: npt.NDArray[np.bool_]
    clip_sd: float

    @property
    def n_outputs(self) -> int:
        """Columns after scaling."""
        return len(self.mean) + int(self.indicator.sum())

    def apply(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Standardised nodes, float32 (n, n_outputs), from x (n, d)."""
        missing = np.isnan(x)
        standard = (np.where(missing, self.median, x) - self.mean) / self.scale
        if self.clip_sd:
            standard = standard.clip(-self.clip_sd, self.clip_sd)
        columns = np.concatenate([standard, missing[:, self.indicator]], axis=1)
        return np.asarray(columns, np.float32)


def fit_scaler(
    images: Sequence[npt.NDArray[np.float32]], feature_names: Sequence[str], *, nan_indicator: bool, clip_sd: float
) -> NodeScaler:
    """Scaler of the nodes of all ``images``, each (n, d).

    A feature undefined on every training node becomes 0 everywhere, with a warning.

    Raises
    ------
    CohortError
        If there is no node or no feature.
    """
    x = np.concatenate(images).astype(np.float64) if images else np.zeros((0, 0))
    if not x.size:
        raise CohortError(f"the training images hold {x.shape[0]} patches with {x.shape[-1]} features; nothing to fit.")
    missing = np.isnan(x)
    never = missing.all(axis=0)
    if never.any():
        named = ", ".join(np.asarray(feature_names)[never][:5])
        log.warning("%d features are undefined on all training patches and are ignored: %s", int(never.sum()), named)
    median = np.nanmedian(np.where(never, 0.0, x), axis=0)
    filled = np.where(missing, median, x)
    spread = filled.std(axis=0)
    # A constant column has a spread of rounding errors, not of 0.
    constant = spread <= CONSTANT_SPREAD * np.abs(filled).max(axis=0)
    indicator = missing.any(axis=0) & ~never if nan_indicator else np.zeros(x.shape[1], bool)
    return NodeScaler(median, filled.mean(axis=0), np.where(constant, np.inf, spread), indicator, clip_sd)
