"""Rule import_features: node features that another tool made into the feature cache."""

from pipeline.cellgraph.import_features import import_features
from pipeline.logs import job_log

with job_log(snakemake.log[0]):
    import_features(
        snakemake.input.imported,
        snakemake.output.features,
        slide_id=snakemake.wildcards.slide,
        source=snakemake.params.source,
        slide_mpp=snakemake.params.slide_mpp,
        on_bad_slide=snakemake.params.on_bad_slide,
    )
