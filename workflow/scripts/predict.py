"""Rule predict: the slides without label to a table of predictions."""

from pathlib import Path

from pipeline.artefacts.sheet import rows_from_plain
from pipeline.cards.card_of_job import card_of_job
from pipeline.logs import job_log
from pipeline.training.params import ReadingParams
from pipeline.training.predict import predict

with job_log(snakemake.log[0]), card_of_job(snakemake.params.device, snakemake.resources) as device:
    predict(
        snakemake.input.model,
        Path(snakemake.params.features),
        snakemake.output.predictions,
        rows=rows_from_plain(snakemake.params.rows),
        device=device,
        source=snakemake.params.source,
        on_mismatch=snakemake.params.on_mismatch,
        reading=ReadingParams.of(snakemake.config["training"]),
    )
