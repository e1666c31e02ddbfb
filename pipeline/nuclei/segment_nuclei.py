"""Rule ``segment_nuclei``: the nuclei of a slide's kept tiles."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.artefacts.nuclei import COLUMNS, write_nuclei
from pipeline.artefacts.tables import HeadedTable, empty_frame
from pipeline.artefacts.tiles import check_single_ownership, kept_tiles, read_tiles
from pipeline.errors import OnBadSlide, OnBadTile, SlideError, UnreadableRegionError
from pipeline.logs import get_logger
from pipeline.nuclei.network.weights_files import weights_of
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.finished_blocks import FinishedBlocks
from pipeline.nuclei.segmentation.nucleus_headers import nucleus_header
from pipeline.nuclei.segmentation.segmenters import Finder, open_segmenter
from pipeline.slides.exclusion import reason_to_exclude
from pipeline.slides.reader import SlideReader, open_slide
from pipeline.slides.reader_names import Reader

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
    """Find and measure the nuclei of a slide and write its nucleus table.

    A slide without kept tiles, or in whose tiles no nucleus is found, gets an empty table
    that says why.

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
    WeightsError, DeviceError
        If the weights or the device cannot be had.
    """
    weights_path = weights_of(params)
    table = read_tiles(tiles_path)
    made_by = nucleus_header(
        slide_id=slide_id,
        slide_mpp=table.header["slide_mpp"],
        mpp=_mpp(table),
        reason=table.reason,
        params=params,
        weights_path=weights_path,
        source=source,
        upstream={"tiles": tiles_path},
        bounds_l0=table.header["bounds_l0"],
    )
    nuclei = SlideNuclei(empty_frame(COLUMNS), table.reason)
    finished = FinishedBlocks(None if partial_dir is None else Path(partial_dir) / slide_id, made_by)
    if nuclei.reason is None:
        tiles = kept_tiles(table)
        check_single_ownership(tiles, slide_id)
        finder = open_segmenter(params, device=device)
        try:
            with open_slide(slide_path, slide_id=slide_id, mpp=table.header["slide_mpp"], reader=reader) as slide:
                nuclei = _nuclei_of_slide(slide, tiles, finder, on_bad_tile, finished)
        except SlideError as error:
            nuclei = SlideNuclei(empty_frame(COLUMNS), reason_to_exclude(error, slide_path, on_bad_slide))
    if nuclei.reason is not None:
        logger.warning("%s: no nuclei: %s", slide_id, nuclei.reason)
    found = {"reason": nuclei.reason, "reader": nuclei.reader, "unreadable_tiles": list(nuclei.unreadable_tiles)}
    write_nuclei(nuclei_path, nuclei.frame, {**made_by, **found})
    finished.remove()


def _mpp(table: HeadedTable) -> float:
    """Resolution of the tiles; what was asked for where there is no tile."""
    return float(table.frame["mpp"].iloc[0] if len(table.frame) else table.header["provenance"]["params"]["mpp"])


def _nuclei_of_slide(
    slide: SlideReader,
    tiles: pd.DataFrame,
    finder: Finder,
    on_bad_tile: OnBadTile,
    finished: FinishedBlocks,
) -> SlideNuclei:
    from pipeline.nuclei.segmentation.nuclei_in_tiles import blocks_of, nuclei_by_block, slide_stain
    from pipeline.nuclei.segmentation.ownership import nucleus_table

    tile_ids = tiles["tile_id"].tolist()
    block_of = {row: number for number, block in enumerate(blocks_of(tiles, finder.params)) for row in block.rows}

    def leave_out(row: int, error: UnreadableRegionError) -> None:
        finished.unreadable[row] = block_of[row]
        logger.warning("%s: tile %d is left out: %s", slide.slide_id, tile_ids[row], error)

    told = leave_out if on_bad_tile == "exclude" else None
    stain = slide_stain(slide, tiles, finder.params, on_unreadable=told)
    found = nuclei_by_block(slide, tiles, finder, stain, first_block=finished.n_blocks, on_unreadable=told)
    for block in found:
        finished.add(block.owned, block.n_finished)
    frame = nucleus_table(finished.owned)
    unreadable = tuple(tile_ids[row] for row in sorted(finished.unreadable))
    reason = None if len(frame) else f"no nucleus found in {len(tiles) - len(unreadable)} tiles"
    if reason and unreadable:
        reason += f", and {len(unreadable)} cannot be read"
    return SlideNuclei(frame, reason, slide.reader, unreadable)
