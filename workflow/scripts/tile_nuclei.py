"""Rule tile_nuclei: nuclei that come without a slide to tiles over their extent and an overview picture."""

from pipeline.logs import job_log
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_nuclei import tile_nuclei

with job_log(snakemake.log[0]):
    tile_nuclei(
        snakemake.input.found,
        snakemake.output.tiles,
        snakemake.output.overview,
        slide_id=snakemake.wildcards.slide,
        mpp=snakemake.params.mpp,
        params=TilingParams(**snakemake.params.tiling),
        on_bad_slide=snakemake.params.on_bad_slide,
        source=snakemake.params.source,
    )
