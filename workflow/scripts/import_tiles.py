"""Rule import_tiles: tiles chosen elsewhere to a tile table and its overview picture."""

from pipeline.logs import job_log
from pipeline.tiling.import_tiles import import_tiles
from pipeline.tiling.params import TilingParams

with job_log(snakemake.log[0]):
    import_tiles(
        snakemake.input.slide,
        snakemake.input.coords,
        snakemake.output.tiles,
        snakemake.output.overview,
        slide_id=snakemake.wildcards.slide,
        mpp=snakemake.params.row["mpp"],
        params=TilingParams(**snakemake.params.tiling),
        on_bad_slide=snakemake.params.on_bad_slide,
        on_bad_tile=snakemake.params.on_bad_tile,
        reader=snakemake.params.reader,
        source=snakemake.params.source,
    )
