"""Rule ``import_features``: node features that another tool made become the feature cache of a slide."""

from dataclasses import replace
from pathlib import Path

from pipeline.artefacts.features import read_features, write_features
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, package_versions

LOG = get_logger("import")


def import_features(
    imported_path: str | Path, features_path: str | Path, *, slide_id: str, source: str, slide_mpp: float | None = None
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

    Raises
    ------
    ArtefactError
        If the file is missing, foreign, damaged or inconsistent, or ``slide_mpp`` is needed and missing.
    """
    imported = read_features(imported_path, slide_mpp=slide_mpp)
    store = replace(
        imported,
        slide_id=slide_id,
        source=source,
        upstream={"imported": file_digest(imported_path)},
        packages=package_versions(),
    )
    write_features(features_path, store)
    LOG.info("%s: %d tiles with %d features imported", slide_id, *imported.features.shape)
