"""``abignet graphs``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_FILE, NEW_DIRECTORY, config_options, configured
from pipeline.config import params
from pipeline.provenance import source_digest


@click.command("graphs")
@click.option("--tiles", "tiles_path", type=EXISTING_FILE, required=True, help="Table of tiles of the slide.")
@click.option("--nuclei", "nuclei_path", type=EXISTING_FILE, required=True, help="Table of nuclei of the slide.")
@click.option("--out", "graphs_path", type=NEW_DIRECTORY, required=True, help="Zarr store of cell graphs to write.")
@config_options
def command(
    tiles_path: Path, nuclei_path: Path, graphs_path: Path, config_path: Path | None, settings: tuple[str, ...]
) -> None:
    """Build the cell graphs of a slide from its tiles and nuclei."""
    from pipeline.artefacts.cell_graphs import read_cell_graphs
    from pipeline.artefacts.tiles import read_tiles
    from pipeline.cellgraph.build_cell_graphs import build_cell_graphs
    from pipeline.cellgraph.params import CellGraphParams

    build_cell_graphs(
        tiles_path,
        nuclei_path,
        graphs_path,
        slide_id=read_tiles(tiles_path).header["slide_id"],
        params=params(configured(config_path, settings), "cell_graphs", CellGraphParams),
        source=source_digest("pipeline.cellgraph.build_cell_graphs"),
    )
    graphs, _ = read_cell_graphs(graphs_path)
    click.echo(
        f"{graphs_path}: {len(graphs.tile_id)} graphs, {len(graphs.nucleus_id)} nuclei, "
        f"{graphs.edge_index.shape[1] // 2} edges"
    )
