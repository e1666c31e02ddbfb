"""The stages from a slide to its feature cache in one process, as ``abignet features`` runs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.features import check_store_slide, read_features
from pipeline.artefacts.fingerprint_cache import CACHE_NAME, FingerprintCache
from pipeline.artefacts.resume_key import resume_key
from pipeline.artefacts.sheet import FILE_COLUMNS, SlideRow
from pipeline.cellgraph.import_features import import_features
from pipeline.config import params
from pipeline.errors import ArtefactError
from pipeline.logs import get_logger
from pipeline.nuclei.network.weights_files import weights_of
from pipeline.nuclei.params import NucleiParams
from pipeline.provenance import file_digest, source_digest

log = get_logger("features")

if TYPE_CHECKING:
    from pipeline.tiling.params import TilingParams

CONFIG_OF_FEATURES = ("tiling", "nuclei", "cell_graphs", "features", "reader", "on_bad_slide", "on_bad_tile")
"""Sections and keys of the configuration that a feature cache depends on."""

STAGES = {
    "tile_slide": "pipeline.tiling.tile_slide",
    "import_tiles": "pipeline.tiling.import_tiles",
    "tile_nuclei": "pipeline.tiling.tile_nuclei",
    "segment_nuclei": "pipeline.nuclei.segment_nuclei",
    "import_nuclei": "pipeline.nuclei.import_nuclei",
    "build_cell_graphs": "pipeline.cellgraph.build_cell_graphs",
    "cache_features": "pipeline.cellgraph.cache_features",
    "import_features": "pipeline.cellgraph.import_features",
}
"""Module of each stage, whose source digest its artefact carries."""


@dataclass(frozen=True)
class FeatureStages:
    """The four stages from slide to feature cache, with the paths they meet by.

    Attributes
    ----------
    out_dir
        Caches go here, everything between into its ``work`` folder.
    config
        A checked configuration.
    """

    out_dir: Path
    config: Mapping[str, Any]

    def cache(self, slide_id: str) -> Path:
        """Feature cache of a slide."""
        return self.out_dir / f"{slide_id}.zarr"

    def work(self, slide_id: str, suffix: str) -> Path:
        """Intermediate file of a slide."""
        return self.out_dir / "work" / f"{slide_id}.{suffix}"

    def up_to_date(self, row: SlideRow) -> bool:
        """Whether the cache was made from the same file, row, settings and source, and is whole."""
        key = self.work(row.slide_id, "key")
        if not (key.is_file() and key.read_bytes() == self.key(row).encode() and self.cache(row.slide_id).is_dir()):
            return False
        try:
            check_store_slide(read_features(self.cache(row.slide_id)).slide_id, row.slide_id, self.cache(row.slide_id))
        except ArtefactError as error:
            log.warning("%s It is made again.", error)
            return False
        return True

    def key(self, row: SlideRow) -> str:
        """``resume_key`` of everything that the cache of ``row`` depends on."""
        files = {
            name: (path.name, self._fingerprints.of(path))
            for name in FILE_COLUMNS
            if (path := getattr(row, name)) is not None
        }
        return resume_key(
            {
                "files": files,
                "mpp": row.mpp,
                "config": {name: self.config[name] for name in CONFIG_OF_FEATURES},
                "weights": self._weights_digest,
                "source": source_digest(*STAGES.values()),
            }
        )

    @cached_property
    def _fingerprints(self) -> FingerprintCache:
        return FingerprintCache(self.out_dir / "work" / CACHE_NAME)

    @cached_property
    def _weights_digest(self) -> str | None:
        weights = weights_of(params(self.config, "nuclei", NucleiParams))
        return None if weights is None else file_digest(weights)

    def run(self, row: SlideRow) -> None:
        """Make the cache of one slide."""
        self.work(row.slide_id, "key").unlink(missing_ok=True)
        has_cells = row.path is not None or row.nuclei is not None
        if has_cells and (row.features is None or self.config["features"]["embedding"]):
            self._compute(row)
        elif row.features is not None:
            cache = self.cache(row.slide_id)
            import_features(
                row.features,
                cache,
                slide_id=row.slide_id,
                source=source_digest(STAGES["import_features"]),
                slide_mpp=row.mpp,
                on_bad_slide=self.config["on_bad_slide"],
            )
        with writing(self.work(row.slide_id, "key")) as temporary:
            temporary.write_text(self.key(row))

    def _compute(self, row: SlideRow) -> None:
        from pipeline.cellgraph.build_cell_graphs import build_cell_graphs
        from pipeline.cellgraph.cache_features import SlideArtefacts, cache_features
        from pipeline.cellgraph.params import CellGraphParams, FeatureParams

        tiles = self.work(row.slide_id, "tiles.parquet")
        nuclei = self.work(row.slide_id, "nuclei.parquet")
        graphs = self.work(row.slide_id, "cell_graphs.zarr")
        self._tile(row, tiles)
        self._find_nuclei(row, tiles, nuclei)
        graph_params = params(self.config, "cell_graphs", CellGraphParams)
        feature_params = params(self.config, "features", FeatureParams)
        build_cell_graphs(
            tiles,
            nuclei,
            graphs,
            slide_id=row.slide_id,
            params=graph_params,
            source=source_digest(STAGES["build_cell_graphs"]),
        )
        artefacts = SlideArtefacts(row.slide_id, tiles, nuclei, graphs, row.features)
        source = source_digest(STAGES["cache_features"])
        cache_features(artefacts, self.cache(row.slide_id), feature_params, source, self.config["on_bad_slide"])

    def _find_nuclei(self, row: SlideRow, tiles_path: Path, nuclei_path: Path) -> None:
        from pipeline.nuclei.import_nuclei import import_nuclei

        if row.nuclei is not None:
            source = source_digest(STAGES["import_nuclei"])
            on_bad_slide = self.config["on_bad_slide"]
            where = tiles_path, row.nuclei, nuclei_path
            import_nuclei(*where, slide_id=row.slide_id, source=source, on_bad_slide=on_bad_slide)
        elif row.path is not None:
            self._segment(row.slide_id, row.path, tiles_path, nuclei_path)

    def _segment(self, slide_id: str, slide_path: Path, tiles_path: Path, nuclei_path: Path) -> None:
        from pipeline.nuclei.segment_nuclei import segment_nuclei

        segment_nuclei(
            slide_path,
            tiles_path,
            nuclei_path,
            slide_id=slide_id,
            params=params(self.config, "nuclei", NucleiParams),
            device=self.config["device"],
            partial_dir=self.out_dir / "work" / ".partial",
            **self._reading(),
            source=source_digest(STAGES["segment_nuclei"]),
        )

    def _tile(self, row: SlideRow, tiles_path: Path) -> None:
        from pipeline.tiling.params import TilingParams
        from pipeline.tiling.tile_nuclei import tile_nuclei

        tiling = params(self.config, "tiling", TilingParams)
        overview = self.work(row.slide_id, "png")
        if row.path is not None:
            self._tile_slide(row, row.path, tiles_path, tiling)
        elif row.nuclei is not None:
            tile_nuclei(
                *(row.nuclei, tiles_path, overview),
                slide_id=row.slide_id,
                mpp=row.mpp,
                params=tiling,
                on_bad_slide=self.config["on_bad_slide"],
                source=source_digest(STAGES["tile_nuclei"]),
            )

    def _tile_slide(self, row: SlideRow, slide_path: Path, tiles_path: Path, tiling: "TilingParams") -> None:
        from pipeline.slides.slide_input import SlideInput
        from pipeline.tiling.import_tiles import import_tiles
        from pipeline.tiling.tile_slide import tile_slide
        from pipeline.tiling.tile_table.tiling_job import TilingJob

        overview = self.work(row.slide_id, "png")
        if row.tiles is None:
            source = source_digest(STAGES["tile_slide"])
            tile_slide(
                *(slide_path, tiles_path, overview),
                slide_id=row.slide_id,
                mpp=row.mpp,
                mask_path=row.mask,
                params=tiling,
                **self._reading(),
                source=source,
            )
            return
        slide = SlideInput(row.slide_id, slide_path, row.mpp, **self._reading())
        source = source_digest(STAGES["import_tiles"])
        import_tiles(row.tiles, TilingJob(slide, tiles_path, overview, tiling, source))

    def _reading(self) -> dict[str, Any]:
        """How slides are read, and what is done about those that cannot be."""
        return {key: self.config[key] for key in ("reader", "on_bad_slide", "on_bad_tile")}
