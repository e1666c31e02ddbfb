"""Features of a slide that another tool or another run made, checked before they become those of the slide."""

from pathlib import Path

from pipeline.artefacts.features import FeatureStore, check_store_slide, read_features
from pipeline.artefacts.foreign_coords import as_stored, check_on_slide
from pipeline.errors import ArtefactError, ImportedFileError


def read_imported_features(path: str | Path, *, slide_id: str, slide_mpp: float | None = None) -> FeatureStore:
    """As ``read_features``; what is wrong with the file is wrong with its slide.

    Parameters
    ----------
    path
        ``.h5`` of TRIDENT, CLAM or STAMP, or a cache (``.zarr``).
    slide_id
        The slide that they are used for.
    slide_mpp
        um per level-0 pixel; needed where coordinates are in um.

    Raises
    ------
    ImportedFileError
        If the file is missing, foreign, damaged, inconsistent or, as a cache, of another slide.
    ArtefactError
        If ``slide_mpp`` is needed and missing, which no other file would mend.
    """
    if Path(path).suffix == ".h5":
        return read_features(path, slide_mpp=slide_mpp)
    try:
        store = read_features(path)
        check_store_slide(store.slide_id, slide_id, path)
    except ArtefactError as error:
        raise ImportedFileError(str(error)) from error
    as_stored(store.coords, path)
    check_on_slide(store.coords, store.tile_width_l0, None, path)
    return store
