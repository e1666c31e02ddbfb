"""``abignet explain``."""

from pathlib import Path

import click

from pipeline.artefacts.interpretation import INTERPRETATION
from pipeline.artefacts.sheet import read_sheet
from pipeline.commands.cohort import feature_files
from pipeline.commands.options import (
    EXISTING_DIRECTORY,
    EXISTING_FILE,
    config_options,
    configured,
    device_option,
)
from pipeline.config import params
from pipeline.errors import ArtefactError
from pipeline.provenance import source_digest
from pipeline.training.interpretation.explain_params import ExplainParams
from pipeline.training.interpretation.interpret_params import InterpretParams
from pipeline.training.params import ReadingParams


@click.command("explain")
@click.argument("trained", type=EXISTING_DIRECTORY)
@click.option("--sheet", "sheet_path", type=EXISTING_FILE, help="Sheet that the training had.")
@click.option("--features", "features_dir", type=EXISTING_DIRECTORY, help="Folder of {slide_id}.zarr or .h5.")
@device_option
@config_options
def command(
    trained: Path,
    sheet_path: Path | None,
    features_dir: Path | None,
    device: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Say which patches, edges and features spoke for the prediction of each test image.

    TRAINED is --out of `abignet train`, or training/{run}/{method}/seed_{s} of a run. Writes
    evidence.zarr (in log-odds of a class against the rest, of the whole model) and
    faithfulness.json into each fold_{k}/, and interpretation/ beside them: whether evidence is
    faithful and graphs are stable, graphs by class, motifs.
    """
    from pipeline.training.explain_fold import explain_fold
    from pipeline.training.interpret import interpret

    config = configured(config_path, settings, device=device)
    explain = params(config, "explain", ExplainParams)
    folds = fold_folders(trained)
    if sheet_path is None and features_dir is None:
        raise ArtefactError("explain: expected --sheet, --features or both; found neither")
    rows = [] if sheet_path is None else [row for row in read_sheet(sheet_path) if row.label is not None]
    features = features_dir if sheet_path is None else feature_files(rows, features_dir, sheet_path)
    assert features is not None
    source, reading = source_digest("pipeline.training.interpret"), ReadingParams.of(config["training"])
    for fold in folds:
        explain_fold(fold, features, explain, device=config["device"], source=source, reading=reading)
    for method in sorted({fold.parent for fold in folds}):
        of_method = {(0, int(fold.name.removeprefix("fold_"))): fold for fold in folds if fold.parent == method}
        together = params(config, "interpretation", InterpretParams)
        interpret(of_method, features, method / INTERPRETATION, together, source=source, reading=reading)
    click.echo(f"{trained}: evidence in {len(folds)} folds")


def fold_folders(trained: Path) -> list[Path]:
    """Folders of folds of one method, or of several, whose folders lie in ``trained``.

    Raises
    ------
    ArtefactError
        If there is none with a model.
    """
    folds = [path.parent for depth in ("fold_*", "*/fold_*") for path in sorted(trained.glob(f"{depth}/model.pt"))]
    if not folds:
        raise ArtefactError(
            f"{trained}: expected fold_{{k}}/model.pt or {{method}}/fold_{{k}}/model.pt, found none. Give --out of "
            "`abignet train`, or training/{run}/{method}/seed_{s} of a run."
        )
    return folds
