import numpy as np
import pandas as pd
import pytest

from pipeline.nuclei.segmentation.tile_blocks import Block, batches, tile_blocks


def grid(
    columns: int, rows: int, *, width_l0: float = 64.0, tile_px: int = 64, at: tuple[int, int] = (0, 0)
) -> pd.DataFrame:
    row, col = np.indices((rows, columns)).reshape(2, -1)
    corners = {"x_l0": np.rint(at[0] + col * width_l0), "y_l0": np.rint(at[1] + row * width_l0)}
    return pd.DataFrame({**corners, "width_l0": width_l0, "tile_px": tile_px}).astype({"x_l0": int, "y_l0": int})


def members(blocks: list[Block]) -> list[tuple[int, ...]]:
    return [block.rows for block in blocks]


def n_pixels(blocks: list[Block], halo_px: int) -> int:
    return sum((block.side_px + 2 * halo_px) ** 2 for block in blocks)


def test_squares_of_four_and_what_is_left() -> None:
    """Five by two tiles numbered row by row: 0 to 4 above 5 to 9."""
    blocks = tile_blocks(grid(5, 2), block_px=128, halo_px=8)
    assert members(blocks) == [(0, 1, 5, 6), (2, 3, 7, 8), (4,), (9,)]
    assert blocks[1] == Block((2, 3, 7, 8), 128, 0, 128, 128)
    assert blocks[3] == Block((9,), 256, 64, 64, 64)


@pytest.mark.parametrize(
    ("block_px", "side_px"), [(63, 64), (127, 64), (128, 128), (255, 128), (256, 256), (9999, 512)]
)
def test_sides_are_powers_of_two_up_to_the_largest(block_px: int, side_px: int) -> None:
    blocks = tile_blocks(grid(8, 8), block_px=block_px, halo_px=8)
    assert {block.side_px for block in blocks} == {side_px}
    assert len(blocks) == (512 // side_px) ** 2


@pytest.mark.parametrize(("halo_px", "expected"), [(8, [(0,), (1,), (2,)]), (24, [(0, 1, 2)])])
def test_a_block_that_costs_more_than_its_tiles_is_not_made(halo_px: int, expected: list[tuple[int, ...]]) -> None:
    """Three of four tiles of 64 px: 144^2 > 3 * 80^2 pixels, but 176^2 < 3 * 112^2."""
    three = grid(2, 2).iloc[[0, 1, 3]]
    assert members(tile_blocks(three, block_px=128, halo_px=halo_px)) == expected


def test_scattered_tiles_cost_no_more_than_one_by_one_and_are_held_once() -> None:
    rng = np.random.default_rng(0)
    for share in (0.1, 0.4, 0.7, 0.95):
        everything = grid(20, 17, width_l0=63.7)
        tiles = everything[rng.random(len(everything)) < share]
        blocks = tile_blocks(tiles, block_px=512, halo_px=20)
        rows = np.concatenate([block.rows for block in blocks])
        assert sorted(rows) == list(range(len(tiles)))
        assert n_pixels(blocks, 20) <= len(tiles) * 104**2
        for block in blocks:
            inside = tiles.iloc[list(block.rows)][["x_l0", "y_l0"]].to_numpy() - (block.x_l0, block.y_l0)
            assert inside.min() >= -1
            assert inside.max() + 63.7 <= block.width_l0 + 1
    assert n_pixels(blocks, 20) < 0.6 * len(tiles) * 104**2


def test_a_lattice_may_start_anywhere_and_a_tile_off_it_is_alone() -> None:
    tiles = grid(2, 2, at=(1037, 511))
    tiles.loc[4] = [1300, 514, 64.0, 64]
    blocks = tile_blocks(tiles, block_px=128, halo_px=24)
    assert blocks == [Block((0, 1, 2, 3), 1037, 511, 128, 128), Block((4,), 1300, 514, 64, 64)]


def test_no_tile() -> None:
    assert tile_blocks(grid(0, 0), block_px=128, halo_px=8) == []


def test_batches_hold_one_side() -> None:
    blocks = [Block((row,), 0, 0, side, side) for row, side in enumerate((128, 128, 128, 64))]
    assert [members(batch) for batch in batches(blocks, lambda side_px: 2)] == [[(0,), (1,)], [(2,)], [(3,)]]
