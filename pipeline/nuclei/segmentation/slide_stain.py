"""How the pixels of one slide are made comparable, estimated once for the whole slide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.arrays import Bools, Rgb
from pipeline.artefacts.inside_mask import InsideMask
from pipeline.errors import OnBadTile
from pipeline.logs import get_logger
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale, estimate_stain_scale
from pipeline.nuclei.stain.stain_normalisation import SAMPLE_MPP, StainNormaliser, Unchanged, fit_stain_normaliser
from pipeline.slides.filling import filled_in, with_edge
from pipeline.slides.reader import SlideReader
from pipeline.slides.tiles_in_order import BadTile, iterate_tiles, pass_over

STAIN_SIDE_PX = 4096
"""The stain of a larger image is estimated from one shrunk to this side."""

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
    slide: SlideReader,
    tiles: pd.DataFrame,
    params: NucleiParams,
    *,
    on_bad_tile: OnBadTile = "stop",
    inside: InsideMask | None = None,
) -> SlideStain:
    """Stain of a slide from ``stain_tiles`` of its tiles, drawn by ``seed``.

    The normalisation is fitted at ``SAMPLE_MPP``, the scale estimated on the normalised
    tiles at their own resolution.  A tile that cannot be read raises or, where bad tiles are
    excluded, stays out of the sample without a word: it is read again when nuclei are looked for.
    Filling and what lies outside a drawn mask, ``inside``, stay out as well.
    """
    order = np.random.default_rng(params.seed).permutation(len(tiles))
    drawn = tiles.iloc[np.sort(order[: params.stain_tiles])]
    on_unreadable = pass_over if on_bad_tile == "exclude" else None
    normaliser: StainNormaliser = Unchanged()
    if params.stain_normalisation != "none" and len(drawn):
        coarse_px = np.maximum(1, np.rint(drawn["tile_px"] * drawn["mpp"] / SAMPLE_MPP)).astype(np.int64)
        coarse = drawn.assign(tile_px=np.minimum(coarse_px, drawn["tile_px"]))
        pixels = _tile_pixels(_Sample(slide, coarse, inside, on_unreadable), Unchanged())
        normaliser = _fitted_normaliser(np.concatenate([np.empty((0, 3), np.uint8), *pixels]), params, slide.slide_id)
    sample = _Sample(slide, drawn, inside, on_unreadable)
    return SlideStain(normaliser, _stain_scale(_tile_pixels(sample, normaliser), params))


def image_stain(image: SlideReader, mpp: float, params: NucleiParams) -> SlideStain:
    """Stain of an image from the whole of it, at ``mpp`` or as fine as ``STAIN_SIDE_PX`` pixels a side are."""
    finest_mpp = max(image.width_l0, image.height_l0) * image.mpp / STAIN_SIDE_PX
    normaliser: StainNormaliser = Unchanged()
    if params.stain_normalisation != "none":
        pixels = _image_pixels(image, max(SAMPLE_MPP, mpp, finest_mpp), Unchanged())
        normaliser = _fitted_normaliser(pixels, params, image.slide_id)
    return SlideStain(normaliser, _stain_scale([_image_pixels(image, max(mpp, finest_mpp), normaliser)], params))


@dataclass(frozen=True)
class _Sample:
    """Tiles of a slide that tell its stain, and which of their pixels count; see ``slide_stain``."""

    slide: SlideReader
    tiles: pd.DataFrame
    inside: InsideMask | None
    on_unreadable: BadTile | None


def _tile_pixels(sample: _Sample, normaliser: StainNormaliser) -> list[Rgb]:
    """Normalised pixels (n, 3) that count of each tile that can be read."""
    boxes = sample.tiles[["x_l0", "y_l0", "width_l0"]].to_numpy(np.float64).tolist()
    pixels = []
    for position, rgb in iterate_tiles(sample.slide, sample.tiles, on_unreadable=sample.on_unreadable):
        x_l0, y_l0, width_l0 = boxes[position]
        counted = _scanned(rgb, width_l0 / len(rgb), sample.slide.mpp)
        if sample.inside is not None:
            counted &= sample.inside.pixels(x_l0, y_l0, width_l0, len(rgb))
        pixels.append(normaliser.apply(rgb)[counted])
    return pixels


def _image_pixels(image: SlideReader, mpp: float, normaliser: StainNormaliser) -> Rgb:
    rgb = image.thumbnail(mpp)
    return normaliser.apply(rgb)[_scanned(rgb, mpp / image.mpp, image.mpp)]


def _scanned(rgb: Rgb, shrunk: float, slide_mpp: float) -> Bools:
    """Which pixels (h, w) of a picture shrunk so many times are neither filling nor its blurred edge."""
    filled = filled_in(rgb, shrunk * slide_mpp)
    if filled is None:
        return np.ones(rgb.shape[:2], np.bool_)
    return ~(with_edge(filled) if shrunk > 1 else filled)


def _fitted_normaliser(rgb_sample: Rgb, params: NucleiParams, slide_id: str) -> StainNormaliser:
    """``fit_stain_normaliser`` as ``params`` ask; why a slide is left as it is goes to the log."""
    normaliser = fit_stain_normaliser(params.stain_normalisation, rgb_sample)
    if isinstance(normaliser, Unchanged) and normaliser.reason:
        logger.warning("%s: colours are not normalised: %s", slide_id, normaliser.reason)
    return normaliser


def _stain_scale(samples: Sequence[Rgb], params: NucleiParams) -> StainScale:
    """``estimate_stain_scale`` with the percentiles of ``params``."""
    return estimate_stain_scale(
        samples, low_percentile=params.stain_low_percentile, high_percentile=params.stain_high_percentile
    )
