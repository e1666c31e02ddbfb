import logging

import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.artefacts.nuclei import COLUMNS
from pipeline.artefacts.tiles import ownership_l0
from pipeline.nuclei.segmentation.ownership import BlockPlace, block_places, nucleus_table, owned_nuclei
from pipeline.nuclei.segmentation.tile_blocks import Block


def one_nucleus(x_px: int, y_px: int, side: int = 6, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((size, size), np.int32)
    labels[y_px : y_px + side, x_px : x_px + side] = 1
    return labels, np.full((size, size, 3), 120, np.uint8)


def test_positions_in_the_slides_frame() -> None:
    """Tile 40 px at 0.5 um/px whose pixels start at (95, 195) um: a square from pixel 4 has its middle at 7 px."""
    labels, rgb = one_nucleus(4, 10)
    place = BlockPlace((3,), (95.0, 195.0), ((95.0, 195.0, 115.0, 215.0),))
    found = owned_nuclei(labels, rgb, 0.5, place).loc[0]
    assert (found["x_um"], found["y_um"], found["tile_id"]) == (98.5, 201.5, 3)
    assert shapely.from_wkb(found["contour_um"]).equals(shapely.box(97, 200, 100, 203))


@pytest.mark.parametrize(("x0", "owned"), [(6.9, True), (7.0, True), (7.1, False)])
def test_the_box_is_half_open(x0: float, owned: bool) -> None:
    labels, rgb = one_nucleus(4, 4)
    here = BlockPlace((0,), (0.0, 0.0), ((x0, 0.0, 40.0, 40.0),))
    left = BlockPlace((1,), (0.0, 0.0), ((0.0, 0.0, x0, 40.0),))
    assert len(owned_nuclei(labels, rgb, 1.0, here)) == owned
    assert len(owned_nuclei(labels, rgb, 1.0, left)) != owned


def test_places_of_blocks() -> None:
    """64 px at 0.5 um/px on a slide of 0.25 um/px are 128 level-0 px; a halo of 8 px is 16 of them, 4 um."""
    tiles = pd.DataFrame(
        {
            "tile_id": [4, 7],
            "x_l0": [0, 128],
            "y_l0": [128, 128],
            "width_l0": 128.0,
            "tile_px": 64,
            "row": 1,
            "col": [0, 1],
        }
    )
    blocks = [Block((1,), 128, 128, 128, 64), Block((0, 1), 0, 128, 256, 128)]
    second, both = block_places(tiles, ownership_l0(tiles), blocks, halo_px=8, slide_mpp=0.25)
    assert second == BlockPlace((7,), (28.0, 28.0), ((32.0, 32.0, 64.0, 64.0),))
    assert both == BlockPlace((4, 7), (-4.0, 28.0), ((0.0, 32.0, 32.0, 64.0), (32.0, 32.0, 64.0, 64.0)))


def test_a_block_s_nuclei_go_to_their_tiles_and_those_of_none_are_dropped() -> None:
    """Squares of 4 px with middles at x = 6, 16, 26, 36; the third tile's place, 20 to 30, is not kept."""
    labels = np.zeros((20, 40), np.int32)
    for label, x in enumerate((4, 14, 24, 34), start=1):
        labels[8:12, x : x + 4] = label
    boxes = tuple((x, 0.0, x + 10, 20.0) for x in (30.0, 0.0, 10.0))
    place = BlockPlace((9, 2, 5), (0.0, 0.0), boxes)
    found = owned_nuclei(labels, np.full((20, 40, 3), 120, np.uint8), 1.0, place)
    assert found[["label", "x_um", "tile_id"]].to_numpy().tolist() == [[1, 6, 2], [2, 16, 5], [4, 36, 9]]
    assert (found["block"] == 9).all()


def test_seen_twice_counts_once() -> None:
    """Two tiles each see the same nucleus on their own side of the border at 20 um."""
    labels, rgb = one_nucleus(10, 10, side=9)
    left = owned_nuclei(labels, rgb, 1.0, BlockPlace((0,), (5.4, 0.0), ((0.0, 0.0, 20.0, 40.0),)))
    right = owned_nuclei(labels, rgb, 1.0, BlockPlace((1,), (5.6, 0.0), ((20.0, 0.0, 40.0, 40.0),)))
    assert (len(left), len(right)) == (1, 1)
    table = nucleus_table([left, right])
    assert table["tile_id"].tolist() == [0]
    assert table.index.tolist() == [0]


def test_a_table_is_in_tile_order_whatever_the_order_of_the_blocks() -> None:
    labels, rgb = one_nucleus(4, 4)
    boxes = ((0.0, 0.0, 40.0, 40.0),)
    late, early = (owned_nuclei(labels, rgb, 1.0, BlockPlace((i,), (100.0 * i, 0.0), boxes)) for i in (0, 0))
    late, early = late.assign(tile_id=7, x_um=200.0), early.assign(tile_id=3)
    table = nucleus_table([late, early])
    assert table["tile_id"].tolist() == [3, 7]
    assert table.index.tolist() == [1, 0]


def test_neighbours_in_one_block_are_never_merged() -> None:
    labels, rgb = one_nucleus(4, 4)
    part = owned_nuclei(labels, rgb, 1.0, BlockPlace((0,), (0.0, 0.0), ((0.0, 0.0, 40.0, 40.0),)))
    near = part.assign(x_um=part["x_um"] + 1, tile_id=1)
    assert len(nucleus_table([part, near])) == 2
    assert len(nucleus_table([part, near.assign(block=1)])) == 1


def test_table_has_its_columns_and_numbers() -> None:
    labels, rgb = one_nucleus(4, 4)
    place = BlockPlace((0,), (0.0, 0.0), ((0.0, 0.0, 40.0, 40.0),))
    table = nucleus_table([owned_nuclei(labels, rgb, 1.0, place), owned_nuclei(0 * labels, rgb, 1.0, place)])
    assert list(table.columns) == list(COLUMNS)
    assert table["nucleus_id"].tolist() == [0]
    assert shapely.from_wkb(table["contour_um"][0]).area == 36


@pytest.mark.parametrize("parts", [[], ["empty"]])
def test_no_nucleus(parts: list[str]) -> None:
    labels, rgb = one_nucleus(4, 4)
    empty = owned_nuclei(0 * labels, rgb, 1.0, BlockPlace((0,), (0.0, 0.0), ((0.0, 0.0, 1.0, 1.0),)))
    table = nucleus_table([empty for _ in parts])
    assert list(table.columns) == list(COLUMNS)
    assert table.empty


def test_a_nucleus_larger_than_the_halo_is_told(caplog: pytest.LogCaptureFixture) -> None:
    labels, rgb = one_nucleus(4, 4)
    labels[20:30, 34:40] = 2  # up to the edge of the halo
    part = owned_nuclei(labels, rgb, 1.0, BlockPlace((0,), (0.0, 0.0), ((0.0, 0.0, 40.0, 40.0),)))
    assert part["cut"].tolist() == [False, True]
    with caplog.at_level(logging.WARNING, logger="abignet.nuclei"):
        assert len(nucleus_table([part[:1]])) == 1
        assert not caplog.records
        assert len(nucleus_table([part])) == 2
    assert "1 of 2 nuclei reach beyond the halo" in caplog.text
