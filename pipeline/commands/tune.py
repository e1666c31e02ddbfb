"""``abignet tune``: search a method's settings inside the training part of every fold."""

from pathlib import Path

import click
import yaml

from pipeline.commands.cohort import feature_files, labelled_rows
from pipeline.commands.options import (
    EXISTING_FILE,
    NEW_DIRECTORY,
    cohort_options,
    config_options,
    configured,
    device_option,
)
from pipeline.config import params
from pipeline.errors import ConfigError
from pipeline.provenance import source_digest
from pipeline.training.params import SplitParams, TrainingParams


@click.command("tune")
@cohort_options
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder of the trials and best settings.")
@click.option("--method", default="default", show_default=True, help="The method whose settings are searched.")
@click.option("--trials", type=click.IntRange(min=2), default=27, show_default=True, help="Settings tried a fold.")
@click.option("--space", "space_path", type=EXISTING_FILE, help="YAML of lists by key of `training` to draw from.")
@click.option("--folds", type=click.IntRange(min=2), help="Folds by patient; the sheet's column `fold` beats it.")
@click.option("--only-fold", type=click.IntRange(min=0), help="Search in this fold alone.")
@click.option("--seed", type=click.IntRange(min=0), help="Of folds, draws and weights. [default: the config's first]")
@device_option
@config_options
def command(
    sheet_path: Path,
    features_dir: Path | None,
    out_dir: Path,
    method: str,
    trials: int,
    space_path: Path | None,
    folds: int | None,
    only_fold: int | None,
    seed: int | None,
    device: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Search settings by successive halving, never with the test images of a fold.

    Writes trials.csv, and the best settings as fold_{k}.yaml (`abignet train --tuned`
    trains every fold with its own) and final.yaml (for `--config`).
    """
    from pipeline.training.cross_validation.tune import Search, tune

    config = configured(config_path, settings, splits__folds=folds, device=device)
    rows = labelled_rows(sheet_path, config)
    search = Search(
        method=method,
        seed=config["seeds"][0] if seed is None else seed,
        n_trials=trials,
        splits=params(config, "splits", SplitParams),
        training=params(config, "training", TrainingParams),
        device=config["device"],
        source=source_digest("pipeline.training.cross_validation.tune"),
        space=None if space_path is None else _read_space(space_path),
        only_fold=only_fold,
    )
    searched = tune(rows, feature_files(rows, features_dir, sheet_path), out_dir, search)
    click.echo(searched[searched["best"]].drop(columns="best").to_string(index=False))


def _read_space(path: Path) -> dict[str, list[object]]:
    try:
        space = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected a YAML file, found: {error}") from error
    if not isinstance(space, dict) or not all(isinstance(v, list) and v for v in space.values()):
        raise ConfigError(f"{path}: expected a list of values by key of the config's section training.")
    return space
