"""Fitting the standardisation of node features, on ``train`` nodes only."""

# dask has no types.
# mypy: disallow-untyped-calls=False

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.errors import CohortError
from pipeline.logs import get_logger
from pipeline.training.cohort.cohort_nodes import Nodes
from pipeline.training.cohort.node_scaler import NodeScaler

if TYPE_CHECKING:
    import dask.array as da

log = get_logger("training")

CONSTANT_SPREAD = 1e-9
"""Guard: SD below which, relative to its largest value, a feature counts as constant."""

MOST_VALUES_AT_ONCE = 2**26
"""Values (patches x features) whose moments are taken in one piece, with about 2.5 GiB; more go image by image."""


@dataclass(frozen=True)
class FeatureMoments:
    """Of each feature over some nodes.

    Attributes
    ----------
    n_missing
        int64 (d,), nodes where it is undefined.
    median
        float64 (d,), of the defined values; 0 where there is none.
    mean, spread
        float64 (d,), mean and SD (ddof=0) with the median in the place of undefined values.
    largest
        float64 (d,), largest absolute value.
    """

    n_missing: Int64s
    median: Float64s
    mean: Float64s
    spread: Float64s
    largest: Float64s


def fit_scaler(
    images: Sequence[Nodes], feature_names: Sequence[str], *, nan_indicator: bool, clip_sd: float, threads: int = 1
) -> NodeScaler:
    """Scaler of the nodes of all ``images``.

    Up to ``MOST_VALUES_AT_ONCE`` values are taken in one piece; beyond, images are read one
    after the other, by dask, which gives the same numbers up to rounding.  A feature
    undefined on every training node becomes 0 everywhere, with a warning.

    Raises
    ------
    CohortError
        If there is no node or no feature.
    """
    n_nodes, n_features = sum(len(nodes.coords) for nodes in images), len(feature_names)
    if not n_nodes * n_features:
        raise CohortError(f"the training images hold {n_nodes} patches with {n_features} features; nothing to fit.")
    at_once = n_nodes * n_features <= MOST_VALUES_AT_ONCE
    moments = whole_moments(images) if at_once else blockwise_moments(images, threads)
    never = moments.n_missing == n_nodes
    if never.any():
        named = ", ".join(np.asarray(feature_names)[never][:5])
        log.warning("%d features are undefined on all training patches and are ignored: %s", int(never.sum()), named)
    # A constant column has a spread of rounding errors, not of 0.
    constant = moments.spread <= CONSTANT_SPREAD * moments.largest
    indicator = (moments.n_missing > 0) & ~never & nan_indicator
    return NodeScaler(moments.median, moments.mean, np.where(constant, np.inf, moments.spread), indicator, clip_sd)


def whole_moments(images: Sequence[Nodes]) -> FeatureMoments:
    """Moments of the nodes of ``images``, together in memory."""
    x = np.concatenate([nodes.x for nodes in images]).astype(np.float64)
    missing = np.isnan(x)
    median = np.nanmedian(np.where(missing.all(axis=0), 0.0, x), axis=0)
    filled = np.where(missing, median, x)
    return FeatureMoments(
        n_missing=missing.sum(axis=0),
        median=median,
        mean=filled.mean(axis=0),
        spread=filled.std(axis=0),
        largest=np.abs(filled).max(axis=0),
    )


def blockwise_moments(images: Sequence[Nodes], threads: int = 1) -> FeatureMoments:
    """Moments of the nodes of ``images``, in five readings of one image at a time and thread."""
    # dask takes a third of a second to import, and few cohorts are so large.
    import dask
    import dask.array as da
    from dask.base import compute

    from pipeline.training.cohort.blockwise_median import column_medians

    x = _lazy_features(images)
    with dask.config.set(scheduler="threads", num_workers=threads):
        missing = da.isnan(x)
        values = da.where(missing, 0, x).astype(np.float64)
        n_missing, total, largest = compute(missing.sum(axis=0), values.sum(axis=0), abs(values).max(axis=0))
        n_defined = len(x) - n_missing
        median, some = np.zeros(len(total)), np.flatnonzero(n_defined)
        median[some] = column_medians(x[:, some], n_defined[some])
        mean = (total + n_missing * median) / len(x)
        variance = ((da.where(missing, median, x) - mean) ** 2).mean(axis=0).compute()
    return FeatureMoments(n_missing, median, mean, np.sqrt(variance), largest)


def _lazy_features(images: Sequence[Nodes]) -> "da.Array":
    """Features of all nodes, float32 (n, d), one block per image that has some; nothing is read yet."""
    import dask.array as da
    from dask.delayed import delayed

    some = [nodes for nodes in images if len(nodes.coords)]
    n_features = some[0].x.shape[1]
    blocks = [
        # Not traversed: dask would look for work inside the arrays of an image.
        da.from_delayed(delayed(partial(getattr, nodes, "x"), traverse=False)(), (len(nodes.coords), n_features), "f4")
        for nodes in some
    ]
    array: da.Array = da.concatenate(blocks)
    return array
