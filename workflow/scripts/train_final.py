"""Rule train_final: one method, trained on all labelled slides, to the model that predicts new ones."""

from pathlib import Path

from pipeline.cards.card_of_job import card_of_job
from pipeline.logs import job_log
from pipeline.training.cohort.roles import Split
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.params import SplitParams, TrainingParams
from pipeline.training.train_final import train_final

with job_log(snakemake.log[0]), card_of_job(snakemake.params.device, snakemake.resources) as device:
    train_final(
        snakemake.input.splits,
        Path(snakemake.params.features),
        Path(snakemake.output.model).parent,
        TrainingJob(
            method=snakemake.wildcards.method,
            split=Split(seed=snakemake.params.seed, fold=None),
            params=TrainingParams(**snakemake.config["training"] | snakemake.params.training),
            device=device,
            source=snakemake.params.source,
            partial_dir=Path(snakemake.params.partial),
            on_mismatch=snakemake.params.on_mismatch,
        ),
        SplitParams(**snakemake.params.splits),
    )
