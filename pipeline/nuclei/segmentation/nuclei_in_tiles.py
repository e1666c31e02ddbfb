"""Nuclei of a slide, block of tiles by block: what ``segment_nuclei`` and ``segment_image`` share."""

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, repeat

import numpy as np
import pandas as pd

from pipeline.artefacts.tiles import ownership_l0
from pipeline.errors import UnreadableRegionError
from pipeline.logs import get_logger, progress
from pipeline.nuclei.measures.nucleus_morphology import Labels
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.ownership import BlockPlace, block_places, owned_nuclei
from pipeline.nuclei.segmentation.segmenters import Finder
from pipeline.nuclei.segmentation.tile_blocks import Block, batches, tile_blocks
from pipeline.nuclei.stain.stain_channels import Rgb, StainScale, estimate_stain_scale
from pipeline.nuclei.stain.stain_normalisation import SAMPLE_MPP, StainNormaliser, Unchanged, fit_stain_normaliser
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


@dataclass(frozen=True)
class BlockNuclei:
    """What is found in one block.

    Attributes
    ----------
    place
        Where it lies and its tiles.
    labels
        (h, w) with halo.
    owned
        See ``ownership.owned_nuclei``.
    n_finished
        The first blocks of the slide of which all has been found, counted at the end of each batch:
        going on from there makes the same batches again.
    """

    place: BlockPlace
    labels: Labels
    owned: pd.DataFrame
    n_finished: int


def blocks_of(tiles: pd.DataFrame, params: NucleiParams) -> list[Block]:
    """``tile_blocks`` of a tile table as ``params`` ask."""
    return tile_blocks(tiles, block_px=params.block_px, halo_px=_halo_px(tiles, params)) if len(tiles) else []


def nuclei_by_block(
    slide: SlideReader,
    tiles: pd.DataFrame,
    finder: Finder,
    stain: SlideStain,
    *,
    first_block: int = 0,
    on_unreadable: BadTile | None = None,
) -> Iterator[BlockNuclei]:
    """Nuclei of each block of tiles, in the order of ``blocks_of``.

    A block that cannot be read whole is read tile by tile, each then a block of its own.

    Parameters
    ----------
    tiles
        Rows of a tile table, of one ``tile_px`` and ``mpp``; may be none.
    finder
        Network and thresholds.
    stain
        See ``slide_stain``; nuclei are found and measured on normalised pixels.
    first_block
        Blocks to pass over, as many as an ``n_finished``.
    on_unreadable
        Told of each tile that cannot be read, which is then left out; None raises.

    Raises
    ------
    UnreadableRegionError
        If the slide is damaged at a tile and ``on_unreadable`` is None.
    """
    if tiles.empty:
        return
    mpp = float(tiles["mpp"].iloc[0])
    started, n_tiles, n_nuclei = time.monotonic(), 0, 0
    passes = (
        replace(each, pictures=[stain.normaliser.apply(rgb) for rgb in each.pictures])
        for each in _passes(_Reading(slide, tiles, finder.params, on_unreadable), first_block)
    )
    for done, nuclei in finder.find_batches(((each, each.pictures) for each in passes), mpp, stain.scale):
        last = len(done.places) - 1
        for index, (place, rgb, labels) in enumerate(zip(done.places, done.pictures, nuclei, strict=True)):
            owned = owned_nuclei(labels, rgb, mpp, place)
            n_tiles += len(place.tile_ids)
            n_nuclei += len(owned)
            yield BlockNuclei(place, labels, owned, done.n_after if index == last else done.n_before)
    seconds = max(time.monotonic() - started, 1e-9)
    logger.info("%s: %d nuclei in %d tiles, %.0f nuclei/s", slide.slide_id, n_nuclei, n_tiles, n_nuclei / seconds)


@dataclass(frozen=True)
class _Pass:
    """Pictures of one size for the network, and the finished blocks before and after it."""

    places: list[BlockPlace]
    pictures: list[Rgb]
    n_before: int
    n_after: int


class _Reading:
    """Pixels of a slide's blocks, and of the tiles of those that are damaged."""

    def __init__(
        self, slide: SlideReader, tiles: pd.DataFrame, params: NucleiParams, on_unreadable: BadTile | None
    ) -> None:
        self.slide, self.tiles, self.on_unreadable = slide, tiles, on_unreadable
        self.batch_size = params.batch_size
        self.halo_px = _halo_px(tiles, params)
        self.blocks = blocks_of(tiles, params)
        self.boxes_l0 = ownership_l0(tiles)

    def places(self, blocks: Sequence[Block]) -> list[BlockPlace]:
        return block_places(self.tiles, self.boxes_l0, blocks, halo_px=self.halo_px, slide_mpp=self.slide.mpp)

    def pixels(self, blocks: Sequence[Block]) -> Iterator[Rgb | None]:
        """Pixels of each block; None of one that cannot be read."""
        squares = [(block.x_l0, block.y_l0, block.width_l0, block.side_px) for block in blocks]
        table = pd.DataFrame(squares, columns=["x_l0", "y_l0", "width_l0", "tile_px"])
        n_damaged = 0

        def count(position: int, error: UnreadableRegionError) -> None:
            nonlocal n_damaged
            n_damaged += 1

        ahead = self.batch_size + 2
        for _, rgb in iterate_tiles(self.slide, table, halo_px=self.halo_px, prefetch=ahead, on_unreadable=count):
            yield from repeat(None, n_damaged)
            n_damaged = 0
            yield rgb
        yield from repeat(None, n_damaged)

    def apart(self, block: Block) -> Iterator[tuple[Block, Rgb]]:
        """Tiles of a block that can be read, each as a block."""
        alone = self.tiles.iloc[list(block.rows)]
        singles = tile_blocks(alone, block_px=0, halo_px=self.halo_px)

        def tell(position: int, error: UnreadableRegionError) -> None:
            if self.on_unreadable is None:
                raise error
            self.on_unreadable(block.rows[position], error)

        for position, rgb in iterate_tiles(self.slide, alone, halo_px=self.halo_px, prefetch=0, on_unreadable=tell):
            yield replace(singles[position], rows=(block.rows[position],)), rgb


def _passes(reading: _Reading, first_block: int) -> Iterator[_Pass]:
    """Each batch of blocks, then what can be read of its damaged ones."""
    finished = end = first_block
    blocks = reading.blocks[first_block:]
    n_tiles = sum(len(block.rows) for block in blocks)
    shown = iter(progress(range(n_tiles), description=f"nuclei of {reading.slide.slide_id}", unit="tile"))
    pixels = reading.pixels(blocks)
    for batch in batches(blocks, reading.batch_size):
        read = list(zip(batch, pixels, strict=False))
        groups = [[(block, rgb) for block, rgb in read if rgb is not None]]
        singles = [tile for block, rgb in read if rgb is None for tile in reading.apart(block)]
        groups += [singles[at : at + reading.batch_size] for at in range(0, len(singles), reading.batch_size)]
        groups = [group for group in groups if group]
        end += len(batch)
        for index, group in enumerate(groups):
            n_before, finished = finished, end if index == len(groups) - 1 else finished
            yield _Pass(reading.places([block for block, _ in group]), [rgb for _, rgb in group], n_before, finished)
        deque(islice(shown, sum(len(block.rows) for block in batch)), maxlen=0)
    # The bar ends when it finds no more.
    deque(shown, maxlen=0)


def _halo_px(tiles: pd.DataFrame, params: NucleiParams) -> int:
    return math.ceil(params.halo_um / float(tiles["mpp"].iloc[0]))


def _pass_over(position: int, error: UnreadableRegionError) -> None:
    """Let a tile that cannot be read stay out of a sample."""
