"""Nuclei of a slide tile by tile: what ``segment_nuclei`` and ``segment_image`` share."""

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.artefacts.tiles import ownership_l0
from pipeline.logs import get_logger, progress
from pipeline.nuclei.morphology import Labels
from pipeline.nuclei.ownership import TilePlace, owned_nuclei, tile_places
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain import Rgb, StainScale, estimate_stain_scale
from pipeline.slides.reader import SlideReader
from pipeline.slides.tiles_in_order import iterate_tiles

if TYPE_CHECKING:
    from pipeline.nuclei.engine import NucleusFinder

logger = get_logger("nuclei")


def slide_stain_scale(slide: SlideReader, tiles: pd.DataFrame, params: NucleiParams) -> StainScale:
    """Stain scale of a slide from ``stain_tiles`` of its tiles, drawn by ``seed``."""
    order = np.random.default_rng(params.seed).permutation(len(tiles))
    drawn = tiles.iloc[np.sort(order[: params.stain_tiles])]
    samples = [rgb for _, rgb in iterate_tiles(slide, drawn)]
    return estimate_stain_scale(
        samples, low_percentile=params.stain_low_percentile, high_percentile=params.stain_high_percentile
    )


def nuclei_by_tile(
    slide: SlideReader, tiles: pd.DataFrame, finder: "NucleusFinder", stain: StainScale
) -> Iterator[tuple[TilePlace, Labels, pd.DataFrame]]:
    """Place, labels with halo, and owned nuclei of each tile, in table order.

    Parameters
    ----------
    tiles
        Rows of a tile table, of one ``tile_px`` and ``mpp``; may be none.
    finder
        Network and thresholds.
    stain
        The slide's stain scale.

    Yields
    ------
    See ``ownership.owned_nuclei`` for the nuclei.
    """
    if tiles.empty:
        return
    mpp = float(tiles["mpp"].iloc[0])
    halo_px = math.ceil(finder.params.halo_um / mpp)
    places = tile_places(tiles, ownership_l0(tiles), halo_px=halo_px, slide_mpp=slide.mpp)
    started, n_nuclei = time.monotonic(), 0
    batch: list[tuple[int, Rgb]] = []
    reading = iterate_tiles(slide, tiles, halo_px=halo_px, prefetch=finder.params.batch_size + 2)
    for position, rgb in progress(reading, description=f"nuclei of {slide.slide_id}", unit="tile", total=len(tiles)):
        batch.append((position, rgb))
        if len(batch) < finder.params.batch_size and position + 1 < len(tiles):
            continue
        for (at, pixels), labels in zip(batch, finder.find([rgb for _, rgb in batch], mpp, stain), strict=True):
            owned = owned_nuclei(labels, pixels, mpp, places[at])
            n_nuclei += len(owned)
            yield places[at], labels, owned
        batch.clear()
    seconds = time.monotonic() - started
    logger.info(
        "%s: %d nuclei in %d tiles, %.0f nuclei/s", slide.slide_id, n_nuclei, len(tiles), n_nuclei / max(seconds, 1e-9)
    )
