"""Which file holds the node features of a slide."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.artefacts.sheet import SlideRow
from pipeline.errors import ArtefactError, SheetError

SUFFIXES = ("zarr", "h5")
"""Of our own caches and of the files of TRIDENT, CLAM or STAMP."""


def feature_path(features: Path | Mapping[str, Path], slide_id: str) -> Path:
    """Feature file of a slide: as mapped, or ``{slide_id}.zarr`` or ``.h5`` in a folder.

    Raises
    ------
    ArtefactError
        If there is none, or a folder holds both.
    """
    if not isinstance(features, Mapping):
        return _only_file(features, slide_id)
    if slide_id not in features:
        raise ArtefactError(f"slide {slide_id}: no feature file was given for it.")
    return Path(features[slide_id])


def feature_files(rows: Iterable[SlideRow], features_dir: Path | None, sheet: str | Path) -> dict[str, Path]:
    """Feature file of each slide: the sheet's, else that of the folder.

    Raises
    ------
    SheetError
        With every slide that has no file, or has two in the folder.
    """
    files, faults = {}, []
    for row in rows:
        try:
            files[row.slide_id] = row.features or _in_folder(features_dir, row.slide_id)
        except ArtefactError as error:
            faults.append(str(error))
    if faults:
        raise SheetError(str(sheet), faults)
    return files


def _in_folder(folder: Path | None, slide_id: str) -> Path:
    if folder is None:
        raise ArtefactError(f"slide {slide_id}: no features; fill the column features or give --features")
    return _only_file(folder, slide_id)


def _only_file(folder: Path, slide_id: str) -> Path:
    candidates = [folder / f"{slide_id}.{suffix}" for suffix in SUFFIXES]
    there = [path for path in candidates if path.exists()]
    if len(there) != 1:
        expected = " or ".join(path.name for path in candidates)
        names = " and ".join(path.name for path in there) or "neither"
        raise ArtefactError(f"slide {slide_id}: expected {expected} in {folder}, found {names}")
    return there[0]
