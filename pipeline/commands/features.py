"""``abignet features``: tiles, nuclei, graphs and cache of every slide of a sheet, in one process."""

from pathlib import Path

import click

from pipeline.artefacts.sheet import read_sheet
from pipeline.commands.cohort import warn_of_folds
from pipeline.commands.describe_features import describe, export
from pipeline.commands.feature_stages import FeatureStages
from pipeline.commands.options import EXISTING_FILE, NEW_DIRECTORY, config_options, configured, device_option
from pipeline.errors import AbignetError
from pipeline.logs import get_logger, progress

log = get_logger("features")


@click.group("features", invoke_without_command=True)
@click.option("--sheet", "sheet_path", type=EXISTING_FILE, help="Sheet of slides (.csv).  [required]")
@click.option("--out", "out_dir", type=NEW_DIRECTORY, help="Folder for {slide_id}.zarr and work/.  [required]")
@click.option("--force", is_flag=True, help="Compute again what is up to date.")
@device_option
@config_options
@click.pass_context
def command(
    context: click.Context,
    sheet_path: Path | None,
    out_dir: Path | None,
    force: bool,
    device: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Compute the feature caches of a sheet of slides.

    Slides whose cache was made from the same file with the same settings and source are
    left as they are.  A slide that fails does not stop the others; the command then ends
    with exit code 2 and names it.

    Without a subcommand --sheet and --out are required.
    """
    if context.invoked_subcommand is not None:
        return
    if sheet_path is None or out_dir is None:
        raise click.UsageError("Missing option '--sheet' or '--out'.")
    rows = read_sheet(sheet_path)
    config = configured(config_path, settings, device=device)
    warn_of_folds(rows, config, sheet_path)
    stages = FeatureStages(out_dir, config)
    failures = {}
    for row in progress(rows, description="features", unit="slides", total=len(rows)):
        try:
            if force or not stages.up_to_date(row):
                stages.run(row)
        except AbignetError as error:
            log.error("%s: %s", row.slide_id, error)
            failures[row.slide_id] = error
    click.echo(f"{out_dir}: {len(rows) - len(failures)} of {len(rows)} feature caches")
    if failures:
        listed = "\n".join(f"  {slide_id}: {error}" for slide_id, error in failures.items())
        raise AbignetError(f"{len(failures)} of {len(rows)} slides failed:\n{listed}")


command.add_command(describe)
command.add_command(export)
