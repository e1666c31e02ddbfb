import numpy as np
import pytest

from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue
from pipeline.tiling.params import TilingParams
from pipeline.tiling.quality.foreign_marks import PEN_RIM_UM, find_folds, find_ink, find_off_stain, with_rim
from pipeline.tiling.tissue.mask_operations import Mask
from pipeline.tiling.tissue.tissue_mask import smoothed, tissue_mask

CELL_UM = 8.0
BLACK_BELOW = TilingParams().black_below
PINK, GLASS = (222, 150, 190), (243, 242, 244)
NUCLEI = (110, 80, 160)

MARKERS = {
    "qc_pen_red": [(215, 25, 45), (190, 10, 30)],
    "qc_pen_green": [(40, 150, 80), (90, 190, 90), (10, 90, 50)],
    "qc_pen_blue": [(30, 60, 180), (60, 110, 200), (20, 40, 120)],
    "qc_pen_black": [(60, 58, 62), (45, 40, 45), (95, 92, 96)],
}
"""Colours of strokes over glass."""


def slide_with_tissue(height: int = 120, width: int = 200) -> np.ndarray:
    """Glass, with pink tissue in the right half and noise all over."""
    rgb = np.empty((height, width, 3), np.float32)
    rgb[:] = GLASS
    rgb[:, width // 2 :] = PINK
    return np.clip(rgb + np.random.default_rng(0).normal(0, 4, rgb.shape), 0, 255).astype(np.uint8)


def stroke(rgb: np.ndarray, ink: tuple[int, int, int], rows: slice, cols: slice) -> np.ndarray:
    """Ink in front of what is there: transmittances multiply."""
    inked = rgb.astype(np.float32)
    inked[rows, cols] *= np.array(ink) / 255.0
    return smoothed(inked.astype(np.uint8), 6.0 / CELL_UM)


@pytest.mark.parametrize(("column", "ink"), [(column, ink) for column, inks in MARKERS.items() for ink in inks])
@pytest.mark.parametrize("left", [10, 60])
def test_a_stroke_is_found_over_glass_and_across_the_tissues_border(
    column: str, ink: tuple[int, int, int], left: int
) -> None:
    rows, cols = slice(40, 80), slice(left, left + 30)
    found = find_ink(stroke(slide_with_tissue(), ink, rows, cols), CELL_UM, BLACK_BELOW)
    assert list(found) == [column]
    truth = np.zeros((120, 200), bool)
    truth[rows, cols] = True
    assert (found[column] & truth).sum() > 0.85 * truth.sum()
    assert not (found[column] & ~truth).sum() > 0.05 * truth.sum()


@pytest.mark.parametrize("ink", [MARKERS["qc_pen_green"][0], MARKERS["qc_pen_blue"][0], MARKERS["qc_pen_black"][0]])
def test_a_stroke_over_tissue_is_found(ink: tuple[int, int, int]) -> None:
    rows, cols = slice(40, 80), slice(130, 170)
    found = find_ink(stroke(slide_with_tissue(), ink, rows, cols), CELL_UM, BLACK_BELOW)
    covered: Mask = np.logical_or.reduce(list(found.values()))
    assert covered[rows, cols].mean() > 0.85


def test_pen_over_glass_is_no_tissue_and_tissue_stays() -> None:
    rgb = stroke(slide_with_tissue(), MARKERS["qc_pen_blue"][0], slice(40, 80), slice(20, 60))
    mask = tissue_mask(rgb, CELL_UM, TilingParams(), with_rim(find_ink(rgb, CELL_UM, BLACK_BELOW), CELL_UM))
    assert not mask[:, :90].any()
    assert mask[:, 103:].all()


@pytest.mark.parametrize("colour", [PINK, NUCLEI, (200, 90, 110), (235, 205, 225), (150, 60, 120)])
def test_stained_tissue_is_no_ink_and_in_range(colour: tuple[int, int, int]) -> None:
    rgb = np.full((80, 90, 3), colour, np.uint8)
    assert find_ink(rgb, CELL_UM, BLACK_BELOW) == {}
    assert not find_off_stain(rgb, np.ones((80, 90), bool), CELL_UM).any()


@pytest.mark.parametrize("seed", range(3))
def test_painted_tissue_has_neither_ink_nor_folds_nor_foreign_colours(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rgb = paint_tissue(TissueSpec(), width_px=500, height_px=500, mpp=1.0, rng=rng).rgb
    small = smoothed(rgb, 6.0)
    assert find_ink(small, 1.0, BLACK_BELOW) == {}
    whole = np.ones(rgb.shape[:2], bool)
    assert not find_folds(small, whole, 1.0).any()
    assert not find_off_stain(small, whole, 1.0).any()


def test_filling_is_no_black_pen_and_neither_is_its_rim() -> None:
    rgb = slide_with_tissue()
    rgb[:, :60] = 0
    rgb[:, 150:] = 0
    assert find_ink(smoothed(rgb, 6.0 / CELL_UM), CELL_UM, BLACK_BELOW) == {}


def test_specks_and_hairs_are_no_pen() -> None:
    rgb = slide_with_tissue()
    rgb[30:32, 20:22] = rgb[60, :] = (30, 60, 180)
    assert find_ink(rgb, CELL_UM, BLACK_BELOW) == {}


def test_rim_is_of_its_width() -> None:
    ink = np.zeros((40, 40), bool)
    ink[20, 20] = True
    rim = with_rim({"qc_pen_red": ink}, CELL_UM)
    assert rim is not None
    assert rim[20, 20 + round(PEN_RIM_UM / CELL_UM)]
    assert not rim[20, 21 + round(PEN_RIM_UM / CELL_UM)]
    assert with_rim({}, CELL_UM) is None


def test_doubled_tissue_is_a_fold_but_crowded_nuclei_are_not() -> None:
    rgb = np.full((100, 200, 3), PINK, np.float32)
    doubled = slice(20, 30)
    rgb[doubled] = 255 * (rgb[doubled] / 255) ** 3
    rgb[60:80, 50:120] = (104, 60, 140)
    fold = find_folds(rgb.astype(np.uint8), np.ones((100, 200), bool), CELL_UM)
    expected = np.zeros((100, 200), bool)
    expected[doubled] = True
    np.testing.assert_array_equal(fold, expected)


def test_folds_need_tissue() -> None:
    rgb = np.full((20, 20, 3), PINK, np.uint8)
    assert not find_folds(rgb, np.zeros((20, 20), bool), CELL_UM).any()


@pytest.mark.parametrize("colour", [(150, 100, 60), (200, 180, 90), (120, 90, 60)])
def test_brown_and_yellow_are_off_stain_inside_tissue(colour: tuple[int, int, int]) -> None:
    rgb = np.full((60, 60, 3), PINK, np.uint8)
    rgb[20:40, 20:40] = colour
    tissue = np.ones((60, 60), bool)
    tissue[:, 30:] = False
    found = find_off_stain(rgb, tissue, CELL_UM)
    assert found[20:40, 20:30].all()
    assert found.sum() == 200
