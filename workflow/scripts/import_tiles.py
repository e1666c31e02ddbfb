"""Rule import_tiles: tiles chosen elsewhere to a tile table and its overview picture."""

from pathlib import Path

from pipeline.logs import job_log
from pipeline.slides.slide_input import SlideInput
from pipeline.tiling.import_tiles import import_tiles
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_table.tiling_job import TilingJob

with job_log(snakemake.log[0]):
    import_tiles(
        snakemake.input.coords,
        TilingJob(
            SlideInput(
                snakemake.wildcards.slide,
                Path(snakemake.input.slide),
                snakemake.params.row["mpp"],
                snakemake.params.reader,
                snakemake.params.on_bad_slide,
                snakemake.params.on_bad_tile,
            ),
            snakemake.output.tiles,
            snakemake.output.overview,
            TilingParams(**snakemake.params.tiling),
            snakemake.params.source,
        ),
    )
