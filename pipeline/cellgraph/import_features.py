"""Rule ``import_features``: node features that another tool made become the feature cache of a slide."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.imported_features import read_imported_features
from pipeline.errors import ImportedFileError, OnBadSlide
from pipeline.exclusion import reason_to_exclude
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, package_versions

LOG = get_logger("import")


def import_features(
    imported_path: str | Path,
    features_path: str | Path,
    *,
    slide_id: str,
    source: str,
    slide_mpp: float | None = None,
    on_bad_slide: OnBadSlide = "stop",
) -> None:
    """Write the cache of one slide from a ``.h5`` of TRIDENT, CLAM or STAMP or from another cache.

    Values and order stay as they are, and so do coordinates but for those in um; ``mpp`` stays null where the file does
    not tell it.

    Parameters
    ----------
    imported_path
        The file or cache.
    features_path
        Store to write.
    slide_id
        The slide.
    source
        Source digest.
    slide_mpp
        um per level-0 pixel; needed where coordinates are in um (STAMP).
    on_bad_slide
        What is done about a file that cannot be used: ``exclude`` writes a cache without tiles, with the error as
        reason.

    Raises
    ------
    ImportedFileError
        If the file is missing, foreign, damaged, inconsistent or of another slide, and ``on_bad_slide`` is ``stop``.
    ArtefactError
        If ``slide_mpp`` is needed and missing.
    """
    try:
        imported = read_imported_features(imported_path, slide_id=slide_id, slide_mpp=slide_mpp)
    except ImportedFileError as error:
        imported = _no_tiles(reason_to_exclude(error, imported_path, on_bad_slide))
        LOG.warning("%s is excluded: %s", slide_id, error)
    store = replace(
        imported,
        slide_id=slide_id,
        source=source,
        upstream={"imported": file_digest(imported_path)} if Path(imported_path).exists() else {},
        packages=package_versions(),
    )
    write_features(features_path, store)
    LOG.info("%s: %d tiles with %d features imported", slide_id, *imported.features.shape)


def _no_tiles(reason: str) -> FeatureStore:
    return FeatureStore(
        slide_id="",
        features=np.zeros((0, 0), np.float32),
        feature_names=(),
        coords=np.zeros((0, 2), np.int64),
        tile_id=np.zeros(0, np.int64),
        reason=reason,
    )
