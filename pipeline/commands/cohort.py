"""What commands on a cohort read: the labelled rows of its sheet, and the feature file of each."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.artefacts.sheet import SlideRow, read_sheet
from pipeline.errors import ArtefactError, SheetError
from pipeline.logs import get_logger
from pipeline.training.cohort.feature_files import feature_path
from pipeline.training.cohort.fold_plan import fold_faults, labelled_slides, require_folds, require_select_share

log = get_logger("features")


def labelled_rows(sheet_path: Path, config: Mapping[str, Any]) -> list[SlideRow]:
    """Labelled rows of a sheet that can be divided into folds.

    Raises
    ------
    SheetError
        If the sheet has faults, or too few patients of a class for the folds.
    ConfigError
        If a role that the training needs would be empty.
    """
    rows = [row for row in read_sheet(sheet_path) if row.label is not None]
    require_folds(rows, config["splits"]["folds"], sheet_path)
    require_select_share(config["splits"], config["training"])
    return rows


def warn_of_folds(rows: Iterable[SlideRow], config: Mapping[str, Any], sheet_path: Path) -> None:
    """Say at the start what would stop a training on a sheet with labels; features may be wanted without one."""
    slides = labelled_slides(rows)
    for fault in fold_faults(slides, config["splits"]["folds"]) if slides else ():
        log.warning("%s: features are computed, but it cannot be trained on: %s", sheet_path, fault)


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
    return feature_path(folder, slide_id)
