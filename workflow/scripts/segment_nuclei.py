"""Rule segment_nuclei: the kept tiles of one slide to one table of nuclei."""

from pipeline.cards.card_of_job import card_of_job
from pipeline.logs import job_log
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segment_nuclei import segment_nuclei

with job_log(snakemake.log[0]), card_of_job(snakemake.params.device, snakemake.resources) as device:
    segment_nuclei(
        snakemake.input.slide,
        snakemake.input.tiles,
        snakemake.output.nuclei,
        slide_id=snakemake.wildcards.slide,
        params=NucleiParams(**snakemake.params.nuclei),
        device=device,
        partial_dir=snakemake.params.partial,
        on_bad_slide=snakemake.params.on_bad_slide,
        on_bad_tile=snakemake.params.on_bad_tile,
        reader=snakemake.params.reader,
        source=snakemake.params.source,
    )
