"""Rule ``segment_nuclei``: the nuclei of a slide's kept tiles."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.artefacts.header import check_slide
from pipeline.artefacts.inside_mask import InsideMask
from pipeline.artefacts.nuclei import COLUMNS, write_nuclei
from pipeline.artefacts.tables import HeadedTable, empty_frame
from pipeline.artefacts.tile_ownership import check_single_ownership
from pipeline.artefacts.tiles import kept_tiles, mpp_of, read_tiles
from pipeline.errors import ArtefactError, OnBadSlide, OnBadTile, SlideError, UnreadableRegionError
from pipeline.exclusion import reason_to_exclude
from pipeline.logs import get_logger
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.finished_blocks import FinishedBlocks
from pipeline.nuclei.segmentation.nucleus_headers import SegmentedSlide, nucleus_header
from pipeline.nuclei.segmentation.segmenters import Segmenter, open_segmenter
from pipeline.slides.mpp_ranges import ANY_MPP
from pipeline.slides.reader import SlideReader
from pipeline.slides.reader_names import Reader
from pipeline.slides.slide_input import SlideInput

logger = get_logger("nuclei")


@dataclass(frozen=True)
class SlideNuclei:
    """Nuclei of one slide.

    Attributes
    ----------
    frame
        Columns of a nucleus table.
    reason
        Why there is none, else None.
    reader
        What read the pixels; None when the slide was not opened.
    unreadable_tiles
        tile_id of the tiles that were left out.
    """

    frame: pd.DataFrame
    reason: str | None
    reader: str | None = None
    unreadable_tiles: tuple[int, ...] = ()


def segment_nuclei(
    slide_path: str | Path,
    tiles_path: str | Path,
    nuclei_path: str | Path,
    *,
    slide_id: str,
    params: NucleiParams,
    device: str = "auto",
    reader: Reader = "auto",
    on_bad_slide: OnBadSlide = "stop",
    on_bad_tile: OnBadTile = "stop",
    partial_dir: str | Path | None = None,
    source: str,
) -> None:
    """Find and measure the nuclei of a slide and write its nucleus table; the signature is a contract with users.

    A slide without kept tiles, or in whose tiles no nucleus is found, gets an empty table
    that says why.  Where the tiles were restricted to a drawn mask, so are the nuclei: those
    whose centroid lies outside belong to no tile.

    Parameters
    ----------
    slide_path, tiles_path, nuclei_path
        The slide, its tile table, and the table to write.
    params
        See ``NucleiParams``.
    device
        ``auto``, ``cpu`` or ``cuda``.
    reader
        See ``open_slide``.
    on_bad_slide
        ``exclude`` writes an empty table with the error as reason instead of raising ``SlideError``.
    on_bad_tile
        ``exclude`` leaves out a tile whose pixels cannot be read and names it in the header as
        one of ``unreadable_tiles``, instead of raising ``UnreadableRegionError``.
    partial_dir
        Folder for the state from which a killed job goes on; None keeps none.
    source
        Source digest of this room.

    Raises
    ------
    SlideError
        If the slide or a tile cannot be read and ``on_bad_slide`` is ``stop``.
    ConfigError
        If two kept tiles show the same tissue; see ``check_single_ownership``.
    ArtefactError
        If the slide is another file than the one that was tiled.
    WeightsError, DeviceError
        If the weights or the device cannot be had.
    """
    table = read_tiles(tiles_path)
    check_slide(table.header, slide_id, "tiles", tiles_path)
    slide = SlideInput(
        slide_id, Path(slide_path), table.header["slide_mpp"], reader, on_bad_slide, on_bad_tile, ANY_MPP
    )
    segmented = SegmentedSlide(slide_id, slide.mpp, mpp_of(table), {"tiles": tiles_path}, table.header["bounds_l0"])
    header = nucleus_header(segmented, params, source)
    state = None if partial_dir is None else Path(partial_dir) / slide_id
    finished = FinishedBlocks(state, {**header.plain(), "on_bad_tile": on_bad_tile})
    inside = InsideMask.of_header(table.header, tiles_path)
    nuclei = _nuclei_of_table(slide, table, inside, partial(open_segmenter, params, device=device), finished)
    if nuclei.reason is not None:
        logger.warning("%s: no nuclei: %s", slide_id, nuclei.reason)
    header = replace(header, reason=nuclei.reason, reader=nuclei.reader, unreadable_tiles=nuclei.unreadable_tiles)
    write_nuclei(nuclei_path, nuclei.frame, header)
    finished.remove()


def _nuclei_of_table(
    slide: SlideInput,
    table: HeadedTable,
    inside: InsideMask | None,
    opened: Callable[[], Segmenter],
    finished: FinishedBlocks,
) -> SlideNuclei:
    """Nuclei of the kept tiles of a table; none, with the reason, where there is no tile or the slide is excluded."""
    if table.reason is not None:
        return SlideNuclei(empty_frame(COLUMNS), table.reason)
    tiles = kept_tiles(table)
    check_single_ownership(tiles, slide.slide_id)
    try:
        _check_tiled(slide, table)
        segmenter = opened()
        with slide.open() as pixels:
            return _nuclei_of_slide(pixels, tiles, inside, segmenter, slide.on_bad_tile, finished)
    except SlideError as error:
        return SlideNuclei(empty_frame(COLUMNS), reason_to_exclude(error, slide.path, slide.on_bad_slide))


def _check_tiled(slide: SlideInput, table: HeadedTable) -> None:
    """Check that the slide is the file whose tiles the table holds."""
    recorded, found = table.upstream.get("slide"), slide.fingerprint
    if recorded not in (None, found):
        raise ArtefactError(
            f"slide {slide.slide_id} ({slide.path}): expected the file that was tiled (fingerprint {recorded}), found "
            f"another (fingerprint {found}). Tile the slide again."
        )


def _nuclei_of_slide(
    slide: SlideReader,
    tiles: pd.DataFrame,
    inside: InsideMask | None,
    segmenter: Segmenter,
    on_bad_tile: OnBadTile,
    finished: FinishedBlocks,
) -> SlideNuclei:
    from pipeline.nuclei.segmentation.nuclei_in_tiles import blocks_of, nuclei_by_block
    from pipeline.nuclei.segmentation.ownership import nucleus_table
    from pipeline.nuclei.segmentation.slide_stain import slide_stain

    tile_ids = tiles["tile_id"].tolist()
    block_of = {row: number for number, block in enumerate(blocks_of(tiles, segmenter.params)) for row in block.rows}

    def leave_out(row: int, error: UnreadableRegionError) -> None:
        finished.unreadable[row] = block_of[row]
        logger.warning("%s: tile %d is left out: %s", slide.slide_id, tile_ids[row], error)

    on_unreadable = leave_out if on_bad_tile == "exclude" else None
    stain = slide_stain(slide, tiles, segmenter.params, on_bad_tile=on_bad_tile, inside=inside)
    blocks = nuclei_by_block(slide, tiles, segmenter, stain, first_block=finished.n_blocks, on_unreadable=on_unreadable)
    for block in blocks:
        finished.add(_inside(block.owned, inside, slide.mpp), block.n_finished)
    frame = nucleus_table(finished.owned)
    unreadable = tuple(tile_ids[row] for row in sorted(finished.unreadable))
    reason = None if len(frame) else f"no nucleus found in {len(tiles) - len(unreadable)} tiles"
    if reason and unreadable:
        reason += f", and {len(unreadable)} cannot be read"
    return SlideNuclei(frame, reason, slide.reader, unreadable)


def _inside(nuclei: pd.DataFrame, inside: InsideMask | None, slide_mpp: float) -> pd.DataFrame:
    """``nuclei`` whose centroid lies inside the drawn mask."""
    if inside is None:
        return nuclei
    x_l0, y_l0 = (nuclei[name].to_numpy() / slide_mpp for name in ("x_um", "y_um"))
    return nuclei[inside.holds(x_l0, y_l0)].reset_index(drop=True)
