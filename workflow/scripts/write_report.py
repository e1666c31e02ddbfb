"""Rule write_report: everything that a run made to one self-contained page."""

from pathlib import Path

from pipeline.artefacts.sheet import SlideRow
from pipeline.logs import job_log
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams
from pipeline.report.write_report import write_report

out = Path(snakemake.output.page).parents[2]
slides = [SlideRow(**row) for row in snakemake.params.rows]

with job_log(snakemake.log[0]):
    write_report(
        ReportSources(
            run=snakemake.params.config["run"],
            slides=slides,
            training=Path(snakemake.input.comparison).parent,
            methods=snakemake.params.methods,
            seeds=snakemake.params.seeds,
            folds=snakemake.params.folds,
            tiles={slide: out / f"tiles/{slide}.parquet" for slide in snakemake.params.computed},
            overviews={slide: out / f"tiles/{slide}.png" for slide in snakemake.params.computed},
            nuclei={slide: out / f"nuclei/{slide}.parquet" for slide in snakemake.params.computed},
            features={row.slide_id: out / f"features/{row.slide_id}.zarr" for row in slides},
            predictions=next(map(Path, snakemake.input.predictions), None),
            config=snakemake.params.config,
        ),
        snakemake.output.page,
        snakemake.output.figures,
        params=ReportParams(**snakemake.params.report),
        source=snakemake.params.source,
    )
