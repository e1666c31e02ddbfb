from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.spatial import cKDTree

from pipeline.errors import UnreadableRegionError
from pipeline.nuclei.network import device_engine
from pipeline.nuclei.network.inference_engine import CpnetSegmenter, open_cpnet
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import NucleiParams, SegmenterName
from pipeline.nuclei.segmentation import measuring_pool, nuclei_in_tiles
from pipeline.nuclei.segmentation.nuclei_in_tiles import nuclei_by_block
from pipeline.nuclei.segmentation.ownership import BlockPlace, nucleus_table
from pipeline.nuclei.segmentation.segment_image import image_tiles
from pipeline.nuclei.segmentation.segmenters import Segmenter, open_segmenter
from pipeline.nuclei.segmentation.slide_stain import SlideStain, slide_stain
from pipeline.nuclei.stain.stain_channels import LUMINANCE, StainScale, estimate_stain_scale
from pipeline.nuclei.stain.stain_normalisation import MacenkoNormaliser, Unchanged
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.tissue import PaintedTissue, TissueSpec, paint_tissue

PLAIN = SlideStain(Unchanged(), StainScale(0.0, 1.0))


class OneNucleus(Segmenter):
    """Stands for the network where only the pixels handed on matter: the middle of a tile is a nucleus."""

    def __init__(self, params: NucleiParams) -> None:
        self.params = params
        self.seen: list[np.ndarray] = []

    def segment_batches(
        self, batches: Iterable[tuple[Any, list[np.ndarray]]], mpp: float, stain: StainScale
    ) -> Iterator:
        for key, rgbs in batches:
            self.seen += rgbs
            labels = np.zeros(rgbs[0].shape[:2], np.int32)
            middle = len(labels) // 2
            labels[middle - 6 : middle + 6, middle - 9 : middle + 9] = 1
            yield key, [labels.copy() for _ in rgbs]


def test_batches_do_not_change_the_nuclei(tissue_png: Path) -> None:
    tables = []
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64).iloc[:5]
        for size in (1, 3):
            params = NucleiParams(batch_size=size, block_px=64)
            segmenter = open_cpnet(resolve_weights(params.weights), params, device="cpu")
            blocks = list(nuclei_by_block(slide, tiles, segmenter, PLAIN))
            assert [block.place.tile_ids for block in blocks] == [(0,), (1,), (2,), (3,), (4,)]
            tables.append(nucleus_table([block.owned for block in blocks]))
    one, three = (table[["x_um", "y_um"]].to_numpy() for table in tables)
    assert len(one) > 10
    assert one == pytest.approx(three, abs=0.1)


@pytest.mark.parametrize("segmenter", ["watershed", pytest.param("cellpose", marks=pytest.mark.slow)])
def test_blocks_give_the_nuclei_of_tiles_one_by_one(segmenter: SegmenterName, tmp_path: Path) -> None:
    """Sixty-four tiles less a corner of four and two in the middle, in squares up to 256 px."""
    spec = TissueSpec(nuclei_per_mm2=4000.0, clustering=0.2, kappa=4.0, axis_rad=0.3)
    rgb = paint_tissue(spec, width_px=512, height_px=512, mpp=0.5, rng=np.random.default_rng(2)).rgb
    Image.fromarray(rgb).save(tmp_path / "t.png")
    tables, n_blocks = [], []
    with open_slide(tmp_path / "t.png", slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64).drop([0, 1, 8, 9, 36, 53])
        for block_px in (64, 256):
            params = NucleiParams(segmenter=segmenter, block_px=block_px)
            blocks = list(nuclei_by_block(slide, tiles, open_segmenter(params, device="cpu"), PLAIN))
            tables.append(nucleus_table([block.owned for block in blocks]))
            n_blocks.append(len(blocks))
    one_by_one, in_blocks = tables
    assert n_blocks == [58, 4]
    assert len(one_by_one) > 180
    assert abs(len(in_blocks) - len(one_by_one)) <= 0.005 * len(one_by_one)
    assert in_blocks["area_um2"].sum() == pytest.approx(one_by_one["area_um2"].sum(), rel=0.005)
    assert set(in_blocks["tile_id"]) <= set(tiles["tile_id"])
    assert in_blocks["tile_id"].is_monotonic_increasing
    distance, _ = cKDTree(one_by_one[["x_um", "y_um"]]).query(in_blocks[["x_um", "y_um"]])
    assert np.quantile(distance, 0.99) < 0.5


def test_network_and_measures_see_normalised_pixels(tissue: PaintedTissue, tissue_png: Path) -> None:
    params = NucleiParams(stain_normalisation="macenko", halo_um=0.0, block_px=64)
    segmenter = OneNucleus(params)
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        stain = slide_stain(slide, tiles, params)
        blocks = list(nuclei_by_block(slide, tiles, segmenter, stain))
    assert isinstance(stain.normaliser, MacenkoNormaliser)
    normalised = stain.normaliser.apply(tissue.rgb)
    assert np.abs(normalised.astype(float) - tissue.rgb).mean() > 3
    np.testing.assert_array_equal(segmenter.seen[0], normalised[:64, :64])
    grey = [block.owned["mean_grey"].iloc[0] for block in blocks]
    expected = [np.rint(rgb @ LUMINANCE)[26:38, 23:41].mean() for rgb in segmenter.seen]
    assert grey == pytest.approx(expected)
    assert stain.scale == estimate_stain_scale([normalised])


def test_tiles_that_cannot_be_read_are_told_and_left_out(damaged_slide: Path) -> None:
    """Tiles 1, 5 and 6 of four by two are damaged; batches of three run over the gaps."""
    params = NucleiParams(batch_size=3, halo_um=0.0, block_px=64)
    told: list[int] = []
    with open_slide(damaged_slide, slide_id="s") as slide:
        tiles = image_tiles(slide, 0.5, 64)
        blocks = nuclei_by_block(
            slide, tiles, OneNucleus(params), PLAIN, on_unreadable=lambda position, error: told.append(position)
        )
        assert [block.place.tile_ids for block in blocks] == [(0,), (2,), (3,), (4,), (7,)]
        assert told == [1, 5, 6]
        with pytest.raises(UnreadableRegionError):
            list(nuclei_by_block(slide, tiles, OneNucleus(params), PLAIN))


def test_blocks_count_as_finished_at_the_end_of_their_batch(damaged_slide: Path) -> None:
    """Batches of two: tiles 5 and 6, both damaged, then 0 and 2, then 3 alone."""
    params = NucleiParams(batch_size=2, halo_um=0.0, block_px=64)
    with open_slide(damaged_slide, slide_id="s") as slide:
        tiles = image_tiles(slide, 0.5, 64).iloc[[5, 6, 0, 2, 3]]
        told: list[int] = []
        for first_block, expected in ((0, [(0, 0), (2, 4), (3, 5)]), (4, [(3, 5)])):
            blocks = nuclei_by_block(
                slide,
                tiles,
                OneNucleus(params),
                PLAIN,
                first_block=first_block,
                on_unreadable=lambda row, error: told.append(row),
            )
            assert [(block.place.tile_ids[0], block.n_finished) for block in blocks] == expected
    assert told == [0, 1]


def test_nuclei_are_measured_while_the_next_batch_is_segmented(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second batch is segmented only when the first has been measured, which in turn would be too late."""
    measured = Event()

    def measure(labels: np.ndarray, rgb: np.ndarray, mpp: float, place: BlockPlace) -> pd.DataFrame:
        measured.set()
        return pd.DataFrame({"block": place.tile_ids})

    def segmented() -> Iterator[tuple[nuclei_in_tiles._Pass, list[np.ndarray]]]:
        for number in range(3):
            if number == 1:
                assert measured.wait(20)
            places = [BlockPlace((2 * number + index,), (0.0, 0.0), ()) for index in range(2)]
            pictures = [np.zeros((4, 4, 3), np.uint8)] * 2
            yield nuclei_in_tiles._Pass(places, pictures, 0, 0), [np.zeros((4, 4), np.int32)] * 2

    monkeypatch.setattr(nuclei_in_tiles, "owned_nuclei", measure)
    with ThreadPoolExecutor(2) as pool:
        found = list(nuclei_in_tiles._measured(segmented(), pool, 0.5))
    assert [[int(frame["block"].iloc[0]) for frame in frames] for _, _, frames in found] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_helpers_find_the_same_nuclei(
    device: str, shipped_weights: Weights, tissue_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine of cards with threads and processes beside it, against the processor's."""
    monkeypatch.setattr(measuring_pool, "BLOCKS_A_PROCESS", 2)
    monkeypatch.setattr(device_engine, "free_memory", lambda device: 2**26)
    params = NucleiParams(block_px=64, runtime="torch")
    beside = device_engine.DeviceSegmenter(shipped_weights, replace(params, threads=2), torch.device(device))
    tables = []
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64).iloc[:6]
        for segmenter in (CpnetSegmenter(shipped_weights, params), beside):
            blocks = list(nuclei_by_block(slide, tiles, segmenter, PLAIN))
            assert [block.n_finished for block in blocks][-1] == 6
            tables.append(nucleus_table([block.owned for block in blocks]))
    assert beside.helpers == 2
    assert len(tables[0]) > 10
    if device == "cpu":
        pd.testing.assert_frame_equal(*tables)
    one, other = (table[["x_um", "y_um"]].to_numpy() for table in tables)
    assert abs(len(other) - len(one)) <= 1
    assert np.median(cKDTree(one).query(other)[0]) < 0.05


def test_no_tile(tissue_png: Path, tiny_weights: Weights) -> None:
    segmenter = CpnetSegmenter(tiny_weights, NucleiParams())
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        assert list(nuclei_by_block(slide, tiles.iloc[:0], segmenter, PLAIN)) == []
