"""Which file holds the node features of a slide."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import ArtefactError

SUFFIXES = ("zarr", "h5")
"""Of our own caches and of the files of TRIDENT, CLAM or STAMP."""


def feature_path(features: Path | Mapping[str, Path], slide_id: str) -> Path:
    """Feature file of a slide: as mapped, or ``{slide_id}.zarr`` or ``.h5`` in a folder.

    Raises
    ------
    ArtefactError
        If there is none, or a folder holds both.
    """
    if isinstance(features, Mapping):
        if slide_id not in features:
            raise ArtefactError(f"slide {slide_id}: no feature file was given for it.")
        return Path(features[slide_id])
    candidates = [features / f"{slide_id}.{suffix}" for suffix in SUFFIXES]
    there = [path for path in candidates if path.exists()]
    if len(there) != 1:
        expected = " or ".join(path.name for path in candidates)
        names = " and ".join(path.name for path in there) or "neither"
        raise ArtefactError(f"slide {slide_id}: expected {expected} in {features}, found {names}")
    return there[0]
