"""Rule cache_features: the cell graphs of one slide to one feature vector per patch."""

from pipeline.cellgraph.cache_features import cache_features
from pipeline.cellgraph.params import FeatureParams
from pipeline.logs import job_log

with job_log(snakemake.log[0]):
    cache_features(
        snakemake.input.tiles,
        snakemake.input.nuclei,
        snakemake.input.cell_graphs,
        snakemake.output.features,
        slide_id=snakemake.wildcards.slide,
        params=FeatureParams(**snakemake.params.features),
        source=snakemake.params.source,
        imported_path=snakemake.input.get("imported") or None,
    )
