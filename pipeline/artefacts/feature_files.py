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
    there = features_in(features, slide_id)
    if there is None:
        raise ArtefactError(f"slide {slide_id}: expected {_expected(slide_id)} in {features}, found neither")
    return there


def features_in(folder: Path, slide_id: str) -> Path | None:
    """Feature file of a slide in a folder, or None.

    Raises
    ------
    ArtefactError
        If the folder holds two.
    """
    there = [path for path in _candidates(folder, slide_id) if path.exists()]
    if len(there) > 1:
        names = " and ".join(path.name for path in there)
        raise ArtefactError(f"slide {slide_id}: expected {_expected(slide_id)} in {folder}, found {names}")
    return there[0] if there else None


def _candidates(folder: Path, slide_id: str) -> list[Path]:
    return [folder / f"{slide_id}.{suffix}" for suffix in SUFFIXES]


def _expected(slide_id: str) -> str:
    return " or ".join(path.name for path in _candidates(Path(), slide_id))
