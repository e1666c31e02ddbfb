import numpy as np
import pytest
from skimage.filters import threshold_otsu

from pipeline.synthetic.tissue import TissueSpec, paint_tissue
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tissue import (
    CELLS_PER_TILE,
    MAX_CELLS,
    closed,
    mask_mpp_for,
    otsu_threshold,
    tissue_mask,
    with_small_holes_filled,
    without_small_regions,
)

PARAMS = TilingParams()


def picture(height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 2, (height, width, 3))
    return np.clip(np.asarray(colour) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("colour", "expected"), [((222, 150, 190), True), ((150, 110, 170), True), ((243, 242, 244), False)]
)
def test_uniform_images_are_wholly_one_or_the_other(colour: tuple[int, int, int], expected: bool) -> None:
    mask = tissue_mask(picture(100, 120, colour), 4.0, PARAMS)
    assert (mask == expected).all()


@pytest.mark.parametrize("colour", [(0, 0, 0), (12, 8, 10), (128, 128, 128), (255, 255, 255)])
def test_black_grey_and_white_are_background(colour: tuple[int, int, int]) -> None:
    assert not tissue_mask(picture(100, 120, colour), 4.0, PARAMS).any()


def test_painted_roi_stays_whole() -> None:
    painted = paint_tissue(TissueSpec(), width_px=400, height_px=400, mpp=1.0, rng=np.random.default_rng(0))
    assert tissue_mask(painted.rgb, 1.0, PARAMS).mean() > 0.99


def test_tissue_beside_black_filling() -> None:
    rgb = picture(100, 200, (243, 242, 244))
    rgb[:, :60] = 0
    rgb[20:80, 100:170] = (222, 150, 190)
    mask = tissue_mask(rgb, 8.0, PARAMS)
    truth = np.zeros((100, 200), bool)
    truth[20:80, 100:170] = True
    assert not mask[:, :60].any()
    assert (mask != truth).mean() < 0.02


def test_area_is_physical() -> None:
    areas = []
    for cell_um in (2.0, 4.0, 8.0):
        side = int(1600 / cell_um)
        rgb = picture(side, side, (243, 242, 244))
        rgb[int(400 / cell_um) : int(1000 / cell_um), int(400 / cell_um) : int(1000 / cell_um)] = (222, 150, 190)
        areas.append(tissue_mask(rgb, cell_um, PARAMS).sum() * cell_um**2)
    np.testing.assert_allclose(areas, 600**2, rtol=0.04)


def test_dust_goes_small_biopsy_stays_and_lumen_is_filled() -> None:
    rgb = picture(300, 300, (243, 242, 244))
    rgb[10:14, 10:14] = (222, 150, 190)
    rgb[100:150, 100:125] = (222, 150, 190)
    rgb[115:125, 108:116] = (243, 242, 244)
    mask = tissue_mask(rgb, 8.0, PARAMS)
    assert not mask[:50, :50].any()
    assert mask[120, 112]
    assert mask.sum() == pytest.approx(50 * 25, rel=0.08)


def test_a_region_that_could_keep_a_tile_is_never_dust() -> None:
    params = TilingParams(tile_px=64, min_region_area_um2=1e6, closing_um=0.0, smoothing_um=0.0)
    rgb = picture(128, 128, (243, 242, 244))
    rgb[20:48, 20:48] = (222, 150, 190)
    assert tissue_mask(rgb, 0.5, params).sum() == 28 * 28


def test_holes_are_filled_only_when_small_and_enclosed() -> None:
    mask = np.array([[0, 1, 1, 1, 1], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]], bool)
    expected = mask.copy()
    expected[1, 2] = True
    np.testing.assert_array_equal(with_small_holes_filled(mask, 2), expected)
    np.testing.assert_array_equal(with_small_holes_filled(np.zeros((3, 3), bool), 99), np.zeros((3, 3), bool))
    assert with_small_holes_filled(np.ones((3, 3), bool), 99).all()


def test_a_lumen_is_no_tile() -> None:
    params = TilingParams(tile_px=64, fill_holes_um2=1e6)
    rgb = picture(200, 200, (222, 150, 190))
    rgb[50:150, 50:150] = (243, 242, 244)
    assert not tissue_mask(rgb, 1.0, params)[70:130, 70:130].any()


def test_otsu_agrees_with_scikit_image_and_handles_nothing() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(20, 6, 4000), rng.normal(70, 12, 2000)]).clip(0, 255).round().astype(np.float32)
    assert otsu_threshold(values) == pytest.approx(threshold_otsu(values, nbins=256), abs=1.0)
    assert otsu_threshold(np.zeros(0, np.float32)) == 0.0
    assert otsu_threshold(np.full(9, 77, np.float32)) == 0.0
    assert 10 <= otsu_threshold(np.array([10, 10, 90, 90], np.float32)) < 90


def test_closing_bridges_gaps_and_keeps_borders() -> None:
    mask = np.zeros((40, 60), bool)
    mask[:, 10:25] = True
    mask[:, 28:40] = True
    bridged = closed(mask, 3.0)
    expected = mask.copy()
    expected[:, 25:28] = True
    np.testing.assert_array_equal(bridged, expected)
    np.testing.assert_array_equal(closed(np.zeros((3, 3), bool), 5.0), np.zeros((3, 3), bool))


def test_small_regions_are_counted_by_hand() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 1]], bool)
    np.testing.assert_array_equal(without_small_regions(mask, 2), np.array([[1, 1, 0, 0], [0] * 4, [0, 0, 1, 1]], bool))
    assert not without_small_regions(mask, 3).any()


def test_mask_resolution() -> None:
    assert mask_mpp_for(20_000, 15_000, 0.25, PARAMS) == 8.0
    assert mask_mpp_for(512, 512, 0.5, PARAMS) == 2.0
    assert mask_mpp_for(275, 275, 0.55, TilingParams(tile_px=128)) == pytest.approx(275 / 256)
    small_tiles = TilingParams(tile_px=64)
    assert mask_mpp_for(5_000, 5_000, 0.25, small_tiles) == pytest.approx(
        max(32 / CELLS_PER_TILE, 5_000 / MAX_CELLS**0.5)
    )
    assert mask_mpp_for(100_000, 100_000, 0.25, small_tiles) == 8.0
    assert mask_mpp_for(10, 10, 0.5, PARAMS) == 0.5
