"""Rule export_tiles: the tiles of a slide as TRIDENT, CLAM and QuPath read them."""

from pipeline.logs import job_log
from pipeline.report.export_tiles import export_tiles

with job_log(snakemake.log[0]):
    export_tiles(
        snakemake.input.tiles,
        slide_path=snakemake.input.slide,
        trident_path=snakemake.output.trident,
        clam_path=snakemake.output.clam,
        outlines_path=snakemake.output.outlines,
    )
