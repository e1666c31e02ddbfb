"""``abignet train``: split, train and evaluate in one process, without Snakemake."""

from pathlib import Path

import click

from pipeline.artefacts.sheet import SlideRow, read_sheet, require_trainable
from pipeline.commands.options import NEW_DIRECTORY, cohort_options, config_options, configured, device_option
from pipeline.config import load_config, params
from pipeline.errors import SheetError
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
    from pipeline.training.cross_validation.train_cohort import train_cohort
    from pipeline.training.evaluation.comparison import table_text
    from pipeline.training.methods.presets import METHODS

    config = configured(config_path, settings, splits__folds=folds, device=device)
    rows = [row for row in read_sheet(sheet_path) if row.label is not None]
    require_trainable(rows, sheet_path)
    comparison = train_cohort(
        rows,
        feature_files(rows, features_dir, sheet_path),
        out_dir,
        methods=list(METHODS) if method == "all" else method.split(","),
        seed=config["seeds"][0] if seed is None else seed,
        only_fold=only_fold,
        splits=params(config, "splits", SplitParams),
        training=params(config, "training", TrainingParams),
        device=config["device"],
        source=source_digest("pipeline.training.cross_validation.train_cohort"),
        by_fold=None if tuned_dir is None else tuned_params(tuned_dir),
    )
    click.echo(table_text(comparison))


def tuned_params(tuned_dir: Path) -> dict[int, TrainingParams]:
    """Training parameters by fold, from the ``fold_{k}.yaml`` of a folder."""
    files = {int(path.stem.removeprefix("fold_")): path for path in sorted(tuned_dir.glob("fold_*.yaml"))}
    return {fold: params(load_config(path), "training", TrainingParams) for fold, path in files.items()}


def feature_files(rows: list[SlideRow], features_dir: Path | None, sheet: Path) -> dict[str, Path]:
    """Feature file of each slide: the sheet's, else ``{slide_id}.zarr`` or ``.h5`` of the folder.

    Raises
    ------
    SheetError
        With every slide that has no file, or has both.
    """
    files, faults = {}, []
    for row in rows:
        found = [row.features] if row.features else _in_folder(row.slide_id, features_dir)
        if len(found) == 1:
            files[row.slide_id] = found[0]
        else:
            faults.append(_fault(row.slide_id, features_dir, len(found)))
    if faults:
        raise SheetError(str(sheet), faults)
    return files


def _in_folder(slide_id: str, features_dir: Path | None) -> list[Path]:
    if features_dir is None:
        return []
    return [path for suffix in ("zarr", "h5") if (path := features_dir / f"{slide_id}.{suffix}").exists()]


def _fault(slide_id: str, features_dir: Path | None, n_found: int) -> str:
    if features_dir is None:
        return f"slide {slide_id}: no features; fill the column features or give --features"
    if n_found:
        return f"slide {slide_id}: expected one feature file, found {slide_id}.zarr and {slide_id}.h5 in {features_dir}"
    return f"slide {slide_id}: expected {slide_id}.zarr or {slide_id}.h5 in {features_dir}, found neither"
