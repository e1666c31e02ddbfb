"""Statistics of the features of a cohort, read lazily from its caches: one image in memory at a time and thread.

Two passes over the caches by dask: sums, and sums of squares and products around the means of the first.
"""

# dask has no types.
# mypy: disallow-untyped-calls=False

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from pipeline.arrays import Float32s, Float64s
from pipeline.artefacts.feature_parts import LazyFeatures
from pipeline.errors import ArtefactError, CohortError
from pipeline.group_effects import group_effects

ALL = "all"
"""Name under which all images together are described."""

SAMPLED_TILES = 200_000
"""Quartiles are those of at most this many tiles, evenly spaced over each image."""

MERGED = 16
"""Partial sums that one task adds up."""


@dataclass(frozen=True)
class CohortStatistics:
    """What the features of a cohort are like.

    Attributes
    ----------
    distribution
        One row per feature and class, then of all images (``all``): ``feature``, ``class``, ``n_images``, ``n_tiles``,
        ``missing_share`` and ``mean``, ``sd`` (sample), ``min``, ``q25``, ``median``, ``q75``, ``max`` over the tiles.
    correlation
        Pearson's correlation of each pair of features over the tiles where both are defined, a square table.
    groups
        One row per feature and way of grouping images: ``feature``, ``grouping``, ``n_groups``, ``n_images``,
        ``eta_squared`` (share of the variance of the image means that lies between groups), ``omega_squared`` (the same
        less what chance gives; Olejnik and Algina 2003) and ``p`` of one-way analysis of variance.
    """

    distribution: pd.DataFrame
    correlation: pd.DataFrame
    groups: pd.DataFrame


def lazy_array(caches: Sequence[LazyFeatures]) -> da.Array:
    """Features of all tiles of all ``caches``, float32 (n_tiles, n_features), one chunk per image, nothing read yet.

    Raises
    ------
    ArtefactError
        If the caches hold different features.
    """
    names = caches[0].feature_names if caches else ()
    for cache in caches:
        if cache.feature_names != names:
            raise ArtefactError(
                f"{cache.path}: expected the {len(names)} features of {caches[0].path}, found "
                f"{len(cache.feature_names)} that differ. Compute both with the same section features."
            )
    read = delayed(LazyFeatures.read, pure=True)
    blocks = [da.from_delayed(read(c), (c.n_tiles, len(names)), np.float32) for c in caches if c.n_tiles]
    array: da.Array = da.concatenate(blocks) if blocks else da.zeros((0, len(names)), np.float32)
    return array


def describe_features(
    caches: Sequence[LazyFeatures],
    labels: Mapping[str, str | None],
    groupings: Mapping[str, Mapping[str, str]] | None = None,
) -> CohortStatistics:
    """Distribution by class, missing share, correlation and group effects of the features of a cohort.

    Parameters
    ----------
    caches
        Opened caches; images without a tile are left out.
    labels
        Class by slide_id; None where there is none.
    groupings
        Further ways to group images, such as the site or the patient: by name, group by slide_id.

    Raises
    ------
    ArtefactError
        If the caches hold different features or one is damaged.
    CohortError
        If no image has a tile.
    """
    filled = [cache for cache in caches if cache.n_tiles]
    if not filled:
        raise CohortError(f"none of the {len(caches)} caches has a tile; there is nothing to describe.")
    blocks = lazy_array(filled).to_delayed().ravel()
    first: list[_Sums] = list(compute(*[delayed(_sums)(block) for block in blocks]))
    centre = _centre(first)
    per_image = max(1, SAMPLED_TILES // len(filled))
    second = [delayed(_squares)(block, centre, per_image) for block in blocks]
    squares, products = compute([part[0] for part in second], _merged([part[1] for part in second], _added))
    classes = [labels.get(cache.slide_id) for cache in filled]
    names = filled[0].feature_names
    chosen = {label: [c == label for c in classes] for label in sorted({c for c in classes if c is not None})}
    tables = [
        _distribution(names, label, first, squares, np.flatnonzero(images), centre)
        for label, images in (chosen | {ALL: [True] * len(filled)}).items()
    ]
    ways: dict[str, list[str | None]] = {"class": classes}
    ways |= {name: [groups.get(cache.slide_id) for cache in filled] for name, groups in (groupings or {}).items()}
    means = np.stack([part.mean for part in first])
    return CohortStatistics(
        distribution=pd.concat(tables, ignore_index=True),
        correlation=_correlation(names, products),
        groups=pd.concat([group_effects(names, way, groups, means) for way, groups in ways.items()]),
    )


@dataclass(frozen=True)
class _Sums:
    """Of each feature of one image: number of tiles, of defined values, their sum, smallest and largest."""

    n_tiles: int
    n_defined: Float64s
    total: Float64s
    low: Float64s
    high: Float64s

    @property
    def mean(self) -> Float64s:
        """Mean of each feature; NaN where the image defines none."""
        mean: Float64s = self.total / np.where(self.n_defined > 0, self.n_defined, np.nan)
        return mean


def _sums(block: Float32s) -> _Sums:
    x = block.astype(np.float64)
    defined = ~np.isnan(x)
    low, high = (bound.reduce(x, axis=0) for bound in (np.fmin, np.fmax))
    return _Sums(len(x), defined.sum(axis=0) * 1.0, np.where(defined, x, 0.0).sum(axis=0), low, high)


def _centre(parts: Sequence[_Sums]) -> Float64s:
    """Mean of each feature over all tiles; 0 where none is defined."""
    n_defined, total = (np.sum([getattr(part, name) for part in parts], axis=0) for name in ("n_defined", "total"))
    centre: Float64s = total / np.maximum(n_defined, 1.0)
    return centre


def _squares(block: Float32s, centre: Float64s, n_sampled: int) -> tuple[Any, Any]:
    """Sum of squares around ``centre`` and a sample of the tiles; and sums of products of pairs of features."""
    x = block.astype(np.float64) - centre
    defined = ~np.isnan(x)
    x = np.where(defined, x, 0.0)
    rows = np.unique(np.linspace(0, len(block) - 1, min(n_sampled, len(block))).astype(np.int64))
    mask = defined.astype(np.float64)
    products = np.stack([mask.T @ mask, x.T @ mask, (x**2).T @ mask, x.T @ x])
    return ((x**2).sum(axis=0), block[rows]), products


def _added(parts: list[Float64s]) -> Float64s:
    total: Float64s = np.sum(parts, axis=0)
    return total


def _merged(parts: list[Any], add: Callable[[list[Any]], Any]) -> Any:
    """Delayed sum of delayed ``parts`` by a tree, so that few are in memory at once."""
    while len(parts) > 1:
        parts = [delayed(add)(parts[i : i + MERGED]) for i in range(0, len(parts), MERGED)]
    return parts[0]


def _distribution(
    names: Sequence[str],
    label: str,
    sums: Sequence[_Sums],
    squares: Sequence[tuple[Float64s, Float32s]],
    images: npt.NDArray[np.intp],
    centre: Float64s,
) -> pd.DataFrame:
    n_tiles = sum(sums[i].n_tiles for i in images)
    n_defined = sum(sums[i].n_defined for i in images)
    some, several = np.where(n_defined > 0, n_defined, np.nan), np.where(n_defined > 1, n_defined - 1, np.nan)
    mean = sum(sums[i].total for i in images) / some
    # Sums of squares were taken around the mean of all images.
    around_own_mean = sum(squares[i][0] for i in images) - n_defined * (mean - centre) ** 2
    sampled = np.concatenate([squares[i][1] for i in images])
    low, median, high = (_quantile(sampled, share) for share in (0.25, 0.5, 0.75))
    return pd.DataFrame(
        {
            "feature": names,
            "class": label,
            "n_images": len(images),
            "n_tiles": n_tiles,
            "missing_share": 1.0 - n_defined / n_tiles,
            "mean": mean,
            "sd": np.sqrt(np.maximum(around_own_mean, 0.0) / several),
            "min": np.fmin.reduce([sums[i].low for i in images]),
            "q25": low,
            "median": median,
            "q75": high,
            "max": np.fmax.reduce([sums[i].high for i in images]),
        }
    )


def _quantile(sampled: Float32s, share: float) -> Float64s:
    """Quantile of each column's defined values; NaN without one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        quantiles: Float64s = np.nanquantile(sampled.astype(np.float64), share, axis=0)
    return quantiles


def _correlation(names: Sequence[str], products: Float64s) -> pd.DataFrame:
    n, x, xx, xy = products
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = n * xy - x * x.T
        variance = np.maximum(n * xx - x**2, 0.0)
        # A constant feature has a variance of rounding errors.
        variance[variance <= 1e-12 * n * xx] = 0.0
        r = covariance / np.sqrt(variance * variance.T)
    return pd.DataFrame(np.where(np.isfinite(r), r.clip(-1, 1), np.nan), index=list(names), columns=list(names))
