"""Rule write_panels: one offline page a slide, beside the report."""

from pathlib import Path

from pipeline.logs import job_log
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams
from pipeline.report.write_panels import write_panels

with job_log(snakemake.log[0]):
    write_panels(
        ReportSources.below(Path(snakemake.output.panels).parents[2], **snakemake.params.shown),
        snakemake.output.panels,
        params=ReportParams(**snakemake.params.report),
        source=snakemake.params.source,
        threads=snakemake.threads,
    )
