"""Rule import_nuclei: nuclei that another program found to the table of nuclei of a slide."""

from pipeline.logs import job_log
from pipeline.nuclei.import_nuclei import import_nuclei

with job_log(snakemake.log[0]):
    import_nuclei(
        snakemake.input.tiles,
        snakemake.input.found,
        snakemake.output.nuclei,
        slide_id=snakemake.wildcards.slide,
        source=snakemake.params.source,
        on_bad_slide=snakemake.params.on_bad_slide,
    )
