"""``abignet features describe`` and ``abignet features export-anndata``."""

from collections.abc import Sequence
from pathlib import Path

import click
import pandas as pd

from pipeline.artefacts.csv_files import read_csv, write_csv
from pipeline.artefacts.sheet import SlideRow, read_sheet
from pipeline.commands.options import EXISTING_DIRECTORY, EXISTING_FILE, NEW_DIRECTORY, NEW_FILE
from pipeline.errors import ArtefactError

SHEET = click.option("--sheet", "sheet_path", type=EXISTING_FILE, required=True, help="Sheet of slides (.csv).")
FEATURES = click.option(
    "--features",
    "features_dir",
    type=EXISTING_DIRECTORY,
    required=True,
    help="Folder with {slide_id}.zarr.",
)


@click.command("describe")
@SHEET
@FEATURES
@click.option("--out", "out_dir", type=NEW_DIRECTORY, required=True, help="Folder for the three tables.")
@click.option(
    "--batch",
    "batch_path",
    type=EXISTING_FILE,
    help="CSV with columns slide_id and batch (site, scanner, ...) whose effect is to be measured.",
)
def describe(sheet_path: Path, features_dir: Path, out_dir: Path, batch_path: Path | None) -> None:
    """Describe the features of a cohort: distribution by class, missing values, correlation, batches.

    Writes distribution.csv, correlation.csv and groups.csv.  Patients are a batch where the sheet
    names them.
    """
    from pipeline.artefacts.feature_parts import open_features
    from pipeline.cellgraph.features.describe_features import describe_features

    rows = read_sheet(sheet_path)
    caches = [open_features(path) for path in _caches(rows, features_dir)]
    groupings = {"patient": {row.slide_id: row.case_id for row in rows}} if any(r.case_given for r in rows) else {}
    if batch_path is not None:
        batches = read_csv(batch_path, "batches", {"slide_id": "str", "batch": "str"})
        groupings["batch"] = dict(zip(batches["slide_id"], batches["batch"], strict=True))
    statistics = describe_features(caches, {row.slide_id: row.label for row in rows}, groupings)
    correlation = statistics.correlation.reset_index(names="feature")
    for name, table in (
        ("distribution", statistics.distribution),
        ("correlation", correlation),
        ("groups", statistics.groups),
    ):
        write_csv(out_dir / f"{name}.csv", table, {"feature": "str"})
    click.echo(_summary(statistics.distribution, statistics.groups, out_dir))


def _summary(distribution: pd.DataFrame, groups: pd.DataFrame, out_dir: Path) -> str:
    everything = distribution[distribution["class"] == "all"]
    n_missing = int((everything["missing_share"] > 0).sum())
    lines = [
        f"{out_dir}: {len(everything)} features of {everything['n_tiles'].iloc[0]} tiles of "
        f"{everything['n_images'].iloc[0]} images; {n_missing} features with undefined values"
    ]
    for grouping, effects in groups.dropna(subset="eta_squared").groupby("grouping"):
        strongest = effects.nlargest(3, "omega_squared")
        named = ", ".join(f"{f} {e:.2f}" for f, e in zip(strongest["feature"], strongest["eta_squared"], strict=True))
        lines.append(f"  {grouping}: median eta^2 {effects['eta_squared'].median():.2f}; strongest {named}")
    return "\n".join(lines)


@click.command("export-anndata")
@SHEET
@FEATURES
@click.option("--out", "out_path", type=NEW_FILE, required=True, help="AnnData file (.h5ad) to write.")
@click.option(
    "--trained",
    "trained_dir",
    type=EXISTING_DIRECTORY,
    help="--out of `abignet train` or {outdir}/training/{run}/{method}/seed_{s}: adds the learned graphs.",
)
def export(sheet_path: Path, features_dir: Path, out_path: Path, trained_dir: Path | None) -> None:
    """Write the feature caches of a sheet as one AnnData file; needs the package anndata."""
    from pipeline.exports.anndata_export import export_anndata
    from pipeline.exports.graphs.trained_folds import folds_of_folder

    rows = read_sheet(sheet_path)
    trained = None if trained_dir is None else folds_of_folder(trained_dir)
    n_tiles = export_anndata(list(zip(rows, _caches(rows, features_dir), strict=True)), out_path, trained=trained)
    click.echo(f"{out_path}: {n_tiles} tiles of {len(rows)} slides")


def _caches(rows: Sequence[SlideRow], features_dir: Path) -> list[Path]:
    """Feature cache of each row.

    Raises
    ------
    ArtefactError
        Naming the slides without one.
    """
    paths = [features_dir / f"{row.slide_id}.zarr" for row in rows]
    missing = [path.stem for path in paths if not path.is_dir()]
    if missing:
        raise ArtefactError(
            f"{features_dir}: expected a cache for each of {len(rows)} slides, {len(missing)} are missing: "
            f"{', '.join(missing[:10])}{', ...' if len(missing) > 10 else ''}. Make them with `abignet features`."
        )
    return paths
