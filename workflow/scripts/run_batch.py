"""Rules of batches: the small images of one batch through a stage, by the script of the stage's rule."""

from pipeline.batches.run_batch import run_batch
from pipeline.logs import job_log

with job_log(snakemake.log[0]):
    run_batch(snakemake.params.script, snakemake.params.jobs, snakemake.params.kept, snakemake.resources)
