from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from pipeline.errors import UnreadableRegionError
from pipeline.nuclei.network.inference_engine import NucleusFinder, open_finder
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import NucleiParams, Segmenter
from pipeline.nuclei.segmentation.nuclei_in_tiles import SlideStain, nuclei_by_block, slide_stain
from pipeline.nuclei.segmentation.ownership import nucleus_table
from pipeline.nuclei.segmentation.segment_image import image_tiles
from pipeline.nuclei.segmentation.segmenters import open_segmenter
from pipeline.nuclei.stain.stain_channels import LUMINANCE, StainScale, estimate_stain_scale
from pipeline.nuclei.stain.stain_normalisation import MacenkoNormaliser, Unchanged
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.tissue import PaintedTissue, TissueSpec, paint_tissue

PLAIN = SlideStain(Unchanged(), StainScale(0.0, 1.0))


class OneNucleus:
    """Stands for the network where only the pixels handed on matter: the middle of a tile is a nucleus."""

    def __init__(self, params: NucleiParams) -> None:
        self.params = params
        self.seen: list[np.ndarray] = []

    def find_batches(self, batches: Iterable[tuple[Any, list[np.ndarray]]], mpp: float, stain: StainScale) -> Iterator:
        for key, rgbs in batches:
            self.seen += rgbs
            labels = np.zeros(rgbs[0].shape[:2], np.int32)
            middle = len(labels) // 2
            labels[middle - 6 : middle + 6, middle - 9 : middle + 9] = 1
            yield key, [labels.copy() for _ in rgbs]


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
            params = NucleiParams(batch_size=size, block_px=64)
            finder = open_finder(resolve_weights(params.weights), params, device="cpu")
            found = list(nuclei_by_block(slide, tiles, finder, PLAIN))
            assert [block.place.tile_ids for block in found] == [(0,), (1,), (2,), (3,), (4,)]
            tables.append(nucleus_table([block.owned for block in found]))
    one, three = (table[["x_um", "y_um"]].to_numpy() for table in tables)
    assert len(one) > 10
    assert one == pytest.approx(three, abs=0.1)


@pytest.mark.parametrize("segmenter", ["watershed", pytest.param("cellpose", marks=pytest.mark.slow)])
def test_blocks_give_the_nuclei_of_tiles_one_by_one(segmenter: Segmenter, tmp_path: Path) -> None:
    """Sixty-four tiles less a corner of four and two in the middle, in squares up to 256 px."""
    spec = TissueSpec(nuclei_per_mm2=4000.0, clustering=0.2, kappa=4.0, axis_rad=0.3)
    rgb = paint_tissue(spec, width_px=512, height_px=512, mpp=0.5, rng=np.random.default_rng(2)).rgb
    Image.fromarray(rgb).save(tmp_path / "t.png")
    tables, n_blocks = [], []
    with open_slide(tmp_path / "t.png", slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64).drop([0, 1, 8, 9, 36, 53])
        for block_px in (64, 256):
            params = NucleiParams(segmenter=segmenter, block_px=block_px)
            found = list(nuclei_by_block(slide, tiles, open_segmenter(params, device="cpu"), PLAIN))
            tables.append(nucleus_table([block.owned for block in found]))
            n_blocks.append(len(found))
    one_by_one, blocks = tables
    assert n_blocks == [58, 4]
    assert len(one_by_one) > 180
    assert abs(len(blocks) - len(one_by_one)) <= 0.005 * len(one_by_one)
    assert blocks["area_um2"].sum() == pytest.approx(one_by_one["area_um2"].sum(), rel=0.005)
    assert set(blocks["tile_id"]) <= set(tiles["tile_id"])
    assert blocks["tile_id"].is_monotonic_increasing
    distance, _ = cKDTree(one_by_one[["x_um", "y_um"]]).query(blocks[["x_um", "y_um"]])
    assert np.quantile(distance, 0.99) < 0.5


def test_network_and_measures_see_normalised_pixels(tissue: PaintedTissue, tissue_png: Path) -> None:
    params = NucleiParams(stain_normalisation="macenko", halo_um=0.0, block_px=64)
    finder = OneNucleus(params)
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        stain = slide_stain(slide, tiles, params)
        found = list(nuclei_by_block(slide, tiles, finder, stain))
    assert isinstance(stain.normaliser, MacenkoNormaliser)
    normalised = stain.normaliser.apply(tissue.rgb)
    assert np.abs(normalised.astype(float) - tissue.rgb).mean() > 3
    np.testing.assert_array_equal(finder.seen[0], normalised[:64, :64])
    grey = [block.owned["mean_grey"].iloc[0] for block in found]
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
    params = NucleiParams(batch_size=3, halo_um=0.0, block_px=64)
    told: list[int] = []
    with open_slide(damaged_slide, slide_id="s") as slide:
        tiles = image_tiles(slide, 0.5, 64)
        stain = slide_stain(slide, tiles, params, on_unreadable=lambda position, error: told.append(position))
        assert told == []
        found = nuclei_by_block(
            slide, tiles, OneNucleus(params), stain, on_unreadable=lambda position, error: told.append(position)
        )
        assert [block.place.tile_ids for block in found] == [(0,), (2,), (3,), (4,), (7,)]
        assert told == [1, 5, 6]
        with pytest.raises(UnreadableRegionError):
            slide_stain(slide, tiles, params)
        with pytest.raises(UnreadableRegionError):
            list(nuclei_by_block(slide, tiles, OneNucleus(params), stain))


def test_blocks_count_as_finished_at_the_end_of_their_batch(damaged_slide: Path) -> None:
    """Batches of two: tiles 5 and 6, both damaged, then 0 and 2, then 3 alone."""
    params = NucleiParams(batch_size=2, halo_um=0.0, block_px=64)
    with open_slide(damaged_slide, slide_id="s") as slide:
        tiles = image_tiles(slide, 0.5, 64).iloc[[5, 6, 0, 2, 3]]
        told: list[int] = []
        for first_block, expected in ((0, [(0, 0), (2, 4), (3, 5)]), (4, [(3, 5)])):
            found = nuclei_by_block(
                slide,
                tiles,
                OneNucleus(params),
                PLAIN,
                first_block=first_block,
                on_unreadable=lambda row, error: told.append(row),
            )
            assert [(block.place.tile_ids[0], block.n_finished) for block in found] == expected
    assert told == [0, 1]


def test_no_tile(tissue_png: Path, tiny_weights: Weights) -> None:
    finder = NucleusFinder(tiny_weights, NucleiParams(), "cpu")
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        assert list(nuclei_by_block(slide, tiles.iloc[:0], finder, PLAIN)) == []
        for method in ("none", "macenko"):
            stain = slide_stain(slide, tiles.iloc[:0], NucleiParams(stain_normalisation=method))
            assert stain == SlideStain(Unchanged(), estimate_stain_scale([]))
