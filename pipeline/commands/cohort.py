"""What commands on a cohort read: the labelled rows of its sheet, and the feature file of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.artefacts.feature_files import feature_path
from pipeline.artefacts.sheet import SlideRow, read_sheet
from pipeline.commands.options import configured
from pipeline.config import params
from pipeline.errors import ArtefactError, SheetError
from pipeline.logs import get_logger
from pipeline.training.cohort.fold_plan import fold_faults, labelled_slides, require_folds, require_select_share
from pipeline.training.params import SplitParams, TrainingParams

log = get_logger("features")


@dataclass(frozen=True)
class LearningRequest:
    """What commands that learn from a cohort were asked, as their shared options say it.

    Attributes
    ----------
    sheet_path
        Sheet of slides.
    features_dir
        Folder of feature files of slides for which the sheet has none.
    folds
        Number of folds in place of the configuration's.
    only_fold
        Fold to work in alone; None all.
    seed
        Seed in place of the configuration's first.
    device
        Device in place of the configuration's.
    config_path, settings
        What differs from the default configuration.
    """

    sheet_path: Path
    features_dir: Path | None
    folds: int | None
    only_fold: int | None
    seed: int | None
    device: str | None
    config_path: Path | None
    settings: tuple[str, ...]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration.

        Raises
        ------
        ConfigError
            If a key or value is not allowed.
        """
        return configured(self.config_path, self.settings, splits__folds=self.folds, device=self.device)

    @cached_property
    def rows(self) -> list[SlideRow]:
        """Rows to learn from; raises as ``labelled_rows``."""
        return labelled_rows(self.sheet_path, self.config)

    @cached_property
    def files(self) -> dict[str, Path]:
        """Feature file of each; raises as ``feature_files``."""
        return feature_files(self.rows, self.features_dir, self.sheet_path)

    @property
    def first_seed(self) -> int:
        """Seed of folds and everything drawn."""
        return int(self.config["seeds"][0]) if self.seed is None else self.seed

    @property
    def splits(self) -> SplitParams:
        """How the cohort is divided."""
        return params(self.config, "splits", SplitParams)

    @property
    def training(self) -> TrainingParams:
        """How models are trained."""
        return params(self.config, "training", TrainingParams)


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
