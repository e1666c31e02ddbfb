"""Images made of patches of real ones, whose class lies only in whether patches of one source agree.

A mosaic takes as many patches from each of several source images.  Patches of a source are
ranked along one *axis*: the leading principal axis of all patches about the mean of their
source, hence what differs most within real images.  High patches come from the upper fifth
of their source, low ones from the lower fifth; half of a mosaic's patches are high.  In
class ``1`` the patches of one source are all high or all low, half of the sources either;
in class ``0`` as many of each source are high as low.

True edges: every two patches of one source.  Who knows them sees whether neighbours differ
along the axis.  Which source stands where on the axis tells more of a patch than being high
or low does, so that a single patch, and what is pooled over patches, tell nothing.

Sources are parted among the folds that stand in the sheet, whole patients together: no
source of a tested mosaic was seen in training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Bools, Float32s, Float64s, Int64s
from pipeline.errors import CohortError, ConfigError
from pipeline.synthetic.planting.ceiling import N_CEILING_IMAGES, Ceiling, accuracy_with_true_edges
from pipeline.synthetic.planting.cohort_files import write_cohort
from pipeline.synthetic.planting.planted_image import PlantedImage, grid_coords
from pipeline.synthetic.planting.real_sources import Source

AXIS_PATCHES = 50_000
"""Guard: most patches from which the axis is computed."""

FOLD_STREAM, IMAGE_STREAM = 1, 2
"""Numbers that keep random streams apart."""

CEILING_AXES = 8
"""Axes along which the ceiling's classifier sees patches: it takes every product of two."""

FIRST_CEILING_IMAGE = 1_000_000
"""Number of the first mosaic of the ceiling: beyond those of any cohort."""


@dataclass(frozen=True)
class MosaicParams:
    """What is made.

    Attributes
    ----------
    n_images
        Mosaics, half of each class, at least 2.
    n_sources
        Sources of a mosaic, an even number, at least 2.
    patches_per_source
        Patches of each, an even number, at least 2.
    folds
        Folds of the sheet, at least 2.
    planted
        False makes the control: the arrangement is tossed whatever the label.
    """

    n_images: int = 600
    n_sources: int = 16
    patches_per_source: int = 2
    folds: int = 5
    planted: bool = True

    def __post_init__(self) -> None:
        for key in ("n_images", "n_sources", "patches_per_source", "folds"):
            if getattr(self, key) < 2:
                raise ConfigError(f"mosaic.{key}: expected at least 2, found {getattr(self, key)}.")
        for key in ("n_sources", "patches_per_source"):
            if getattr(self, key) % 2:
                raise ConfigError(f"mosaic.{key}: expected an even number, found {getattr(self, key)}.")

    @property
    def least_patches(self) -> int:
        """Patches that a source must have, so that its upper and its lower fifth each hold those of one side."""
        return 5 * self.patches_per_source


@dataclass(frozen=True)
class RankedSource:
    """A source, and its lower and its upper fifth along the axis: rows of ``features``."""

    source: Source
    low: Int64s
    high: Int64s


def make_mosaics(sources: Sequence[Source], params: MosaicParams, seed: int, first: int = 0) -> list[PlantedImage]:
    """Mosaics, in memory; classes alternate, and folds change every two mosaics.

    Parameters
    ----------
    first
        Number of the first mosaic; mosaic ``k`` of a seed is always the same.

    Raises
    ------
    CohortError
        If a fold has too few sources with enough patches.
    """
    by_fold = ranked_by_fold(sources, params, seed)
    return [_mosaic(by_fold, params, number, seed) for number in range(first, first + params.n_images)]


def ranked_by_fold(sources: Sequence[Source], params: MosaicParams, seed: int) -> list[list[RankedSource]]:
    """Sources of each fold that have enough patches, ranked along the axis; patients stay together.

    Raises
    ------
    CohortError
        If a fold has fewer such sources than a mosaic takes.
    """
    enough = [source for source in sources if len(source.features) >= params.least_patches]
    cases = np.random.default_rng([seed, FOLD_STREAM]).permutation(sorted({source.case_id for source in enough}))
    fold_of = {str(case): place % params.folds for place, case in enumerate(cases)}
    axis = within_source_axes(enough, 1)[:, 0]
    by_fold: list[list[RankedSource]] = [[] for _ in range(params.folds)]
    for source in enough:
        by_fold[fold_of[source.case_id]].append(_ranked(source, axis))
    fewest = min(len(fold) for fold in by_fold)
    if fewest < params.n_sources:
        raise CohortError(
            f"mosaics of {params.n_sources} sources in {params.folds} folds: a fold has {fewest} of the {len(enough)} "
            f"source images with at least {params.least_patches} patches; use fewer sources a mosaic, fewer folds or "
            "more images."
        )
    return by_fold


def within_source_axes(sources: Sequence[Source], n_axes: int) -> Float64s:
    """Leading principal axes of patches about the mean of their source, float64 (n_features, n_axes), unit columns."""
    if not sources:
        return np.zeros((0, n_axes))
    centred = np.concatenate([s.features - s.features.mean(axis=0, dtype=np.float64) for s in sources])
    step = -(-len(centred) // AXIS_PATCHES)
    covariance = np.cov(centred[::step], rowvar=False).reshape(centred.shape[1], -1)
    return np.asarray(np.linalg.eigh(covariance)[1][:, ::-1][:, :n_axes], np.float64)


def _ranked(source: Source, axis: Float64s) -> RankedSource:
    order = np.argsort(source.features @ axis, kind="stable")
    fifth = len(order) // 5
    return RankedSource(source, order[:fifth], order[-fifth:])


def _mosaic(by_fold: Sequence[Sequence[RankedSource]], params: MosaicParams, number: int, seed: int) -> PlantedImage:
    rng = np.random.default_rng([seed, IMAGE_STREAM, number])
    label, fold = number % 2, number // 2 % params.folds
    chosen = [by_fold[fold][place] for place in rng.permutation(len(by_fold[fold]))[: params.n_sources]]
    agree = bool(label) if params.planted else bool(rng.integers(2))
    features = np.concatenate(
        [_patches(s, side, rng) for s, side in zip(chosen, _sides(params, agree, rng), strict=True)]
    )
    order = rng.permutation(len(features))
    source_of = np.repeat(np.arange(params.n_sources), params.patches_per_source)[order]
    pairs = np.stack(np.nonzero(np.triu(source_of[:, None] == source_of[None, :], 1)))
    return PlantedImage(
        slide_id=f"mosaic_{number:05d}",
        case_id=f"mosaic_{number:05d}",
        label=str(label),
        features=features[order].astype(np.float32),
        coords=grid_coords(len(features)),
        pairs=pairs.astype(np.int64),
        fold=fold,
    )


def _sides(params: MosaicParams, agree: bool, rng: np.random.Generator) -> Bools:
    """Whether each patch of each source is a high one, bool (n_sources, patches_per_source)."""
    shape = params.n_sources, params.patches_per_source
    if agree:
        return np.repeat(rng.permutation(np.arange(shape[0]) % 2 == 0)[:, None], shape[1], axis=1)
    return np.tile(np.arange(shape[1]) % 2 == 0, (shape[0], 1))


def _patches(ranked: RankedSource, is_high: Bools, rng: np.random.Generator) -> Float32s:
    high, low = int(is_high.sum()), int((~is_high).sum())
    rows = np.concatenate([rng.choice(ranked.high, high, replace=False), rng.choice(ranked.low, low, replace=False)])
    chosen: Float32s = ranked.source.features[rows]
    return chosen


def write_mosaics(
    out_dir: str | Path, sources: Sequence[Source], feature_names: tuple[str, ...], params: MosaicParams, seed: int
) -> Path:
    """Write mosaics as feature caches with a sheet that names folds; see ``planting.cohort_files``.

    Returns
    -------
    The sheet's path.
    """
    made: Mapping[str, object] = {"mosaic": {**asdict(params), "seed": seed}}
    return write_cohort(out_dir, make_mosaics(sources, params, seed), feature_names, made)


def mosaic_ceiling(sources: Sequence[Source], params: MosaicParams, seed: int) -> Ceiling:
    """Accuracy of a classifier given the true edges, on mosaics of fold 0 after learning from others of the rest.

    It sees patches along ``CEILING_AXES`` leading axes.  Bayes' rule is not known for real patches.
    """
    others = replace(params, n_images=N_CEILING_IMAGES)
    images = make_mosaics(sources, others, seed, FIRST_CEILING_IMAGE)
    axes = within_source_axes(sources, CEILING_AXES)
    images = [replace(image, features=(image.features @ axes).astype(np.float32)) for image in images]
    learned_from = [image for image in images if image.fold != 0]
    return Ceiling(None, accuracy_with_true_edges(learned_from, [image for image in images if image.fold == 0]))
