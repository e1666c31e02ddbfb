from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from pipeline.artefacts.nuclei import read_nuclei
from pipeline.errors import MissingMppError
from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.segment_image import image_tiles, paste, segment_image
from pipeline.nuclei.segmentation.segmenters import Segmenter
from pipeline.nuclei.stain.stain_channels import StainScale
from pipeline.slides.reader import open_slide
from pipeline.slides.slide_input import SlideInput
from pipeline.synthetic.painting.tissue import PaintedTissue


class DarkSpots(Segmenter):
    """Stands for the network where truth must be exact: every connected dark spot is a nucleus."""

    def __init__(self, params: NucleiParams) -> None:
        self.params = params

    def network_mpp(self) -> float:
        return 0.5

    def segment_batches(
        self, batches: Iterable[tuple[Any, list[np.ndarray]]], mpp: float, stain: StainScale
    ) -> Iterator:
        for key, rgbs in batches:
            yield key, [ndimage.label(rgb[..., 0] < 128)[0].astype(np.int32) for rgb in rgbs]


@pytest.fixture
def spots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """180 x 150 px of discs 5 to 9 px across, as PNG; the network is replaced by ``DarkSpots``."""
    rng = np.random.default_rng(5)
    rows, cols = np.mgrid[:150, :180]
    light = np.full((150, 180), 255, np.uint8)
    for row, col in ((r, c) for r in range(8, 150, 14) for c in range(8, 180, 14)):
        at = (row + rng.uniform(-2, 2), col + rng.uniform(-2, 2))
        light[np.hypot(rows - at[0], cols - at[1]) < rng.uniform(2.5, 4.5)] = 60
    Image.fromarray(np.repeat(light[..., None], 3, axis=2)).save(tmp_path / "spots.png")
    monkeypatch.setattr(
        "pipeline.nuclei.segmentation.segment_image.open_segmenter", lambda params, **_: DarkSpots(params)
    )
    return tmp_path / "spots.png"


def segment(image: Path, out: Path, *, mpp: float | None, params: NucleiParams, masks: Path | None = None) -> int:
    return segment_image(SlideInput(image.stem, image, mpp), out, masks, params=params, device="cpu", source="abc")


@pytest.mark.parametrize(("mpp", "told"), [(0.5, []), (0.25, []), (2.0, ["magnified 4 times"])])
def test_an_image_coarser_than_the_segmenter_is_told(
    spots: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, mpp: float, told: list[str]
) -> None:
    with caplog.at_level("WARNING", "abignet.nuclei"):
        segment(spots, tmp_path / "n.parquet", mpp=mpp, params=NucleiParams(block_px=256))
    said = [record.getMessage() for record in caplog.records if "halo" not in record.getMessage()]
    assert [words in message for words, message in zip(told, said, strict=True)] == [True] * len(told)


def test_cut_into_tiles_equals_whole(spots: Path, tmp_path: Path) -> None:
    whole = NucleiParams(block_px=512)
    tiled = NucleiParams(block_px=64, halo_um=8.0)
    for name, params in (("whole", whole), ("tiled", tiled)):
        n = segment(spots, tmp_path / f"{name}.parquet", mpp=0.5, params=params, masks=tmp_path / f"{name}.tif")
        assert n == len(read_nuclei(tmp_path / f"{name}.parquet").frame)
    order = ["y_um", "x_um"]
    first, second = (
        read_nuclei(tmp_path / f"{name}.parquet").frame.sort_values(order, ignore_index=True)
        for name in ("whole", "tiled")
    )
    measured = [name for name in first.columns if name not in ("nucleus_id", "tile_id", "contour_um")]
    assert first[measured].to_numpy() == pytest.approx(second[measured].to_numpy())
    one, other = (tifffile.imread(tmp_path / f"{name}.tif") for name in ("whole", "tiled"))
    assert np.array_equal(one > 0, other > 0)
    assert match_nuclei(one.astype(np.int64), other.astype(np.int64), 1.0).average_precision == 1


def test_masks_are_in_the_images_own_pixels_and_match_the_rows(spots: Path, tmp_path: Path) -> None:
    """The same picture called 0.25 um/px is halved for the network; masks stay at 180 x 150."""
    segment(spots, tmp_path / "n.parquet", mpp=0.25, params=NucleiParams(), masks=tmp_path / "m.tif")
    masks = tifffile.imread(tmp_path / "m.tif")
    nuclei = read_nuclei(tmp_path / "n.parquet").frame
    assert masks.shape == (150, 180)
    assert masks.dtype == np.uint32
    assert sorted(np.unique(masks)) == list(range(len(nuclei) + 1))
    middles = np.array(ndimage.center_of_mass(masks > 0, masks, np.arange(1, len(nuclei) + 1)))
    found = nuclei[["y_um", "x_um"]].to_numpy() / 0.25 - 0.5
    assert np.abs(middles - found).max() < 1.0
    areas = np.bincount(masks.ravel())[1:] * 0.25**2
    assert areas == pytest.approx(nuclei["area_um2"].to_numpy(), rel=0.35)


def test_network_tiled_is_nearly_whole(tissue: PaintedTissue, tissue_png: Path, tmp_path: Path) -> None:
    for name, tile_px in (("whole", 512), ("tiled", 128)):
        params = NucleiParams(block_px=tile_px)
        segment(tissue_png, tmp_path / f"{name}.parquet", mpp=0.5, params=params, masks=tmp_path / f"{name}.tif")
    one, other = (tifffile.imread(tmp_path / f"{name}.tif").astype(np.int64) for name in ("whole", "tiled"))
    assert match_nuclei(one, other, 0.8).f1 > 0.97
    assert match_nuclei(tissue.labels, one, 0.5).f1 > 0.8


def test_image_without_nuclei(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "white").save(tmp_path / "w.png")
    assert (
        segment(tmp_path / "w.png", tmp_path / "n.parquet", mpp=1.0, params=NucleiParams(), masks=tmp_path / "m.tif")
        == 0
    )
    assert read_nuclei(tmp_path / "n.parquet").reason == "no nucleus found in 1 tiles"
    assert not tifffile.imread(tmp_path / "m.tif").any()


def test_image_without_pixel_size(tissue_png: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingMppError):
        segment(tissue_png, tmp_path / "n.parquet", mpp=None, params=NucleiParams())


def test_grid_covers_the_image(tissue_png: Path) -> None:
    """320 x 256 px of 0.25 um are 160 x 128 px of 0.5 um: 2 x 2 tiles of 96, or one of 160."""
    with open_slide(tissue_png, slide_id="s", mpp=0.25) as image:
        tiles = image_tiles(image, 0.5, 96)
        assert tiles[["x_l0", "y_l0"]].to_numpy().tolist() == [[0, 0], [192, 0], [0, 192], [192, 192]]
        assert image_tiles(image, 0.5, 512)["tile_px"].tolist() == [160]


def test_paste_counts_by_eye() -> None:
    """Each pixel of the labels covers 2 x 2 of the masks, the first of them half outside."""
    masks = np.zeros((4, 6), np.uint32)
    masks[0, 2] = 9
    paste(masks, np.array([[1, 2, 0], [3, 0, 4]], np.uint32), (-1.0, 0.0), 0.5)
    assert masks.tolist() == [[1, 2, 9, 0, 0, 0], [1, 2, 2, 0, 0, 0], [3, 0, 0, 4, 4, 0], [3, 0, 0, 4, 4, 0]]


def test_paste_outside_changes_nothing() -> None:
    masks = np.zeros((4, 4), np.uint32)
    paste(masks, np.ones((2, 2), np.uint32), (10.0, 0.0), 1.0)
    assert not masks.any()
