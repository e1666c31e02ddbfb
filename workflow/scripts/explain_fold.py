"""Rule explain_fold: the model of a fold to what speaks for which class in its test images."""

from pathlib import Path

from pipeline.cards.card_of_job import card_of_job
from pipeline.logs import job_log
from pipeline.training.explain_fold import explain_fold
from pipeline.training.interpretation.explain_params import ExplainParams
from pipeline.training.params import ReadingParams

with job_log(snakemake.log[0]), card_of_job(snakemake.params.device, snakemake.resources) as device:
    explain_fold(
        Path(snakemake.input.model).parent,
        Path(snakemake.params.features),
        ExplainParams(**snakemake.params.explain),
        device=device,
        source=snakemake.params.source,
        reading=ReadingParams.of(snakemake.config["training"]),
    )
