"""``abignet features``: tiles, nuclei, graphs and cache of every slide of a sheet, in one process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipeline.artefacts.atomic import writing
from pipeline.artefacts.sheet import FILE_COLUMNS, SlideRow, read_sheet
from pipeline.cellgraph.import_features import import_features
from pipeline.commands.cohort import warn_of_folds
from pipeline.commands.describe_features import describe, export
from pipeline.commands.options import EXISTING_FILE, NEW_DIRECTORY, config_options, configured, device_option
from pipeline.config import params
from pipeline.errors import AbignetError
from pipeline.logs import get_logger, progress
from pipeline.nuclei.network.weights_files import weights_of
from pipeline.nuclei.params import NucleiParams
from pipeline.provenance import file_digest, source_digest

log = get_logger("features")

CONFIG_OF_FEATURES = ("tiling", "nuclei", "cell_graphs", "features", "reader", "on_bad_slide", "on_bad_tile")
"""Sections and keys of the configuration that a feature cache depends on."""

STAGES = {
    "tile_slide": "pipeline.tiling.tile_slide",
    "import_tiles": "pipeline.tiling.import_tiles",
    "segment_nuclei": "pipeline.nuclei.segment_nuclei",
    "build_cell_graphs": "pipeline.cellgraph.build_cell_graphs",
    "cache_features": "pipeline.cellgraph.cache_features",
    "import_features": "pipeline.cellgraph.import_features",
}
"""Module of each stage, whose source digest its artefact carries."""


@click.group("features", invoke_without_command=True)
@click.option("--sheet", "sheet_path", type=EXISTING_FILE, help="Sheet of slides (.csv).  [required]")
@click.option("--out", "out_dir", type=NEW_DIRECTORY, help="Folder for {slide_id}.zarr and work/.  [required]")
@click.option("--force", is_flag=True, help="Compute again what is up to date.")
@device_option
@config_options
@click.pass_context
def command(
    context: click.Context,
    sheet_path: Path | None,
    out_dir: Path | None,
    force: bool,
    device: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Compute the feature caches of a sheet of slides.

    Slides whose cache was made from the same file with the same settings and source are
    left as they are.  A slide that fails does not stop the others; the command then ends
    with exit code 2 and names it.

    Without a subcommand --sheet and --out are required.
    """
    if context.invoked_subcommand is not None:
        return
    if sheet_path is None or out_dir is None:
        raise click.UsageError("Missing option '--sheet' or '--out'.")
    rows = read_sheet(sheet_path)
    config = configured(config_path, settings, device=device)
    warn_of_folds(rows, config, sheet_path)
    stages = Stages(out_dir, config)
    failures = {}
    for row in progress(rows, description="features", unit="slides", total=len(rows)):
        try:
            if force or not stages.up_to_date(row):
                stages.run(row)
        except AbignetError as error:
            log.error("%s: %s", row.slide_id, error)
            failures[row.slide_id] = error
    click.echo(f"{out_dir}: {len(rows) - len(failures)} of {len(rows)} feature caches")
    if failures:
        listed = "\n".join(f"  {slide_id}: {error}" for slide_id, error in failures.items())
        raise AbignetError(f"{len(failures)} of {len(rows)} slides failed:\n{listed}")


command.add_command(describe)
command.add_command(export)


@dataclass(frozen=True)
class Stages:
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
        """Whether the cache was made from the same file, row, settings and source."""
        key = self.work(row.slide_id, "key.json")
        return self.cache(row.slide_id).is_dir() and key.is_file() and key.read_text() == self.key(row)

    def key(self, row: SlideRow) -> str:
        """Everything that the cache of ``row`` depends on, as JSON."""
        files = {
            name: (str(path), path.stat().st_size, path.stat().st_mtime_ns)
            for name in FILE_COLUMNS
            if (path := getattr(row, name)) is not None
        }
        sections = {name: self.config[name] for name in CONFIG_OF_FEATURES}
        weights = weights_of(params(self.config, "nuclei", NucleiParams))
        whole = {
            "files": files,
            "mpp": row.mpp,
            "config": sections,
            "weights": None if weights is None else file_digest(weights),
            "source": source_digest(*STAGES.values()),
        }
        return json.dumps(whole, sort_keys=True)

    def run(self, row: SlideRow) -> None:
        """Make the cache of one slide."""
        self.work(row.slide_id, "key.json").unlink(missing_ok=True)
        if row.path is not None and (row.features is None or self.config["features"]["embedding"]):
            self._compute(row, row.path)
        elif row.features is not None:
            cache = self.cache(row.slide_id)
            import_features(
                row.features,
                cache,
                slide_id=row.slide_id,
                source=source_digest(STAGES["import_features"]),
                slide_mpp=row.mpp,
            )
        with writing(self.work(row.slide_id, "key.json")) as temporary:
            temporary.write_text(self.key(row))

    def _compute(self, row: SlideRow, slide_path: Path) -> None:
        from pipeline.cellgraph.build_cell_graphs import build_cell_graphs
        from pipeline.cellgraph.cache_features import SlideArtefacts, cache_features
        from pipeline.cellgraph.params import CellGraphParams, FeatureParams
        from pipeline.nuclei.segment_nuclei import segment_nuclei

        tiles = self.work(row.slide_id, "tiles.parquet")
        nuclei = self.work(row.slide_id, "nuclei.parquet")
        graphs = self.work(row.slide_id, "cell_graphs.zarr")
        self._tile(row, slide_path, tiles)
        segment_nuclei(
            slide_path,
            tiles,
            nuclei,
            slide_id=row.slide_id,
            params=params(self.config, "nuclei", NucleiParams),
            device=self.config["device"],
            partial_dir=self.out_dir / "work" / ".partial",
            **self._reading(),
            source=source_digest(STAGES["segment_nuclei"]),
        )
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
        cache_features(artefacts, self.cache(row.slide_id), feature_params, source)

    def _tile(self, row: SlideRow, slide_path: Path, tiles_path: Path) -> None:
        from pipeline.tiling.import_tiles import import_tiles
        from pipeline.tiling.params import TilingParams
        from pipeline.tiling.tile_slide import tile_slide

        overview = self.work(row.slide_id, "png")
        settings = {
            "slide_id": row.slide_id,
            "mpp": row.mpp,
            "params": params(self.config, "tiling", TilingParams),
            **self._reading(),
            "source": source_digest(STAGES["import_tiles" if row.tiles else "tile_slide"]),
        }
        if row.tiles is not None:
            import_tiles(slide_path, row.tiles, tiles_path, overview, **settings)
        else:
            tile_slide(slide_path, tiles_path, overview, mask_path=row.mask, **settings)

    def _reading(self) -> dict[str, Any]:
        """How slides are read, and what is done about those that cannot be."""
        return {key: self.config[key] for key in ("reader", "on_bad_slide", "on_bad_tile")}
