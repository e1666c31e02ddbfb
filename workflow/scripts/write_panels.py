"""Rule write_panels: one offline page a slide, beside the report."""

from pathlib import Path

from pipeline.artefacts.sheet import rows_from_plain
from pipeline.logs import job_log
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams
from pipeline.report.write_panels import write_panels

with job_log(snakemake.log[0]):
    write_panels(
        ReportSources.below(
            Path(snakemake.output.panels).parents[2],
            rows_from_plain(snakemake.params.rows),
            snakemake.params.config,
            folds=snakemake.params.folds,
            computed=snakemake.params.computed,
            new_slides=snakemake.params.new_slides,
        ),
        snakemake.output.panels,
        params=ReportParams(**snakemake.params.report),
        source=snakemake.params.source,
        threads=snakemake.threads,
    )
