from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.nuclei.engine import NucleusFinder, open_finder
from pipeline.nuclei.find_in_tiles import nuclei_by_tile, slide_stain_scale
from pipeline.nuclei.ownership import nucleus_table
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segment_image import image_tiles
from pipeline.nuclei.stain import StainScale, estimate_stain_scale
from pipeline.nuclei.weights import Weights, resolve_weights
from pipeline.slides.reader import open_slide
from pipeline.synthetic.tissue import PaintedTissue


def test_stain_scale_of_all_tiles_is_that_of_the_image(tissue: PaintedTissue, tissue_png: Path) -> None:
    """Five by four tiles of 64 px cover the 320 x 256 px exactly."""
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        scale = slide_stain_scale(slide, tiles, NucleiParams())
    assert scale == estimate_stain_scale([tissue.rgb])


def test_stain_scale_of_a_sample_depends_on_the_seed_only(tissue_png: Path) -> None:
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        few = replace(NucleiParams(), stain_tiles=3)
        first, again, other = (slide_stain_scale(slide, tiles, replace(few, seed=seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_batches_do_not_change_the_nuclei(tissue_png: Path) -> None:
    tables = []
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64).iloc[:5]
        for size in (1, 3):
            params = NucleiParams(batch_size=size)
            finder = open_finder(resolve_weights(params.weights), params, device="cpu")
            found = list(nuclei_by_tile(slide, tiles, finder, StainScale(0.0, 1.0)))
            assert [place.tile_id for place, _, _ in found] == [0, 1, 2, 3, 4]
            tables.append(nucleus_table([owned for _, _, owned in found]))
    one, three = (table[["x_um", "y_um"]].to_numpy() for table in tables)
    assert len(one) > 10
    assert one == pytest.approx(three, abs=0.1)


def test_no_tile(tissue_png: Path, tiny_weights: Weights) -> None:
    finder = NucleusFinder(tiny_weights, NucleiParams(), torch.device("cpu"))
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        assert list(nuclei_by_tile(slide, tiles.iloc[:0], finder, StainScale(0.0, 1.0))) == []
        assert np.isfinite(estimate_stain_scale([]).high)
