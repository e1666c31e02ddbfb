"""Rule write_report: everything that a run made to one self-contained page."""

import os
from pathlib import Path

from pipeline.logs import job_log
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams
from pipeline.report.write_report import write_report

with job_log(snakemake.log[0]):
    write_report(
        ReportSources.below(Path(snakemake.output.page).parents[2], **snakemake.params.shown),
        snakemake.output.page,
        snakemake.output.figures,
        params=ReportParams(**snakemake.params.report),
        source=snakemake.params.source,
        command=os.environ.get("ABIGNET_COMMAND", ""),
    )
