"""Rule ``cache_features``: from the cell graphs of a slide to one feature vector per tile."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.arrays import Bools, Float32s, Int64s
from pipeline.artefacts.cell_graphs import CellGraphs, read_cell_graphs
from pipeline.artefacts.feature_making import NUCLEI
from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.header import check_slide
from pipeline.artefacts.made_from import check_made_from
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tables import HeadedTable
from pipeline.artefacts.tiles import read_tiles
from pipeline.cellgraph.features.cell_type_features import check_types
from pipeline.cellgraph.features.feature_blocks import PatchNuclei, block_features, feature_names
from pipeline.cellgraph.features.imported_embeddings import with_embedding
from pipeline.cellgraph.graphs.csr import offsets_of_counts, tile_of_each
from pipeline.cellgraph.graphs.slide_tables import unreadable_tiles
from pipeline.cellgraph.params import FeatureParams
from pipeline.errors import ImportedFileError, OnBadSlide
from pipeline.exclusion import reason_to_exclude
from pipeline.logs import get_logger
from pipeline.provenance import digests, record

LOG = get_logger("features")

UNREADABLE = "unreadable"
"""Reason under which tiles are counted whose pixels could not be read when nuclei were looked for."""


@dataclass(frozen=True)
class SlideArtefacts:
    """What the features of one slide are made from.

    Attributes
    ----------
    slide_id
        The slide that all artefacts must be of.
    tiles, nuclei, cell_graphs
        Their paths.
    imported
        Features of the same tiles that another tool made; they go beside the computed ones as
        ``embeddings/{params.embedding}``.
    """

    slide_id: str
    tiles: str | Path
    nuclei: str | Path
    cell_graphs: str | Path
    imported: str | Path | None = None

    @property
    def paths(self) -> dict[str, str | Path]:
        """Artefacts of earlier rules, by stage."""
        return {"tiles": self.tiles, "nuclei": self.nuclei, "cell_graphs": self.cell_graphs}


@dataclass(frozen=True)
class _Upstream:
    """The three artefacts of one slide that features are made from."""

    tiles: HeadedTable
    nuclei: HeadedTable
    graphs: CellGraphs
    graphs_header: dict[str, Any]
    digests: dict[str, str]

    @property
    def reason(self) -> str | None:
        """Why the slide has no tile, of the first stage that says so."""
        return self.tiles.reason or self.nuclei.reason or self.graphs_header["reason"]

    @property
    def n_unreadable(self) -> int:
        """Tiles whose pixels could not be read."""
        return len(unreadable_tiles(self.nuclei))

    @property
    def networks(self) -> dict[str, str]:
        """Digest of the weights that found the nuclei; nothing of a segmenter without network."""
        digest = self.nuclei.header.get("weights_digest")
        return {} if digest is None else {NUCLEI: digest}

    @property
    def params(self) -> dict[str, Any]:
        """Params by stage."""
        headers = {"tiling": self.tiles.header, "nuclei": self.nuclei.header, "cell_graphs": self.graphs_header}
        return {stage: header["provenance"]["params"] for stage, header in headers.items()}


def cache_features(
    artefacts: SlideArtefacts,
    features_path: str | Path,
    params: FeatureParams,
    source: str,
    on_bad_slide: OnBadSlide = "stop",
) -> None:
    """Write ``features/{slide}.zarr``.

    Tiles with fewer than ``params.min_nuclei`` nuclei, and those that could not be read, are left out and counted in
    ``dropped``.  A slide with nothing upstream, or with no tile left, gets an empty store with its reason.

    Parameters
    ----------
    features_path
        Store to write.
    params
        Which tiles and which features.
    source
        Source digest of this room.
    on_bad_slide
        What is done about imported features that cannot be used: ``exclude`` writes a cache without tiles, with the
        error as reason.

    Raises
    ------
    ArtefactError
        If an input is missing, damaged or of another slide, or they do not fit together.
    ConfigError
        If features of types are asked for, and none that the slide's nuclei have is listed.
    ImportedFileError
        If imported features cannot be used, and ``on_bad_slide`` is ``stop``.
    """
    upstream = _read(artefacts)
    if "cell_types" in params.blocks:
        check_types(upstream.nuclei.frame, params.cell_types, artefacts.nuclei)
    store = _computed(artefacts.slide_id, upstream, params, source)
    if artefacts.imported is not None:
        slide_mpp = upstream.tiles.header["slide_mpp"]
        try:
            store = with_embedding(store, artefacts.imported, name=params.embedding, slide_mpp=slide_mpp)
        except ImportedFileError as error:
            store = _excluded(store, reason_to_exclude(error, artefacts.imported, on_bad_slide))
            LOG.warning("%s is excluded: %s", artefacts.slide_id, error)
    write_features(features_path, store)
    n_dropped = sum(store.dropped.values())
    LOG.info("%s: %d tiles, %d features, %d tiles dropped", artefacts.slide_id, *store.features.shape, n_dropped)


def _computed(slide_id: str, upstream: _Upstream, params: FeatureParams, source: str) -> FeatureStore:
    """The cache of the tiles with enough nuclei."""
    provenance = record(params=params, source=source, upstream=upstream.digests)
    counts = np.diff(upstream.graphs.node_offsets)
    kept = counts >= params.min_nuclei
    # Sums of a threaded BLAS depend on the number of threads.
    with threadpool_limits(1, user_api="blas"):
        features = _features(upstream, kept, params)
    missing = np.isnan(features)
    tile_rows = _tile_rows(upstream).iloc[np.flatnonzero(kept)]
    left_out = {f"fewer than {params.min_nuclei} nuclei": int((~kept).sum()), UNREADABLE: upstream.n_unreadable}
    return FeatureStore(
        slide_id=slide_id,
        features=features,
        feature_names=feature_names(params),
        coords=tile_rows[["x_l0", "y_l0"]].to_numpy(np.int64),
        tile_id=tile_rows["tile_id"].to_numpy(np.int64),
        **_geometry(upstream.tiles.frame),
        valid=~missing if missing.any() else None,
        reason=upstream.reason or _reason(counts, kept, params.min_nuclei),
        dropped={reason: n_tiles for reason, n_tiles in left_out.items() if n_tiles},
        params={**upstream.params, "features": provenance["params"]},
        source=source,
        upstream=provenance["upstream"],
        packages=provenance["packages"],
        networks=upstream.networks,
    )


def _excluded(store: FeatureStore, reason: str) -> FeatureStore:
    """``store`` without any of its tiles."""
    none = slice(0, 0)
    features, coords, tile_id = store.features[none], store.coords[none], store.tile_id[none]
    return replace(store, features=features, coords=coords, tile_id=tile_id, valid=None, reason=reason)


def _read(artefacts: SlideArtefacts) -> _Upstream:
    tiles, nuclei = read_tiles(artefacts.tiles), read_nuclei(artefacts.nuclei)
    check_slide(tiles.header, artefacts.slide_id, "tiles", artefacts.tiles)
    check_slide(nuclei.header, artefacts.slide_id, "nuclei", artefacts.nuclei)
    graphs, header = read_cell_graphs(artefacts.cell_graphs)
    check_slide(header, artefacts.slide_id, "cell_graphs", artefacts.cell_graphs)
    tables: dict[str, str | Path] = {"tiles": artefacts.tiles, "nuclei": artefacts.nuclei}
    found = digests(artefacts.paths)
    check_made_from("nuclei", artefacts.nuclei, nuclei.upstream, {"tiles": artefacts.tiles}, found)
    recorded = header["provenance"].get("upstream", {})
    check_made_from("cell_graphs", artefacts.cell_graphs, recorded, tables, found)
    return _Upstream(tiles, nuclei, graphs, header, found)


def _tile_rows(upstream: _Upstream) -> pd.DataFrame:
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


def _reason(counts: Int64s, kept: Bools, min_nuclei: int) -> str | None:
    if kept.any():
        return None
    return f"no tile has at least {min_nuclei} nuclei (the fullest has {counts.max(initial=0)})"


def _features(upstream: _Upstream, kept: Bools, params: FeatureParams) -> Float32s:
    if not kept.any():
        return np.zeros((0, len(feature_names(params))), np.float32)
    nodes, edges, offsets = _of_kept_tiles(upstream.graphs, kept)
    nuclei = PatchNuclei(
        frame=upstream.nuclei.frame.set_index("nucleus_id").loc[nodes],
        node_offsets=offsets,
        edge_index=edges,
        mpp=float(upstream.tiles.frame["mpp"].iloc[0]),
        min_eccentricity=upstream.params["cell_graphs"]["min_eccentricity"],
        params=params,
    )
    return block_features(nuclei).astype(np.float32)


def _of_kept_tiles(graphs: CellGraphs, kept: Bools) -> tuple[Int64s, Int64s, Int64s]:
    """Nucleus numbers, edges within tiles renumbered over them and node offsets of the tiles that are ``kept``."""
    counts = np.diff(graphs.node_offsets)
    of_kept, tile = np.repeat(kept, counts), tile_of_each(graphs.node_offsets)
    number = np.cumsum(of_kept) - 1
    inside = of_kept[graphs.edge_index[0]] & (tile[graphs.edge_index[0]] == tile[graphs.edge_index[1]])
    edges = number[graphs.edge_index[:, inside]]
    return graphs.nucleus_id[of_kept], edges, offsets_of_counts(counts[kept])
