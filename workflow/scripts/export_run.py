"""Rule export_run: what a training says of its test images to GeoJSON for QuPath."""

from pathlib import Path

from pipeline.logs import job_log
from pipeline.report.export_run import export_run

with job_log(snakemake.log[0]):
    export_run(
        [Path(predictions).parent for predictions in snakemake.input.predictions],
        Path(snakemake.params.features),
        snakemake.output.slides,
        tiles=dict(zip(snakemake.params.computed, map(Path, snakemake.input.tiles), strict=True)),
    )
