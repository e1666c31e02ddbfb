"""Rule ``tile_slide``: one slide to its tile table and overview picture."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.artefacts import tiles as tile_table
from pipeline.artefacts.tables import empty_frame
from pipeline.errors import OnBadSlide, SlideError
from pipeline.logs import get_logger
from pipeline.provenance import file_digest, record
from pipeline.slides.reader import SlideReader, open_slide
from pipeline.tiling.grid import TileShares, area_fraction, judge_tiles, make_grid
from pipeline.tiling.overview import draw_overview, draw_unreadable, write_overview
from pipeline.tiling.params import TilingParams
from pipeline.tiling.polygons import read_polygon_mask
from pipeline.tiling.tissue import Mask, mask_mpp_for, tissue_mask

logger = get_logger("tiling")

FINGERPRINT_BYTES = 1 << 20
"""Bytes at either end of a slide that its fingerprint covers; hashing gigabytes would cost more than tiling."""


@dataclass(frozen=True)
class TiledSlide:
    """Tiles of one slide, the usable tissue they were judged by (bool rows, cols), and why none is kept."""

    tiles: pd.DataFrame
    usable: Mask
    reason: str | None


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
) -> None:
    """Lay the grid over a slide, keep the tiles that hold tissue, and write table and overview.

    Parameters
    ----------
    overview_path
        Where the picture goes; None draws none.
    mpp
        um per level-0 pixel from the sheet; None takes the file's.
    mask_path
        GeoJSON that restricts tiles; see ``polygons.read_polygon_mask``.
    on_bad_slide
        ``exclude`` writes an empty table with the error as reason instead of raising ``SlideError``.
    source
        Source digest of this room.

    Raises
    ------
    SlideError
        If the slide cannot be read and ``on_bad_slide`` is ``stop``.
    MissingMppError, SheetError
        If the slide has no pixel size; if the mask cannot be read.
    """
    path = Path(slide_path)
    try:
        with open_slide(path, slide_id=slide_id, mpp=mpp) as slide:
            provenance = record(params=params, source=source, upstream=_upstream(path, mask_path))
            tiled = tile_open_slide(slide, params, mask_path)
            header = _header(slide, tiled.reason, provenance)
            # The picture first: a slide that fails here must not leave a table that says it is fine.
            if overview_path is not None:
                _write_picture(overview_path, slide, tiled, header, params)
            tile_table.write_tiles(tiles_path, tiled.tiles, header)
            _report(slide_id, tiled)
    except SlideError as error:
        if on_bad_slide == "stop":
            raise
        logger.warning("%s is excluded: %s", slide_id, error)
        _write_excluded(tiles_path, overview_path, slide_id, _without_folder(error, path), params, source)


def tile_open_slide(slide: SlideReader, params: TilingParams, mask_path: str | Path | None) -> TiledSlide:
    """Tiles of an open slide; reads its thumbnail and the mask, writes nothing."""
    size_um = (slide.width_l0 * slide.mpp, slide.height_l0 * slide.mpp)
    thumbnail = slide.thumbnail(mask_mpp_for(*size_um, slide.mpp, params))
    tissue = tissue_mask(thumbnail, size_um[0] / thumbnail.shape[1], params)
    size_l0 = {"width_l0": slide.width_l0, "height_l0": slide.height_l0}
    inside = _drawn_mask(slide, mask_path, tissue.shape)
    grid = make_grid(slide.width_l0, slide.height_l0, slide.mpp, params)
    shares = TileShares(*(area_fraction(mask, grid, **size_l0) for mask in (tissue, inside, tissue & inside)))
    tiles = judge_tiles(grid, shares, min_tissue_fraction=params.min_tissue_fraction)
    return TiledSlide(tiles, tissue & inside, _reason(slide, tiles, tissue, inside, params))


def _drawn_mask(slide: SlideReader, mask_path: str | Path | None, shape: tuple[int, ...]) -> Mask:
    if mask_path is None:
        return np.ones(shape, np.bool_)
    rows, cols = shape
    return read_polygon_mask(mask_path, width_l0=slide.width_l0, height_l0=slide.height_l0, shape=(rows, cols))


def _reason(slide: SlideReader, tiles: pd.DataFrame, tissue: Mask, inside: Mask, params: TilingParams) -> str | None:
    if tiles["kept"].any():
        return None
    if tiles.empty:
        return (
            f"image of {slide.width_l0} x {slide.height_l0} px at {slide.mpp:.4g} um/px is smaller than "
            f"one tile of {params.tile_px} px at {params.mpp:g} um/px"
        )
    if not tissue.any():
        return "no tissue found"
    if not (tissue & inside).any():
        return "no tissue inside the mask"
    return f"no tile reaches the minimum tissue fraction {params.min_tissue_fraction:g}"


def _write_picture(
    path: str | Path, slide: SlideReader, tiled: TiledSlide, header: dict[str, Any], params: TilingParams
) -> None:
    longer_um = max(slide.width_l0, slide.height_l0) * slide.mpp
    thumbnail: npt.NDArray[np.uint8] = slide.thumbnail(longer_um / params.overview_px)
    write_overview(path, draw_overview(thumbnail, tiled.usable, tiled.tiles, header), header)


def _write_excluded(
    tiles_path: str | Path,
    overview_path: str | Path | None,
    slide_id: str,
    reason: str,
    params: TilingParams,
    source: str,
) -> None:
    provenance = record(params=params, source=source)
    header = tile_table.header(
        slide_id=slide_id, slide_mpp=None, width_l0=0, height_l0=0, reason=reason, provenance=provenance
    )
    if overview_path is not None:
        write_overview(overview_path, draw_unreadable(slide_id, reason), header)
    tile_table.write_tiles(tiles_path, empty_frame(tile_table.COLUMNS), header)


def _header(slide: SlideReader, reason: str | None, provenance: dict[str, Any]) -> dict[str, Any]:
    return tile_table.header(
        slide_id=slide.slide_id,
        slide_mpp=slide.mpp,
        width_l0=slide.width_l0,
        height_l0=slide.height_l0,
        reason=reason,
        provenance=provenance,
    )


def _upstream(slide_path: Path, mask_path: str | Path | None) -> dict[str, str]:
    upstream = {"slide": _fingerprint(slide_path)}
    return upstream if mask_path is None else {**upstream, "mask": file_digest(mask_path)}


def _fingerprint(path: Path) -> str:
    """SHA-256 of size, first and last ``FINGERPRINT_BYTES`` of a file, 16 hex digits."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        digest.update(stream.read(FINGERPRINT_BYTES))
        stream.seek(max(size - FINGERPRINT_BYTES, 0))
        digest.update(stream.read(FINGERPRINT_BYTES))
    return digest.hexdigest()[:16]


def _without_folder(error: SlideError, path: Path) -> str:
    """The error's words with the file's name for its path, so that artefacts do not depend on folders."""
    return str(error).replace(str(path), path.name)


def _report(slide_id: str, tiled: TiledSlide) -> None:
    n_kept = int(tiled.tiles["kept"].sum())
    logger.info(
        "%s: %d of %d tiles kept%s", slide_id, n_kept, len(tiled.tiles), f" ({tiled.reason})" if tiled.reason else ""
    )
