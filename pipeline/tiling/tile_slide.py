"""Rule ``tile_slide``: one slide to its tile table and overview picture."""

from pathlib import Path

import pandas as pd

from pipeline.artefacts.tiles import PEN_COLUMNS
from pipeline.errors import OnBadSlide, OnBadTile
from pipeline.slides.reader import SlideReader
from pipeline.slides.reader_names import Reader
from pipeline.slides.slide_input import SlideInput
from pipeline.tiling.grid.tile_grid import make_grid
from pipeline.tiling.grid.tile_rejection import (
    OPENING_WORDS,
    SHARE_TOLERANCE,
    causes,
    decided,
    drop_blurred,
    drop_folded,
    drop_inked,
    drop_off_stain,
    drop_unreadable,
    drop_unsampled,
    drop_without_tissue,
    dropped,
)
from pipeline.tiling.params import TilingParams
from pipeline.tiling.quality.focus import with_focus
from pipeline.tiling.tile_table.scale_cautions import scale_cautions
from pipeline.tiling.tile_table.slide_map import SlideMap, map_slide, unmeasured, with_quality
from pipeline.tiling.tile_table.tiling_job import TiledSlide, TilingJob


def tile_slide(
    slide_path: str | Path,
    tiles_path: str | Path,
    overview_path: str | Path | None,
    *,
    slide_id: str,
    mpp: float | None,
    mask_path: str | Path | None,
    params: TilingParams,
    on_bad_slide: OnBadSlide,
    source: str,
    on_bad_tile: OnBadTile = "stop",
    reader: Reader = "auto",
) -> None:
    """Lay the grid over a slide, keep the tiles fit for use, and write table and overview.

    The signature is a contract with users.

    Parameters
    ----------
    overview_path
        Where the picture goes; None draws none.
    mpp
        um per level-0 pixel from the sheet; None takes the file's.
    mask_path
        GeoJSON that restricts tiles; see ``polygon_mask.read_polygon_mask``.
    on_bad_slide
        ``exclude`` writes an empty table with the error as reason instead of raising ``SlideError``.
    source
        Source digest of this room.
    on_bad_tile
        ``exclude`` drops tiles whose pixels cannot be read instead of raising ``UnreadableRegionError``.
    reader
        See ``open_slide``.

    Raises
    ------
    SlideError
        If the slide cannot be read and ``on_bad_slide`` is ``stop``.
    MissingMppError, ConfigError, SheetError
        If the slide has no pixel size, or is given one outside ``params.slide_mpp_range``; if the mask cannot be read.
    """
    slide_input = SlideInput(slide_id, Path(slide_path), mpp, reader, on_bad_slide, on_bad_tile)
    TilingJob(slide_input, tiles_path, overview_path, params, source).run(
        lambda slide: tile_open_slide(slide, params, mask_path, on_bad_tile),
        upstream={} if mask_path is None else {"mask": mask_path},
    )


def tile_open_slide(
    slide: SlideReader, params: TilingParams, mask_path: str | Path | None, on_bad_tile: OnBadTile = "stop"
) -> TiledSlide:
    """Tiles of an open slide, judged in the order of ``tile_rejection``; writes nothing."""
    slide_map = map_slide(slide, params, mask_path=mask_path, on_bad_tile=on_bad_tile)
    tiles = unmeasured(make_grid(slide_map.size, slide.mpp, params))
    tiles = _drop_outside(tiles.assign(tissue_fraction=slide_map.share(slide_map.usable, tiles)), slide_map, params)
    tiles = drop_unreadable(tiles, slide_map.share(slide_map.unreadable, tiles) > 0)
    tiles = drop_inked(with_quality(tiles, slide_map, PEN_COLUMNS, params), params)
    tiles = drop_without_tissue(tiles, params)
    tiles = with_quality(tiles, slide_map, ("qc_fold", "qc_off_stain"), params)
    tiles = drop_off_stain(drop_folded(tiles, params), params)
    tiles = with_focus(slide, tiles, params, on_bad_tile)
    tiles = decided(drop_unsampled(drop_blurred(tiles, params), params))
    cautions = (*_padding(slide, params), *scale_cautions(slide.mpp, params))
    return TiledSlide(tiles, slide_map, params, _reason(slide, tiles, slide_map, params), cautions)


def _drop_outside(tiles: pd.DataFrame, slide_map: SlideMap, params: TilingParams) -> pd.DataFrame:
    """Drop tiles outside the mask drawn by hand, and those that only lack the tissue it cuts off."""
    if slide_map.inside is None:
        return tiles
    least = params.min_tissue_fraction - SHARE_TOLERANCE
    tissue, usable = slide_map.share(slide_map.tissue, tiles), tiles["tissue_fraction"].to_numpy()
    is_outside = slide_map.share(slide_map.inside, tiles) == 0
    return dropped(tiles, is_outside | ((tissue >= least) & (usable < least)), OPENING_WORDS["outside the mask"])


def _padding(slide: SlideReader, params: TilingParams) -> tuple[str, ...]:
    """The caution of a slide that shifted tiles do not fit into."""
    side_l0 = params.tile_um / slide.mpp
    if params.edge != "shift" or min(slide.width_l0, slide.height_l0) >= side_l0:
        return ()
    return (
        f"smaller than a tile of {side_l0:.0f} level-0 px, which tiling.edge: shift cannot move inwards; it is padded",
    )


def _reason(slide: SlideReader, tiles: pd.DataFrame, slide_map: SlideMap, params: TilingParams) -> str | None:
    """Why no tile is kept; None when one is."""
    if tiles["kept"].any():
        return None
    if tiles.empty:
        return (
            f"image of {slide.width_l0} x {slide.height_l0} px at {slide.mpp:.4g} um/px is smaller than "
            f"one tile of {params.tile_px} px at {params.mpp:g} um/px"
        )
    if slide_map.oddity is not None:
        return slide_map.oddity
    dropped_by = causes(tiles)
    if dropped_by.keys() <= {"no tissue", "little tissue", "outside the mask"}:
        if not slide_map.tissue.any():
            return "no tissue found"
        if not slide_map.usable.any():
            return "no tissue inside the mask"
        return f"no tile reaches the minimum tissue fraction {params.min_tissue_fraction:g}"
    counts = ", ".join(f"{int(flags.sum())} {cause}" for cause, flags in dropped_by.items())
    return f"no tile is fit for use: {counts}"
