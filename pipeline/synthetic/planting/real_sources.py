"""Real images of which mosaics are made, read from feature caches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Float32s
from pipeline.artefacts.features import read_features
from pipeline.artefacts.sheet import SlideRow
from pipeline.errors import CohortError
from pipeline.logs import get_logger

log = get_logger("synthetic")


@dataclass(frozen=True)
class Source:
    """A real image.

    Attributes
    ----------
    slide_id, case_id
        Its name, and that of its patient.
    features
        float32 (n_patches, n_features), finite.
    """

    slide_id: str
    case_id: str
    features: Float32s


def read_sources(rows: Sequence[SlideRow], files: Mapping[str, Path]) -> tuple[list[Source], tuple[str, ...]]:
    """Images with their features, and the features' names.

    Images without a patch are left out; so is a feature that is undefined in some patch, of all, and the log says so.

    Parameters
    ----------
    files
        Feature file of each slide.

    Raises
    ------
    CohortError
        If no image has a patch, two images have different features, or none is defined everywhere.
    """
    read = [(row, read_features(files[row.slide_id])) for row in rows]
    sources = [(row, store) for row, store in read if len(store.features)]
    if not sources:
        raise CohortError(f"mosaics are made of patches, and none of the {len(rows)} images has any.")
    stores = [store for _, store in sources]
    names = stores[0].feature_names
    other = next((store for store in stores if store.feature_names != names), None)
    if other is not None:
        raise CohortError(
            f"slide {other.slide_id}: its features are not those of slide {stores[0].slide_id}; mosaics are made of "
            "images with the same features in the same order."
        )
    defined = np.logical_and.reduce([np.isfinite(store.features).all(axis=0) for store in stores])
    if not defined.any():
        raise CohortError("no feature is defined in every patch of every image, and mosaics need some.")
    if not defined.all():
        log.warning("mosaics: %d of %d features are undefined in some patch and left out", (~defined).sum(), len(names))
    kept = [Source(row.slide_id, row.case_id, store.features[:, defined]) for row, store in sources]
    return kept, tuple(name for name, is_defined in zip(names, defined, strict=True) if is_defined)
