"""Rule cache_features: the cell graphs of one slide to one feature vector per patch."""

from pipeline.cellgraph.cache_features import SlideArtefacts, cache_features
from pipeline.cellgraph.params import FeatureParams
from pipeline.logs import job_log

with job_log(snakemake.log[0]):
    cache_features(
        SlideArtefacts(
            snakemake.wildcards.slide,
            snakemake.input.tiles,
            snakemake.input.nuclei,
            snakemake.input.cell_graphs,
            snakemake.input.get("imported") or None,
        ),
        snakemake.output.features,
        FeatureParams(**snakemake.params.features),
        snakemake.params.source,
        snakemake.params.on_bad_slide,
    )
