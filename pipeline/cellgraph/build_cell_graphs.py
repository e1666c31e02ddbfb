"""Rule ``build_cell_graphs``: from the tile and nucleus tables of a slide to the cell graphs of its kept tiles."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artefacts.cell_graphs import CellGraphs, empty_cell_graphs, write_cell_graphs
from pipeline.artefacts.header import check_slide
from pipeline.artefacts.made_from import check_made_from
from pipeline.artefacts.nuclei import PAPER_MEASURES, read_nuclei
from pipeline.artefacts.tables import HeadedTable
from pipeline.artefacts.tiles import kept_tiles, read_tiles
from pipeline.cellgraph.graphs.csr import offsets_of_counts
from pipeline.cellgraph.graphs.edge_rules import build_graphs_batch
from pipeline.cellgraph.graphs.slide_tables import unreadable_tiles
from pipeline.cellgraph.graphs.tiled_nuclei import tiled_nuclei
from pipeline.cellgraph.params import CellGraphParams
from pipeline.errors import ArtefactError, ConfigError
from pipeline.logs import get_logger
from pipeline.provenance import digests, record

LOG = get_logger("cell_graphs")


def build_cell_graphs(
    tiles_path: str | Path,
    nuclei_path: str | Path,
    graphs_path: str | Path,
    *,
    slide_id: str,
    params: CellGraphParams,
    source: str,
) -> None:
    """Write ``cell_graphs/{slide}.zarr``.

    A slide without kept tiles or without nuclei gets an empty store with the reason of the table that is empty.
    Tiles that could not be read when nuclei were looked for have no graph.

    Parameters
    ----------
    tiles_path, nuclei_path
        Tables of this slide.
    graphs_path
        Store to write.
    slide_id
        The slide that both tables must be of.
    params
        Which nuclei are joined.
    source
        Source digest of this room.

    Raises
    ------
    ArtefactError
        If a table is missing, damaged, of another slide, or nuclei were segmented in other tiles or belong to a tile
        that is not there.
    ConfigError
        If ``params`` compare measures that no nucleus of an imported table has.
    """
    tiles, nuclei = read_tiles(tiles_path), read_nuclei(nuclei_path)
    check_slide(tiles.header, slide_id, "tiles", tiles_path)
    check_slide(nuclei.header, slide_id, "nuclei", nuclei_path)
    made_from = digests({"tiles": tiles_path, "nuclei": nuclei_path})
    check_made_from("nuclei", nuclei_path, nuclei.upstream, {"tiles": tiles_path}, made_from)
    provenance = record(params=params, source=source, upstream=made_from)
    reason = tiles.reason or nuclei.reason
    graphs = empty_cell_graphs() if reason else _graphs(tiles, nuclei, nuclei_path, params)
    write_cell_graphs(graphs_path, graphs, slide_id=slide_id, reason=reason, provenance=provenance)
    LOG.info(
        "%s: %d tiles, %d nuclei, %d edges%s",
        slide_id,
        len(graphs.tile_id),
        len(graphs.nucleus_id),
        graphs.edge_index.shape[1] // 2,
        f" ({reason})" if reason else "",
    )


def _graphs(tiles: HeadedTable, nuclei: HeadedTable, nuclei_path: str | Path, params: CellGraphParams) -> CellGraphs:
    kept = kept_tiles(tiles)["tile_id"].to_numpy(np.int64)
    tile_id = kept[~np.isin(kept, unreadable_tiles(nuclei))]
    _check_owners(tiles, nuclei, nuclei_path)
    _check_measures(nuclei.frame, nuclei_path, params)
    # Nuclei go by tile in the order of the tile table, then by their own number.
    place = pd.Series(np.arange(len(tile_id)), index=tile_id)
    position = place.reindex(nuclei.frame["tile_id"]).to_numpy(np.float64)
    rows = np.flatnonzero(np.isfinite(position))
    rows = rows[np.argsort(position[rows], kind="stable")]
    node_offsets = offsets_of_counts(np.bincount(position[rows].astype(np.int64), minlength=len(tile_id)))
    mpp = float(nuclei.header["mpp"])
    groups = node_offsets if params.extent == "tile" else node_offsets[[0, -1]]
    edges = build_graphs_batch(tiled_nuclei(nuclei.frame.iloc[rows], groups, params, mpp), params, mpp=mpp)
    return CellGraphs(
        tile_id=tile_id,
        nucleus_id=nuclei.frame["nucleus_id"].to_numpy(np.int64)[rows],
        node_offsets=node_offsets,
        edge_index=edges.edge_index,
        edge_offsets=np.searchsorted(edges.edge_index[0], node_offsets),
        length_um=edges.length_um.astype(np.float32),
        delta_orientation=edges.delta_orientation.astype(np.float32),
        edge_to_axis=edges.edge_to_axis.astype(np.float32),
        weight=edges.weight.astype(np.float32),
    )


def _check_owners(tiles: HeadedTable, nuclei: HeadedTable, nuclei_path: str | Path) -> None:
    strangers = ~nuclei.frame["tile_id"].isin(tiles.frame["tile_id"])
    if strangers.any():
        raise ArtefactError(
            f"{nuclei_path}: {int(strangers.sum())} nuclei belong to tiles that the tile table does not have; "
            "the two tables are not of one run. Segment the nuclei again."
        )


def _check_measures(nuclei: pd.DataFrame, nuclei_path: str | Path, params: CellGraphParams) -> None:
    """Refuse a rule that would join no nuclei, or the wrong ones, for want of a measure."""
    compared: tuple[str, ...] = PAPER_MEASURES if params.kind == "paper" else ()
    if params.kind == "orientation" and params.axisless_nuclei == "leave_unjoined":
        compared = ("orientation_rad", "eccentricity")
    lacking = [name for name in compared if nuclei[name].isna().all()]
    if lacking and len(nuclei):
        raise ConfigError(
            f"{nuclei_path}: cell_graphs.kind: {params.kind} compares measures that the nuclei of this slide have not: "
            f"{', '.join(lacking)}. Choose radius, knn or delaunay, or orientation with axisless_nuclei: "
            "join_by_distance."
        )
