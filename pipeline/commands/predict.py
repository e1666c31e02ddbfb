"""``abignet predict``."""

from collections import Counter
from pathlib import Path
from typing import get_args

import click

from pipeline.artefacts.sheet import SlideRow, read_sheet
from pipeline.commands.cohort import feature_files
from pipeline.commands.options import DEVICE, EXISTING, EXISTING_FILE, NEW_FILE, PlainNumber
from pipeline.errors import ArtefactError, OnMismatch
from pipeline.provenance import source_digest
from pipeline.training.params import DEFAULT_READING, MEMORY_GIB, ReadingParams


@click.command("predict")
@click.option("--model", "model_path", type=EXISTING_FILE, required=True, help="model.pt of a training.")
@click.option(
    "--sheet", "sheet_path", type=EXISTING_FILE, help="Sheet of slides; without it every cache of --features."
)
@click.option("--features", "features_path", type=EXISTING, help="Folder of {slide_id}.zarr or .h5, or one such file.")
@click.option("--out", "out_path", type=NEW_FILE, required=True, help="Table of predictions to write (.csv).")
@click.option("--device", type=DEVICE, default="auto", show_default=True)
@click.option(
    "--on-mismatch",
    type=click.Choice(get_args(OnMismatch)),
    default="stop",
    show_default=True,
    help="`warn` also predicts slides whose features were made otherwise than those of the training, and says so.",
)
@click.option(
    "--memory-gib",
    type=PlainNumber(MEMORY_GIB.low, MEMORY_GIB.high),
    default=DEFAULT_READING.memory_gib,
    show_default=True,
    help="GiB of features held in memory; slides beyond are read from their caches where they are used.",
)
def command(
    model_path: Path,
    sheet_path: Path | None,
    features_path: Path | None,
    out_path: Path,
    device: str,
    on_mismatch: OnMismatch,
    memory_gib: float,
) -> None:
    """Apply a trained model to feature caches.

    Slides without any patch are listed with their reason in `{stem}.excluded.csv`; the patch graphs
    that the model used are in `{stem}.graphs.zarr`. Features that were made otherwise
    than those the model was trained on (another tile size, resolution, segmenter, encoder, ...) are refused.
    """
    from pipeline.training.predict import predict

    rows, files = _wanted(sheet_path, features_path)
    predict(
        model_path,
        files,
        out_path,
        rows=rows,
        device=device,
        source=source_digest("pipeline.training.predict"),
        on_mismatch=on_mismatch,
        reading=ReadingParams(memory_gib=memory_gib),
    )
    click.echo(f"{out_path}: {len(rows)} slides")


def _wanted(sheet_path: Path | None, features_path: Path | None) -> tuple[list[SlideRow], dict[str, Path]]:
    if sheet_path is not None:
        rows = list(read_sheet(sheet_path))
        return rows, feature_files(rows, features_path, sheet_path)
    if features_path is None:
        raise ArtefactError("predict: expected --sheet, --features or both; found neither")
    files = _caches(features_path)
    return [SlideRow(slide_id, case_id=slide_id) for slide_id in files], files


def _caches(path: Path) -> dict[str, Path]:
    if path.suffix in (".zarr", ".h5"):
        return {path.stem: path}
    files = sorted(file for file in path.iterdir() if file.suffix in (".zarr", ".h5"))
    twice = sorted(stem for stem, times in Counter(file.stem for file in files).items() if times > 1)
    if not files or twice:
        raise ArtefactError(
            f"{path}: expected one .zarr or .h5 a slide, found {len(files)}; given twice: {', '.join(twice) or 'none'}"
        )
    return {file.stem: file for file in files}
