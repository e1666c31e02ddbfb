"""Rule ``cache_features``: from the cell graphs of a slide to one feature vector per tile."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.artefacts.cell_graphs import CellGraphs, read_cell_graphs
from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tables import HeadedTable
from pipeline.artefacts.tiles import read_tiles
from pipeline.cellgraph.build_cell_graphs import check_slide, unreadable_tiles
from pipeline.cellgraph.features.cell_orientation_entropy import (
    CORE_FEATURE_NAMES,
    PUBLISHED_CORE_FEATURE_NAMES,
    core_features_batch,
    published_core_features_batch,
)
from pipeline.cellgraph.features.graph_features import GRAPH_FEATURE_NAMES, graph_features_batch
from pipeline.cellgraph.features.histomicstk_features import histomicstk_feature_names, histomicstk_features_batch
from pipeline.cellgraph.features.morphology_features import (
    MORPHOLOGY_FEATURE_NAMES,
    MORPHOLOGY_MEASURES,
    morphology_features_batch,
)
from pipeline.cellgraph.features.orientation_features import ORIENTATION_FEATURE_NAMES, orientation_features_batch
from pipeline.cellgraph.features.spatial_features import spatial_feature_names, spatial_features_batch
from pipeline.cellgraph.graphs.axes import has_axis
from pipeline.cellgraph.graphs.csr import Floats, Ints, offsets_of_counts, tile_of_each
from pipeline.cellgraph.graphs.neighbour_distances import pairs_within
from pipeline.cellgraph.import_features import with_embedding
from pipeline.cellgraph.params import FeatureParams
from pipeline.errors import ArtefactError
from pipeline.logs import get_logger
from pipeline.provenance import digests, record

LOG = get_logger("features")

UNREADABLE = "unreadable"
"""Reason under which tiles are counted whose pixels could not be read when nuclei were looked for."""

ORIENTED_BLOCKS = {
    "orientation": orientation_features_batch,
    "core": core_features_batch,
    "core_published": published_core_features_batch,
}
"""Blocks that compare the axes of neighbours."""


@dataclass(frozen=True)
class _Upstream:
    """The three artefacts of one slide that features are made from."""

    tiles: HeadedTable
    nuclei: HeadedTable
    graphs: CellGraphs
    graphs_header: dict[str, Any]

    @property
    def reason(self) -> str | None:
        return self.tiles.reason or self.nuclei.reason or self.graphs_header["reason"]

    @property
    def n_unreadable(self) -> int:
        return len(unreadable_tiles(self.nuclei))

    @property
    def params(self) -> dict[str, Any]:
        headers = {"tiling": self.tiles.header, "nuclei": self.nuclei.header, "cell_graphs": self.graphs_header}
        return {stage: header["provenance"]["params"] for stage, header in headers.items()}


def cache_features(
    tiles_path: str | Path,
    nuclei_path: str | Path,
    graphs_path: str | Path,
    features_path: str | Path,
    *,
    slide_id: str,
    params: FeatureParams,
    source: str,
    imported_path: str | Path | None = None,
) -> None:
    """Write ``features/{slide}.zarr``.

    Tiles with fewer than ``params.min_nuclei`` nuclei, and those that could not be read, are left out and counted in
    ``dropped``.  A slide with nothing upstream, or with no tile left, gets an empty store with its reason.

    Parameters
    ----------
    tiles_path, nuclei_path, graphs_path
        Artefacts of this slide.
    features_path
        Store to write.
    slide_id
        The slide that all three must be of.
    params
        Which tiles and which features.
    source
        Source digest of this room.
    imported_path
        Features of the same tiles that another tool made; they go beside the computed ones as
        ``embeddings/{params.embedding}``.

    Raises
    ------
    ArtefactError
        If an input is missing, damaged or of another slide, or they do not fit together.
    """
    upstream = _read(tiles_path, nuclei_path, graphs_path, slide_id)
    paths = {"tiles": tiles_path, "nuclei": nuclei_path, "cell_graphs": graphs_path}
    provenance = record(params=params, source=source, upstream=digests(paths))
    counts = np.diff(upstream.graphs.node_offsets)
    kept = counts >= params.min_nuclei
    # Sums of a threaded BLAS depend on the number of threads.
    with threadpool_limits(1, user_api="blas"):
        features = _features(upstream, kept, params)
    missing = np.isnan(features)
    tile_rows = _tile_rows(upstream, tiles_path).iloc[np.flatnonzero(kept)]
    left_out = {f"fewer than {params.min_nuclei} nuclei": int((~kept).sum()), UNREADABLE: upstream.n_unreadable}
    dropped = {reason: n_tiles for reason, n_tiles in left_out.items() if n_tiles}
    store = FeatureStore(
        slide_id=slide_id,
        features=features,
        feature_names=feature_names(params),
        coords=tile_rows[["x_l0", "y_l0"]].to_numpy(np.int64),
        tile_id=tile_rows["tile_id"].to_numpy(np.int64),
        **_geometry(upstream.tiles.frame),
        valid=~missing if missing.any() else None,
        reason=upstream.reason or _reason(counts, kept, params.min_nuclei),
        dropped=dropped,
        params={**upstream.params, "features": provenance["params"]},
        source=source,
        upstream=provenance["upstream"],
        packages=provenance["packages"],
    )
    if imported_path is not None:
        slide_mpp = upstream.tiles.header["slide_mpp"]
        store = with_embedding(store, imported_path, name=params.embedding, slide_mpp=slide_mpp)
    write_features(features_path, store)
    LOG.info("%s: %d tiles, %d features, %d tiles dropped", slide_id, *features.shape, sum(dropped.values()))


def feature_names(params: FeatureParams) -> tuple[str, ...]:
    """Names of the features that ``params`` ask for, in the order of the store."""
    theirs = histomicstk_feature_names(params.neighbour_radii_px)
    blocks: dict[str, tuple[str, ...]] = {
        "paper": (*spatial_feature_names(params.neighbour_radii_px), *GRAPH_FEATURE_NAMES),
        "orientation": ORIENTATION_FEATURE_NAMES,
        "core": CORE_FEATURE_NAMES,
        "core_published": PUBLISHED_CORE_FEATURE_NAMES,
        "histomicstk": tuple(f"histomicstk_{name}" for name in theirs),
        "morphology": MORPHOLOGY_FEATURE_NAMES,
    }
    return tuple(name for block in params.blocks for name in blocks[block])


def _read(tiles_path: str | Path, nuclei_path: str | Path, graphs_path: str | Path, slide_id: str) -> _Upstream:
    tiles, nuclei = read_tiles(tiles_path), read_nuclei(nuclei_path)
    check_slide(tiles, tiles_path, slide_id)
    check_slide(nuclei, nuclei_path, slide_id)
    graphs, header = read_cell_graphs(graphs_path)
    if header.get("slide_id") != slide_id:
        raise ArtefactError(f"{graphs_path}: expected graphs of slide {slide_id}, found {header.get('slide_id')!r}.")
    made_from = header["provenance"]["upstream"]
    if made_from != digests({"tiles": tiles_path, "nuclei": nuclei_path}):
        raise ArtefactError(
            f"{graphs_path}: the cell graphs were made from other tables than {tiles_path} and {nuclei_path}. "
            "Build the cell graphs again."
        )
    return _Upstream(tiles, nuclei, graphs, header)


def _tile_rows(upstream: _Upstream, tiles_path: str | Path) -> pd.DataFrame:
    """Rows of the tile table in the order of the graphs."""
    return upstream.tiles.frame.set_index("tile_id", drop=False).loc[upstream.graphs.tile_id]


def _geometry(tiles: pd.DataFrame) -> dict[str, Any]:
    """``mpp``, ``tile_px`` and ``tile_width_l0`` of the grid; None where there is no tile to tell."""
    if tiles.empty:
        return {"mpp": None, "tile_px": None, "tile_width_l0": None}
    first = tiles.iloc[0]
    return {
        "mpp": float(first["mpp"]),
        "tile_px": int(first["tile_px"]),
        "tile_width_l0": float(first["width_l0"]),
    }


def _reason(counts: Ints, kept: npt.NDArray[np.bool_], min_nuclei: int) -> str | None:
    if kept.any():
        return None
    return f"no tile has at least {min_nuclei} nuclei (the fullest has {counts.max(initial=0)})"


def _features(upstream: _Upstream, kept: npt.NDArray[np.bool_], params: FeatureParams) -> npt.NDArray[np.float32]:
    if not kept.any():
        return np.zeros((0, len(feature_names(params))), np.float32)
    nodes, edges, offsets = _of_kept_tiles(upstream.graphs, kept)
    frame = upstream.nuclei.frame.set_index("nucleus_id").loc[nodes]
    xy_um = frame[["x_um", "y_um"]].to_numpy(np.float64)
    xy_px = xy_um / float(upstream.tiles.frame["mpp"].iloc[0])
    blocks = []
    if "paper" in params.blocks:
        blocks += [
            spatial_features_batch(xy_px, offsets, radii_px=params.neighbour_radii_px),
            graph_features_batch(offsets, edges),
        ]
    if chosen := [block for block in ORIENTED_BLOCKS if block in params.blocks]:
        neighbours = edges
        if params.orientation_neighbours == "radius":
            neighbours, _ = pairs_within(xy_um, offsets, params.orientation_radius_um)
        blocks += _oriented_blocks(chosen, frame, neighbours, offsets, upstream.params["cell_graphs"])
    if "histomicstk" in params.blocks:
        theirs = histomicstk_features_batch(xy_px, offsets, params.neighbour_radii_px)
        blocks.append(np.stack(list(theirs.values()), axis=1))
    if "morphology" in params.blocks:
        measures = frame[list(MORPHOLOGY_MEASURES)].to_numpy(np.float64)
        blocks.append(morphology_features_batch(measures, offsets))
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _oriented_blocks(
    chosen: Sequence[str], frame: pd.DataFrame, neighbours: Ints, offsets: Ints, graph_params: dict[str, Any]
) -> list[Floats]:
    orientation = frame["orientation_rad"].to_numpy(np.float64)
    reliable = has_axis(frame["eccentricity"].to_numpy(np.float64), orientation, graph_params["min_eccentricity"])
    xy_um = frame[["x_um", "y_um"]].to_numpy(np.float64)
    return [ORIENTED_BLOCKS[block](xy_um, orientation, neighbours, offsets, axis_reliable=reliable) for block in chosen]


def _of_kept_tiles(graphs: CellGraphs, kept: npt.NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Nucleus numbers, edges within tiles renumbered over them and node offsets of the tiles that are ``kept``."""
    counts = np.diff(graphs.node_offsets)
    of_kept, tile = np.repeat(kept, counts), tile_of_each(graphs.node_offsets)
    number = np.cumsum(of_kept) - 1
    inside = of_kept[graphs.edge_index[0]] & (tile[graphs.edge_index[0]] == tile[graphs.edge_index[1]])
    edges = number[graphs.edge_index[:, inside]]
    return graphs.nucleus_id[of_kept], edges, offsets_of_counts(counts[kept])
