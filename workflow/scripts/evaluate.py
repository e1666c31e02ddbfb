"""Rule evaluate: the predictions of all folds to metrics and to the comparison of methods."""

from pathlib import Path

from pipeline.logs import job_log
from pipeline.training.evaluate import evaluate

with job_log(snakemake.log[0]):
    evaluate(
        Path(snakemake.output.comparison).parent,
        methods=snakemake.params.methods,
        seeds=snakemake.params.seeds,
        folds=snakemake.params.folds,
        source=snakemake.params.source,
    )
