import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage.filters import threshold_otsu

from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tissue.tissue_mask import (
    CELLS_PER_TILE,
    MAX_CELLS,
    mask_mpp_for,
    otsu_threshold,
    smoothed,
    tissue_mask,
    without_glass_tint,
)

PARAMS = TilingParams()
PINK, GLASS = (222, 150, 190), (243, 242, 244)


def mask_of(rgb: np.ndarray, cell_um: float, params: TilingParams = PARAMS) -> np.ndarray:
    """Tissue as a slide's is found, but for pens."""
    return tissue_mask(without_glass_tint(smoothed(rgb, params.smoothing_um / cell_um)), cell_um, params)


def picture(height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 2, (height, width, 3))
    return np.clip(np.asarray(colour) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("colour", "expected"), [((222, 150, 190), True), ((150, 110, 170), True), ((243, 242, 244), False)]
)
def test_uniform_images_are_wholly_one_or_the_other(colour: tuple[int, int, int], expected: bool) -> None:
    mask = mask_of(picture(100, 120, colour), 4.0, PARAMS)
    assert (mask == expected).all()


@pytest.mark.parametrize("colour", [(0, 0, 0), (12, 8, 10), (128, 128, 128), (255, 255, 255)])
def test_black_grey_and_white_are_background(colour: tuple[int, int, int]) -> None:
    assert not mask_of(picture(100, 120, colour), 4.0, PARAMS).any()


def test_painted_roi_stays_whole() -> None:
    painted = paint_tissue(TissueSpec(), width_px=400, height_px=400, mpp=1.0, rng=np.random.default_rng(0))
    assert mask_of(painted.rgb, 1.0, PARAMS).mean() > 0.99


def test_tissue_beside_black_filling() -> None:
    rgb = picture(100, 200, (243, 242, 244))
    rgb[:, :60] = 0
    rgb[20:80, 100:170] = (222, 150, 190)
    mask = mask_of(rgb, 8.0, PARAMS)
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
        areas.append(mask_of(rgb, cell_um, PARAMS).sum() * cell_um**2)
    np.testing.assert_allclose(areas, 600**2, rtol=0.04)


def test_dust_goes_small_biopsy_stays_and_lumen_is_filled() -> None:
    rgb = picture(300, 300, (243, 242, 244))
    rgb[10:14, 10:14] = (222, 150, 190)
    rgb[100:150, 100:125] = (222, 150, 190)
    rgb[115:125, 108:116] = (243, 242, 244)
    mask = mask_of(rgb, 8.0, PARAMS)
    assert not mask[:50, :50].any()
    assert mask[120, 112]
    assert mask.sum() == pytest.approx(50 * 25, rel=0.08)


def test_a_region_that_could_keep_a_tile_is_never_dust() -> None:
    params = TilingParams(tile_px=64, min_region_area_um2=1e6, closing_um=0.0, smoothing_um=0.0)
    rgb = picture(128, 128, (243, 242, 244))
    rgb[20:48, 20:48] = (222, 150, 190)
    assert mask_of(rgb, 0.5, params).sum() == 28 * 28


def test_a_lumen_is_no_tile() -> None:
    params = TilingParams(tile_px=64, fill_holes_um2=1e6)
    rgb = picture(200, 200, (222, 150, 190))
    rgb[50:150, 50:150] = (243, 242, 244)
    assert not mask_of(rgb, 1.0, params)[70:130, 70:130].any()


def test_otsu_agrees_with_scikit_image_and_handles_nothing() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(20, 6, 4000), rng.normal(70, 12, 2000)]).clip(0, 255).round().astype(np.uint8)
    assert otsu_threshold(np.bincount(values)) == pytest.approx(threshold_otsu(values), abs=1.0)
    assert otsu_threshold(np.zeros(256, np.int64)) == 0.0
    assert otsu_threshold(np.bincount([77] * 9)) == 0.0
    assert 10 <= otsu_threshold(np.bincount([10, 10, 90, 90])) < 90


def disc(side: int, radius: float, colour: tuple[int, int, int]) -> np.ndarray:
    rgb = picture(side, side, GLASS)
    row, col = np.indices((side, side)) - side // 2
    rgb[row**2 + col**2 <= radius**2] = colour
    return rgb


@pytest.mark.parametrize("colour", [PINK, (232, 214, 226), (190, 170, 205)])
def test_a_core_of_a_tissue_array_is_found_even_when_pale(colour: tuple[int, int, int]) -> None:
    mask = mask_of(disc(200, 300 / 8, colour), 8.0)
    assert mask.sum() * 64 == pytest.approx(np.pi * 300**2, rel=0.08)


def test_a_needle_biopsy_is_found() -> None:
    rgb = picture(200, 700, GLASS)
    rgb[95:105, 20:680] = PINK
    mask = mask_of(rgb, 8.0)
    assert mask[96:104, 22:678].all()
    assert mask.sum() == pytest.approx(10 * 660, rel=0.1)


@pytest.mark.parametrize("glass", [(250, 246, 224), (196, 216, 246), (228, 240, 226), (225, 225, 225), (252, 240, 222)])
def test_tinted_glass_is_background(glass: tuple[int, int, int]) -> None:
    rgb = picture(150, 150, glass)
    rgb[40:110, 30:100] = np.array(PINK) * np.array(glass) // 255
    mask = mask_of(rgb, 8.0)
    truth = np.zeros_like(mask)
    truth[40:110, 30:100] = True
    assert (mask != truth).mean() < 0.02


@pytest.mark.parametrize("colour", [(238, 212, 230), (225, 198, 235), PINK])
def test_pale_tissue_all_over_is_not_taken_for_glass(colour: tuple[int, int, int]) -> None:
    rgb = picture(100, 100, colour)
    np.testing.assert_array_equal(without_glass_tint(rgb), rgb)
    assert mask_of(rgb, 4.0).all()


def test_tint_is_taken_out_of_everything() -> None:
    rgb = np.full((40, 40, 3), (240, 240, 204), np.uint8)
    rgb[:10] = (120, 60, 51)
    found = without_glass_tint(rgb)
    assert found[20:].min() >= 252
    np.testing.assert_allclose(found[5, 5], (127, 64, 64), atol=1)


def test_smoothing_does_not_see_its_strips() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (700, 30, 3), dtype=np.uint8)
    whole = np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(2.5)))
    np.testing.assert_array_equal(smoothed(rgb, 2.5), whole)
    np.testing.assert_array_equal(smoothed(rgb, 0.0), rgb)


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
