"""Rule train_final: one method, trained on all labelled slides, to the model that predicts new ones."""

from pathlib import Path

from pipeline.logs import job_log
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.train_final import train_final

with job_log(snakemake.log[0]):
    train_final(
        snakemake.input.splits,
        Path(snakemake.params.features),
        Path(snakemake.output.model).parent,
        method=snakemake.wildcards.method,
        seed=snakemake.params.seed,
        params=TrainingParams(**snakemake.params.training),
        split_params=SplitParams(**snakemake.params.splits),
        device=snakemake.params.device,
        partial_dir=snakemake.params.partial,
        source=snakemake.params.source,
    )
