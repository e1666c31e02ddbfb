"""Rule train_fold: one method, seed and fold to a model, its test predictions and its graphs."""

from pathlib import Path

from pipeline.logs import job_log
from pipeline.training.params import TrainingParams
from pipeline.training.train_fold import train_fold

with job_log(snakemake.log[0]):
    train_fold(
        snakemake.input.splits,
        Path(snakemake.params.features),
        Path(snakemake.output.model).parent,
        method=snakemake.wildcards.method,
        seed=int(snakemake.wildcards.seed),
        fold=int(snakemake.wildcards.fold),
        params=TrainingParams(**snakemake.params.training),
        device=snakemake.params.device,
        partial_dir=snakemake.params.partial,
        source=snakemake.params.source,
    )
