import numpy as np
import pytest

from pipeline.tiling.grid import TileShares, area_fraction, judge_tiles, make_grid
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
    ],
)
def test_number_of_rows_and_columns(width: int, height: int, edge: str, expected: tuple[int, int]) -> None:
    grid = make_grid(width, height, 0.5, TilingParams(tile_px=100, mpp=0.5, edge=edge))  # type: ignore[arg-type]
    assert len(grid) == expected[0] * expected[1]
    if len(grid):
        assert (grid["row"].max() + 1, grid["col"].max() + 1) == expected


def test_reading_order_and_place() -> None:
    grid = make_grid(250, 250, 0.5, PARAMS)
    np.testing.assert_array_equal(grid["tile_id"], [0, 1, 2, 3])
    np.testing.assert_array_equal(grid[["x_l0", "y_l0"]], [[0, 0], [100, 0], [0, 100], [100, 100]])


def test_rounding_never_adds_up() -> None:
    grid = make_grid(40_000, 300, 0.2527, PARAMS)
    pitch = 100 * 0.5 / 0.2527
    assert len(grid) == int(40_000 / pitch)
    assert (grid["width_l0"] == pitch).all()
    assert np.abs(grid["x_l0"] - grid["col"] * pitch).max() <= 0.5
    assert grid["width_l0"].iloc[0] * 0.2527 == pytest.approx(PARAMS.tile_um)


def test_area_fraction_by_hand() -> None:
    mask = np.zeros((4, 6), bool)
    mask[1:3, 1:4] = True
    # Slide of 600 x 400 px, cells of 100 px, tiles of 200 px.
    grid = make_grid(600, 400, 0.25, PARAMS)
    found = area_fraction(mask, grid, width_l0=600, height_l0=400)
    np.testing.assert_allclose(found, [0.25, 0.5, 0.0, 0.25, 0.5, 0.0])


def test_area_fraction_equals_a_fine_count() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((13, 17)) < 0.5
    grid = make_grid(170, 130, 0.5, TilingParams(tile_px=37, mpp=0.5))
    fine = np.kron(mask, np.ones((10, 10)))
    expected = [fine[y : y + 37, x : x + 37].mean() for x, y in zip(grid["x_l0"], grid["y_l0"], strict=True)]
    np.testing.assert_allclose(area_fraction(mask, grid, width_l0=170, height_l0=130), expected, atol=1e-12)


def test_padded_tiles_count_the_outside_as_no_tissue() -> None:
    grid = make_grid(150, 100, 0.5, TilingParams(tile_px=100, mpp=0.5, edge="pad"))
    found = area_fraction(np.ones((3, 3), bool), grid, width_l0=150, height_l0=100)
    np.testing.assert_allclose(found, [1.0, 0.5])


def judged(tissue: list[float], inside: list[float], usable: list[float], least: float) -> tuple[list[bool], list[str]]:
    grid = make_grid(100 * len(tissue), 100, 0.5, PARAMS)
    frame = judge_tiles(
        grid, TileShares(np.array(tissue), np.array(inside), np.array(usable)), min_tissue_fraction=least
    )
    return frame["kept"].tolist(), frame["reason"].tolist()


def test_reasons() -> None:
    kept, reasons = judged([0.0, 0.149, 0.15, 1.0, 0.9], [1, 1, 1, 0, 0.1], [0, 0.149, 0.15, 0, 0.1], 0.15)
    assert kept == [False, False, True, False, False]
    assert reasons == ["no tissue", "tissue fraction below 0.15", "", "outside the mask", "outside the mask"]


def test_zero_keeps_everything_inside_the_mask() -> None:
    kept, reasons = judged([0.0, 1.0], [1.0, 0.0], [0.0, 0.0], 0.0)
    assert kept == [True, False]
    assert reasons == ["", "outside the mask"]
