"""Nuclei of a slide, block of tiles by block: what ``segment_nuclei`` and ``segment_image`` share."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import pandas as pd

from pipeline.arrays import Rgb
from pipeline.artefacts.tiles import ownership_l0
from pipeline.errors import UnreadableRegionError
from pipeline.logs import get_logger, progress
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.measuring_pool import InTurn, measuring_pool
from pipeline.nuclei.segmentation.ownership import BlockPlace, block_places, owned_nuclei
from pipeline.nuclei.segmentation.segmenters import Segmenter
from pipeline.nuclei.segmentation.slide_stain import SlideStain
from pipeline.nuclei.segmentation.tile_blocks import Block, batches, tile_blocks
from pipeline.slides.filling import filled_in, with_white_filling
from pipeline.slides.reader import SlideReader
from pipeline.slides.tiles_in_order import BadTile, iterate_tiles, pass_over

READING_THREADS = 2
"""Threads that read tiles ahead, at least."""

logger = get_logger("nuclei")


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
    segmenter: Segmenter,
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
    segmenter
        Network and thresholds.
    stain
        See ``slide_stain``; nuclei are found and measured on normalised pixels, where filling is white as beyond a
        slide's edge: a nucleus that it cuts is treated like one at that edge.
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

    def comparable(rgb: Rgb) -> Rgb:
        return stain.normaliser.apply(with_white_filling(rgb, filled_in(rgb, mpp)))

    reading = _Reading(slide, tiles, segmenter, on_unreadable)
    passes = ((each, each.pictures) for each in _made_comparable(_passes(reading, first_block), comparable, segmenter))
    with measuring_pool(segmenter.helpers, len(reading.blocks) - first_block) as pool:
        segmented = segmenter.segment_batches(passes, mpp, stain.scale)
        for done, nuclei, measured in _measured(segmented, pool, mpp):
            last = len(done.places) - 1
            for index, (place, labels, owned) in enumerate(zip(done.places, nuclei, measured, strict=True)):
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


def _made_comparable(
    passes: Iterable[_Pass], comparable: Callable[[Rgb], Rgb], segmenter: Segmenter
) -> Iterator[_Pass]:
    """``passes`` with their pictures changed, by threads where there are helpers."""
    if not segmenter.helpers:
        yield from (replace(each, pictures=[comparable(rgb) for rgb in each.pictures]) for each in passes)
        return
    with ThreadPoolExecutor(segmenter.helpers, thread_name_prefix="stain") as pool:
        yield from (replace(each, pictures=list(pool.map(comparable, each.pictures))) for each in passes)


def _measured(
    segmented: Iterable[tuple[_Pass, list[Labels]]], pool: Executor, mpp: float
) -> Iterator[tuple[_Pass, list[Labels], list[pd.DataFrame]]]:
    """Nuclei that the tiles of each batch own; a ``pool`` of processes measures a batch while the next is segmented."""
    waiting: deque[tuple[_Pass, list[Labels], list[Future[pd.DataFrame]]]] = deque()
    ahead = 0 if isinstance(pool, InTurn) else 1

    def first() -> tuple[_Pass, list[Labels], list[pd.DataFrame]]:
        done, nuclei, measured = waiting.popleft()
        return done, nuclei, [owned.result() for owned in measured]

    for done, nuclei in segmented:
        blocks = zip(nuclei, done.pictures, done.places, strict=True)
        measured = [pool.submit(owned_nuclei, labels, rgb, mpp, place) for labels, rgb, place in blocks]
        waiting.append((done, nuclei, measured))
        if len(waiting) > ahead:
            yield first()
    while waiting:
        yield first()


class _Reading:
    """Pixels of a slide's blocks, and of the tiles of those that are damaged."""

    def __init__(
        self, slide: SlideReader, tiles: pd.DataFrame, segmenter: Segmenter, on_unreadable: BadTile | None
    ) -> None:
        self.slide, self.tiles, self.on_unreadable = slide, tiles, on_unreadable
        self.segmenter = segmenter
        self.halo_px = _halo_px(tiles, segmenter.params)
        self.blocks = blocks_of(tiles, segmenter.params)
        self.boxes_l0 = ownership_l0(tiles)

    def at_once(self, side_px: int) -> int:
        """Blocks of ``side_px`` without their halo in a batch."""
        return self.segmenter.at_once(side_px + 2 * self.halo_px, float(self.tiles["mpp"].iloc[0]))

    def places(self, blocks: Sequence[Block]) -> list[BlockPlace]:
        """Where each block lies, and which nuclei its tiles own."""
        return block_places(self.tiles, self.boxes_l0, blocks, halo_px=self.halo_px, slide_mpp=self.slide.mpp)

    def read(self, blocks: Sequence[Block]) -> Iterator[tuple[Block, Rgb | None]]:
        """Each block with its pixels; with None where they cannot be read whole, but perhaps tile by tile."""
        squares = [(block.x_l0, block.y_l0, block.width_l0, block.side_px) for block in blocks]
        table = pd.DataFrame(squares, columns=["x_l0", "y_l0", "width_l0", "tile_px"])
        threads = max(READING_THREADS, self.segmenter.helpers)
        ahead = (self.at_once(blocks[0].side_px) if blocks else 0) + threads
        n_read = 0
        for position, rgb in iterate_tiles(
            self.slide, table, halo_px=self.halo_px, prefetch=ahead, threads=threads, on_unreadable=pass_over
        ):
            yield from ((block, None) for block in blocks[n_read:position])
            yield blocks[position], rgb
            n_read = position + 1
        yield from ((block, None) for block in blocks[n_read:])

    def tile_by_tile(self, block: Block) -> Iterator[tuple[Block, Rgb]]:
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
    read = reading.read(blocks)
    for batch in batches(blocks, reading.at_once):
        groups = _readable(reading, list(islice(read, len(batch))))
        end += len(batch)
        for index, group in enumerate(groups):
            n_before, finished = finished, end if index == len(groups) - 1 else finished
            yield _Pass(reading.places([block for block, _ in group]), [rgb for _, rgb in group], n_before, finished)
        deque(islice(shown, sum(len(block.rows) for block in batch)), maxlen=0)
    # The bar ends when it finds no more.
    deque(shown, maxlen=0)


def _readable(reading: _Reading, batch: Sequence[tuple[Block, Rgb | None]]) -> list[list[tuple[Block, Rgb]]]:
    """What can be read of a batch, each group of one size and a batch at most: whole blocks, then single tiles."""
    whole = [(block, rgb) for block, rgb in batch if rgb is not None]
    singles = [tile for block, rgb in batch if rgb is None for tile in reading.tile_by_tile(block)]
    size = reading.at_once(singles[0][0].side_px) if singles else 1
    groups = [whole, *(singles[first : first + size] for first in range(0, len(singles), size))]
    return [group for group in groups if group]


def _halo_px(tiles: pd.DataFrame, params: NucleiParams) -> int:
    return math.ceil(params.halo_um / float(tiles["mpp"].iloc[0]))
