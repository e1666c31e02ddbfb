"""Rule ``segment_nuclei``: the nuclei of a slide's kept tiles."""

from pathlib import Path

import pandas as pd

from pipeline.artefacts.nuclei import COLUMNS, write_nuclei
from pipeline.artefacts.tables import HeadedTable, empty_frame
from pipeline.artefacts.tiles import kept_tiles, read_tiles
from pipeline.errors import OnBadSlide, SlideError
from pipeline.logs import get_logger
from pipeline.nuclei.headers import nucleus_header
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.weights import resolve_weights
from pipeline.slides.reader import open_slide

logger = get_logger("nuclei")


def segment_nuclei(
    slide_path: str | Path,
    tiles_path: str | Path,
    nuclei_path: str | Path,
    *,
    slide_id: str,
    params: NucleiParams,
    device: str = "auto",
    on_bad_slide: OnBadSlide = "stop",
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
    on_bad_slide
        ``exclude`` writes an empty table with the error as reason instead of raising ``SlideError``.
    source
        Source digest of this room.

    Raises
    ------
    SlideError
        If the slide cannot be read and ``on_bad_slide`` is ``stop``.
    WeightsError, DeviceError
        If the weights or the device cannot be had.
    """
    weights_path = resolve_weights(params.weights)
    table = read_tiles(tiles_path)
    reason, nuclei = table.reason, empty_frame(COLUMNS)
    if reason is None:
        try:
            nuclei = _nuclei_of_slide(Path(slide_path), table, slide_id, params, weights_path, device)
            reason = None if len(nuclei) else f"no nucleus found in {len(kept_tiles(table))} tiles"
        except SlideError as error:
            if on_bad_slide == "stop":
                raise
            # The file's name stands for its path, so that artefacts do not depend on folders.
            reason = str(error).replace(str(slide_path), Path(slide_path).name)
    if reason is not None:
        logger.warning("%s: no nuclei: %s", slide_id, reason)
    header = nucleus_header(
        slide_id=slide_id,
        slide_mpp=table.header["slide_mpp"],
        mpp=table.header["provenance"]["params"]["mpp"],
        reason=reason,
        params=params,
        weights_path=weights_path,
        source=source,
        upstream={"tiles": tiles_path},
    )
    write_nuclei(nuclei_path, nuclei, header)


def _nuclei_of_slide(
    slide_path: Path,
    table: HeadedTable,
    slide_id: str,
    params: NucleiParams,
    weights_path: Path,
    device: str,
) -> pd.DataFrame:
    # PyTorch takes seconds to import, and a slide without tiles does not need it.
    from pipeline.nuclei.engine import open_finder
    from pipeline.nuclei.find_in_tiles import nuclei_by_tile, slide_stain_scale
    from pipeline.nuclei.ownership import nucleus_table

    finder = open_finder(weights_path, params, device=device)
    tiles = kept_tiles(table)
    with open_slide(slide_path, slide_id=slide_id, mpp=table.header["slide_mpp"]) as slide:
        stain = slide_stain_scale(slide, tiles, params)
        return nucleus_table([owned for _, _, owned in nuclei_by_tile(slide, tiles, finder, stain)])
