from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import UnreadableRegionError
from pipeline.nuclei.engine import NucleusFinder, open_finder
from pipeline.nuclei.find_in_tiles import SlideStain, nuclei_by_tile, slide_stain
from pipeline.nuclei.ownership import nucleus_table
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segment_image import image_tiles
from pipeline.nuclei.stain import LUMINANCE, StainScale, estimate_stain_scale
from pipeline.nuclei.stain_normalisation import MacenkoNormaliser, Unchanged
from pipeline.nuclei.weights import Weights, resolve_weights
from pipeline.slides.reader import open_slide
from pipeline.synthetic.tissue import PaintedTissue

PLAIN = SlideStain(Unchanged(), StainScale(0.0, 1.0))


class OneNucleus:
    """Stands for the network where only the pixels handed on matter: the middle of a tile is a nucleus."""

    def __init__(self, params: NucleiParams) -> None:
        self.params = params
        self.seen: list[np.ndarray] = []

    def find_batches(self, batches: Iterable[list[np.ndarray]], mpp: float, stain: StainScale) -> Iterator:
        for rgbs in batches:
            self.seen += rgbs
            labels = np.zeros(rgbs[0].shape[:2], np.int32)
            middle = len(labels) // 2
            labels[middle - 6 : middle + 6, middle - 9 : middle + 9] = 1
            yield [labels.copy() for _ in rgbs]


def test_stain_scale_of_all_tiles_is_that_of_the_image(tissue: PaintedTissue, tissue_png: Path) -> None:
    """Five by four tiles of 64 px cover the 320 x 256 px exactly."""
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        stain = slide_stain(slide, tiles, NucleiParams())
    assert stain == SlideStain(Unchanged(), estimate_stain_scale([tissue.rgb]))


def test_stain_scale_of_a_sample_depends_on_the_seed_only(tissue_png: Path) -> None:
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        few = replace(NucleiParams(), stain_tiles=3)
        first, again, other = (slide_stain(slide, tiles, replace(few, seed=seed)).scale for seed in (0, 0, 1))
    assert first == again != other


def test_batches_do_not_change_the_nuclei(tissue_png: Path) -> None:
    tables = []
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64).iloc[:5]
        for size in (1, 3):
            params = NucleiParams(batch_size=size)
            finder = open_finder(resolve_weights(params.weights), params, device="cpu")
            found = list(nuclei_by_tile(slide, tiles, finder, PLAIN))
            assert [place.tile_id for place, _, _ in found] == [0, 1, 2, 3, 4]
            tables.append(nucleus_table([owned for _, _, owned in found]))
    one, three = (table[["x_um", "y_um"]].to_numpy() for table in tables)
    assert len(one) > 10
    assert one == pytest.approx(three, abs=0.1)


def test_network_and_measures_see_normalised_pixels(tissue: PaintedTissue, tissue_png: Path) -> None:
    params = NucleiParams(stain_normalisation="macenko", halo_um=0.0)
    finder = OneNucleus(params)
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        stain = slide_stain(slide, tiles, params)
        found = list(nuclei_by_tile(slide, tiles, finder, stain))
    assert isinstance(stain.normaliser, MacenkoNormaliser)
    normalised = stain.normaliser.apply(tissue.rgb)
    assert np.abs(normalised.astype(float) - tissue.rgb).mean() > 3
    np.testing.assert_array_equal(finder.seen[0], normalised[:64, :64])
    grey = [nuclei["mean_grey"].iloc[0] for _, _, nuclei in found]
    expected = [np.rint(rgb @ LUMINANCE)[26:38, 23:41].mean() for rgb in finder.seen]
    assert grey == pytest.approx(expected)
    assert stain.scale == estimate_stain_scale([normalised])


def test_a_slide_that_cannot_be_normalised_says_so_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("RGB", (128, 128), (246, 244, 247)).save(tmp_path / "glass.png")
    params = NucleiParams(stain_normalisation="macenko")
    with open_slide(tmp_path / "glass.png", slide_id="s7", mpp=0.5) as slide:
        stain = slide_stain(slide, image_tiles(slide, 0.5, 64), params)
    assert isinstance(stain.normaliser, Unchanged)
    assert "s7: colours are not normalised: 0 of 1024 sampled pixels are stained" in caplog.text


def test_tiles_that_cannot_be_read_are_told_and_left_out(damaged_slide: Path) -> None:
    """Tiles 1, 5 and 6 of four by two are damaged; batches of three run over the gaps."""
    params = NucleiParams(batch_size=3, halo_um=0.0)
    told: list[int] = []
    with open_slide(damaged_slide, slide_id="s") as slide:
        tiles = image_tiles(slide, 0.5, 64)
        stain = slide_stain(slide, tiles, params, on_unreadable=lambda position, error: told.append(position))
        assert told == []
        found = nuclei_by_tile(
            slide, tiles, OneNucleus(params), stain, on_unreadable=lambda position, error: told.append(position)
        )
        assert [place.tile_id for place, _, _ in found] == [0, 2, 3, 4, 7]
        assert told == [1, 5, 6]
        with pytest.raises(UnreadableRegionError):
            slide_stain(slide, tiles, params)
        with pytest.raises(UnreadableRegionError):
            list(nuclei_by_tile(slide, tiles, OneNucleus(params), stain))


def test_no_tile(tissue_png: Path, tiny_weights: Weights) -> None:
    finder = NucleusFinder(tiny_weights, NucleiParams(), torch.device("cpu"))
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        assert list(nuclei_by_tile(slide, tiles.iloc[:0], finder, PLAIN)) == []
        for method in ("none", "macenko"):
            stain = slide_stain(slide, tiles.iloc[:0], NucleiParams(stain_normalisation=method))
            assert stain == SlideStain(Unchanged(), estimate_stain_scale([]))
