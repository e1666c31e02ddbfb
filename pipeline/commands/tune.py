"""``abignet tune``: search a method's settings inside the training part of every fold."""

from pathlib import Path
from typing import Any

import click

from pipeline.commands.cohort import LearningRequest
from pipeline.commands.options import EXISTING_FILE, NEW_DIRECTORY, cohort_options, fold_options
from pipeline.errors import ConfigError
from pipeline.plain_yaml import read_yaml
from pipeline.provenance import source_digest


@click.command("tune")
@cohort_options
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder of the trials and best settings.")
@click.option("--method", default="default", show_default=True, help="The method whose settings are searched.")
@click.option("--trials", type=click.IntRange(min=2), default=27, show_default=True, help="Settings tried a fold.")
@click.option("--space", "space_path", type=EXISTING_FILE, help="YAML of lists by key of `training` to draw from.")
@fold_options
def command(out_dir: Path, method: str, trials: int, space_path: Path | None, **shared: Any) -> None:
    """Search settings by successive halving, never with the test images of a fold.

    Writes trials.csv, and the best settings as fold_{k}.yaml (`abignet train --tuned`
    trains every fold with its own) and final.yaml (for `--config`).
    """
    from pipeline.training.cross_validation.tune import Search, tune

    asked = LearningRequest(**shared)
    search = Search(
        method=method,
        seed=asked.first_seed,
        n_trials=trials,
        splits=asked.splits,
        training=asked.training,
        device=asked.config["device"],
        source=source_digest("pipeline.training.cross_validation.tune"),
        space=None if space_path is None else _read_space(space_path),
        only_fold=asked.only_fold,
        on_mismatch=asked.config["on_mismatch"],
    )
    searched = tune(asked.rows, asked.files, out_dir, search)
    click.echo(searched[searched["best"]].drop(columns="best").to_string(index=False))


def _read_space(path: Path) -> dict[str, list[object]]:
    space = read_yaml(path)
    if not isinstance(space, dict) or not all(isinstance(v, list) and v for v in space.values()):
        raise ConfigError(f"{path}: expected a list of values by key of the config's section training.")
    return space
