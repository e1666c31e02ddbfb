"""``abignet report``: the page of a training, without Snakemake."""

import shlex
import sys
from pathlib import Path

import click

from pipeline.artefacts.sheet import read_sheet
from pipeline.commands.cohort import feature_files
from pipeline.commands.options import EXISTING_DIRECTORY, NEW_DIRECTORY, cohort_options, config_options, configured
from pipeline.config import params
from pipeline.provenance import source_digest
from pipeline.report.params import ReportParams


@click.command("report")
@click.argument("trained", type=EXISTING_DIRECTORY)
@cohort_options
@click.option("--out", "out_dir", type=NEW_DIRECTORY, help="Folder of the report. [default: TRAINED/report]")
@click.option("--panels/--no-panels", default=True, show_default=True, help="Whether each slide gets a panel.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Panels made at once.")
@config_options
def command(
    trained: Path,
    sheet_path: Path,
    features_dir: Path | None,
    out_dir: Path | None,
    panels: bool,
    threads: int,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Write the report of a training: index.html, figures/ and panels/.

    TRAINED is --out of `abignet train`, of one method or several. Tiles and nuclei are shown
    where `abignet features` has left them (its folder work/).
    """
    from pipeline.report.contents.report_sources import ReportSources
    from pipeline.report.contents.wording import plural
    from pipeline.report.write_panels import write_panels
    from pipeline.report.write_report import write_report

    asked = shlex.join(["abignet", *sys.argv[1:]])
    config = configured(config_path, settings)
    shown = params(config, "report", ReportParams)
    rows = [row for row in read_sheet(sheet_path) if row.label is not None]
    features = feature_files(rows, features_dir, sheet_path)
    work = None if features_dir is None else features_dir / "work"
    sources = ReportSources.of_trained(trained, rows, features, config, work=work, has_panels=panels)
    out = out_dir or trained / "report"
    if panels:
        source = source_digest("pipeline.report.write_panels")
        write_panels(sources, out / "panels", params=shown, source=source, threads=threads)
    source = source_digest("pipeline.report.write_report")
    write_report(sources, out / "index.html", out / "figures", params=shown, source=source, command=asked)
    click.echo(f"{out / 'index.html'}: {plural(len(sources.methods), 'method')} on {plural(len(rows), 'slide')}")
