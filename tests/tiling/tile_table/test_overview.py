import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.tiles import TileHeader
from pipeline.provenance import record
from pipeline.tiling.grid.tile_grid import SlideSize, make_grid
from pipeline.tiling.grid.tile_rejection import OPENING_WORDS, Cause, decided
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_table.overview import (
    CAUSES,
    KEPT,
    TINTED,
    TISSUE,
    draw_overview,
    draw_unreadable,
    write_overview,
)
from pipeline.tiling.tile_table.slide_map import SlideMap, unmeasured

SIZE = SlideSize(400, 200)


def drawn(
    reason: str | None = None, dropped: str = "no tissue", unreadable: np.ndarray | None = None, overlap_px: int = 0
) -> tuple[Image.Image, dict[str, object]]:
    """Grey slide of 4 x 2 tiles, 200 px each in the picture; every second one is kept."""
    params = TilingParams(tile_px=100, mpp=0.5, overlap_px=overlap_px)
    tiles = unmeasured(make_grid(SIZE, 0.5, params))
    tiles = decided(tiles.assign(reason=np.where(np.arange(len(tiles)) % 2, "", dropped)))
    head = TileHeader(
        slide_id="s1",
        slide_mpp=0.5,
        width_l0=400,
        height_l0=200,
        reason=reason,
        provenance=record(params=params, source="x"),
        overlap_px=overlap_px,
    ).plain()
    tissue = np.zeros((20, 40), bool)
    tissue[5:15, 5:35] = True
    found = SlideMap(SIZE, tissue, unreadable=unreadable)
    return draw_overview(np.full((400, 800, 3), 200, np.uint8), found, tiles, head), head


def corner_of_first_kept(picture: np.ndarray) -> tuple[int, int]:
    """Row and column of the second tile of the first row."""
    top, left = (at[0] for at in np.nonzero((picture[:, :600] == KEPT).all(axis=2)))
    return int(top), int(left)


def test_kept_tiles_are_clear_dropped_ones_veiled() -> None:
    picture = np.asarray(drawn()[0])
    top, left = corner_of_first_kept(picture)
    assert tuple(picture[top + 20, left + 100]) == (200, 200, 200)
    assert picture[top + 20, left - 100].min() > 220
    assert (picture == TISSUE).all(axis=2).any()


@pytest.mark.parametrize("cause", list(OPENING_WORDS))
def test_every_cause_has_a_colour_in_picture_and_legend(cause: Cause) -> None:
    picture = np.asarray(drawn(dropped=f"{OPENING_WORDS[cause]} ...")[0])
    top, left = corner_of_first_kept(picture)
    is_cause = (picture == CAUSES[cause]).all(axis=2)
    assert is_cause[top : top + 400].any()
    assert is_cause[top + 420 :].any()
    inside, veil = picture[top + 30, left - 70].astype(int), np.array([230, 230, 230])
    assert (np.abs(inside - veil).max() > 20) == (cause in TINTED)


def test_causes_have_colours_of_their_own() -> None:
    assert list(CAUSES) == list(OPENING_WORDS)
    assert len({*CAUSES.values(), KEPT, TISSUE}) == len(CAUSES) + 2


def test_unreadable_tiles_are_crossed_and_unreadable_parts_hatched() -> None:
    crossed = np.asarray(drawn(dropped="unreadable at level-0 (0, 0)")[0])
    top, left = corner_of_first_kept(crossed)
    assert tuple(crossed[top + 100, left - 100]) == CAUSES["unreadable"]

    unreadable = np.zeros((20, 40), bool)
    unreadable[:5, 10:20] = True
    hatched = np.asarray(drawn(unreadable=unreadable)[0])
    black = (hatched == CAUSES["unreadable"]).all(axis=2)
    assert 0.1 < black[top + 10 : top + 80, left + 10 : left + 190].mean() < 0.4
    assert not black[top + 110 : top + 190, left + 10 : left + 190].any()


def test_reason_and_overlap_are_told() -> None:
    assert drawn("no tissue found")[0].height > drawn()[0].height
    assert drawn(overlap_px=50)[0].tobytes() != drawn()[0].tobytes()


def test_header_travels_in_the_png_and_bytes_repeat(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_overview(tmp_path / name, *drawn())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert json.loads(picture.text["abignet"]) == drawn()[1]


def test_card_of_an_unreadable_slide_grows_with_its_reason() -> None:
    assert draw_unreadable("s1", "word " * 200).height > draw_unreadable("s1", "word").height
