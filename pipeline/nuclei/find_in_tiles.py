"""Nuclei of a slide tile by tile: what ``segment_nuclei`` and ``segment_image`` share."""

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from pipeline.artefacts.tiles import ownership_l0
from pipeline.errors import UnreadableRegionError
from pipeline.logs import get_logger, progress
from pipeline.nuclei.morphology import Labels
from pipeline.nuclei.ownership import TilePlace, owned_nuclei, tile_places
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmenters import Finder
from pipeline.nuclei.stain import Rgb, StainScale, estimate_stain_scale
from pipeline.nuclei.stain_normalisation import SAMPLE_MPP, StainNormaliser, Unchanged, fit_stain_normaliser
from pipeline.slides.reader import SlideReader
from pipeline.slides.tiles_in_order import BadTile, iterate_tiles

logger = get_logger("nuclei")


@dataclass(frozen=True)
class SlideStain:
    """How the pixels of one slide are made comparable.

    Attributes
    ----------
    normaliser
        Applied to every tile when it is read, before anything else sees it.
    scale
        Haematoxylin of the normalised tiles that becomes 0 and 1 for the network.
    """

    normaliser: StainNormaliser
    scale: StainScale


def slide_stain(
    slide: SlideReader, tiles: pd.DataFrame, params: NucleiParams, *, on_unreadable: BadTile | None = None
) -> SlideStain:
    """Stain of a slide from ``stain_tiles`` of its tiles, drawn by ``seed``.

    The normalisation is fitted at ``SAMPLE_MPP``, the scale estimated on the normalised
    tiles at their own resolution.  A tile that cannot be read raises unless ``on_unreadable``
    is given; that is not called here, since the tile is read again when nuclei are looked for.
    """
    order = np.random.default_rng(params.seed).permutation(len(tiles))
    drawn = tiles.iloc[np.sort(order[: params.stain_tiles])]
    pass_over = None if on_unreadable is None else _pass_over
    normaliser: StainNormaliser = Unchanged()
    if params.stain_normalisation != "none" and len(drawn):
        coarse_px = np.maximum(1, np.rint(drawn["tile_px"] * drawn["mpp"] / SAMPLE_MPP)).astype(np.int64)
        coarse = drawn.assign(tile_px=np.minimum(coarse_px, drawn["tile_px"]))
        pixels = [rgb.reshape(-1, 3) for _, rgb in iterate_tiles(slide, coarse, on_unreadable=pass_over)]
        normaliser = fitted_normaliser(np.concatenate([np.empty((0, 3), np.uint8), *pixels]), params, slide.slide_id)
    samples = [normaliser.apply(rgb) for _, rgb in iterate_tiles(slide, drawn, on_unreadable=pass_over)]
    return SlideStain(normaliser, stain_scale(samples, params))


def fitted_normaliser(rgb_sample: Rgb, params: NucleiParams, slide_id: str) -> StainNormaliser:
    """``fit_stain_normaliser`` as ``params`` ask; why a slide is left as it is goes to the log."""
    normaliser = fit_stain_normaliser(params.stain_normalisation, rgb_sample)
    if isinstance(normaliser, Unchanged) and normaliser.reason:
        logger.warning("%s: colours are not normalised: %s", slide_id, normaliser.reason)
    return normaliser


def stain_scale(samples: list[Rgb], params: NucleiParams) -> StainScale:
    """``estimate_stain_scale`` with the percentiles of ``params``."""
    return estimate_stain_scale(
        samples, low_percentile=params.stain_low_percentile, high_percentile=params.stain_high_percentile
    )


def nuclei_by_tile(
    slide: SlideReader,
    tiles: pd.DataFrame,
    finder: Finder,
    stain: SlideStain,
    *,
    on_unreadable: BadTile | None = None,
) -> Iterator[tuple[TilePlace, Labels, pd.DataFrame]]:
    """Place, labels with halo, and owned nuclei of each tile that can be read, in table order.

    Parameters
    ----------
    tiles
        Rows of a tile table, of one ``tile_px`` and ``mpp``; may be none.
    finder
        Network and thresholds.
    stain
        See ``slide_stain``; nuclei are found and measured on normalised pixels.
    on_unreadable
        Told of each tile that cannot be read, which is then not yielded; None raises.

    Yields
    ------
    See ``ownership.owned_nuclei`` for the nuclei.

    Raises
    ------
    UnreadableRegionError
        If the slide is damaged at a tile and ``on_unreadable`` is None.
    """
    if tiles.empty:
        return
    mpp = float(tiles["mpp"].iloc[0])
    halo_px = math.ceil(finder.params.halo_um / mpp)
    places = tile_places(tiles, ownership_l0(tiles), halo_px=halo_px, slide_mpp=slide.mpp)
    started, n_tiles, n_nuclei = time.monotonic(), 0, 0
    ahead = finder.params.batch_size + 2
    reading = iterate_tiles(slide, tiles, halo_px=halo_px, prefetch=ahead, on_unreadable=on_unreadable)
    shown = progress(reading, description=f"nuclei of {slide.slide_id}", unit="tile", total=len(tiles))
    waiting: deque[list[tuple[int, Rgb]]] = deque()

    def pictures() -> Iterator[list[Rgb]]:
        for batch in _batches(shown, finder.params.batch_size):
            waiting.append([(position, stain.normaliser.apply(rgb)) for position, rgb in batch])
            yield [rgb for _, rgb in waiting[-1]]

    for found in finder.find_batches(pictures(), mpp, stain.scale):
        for (position, rgb), labels in zip(waiting.popleft(), found, strict=True):
            owned = owned_nuclei(labels, rgb, mpp, places[position])
            n_tiles += 1
            n_nuclei += len(owned)
            yield places[position], labels, owned
    seconds = max(time.monotonic() - started, 1e-9)
    logger.info("%s: %d nuclei in %d tiles, %.0f nuclei/s", slide.slide_id, n_nuclei, n_tiles, n_nuclei / seconds)


def _batches(items: Iterable[tuple[int, Rgb]], size: int) -> Iterator[list[tuple[int, Rgb]]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _pass_over(position: int, error: UnreadableRegionError) -> None:
    """Let a tile that cannot be read stay out of a sample."""
