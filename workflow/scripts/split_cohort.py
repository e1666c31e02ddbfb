"""Rule split_cohort: the labelled slides to folds and roles, patient by patient."""

from pathlib import Path

from pipeline.artefacts.sheet import rows_from_plain
from pipeline.logs import job_log
from pipeline.training.params import SplitParams
from pipeline.training.split_cohort import SplitJob, split_cohort

with job_log(snakemake.log[0]):
    split_cohort(
        rows_from_plain(snakemake.params.rows),
        snakemake.params.features,
        Path(snakemake.output.splits).parent,
        SplitJob(
            params=SplitParams(**snakemake.params.splits),
            seeds=tuple(snakemake.params.seeds),
            source=snakemake.params.source,
            on_mismatch=snakemake.params.on_mismatch,
        ),
    )
