"""Bring node features that another tool made into the feature cache."""

from dataclasses import replace
from pathlib import Path

from pipeline.artefacts.features import read_features, write_features
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, package_versions


def import_features(imported_path: str | Path, features_path: str | Path, *, slide_id: str, source: str) -> None:
    """Write the cache of one slide from a ``.h5`` of TRIDENT or CLAM or from another cache.

    Values, order and coordinates stay as they are; ``mpp`` stays null where the file
    does not tell it.

    Raises
    ------
    ArtefactError
        If the file is missing, foreign, damaged or inconsistent.
    """
    imported = read_features(imported_path)
    store = replace(
        imported,
        slide_id=slide_id,
        source=source,
        upstream={"imported": file_digest(imported_path)},
        packages=package_versions(),
    )
    write_features(features_path, store)
    get_logger("import").info("%s: %d tiles with %d features imported", slide_id, *imported.features.shape)
