import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.tiles import header
from pipeline.provenance import record
from pipeline.tiling.grid import TileShares, judge_tiles, make_grid
from pipeline.tiling.overview import KEPT, TISSUE, draw_overview, draw_unreadable, scale_bar_um, write_overview
from pipeline.tiling.params import TilingParams

PARAMS = TilingParams(tile_px=100, mpp=0.5)


def drawn(reason: str | None = None) -> tuple[Image.Image, dict[str, object]]:
    grid = make_grid(400, 200, 0.5, PARAMS)
    share = (np.arange(8) % 2).astype(float)
    tiles = judge_tiles(grid, TileShares(share, np.ones(8), share), min_tissue_fraction=0.15)
    head = header(
        slide_id="s1",
        slide_mpp=0.5,
        width_l0=400,
        height_l0=200,
        reason=reason,
        provenance=record(params=PARAMS, source="x"),
    )
    tissue = np.zeros((20, 40), bool)
    tissue[5:15, 5:35] = True
    return draw_overview(np.full((400, 800, 3), 200, np.uint8), tissue, tiles, head), head


def test_kept_tiles_are_clear_dropped_ones_veiled() -> None:
    picture = np.asarray(drawn()[0])
    top, left = (at[0] for at in np.nonzero((picture == KEPT).all(axis=2)))
    # The first kept tile is the second of the first row: 200 px a tile in this picture.
    assert tuple(picture[top + 20, left + 100]) == (200, 200, 200)
    assert picture[top + 20, left - 100].min() > 220
    assert (picture == TISSUE).all(axis=2).any()


def test_reason_is_told() -> None:
    assert drawn("no tissue found")[0].height > drawn()[0].height


def test_header_travels_in_the_png_and_bytes_repeat(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_overview(tmp_path / name, *drawn())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert json.loads(picture.text["abignet"]) == drawn()[1]


def test_card_of_an_unreadable_slide_grows_with_its_reason() -> None:
    assert draw_unreadable("s1", "word " * 200).height > draw_unreadable("s1", "word").height


@pytest.mark.parametrize(("width_um", "expected"), [(1000, 200), (999, 100), (60_000, 10_000), (4.9, 0.5), (2600, 500)])
def test_scale_bar_is_round_and_fits(width_um: float, expected: float) -> None:
    assert scale_bar_um(width_um) == pytest.approx(expected)
