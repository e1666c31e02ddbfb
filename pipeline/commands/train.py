"""``abignet train``: split, train and evaluate in one process, without Snakemake."""

from pathlib import Path
from typing import Any

import click

from pipeline.commands.cohort import LearningRequest
from pipeline.commands.options import EXISTING_DIRECTORY, NEW_DIRECTORY, cohort_options, fold_options
from pipeline.config import load_config, params
from pipeline.logs import get_logger
from pipeline.provenance import source_digest
from pipeline.training.methods.packages import usable_methods
from pipeline.training.params import TrainingParams

log = get_logger("training")


@click.command("train")
@cohort_options
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder of this seed's results.")
@click.option("--method", default="default", show_default=True, help="A method, several with commas between, or `all`.")
@click.option(
    "--tuned",
    "tuned_dir",
    type=EXISTING_DIRECTORY,
    help="Folder of `abignet tune`: each fold is trained with its own fold_{k}.yaml.",
)
@fold_options
def command(out_dir: Path, method: str, tuned_dir: Path | None, **shared: Any) -> None:
    """Split, train and evaluate on a sheet of slides.

    Writes splits.csv, fold_{k}/ and metrics.json; with `--method all` one such folder a
    method and comparison.csv. A killed command, given again, goes on amid the fold it was in.
    """
    from pipeline.training.cross_validation.train_cohort import CrossValidation, train_cohort
    from pipeline.training.evaluation.comparison_text import table_text

    asked = LearningRequest(**shared)
    run = CrossValidation(
        methods=method_names(method),
        seed=asked.first_seed,
        splits=asked.splits,
        training=asked.training,
        device=asked.config["device"],
        source=source_digest("pipeline.training.cross_validation.train_cohort"),
        only_fold=asked.only_fold,
        by_fold=None if tuned_dir is None else tuned_params(tuned_dir),
        on_mismatch=asked.config["on_mismatch"],
    )
    comparison = train_cohort(asked.rows, asked.files, out_dir, run)
    click.echo(table_text(comparison))


def method_names(given: str) -> tuple[str, ...]:
    """Methods that ``--method`` names: one, several with commas between, or ``all`` that can be used here."""
    if given != "all":
        return tuple(name.strip() for name in given.split(","))
    usable, lacking = usable_methods()
    for name, package in lacking.items():
        log.warning("%s is left out: it needs the package %s (pip install 'abignet[mil]')", name, package)
    return usable


def tuned_params(tuned_dir: Path) -> dict[int, TrainingParams]:
    """Training parameters by fold, from the ``fold_{k}.yaml`` of a folder."""
    files = {path.stem.removeprefix("fold_"): path for path in sorted(tuned_dir.glob("fold_*.yaml"))}
    return {
        int(fold): params(load_config(path), "training", TrainingParams)
        for fold, path in files.items()
        if fold.isdecimal()
    }
