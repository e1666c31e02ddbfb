"""Rule interpret: the graphs and the evidence of all test images of a method to what they have in common."""

from pathlib import Path

from pipeline.logs import job_log
from pipeline.training.interpret import interpret
from pipeline.training.interpretation.interpret_params import InterpretParams
from pipeline.training.params import ReadingParams

with job_log(snakemake.log[0]):
    interpret(
        dict(
            zip(
                map(tuple, snakemake.params.runs), [Path(model).parent for model in snakemake.input.models], strict=True
            )
        ),
        Path(snakemake.params.features),
        snakemake.output.interpretation,
        InterpretParams(**snakemake.params.interpretation),
        source=snakemake.params.source,
        reading=ReadingParams.of(snakemake.config["training"]),
    )
