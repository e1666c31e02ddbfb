"""Rule build_cell_graphs: the nuclei of one slide to one orientation graph per tile."""

from pipeline.cellgraph.build_cell_graphs import build_cell_graphs
from pipeline.cellgraph.params import CellGraphParams
from pipeline.logs import job_log

with job_log(snakemake.log[0]):
    build_cell_graphs(
        snakemake.input.tiles,
        snakemake.input.nuclei,
        snakemake.output.cell_graphs,
        slide_id=snakemake.wildcards.slide,
        params=CellGraphParams(**snakemake.params.cell_graphs),
        source=snakemake.params.source,
    )
