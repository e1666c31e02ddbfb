"""``abignet train``: split, train and evaluate in one process, without Snakemake."""

from pathlib import Path

import click

from pipeline.commands.cohort import feature_files, labelled_rows
from pipeline.commands.options import NEW_DIRECTORY, cohort_options, config_options, configured, device_option
from pipeline.config import load_config, params
from pipeline.provenance import source_digest
from pipeline.training.params import SplitParams, TrainingParams


@click.command("train")
@cohort_options
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder of this seed's results.")
@click.option("--method", default="default", show_default=True, help="A method, several with commas between, or `all`.")
@click.option(
    "--tuned",
    "tuned_dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of `abignet tune`: each fold is trained with its own fold_{k}.yaml.",
)
@click.option("--folds", type=click.IntRange(min=2), help="Folds by patient; the sheet's column `fold` beats it.")
@click.option("--only-fold", type=click.IntRange(min=0), help="Train this fold alone.")
@click.option("--seed", type=click.IntRange(min=0), help="Of folds and weights. [default: the config's first]")
@device_option
@config_options
def command(
    sheet_path: Path,
    features_dir: Path | None,
    out_dir: Path,
    method: str,
    tuned_dir: Path | None,
    folds: int | None,
    only_fold: int | None,
    seed: int | None,
    device: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Split, train and evaluate on a sheet of slides.

    Writes splits.csv, fold_{k}/ and metrics.json; with `--method all` one such folder a
    method and comparison.csv. A killed command, given again, goes on amid the fold it was in.
    """
    from pipeline.training.cross_validation.train_cohort import CrossValidation, train_cohort
    from pipeline.training.evaluation.comparison_text import table_text
    from pipeline.training.methods.presets import METHODS

    config = configured(config_path, settings, splits__folds=folds, device=device)
    rows = labelled_rows(sheet_path, config)
    run = CrossValidation(
        methods=tuple(METHODS) if method == "all" else tuple(method.split(",")),
        seed=config["seeds"][0] if seed is None else seed,
        splits=params(config, "splits", SplitParams),
        training=params(config, "training", TrainingParams),
        device=config["device"],
        source=source_digest("pipeline.training.cross_validation.train_cohort"),
        only_fold=only_fold,
        by_fold=None if tuned_dir is None else tuned_params(tuned_dir),
    )
    comparison = train_cohort(rows, feature_files(rows, features_dir, sheet_path), out_dir, run)
    click.echo(table_text(comparison))


def tuned_params(tuned_dir: Path) -> dict[int, TrainingParams]:
    """Training parameters by fold, from the ``fold_{k}.yaml`` of a folder."""
    files = {int(path.stem.removeprefix("fold_")): path for path in sorted(tuned_dir.glob("fold_*.yaml"))}
    return {fold: params(load_config(path), "training", TrainingParams) for fold, path in files.items()}
