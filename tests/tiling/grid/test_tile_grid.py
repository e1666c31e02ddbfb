import numpy as np
import pytest

from pipeline.tiling.grid.tile_grid import SlideSize, area_fraction, make_grid
from pipeline.tiling.params import TilingParams

PARAMS = TilingParams(tile_px=100, mpp=0.5)


@pytest.mark.parametrize(
    ("width", "height", "edge", "expected"),
    [
        (300, 200, "skip", (2, 3)),
        (299, 200, "skip", (2, 2)),
        (301, 200, "skip", (2, 3)),
        (301, 200, "pad", (2, 4)),
        (300, 200, "pad", (2, 3)),
        (99, 500, "skip", (5, 0)),
        (1, 1, "pad", (1, 1)),
        (1, 1, "skip", (0, 0)),
        (301, 200, "shift", (2, 4)),
        (300, 200, "shift", (2, 3)),
        (60, 250, "shift", (3, 1)),
    ],
)
def test_number_of_rows_and_columns(width: int, height: int, edge: str, expected: tuple[int, int]) -> None:
    grid = make_grid(SlideSize(width, height), 0.5, TilingParams(tile_px=100, mpp=0.5, edge=edge))  # type: ignore[arg-type]
    assert len(grid) == expected[0] * expected[1]
    if len(grid):
        assert (grid["row"].max() + 1, grid["col"].max() + 1) == expected


def test_reading_order_and_place() -> None:
    grid = make_grid(SlideSize(250, 250), 0.5, PARAMS)
    np.testing.assert_array_equal(grid["tile_id"], [0, 1, 2, 3])
    np.testing.assert_array_equal(grid[["x_l0", "y_l0"]], [[0, 0], [100, 0], [0, 100], [100, 100]])


def test_rounding_never_adds_up() -> None:
    grid = make_grid(SlideSize(40_000, 300), 0.2527, PARAMS)
    pitch = 100 * 0.5 / 0.2527
    assert len(grid) == int(40_000 / pitch)
    assert (grid["width_l0"] == pitch).all()
    assert np.abs(grid["x_l0"] - grid["col"] * pitch).max() <= 0.5
    assert grid["width_l0"].iloc[0] * 0.2527 == pytest.approx(PARAMS.tile_um)


def test_area_fraction_by_hand() -> None:
    mask = np.zeros((4, 6), bool)
    mask[1:3, 1:4] = True
    # Slide of 600 x 400 px, cells of 100 px, tiles of 200 px.
    size = SlideSize(600, 400)
    found = area_fraction(mask, make_grid(size, 0.25, PARAMS), size)
    np.testing.assert_allclose(found, [0.25, 0.5, 0.0, 0.25, 0.5, 0.0])


def test_area_fraction_equals_a_fine_count() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((13, 17)) < 0.5
    size = SlideSize(170, 130)
    grid = make_grid(size, 0.5, TilingParams(tile_px=37, mpp=0.5))
    fine = np.kron(mask, np.ones((10, 10)))
    expected = [fine[y : y + 37, x : x + 37].mean() for x, y in zip(grid["x_l0"], grid["y_l0"], strict=True)]
    np.testing.assert_allclose(area_fraction(mask, grid, size), expected, atol=1e-12)


def test_padded_tiles_count_the_outside_as_no_tissue() -> None:
    size = SlideSize(150, 100)
    grid = make_grid(size, 0.5, TilingParams(tile_px=100, mpp=0.5, edge="pad"))
    found = area_fraction(np.ones((3, 3), bool), grid, size)
    np.testing.assert_allclose(found, [1.0, 0.5])


@pytest.mark.parametrize(
    ("width", "edge", "expected"),
    [
        (260, "skip", [0, 60, 120]),
        (261, "skip", [0, 60, 120]),
        (259, "skip", [0, 60, 120]),
        (219, "skip", [0, 60]),
        (261, "pad", [0, 60, 120, 180]),
        (220, "pad", [0, 60, 120]),
        (261, "shift", [0, 60, 120, 161]),
        (280, "shift", [0, 60, 120, 180]),
        (100, "shift", [0]),
        (99, "shift", [0]),
    ],
)
def test_overlapping_tiles_along_one_axis(width: int, edge: str, expected: list[int]) -> None:
    params = TilingParams(tile_px=100, mpp=0.5, overlap_px=40, edge=edge)  # type: ignore[arg-type]
    grid = make_grid(SlideSize(width, 100), 0.5, params)
    assert grid["x_l0"].tolist() == expected


@pytest.mark.parametrize("slide_mpp", [0.25, 0.2527, 0.499])
def test_shifted_tiles_cover_the_slide_and_stay_on_it(slide_mpp: float) -> None:
    params = TilingParams(tile_px=100, mpp=0.5, edge="shift", overlap_px=10)
    grid = make_grid(SlideSize(1713, 911), slide_mpp, params)
    end_x, end_y = (grid[axis] + grid["width_l0"] for axis in ("x_l0", "y_l0"))
    assert 1712 <= end_x.max() <= 1713 + 1e-6
    assert 910 <= end_y.max() <= 911 + 1e-6
    assert grid["width_l0"].nunique() == 1
    assert (np.diff(np.unique(grid["x_l0"])) <= grid["width_l0"][0]).all()


def test_an_empty_mask_covers_nothing_and_no_tile_has_no_share() -> None:
    size = SlideSize(300, 200)
    grid = make_grid(size, 0.5, PARAMS)
    np.testing.assert_array_equal(area_fraction(np.zeros((4, 4), bool), grid, size), np.zeros(6))
    assert area_fraction(np.ones((4, 4), bool), grid.iloc[:0], size).shape == (0,)
