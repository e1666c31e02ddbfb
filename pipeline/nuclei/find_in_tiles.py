"""Nuclei of a slide's tiles, batch by batch: what ``segment_nuclei`` and ``segment_image`` share."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched

import numpy as np
import pandas as pd

from pipeline.logs import get_logger, progress
from pipeline.nuclei.engine import NucleusFinder
from pipeline.nuclei.morphology import Labels
from pipeline.nuclei.ownership import TilePlace, owned_nuclei
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain import Rgb, StainScale, estimate_stain_scale
from pipeline.slides.reader import SlideReader
from pipeline.slides.tiles_in_order import iterate_tiles

logger = get_logger("nuclei")


def slide_stain_scale(slide: SlideReader, tiles: pd.DataFrame, params: NucleiParams) -> StainScale:
    """Stain scale of a slide from ``stain_tiles`` of its tiles, drawn by ``seed``."""
    order = np.random.default_rng(params.seed).permutation(len(tiles))
    drawn = tiles.iloc[np.sort(order[: params.stain_tiles])]
    samples = [rgb for _, rgb in iterate_tiles(slide, drawn)]
    return estimate_stain_scale(
        samples, low_percentile=params.stain_low_percentile, high_percentile=params.stain_high_percentile
    )
