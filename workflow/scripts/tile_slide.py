"""Rule tile_slide: one slide to its tissue, its grid of tiles and its overview picture."""

from pipeline.logs import job_log
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_slide import tile_slide

with job_log(snakemake.log[0]):
    tile_slide(
        snakemake.input.slide,
        snakemake.output.tiles,
        snakemake.output.overview,
        slide_id=snakemake.wildcards.slide,
        mpp=snakemake.params.row["mpp"],
        mask_path=snakemake.input.mask or None,
        params=TilingParams(**snakemake.params.tiling),
        on_bad_slide=snakemake.params.on_bad_slide,
        on_bad_tile=snakemake.params.on_bad_tile,
        reader=snakemake.params.reader,
        source=snakemake.params.source,
    )
