"""From an open slide to its table and picture on disk, whatever makes the tiles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from pipeline.artefacts import tiles as tile_table
from pipeline.artefacts.inside_mask import InsideMask
from pipeline.artefacts.tables import empty_frame
from pipeline.errors import ImportedFileError, SlideError
from pipeline.exclusion import reason_to_exclude
from pipeline.logs import get_logger
from pipeline.provenance import digests, record
from pipeline.slides.reader import SlideReader
from pipeline.slides.slide_input import SlideInput
from pipeline.slides.source import Box
from pipeline.tiling.grid.tile_rejection import causes
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_table.overview import draw_overview, draw_unreadable, write_overview
from pipeline.tiling.tile_table.slide_map import SlideMap

logger = get_logger("tiling")


@dataclass(frozen=True)
class TiledSlide:
    """Tiles of one slide.

    Attributes
    ----------
    tiles, slide_map
        The tiles, and the maps they were judged by.
    params
        Parameters that hold for them.
    reason
        Why none is kept, else None.
    cautions
        What is odd about the slide with these parameters, beside ``SlideReader.cautions``.
    """

    tiles: pd.DataFrame
    slide_map: SlideMap
    params: TilingParams
    reason: str | None
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class TilingJob:
    """A slide and where its tiles go.

    Attributes
    ----------
    slide
        The slide and how it is read.
    tiles_path
        Where the table goes.
    overview_path
        Where the picture goes; None draws none.
    params
        How tissue and quality are measured, and the grid where there is one.
    source
        Source digest of the stage.
    """

    slide: SlideInput
    tiles_path: str | Path
    overview_path: str | Path | None
    params: TilingParams
    source: str

    def run(self, tile: Callable[[SlideReader], TiledSlide], upstream: Mapping[str, str | Path]) -> None:
        """Open the slide, ``tile`` it and write the results; ``upstream`` names further inputs by role.

        Raises
        ------
        SlideError
            If the slide, or an imported file of it, cannot be read and ``on_bad_slide`` is ``stop``.
        MissingMppError, ConfigError
            If the slide has no pixel size, or is given one outside ``params.slide_mpp_range``.
        """
        try:
            with replace(self.slide, mpp_range=self.params.slide_mpp_range).open() as slide:
                tiled = tile(slide)
                inputs = {"slide": self.slide.fingerprint, **digests(upstream)}
                header = self._header(slide, tiled, inputs)
                # The picture first: a slide that fails here must not leave a table that says it is fine.
                if self.overview_path is not None:
                    write_overview(self.overview_path, self._picture(slide, tiled, header.plain()), header.plain())
                tile_table.write_tiles(self.tiles_path, tiled.tiles, header)
                _report(tiled, header)
        except SlideError as error:
            at_fault = upstream.get("coords") if isinstance(error, ImportedFileError) else None
            reason = reason_to_exclude(error, at_fault or self.slide.path, self.slide.on_bad_slide)
            logger.warning("%s is excluded: %s", self.slide.slide_id, error)
            self._write_excluded(reason)

    def _header(self, slide: SlideReader, tiled: TiledSlide, inputs: dict[str, str]) -> tile_table.TileHeader:
        unreadable, inside = causes(tiled.tiles).get("unreadable"), tiled.slide_map.inside
        return tile_table.TileHeader(
            slide_id=self.slide.slide_id,
            slide_mpp=slide.mpp,
            width_l0=slide.width_l0,
            height_l0=slide.height_l0,
            reason=tiled.reason,
            provenance=record(params=tiled.params, source=self.source, upstream=inputs),
            reader=slide.reader,
            bounds_l0=slide.bounds_l0,
            overlap_px=tiled.params.overlap_px,
            n_unreadable=0 if unreadable is None else int(unreadable.sum()),
            cautions=(*slide.cautions, *tiled.cautions),
            inside=None if inside is None else InsideMask(inside, slide.width_l0, slide.height_l0),
        )

    def _write_excluded(self, reason: str) -> None:
        header = tile_table.TileHeader(
            slide_id=self.slide.slide_id,
            slide_mpp=None,
            width_l0=0,
            height_l0=0,
            reason=reason,
            provenance=record(params=self.params, source=self.source),
        )
        if self.overview_path is not None:
            write_overview(self.overview_path, draw_unreadable(self.slide.slide_id, reason), header.plain())
        tile_table.write_tiles(self.tiles_path, empty_frame(tile_table.COLUMNS), header)

    def _picture(self, slide: SlideReader, tiled: TiledSlide, header: Mapping[str, Any]) -> Image.Image:
        longer_um = max(slide.width_l0, slide.height_l0) * slide.mpp
        bad_boxes: list[Box] = []
        thumbnail = slide.thumbnail(
            longer_um / self.params.overview_px,
            on_unreadable=None if self.slide.on_bad_tile == "stop" else bad_boxes.append,
        )
        return draw_overview(thumbnail, tiled.slide_map, tiled.tiles, header)


def _report(tiled: TiledSlide, header: tile_table.TileHeader) -> None:
    for caution in header.cautions:
        logger.warning("%s: %s", header.slide_id, caution)
    n_kept = int(tiled.tiles["kept"].sum())
    dropped = ", ".join(f"{int(flags.sum())} {cause}" for cause, flags in causes(tiled.tiles).items())
    logger.info(
        "%s: %d of %d tiles kept%s",
        header.slide_id,
        n_kept,
        len(tiled.tiles),
        f"; dropped: {dropped}" if dropped else "",
    )
