"""Rule export_geojson: the nuclei and patches of one slide to files that QuPath opens."""

from pipeline.logs import job_log
from pipeline.report.export_geojson import export_geojson

with job_log(snakemake.log[0]):
    export_geojson(
        snakemake.input.tiles,
        snakemake.input.nuclei,
        snakemake.input.features,
        snakemake.output.nuclei,
        snakemake.output.patches,
        slide_id=snakemake.wildcards.slide,
    )
