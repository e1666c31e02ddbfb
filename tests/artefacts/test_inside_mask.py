import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest

from pipeline.artefacts.inside_mask import InsideMask
from pipeline.artefacts.tiles import TileHeader
from pipeline.errors import ArtefactError

CELLS = np.array([[True, False, True], [False, True, True]])
MASK = InsideMask(CELLS, width_l0=30, height_l0=10)
"""Cells of 10 by 5 level-0 px."""


def header(**overrides: Any) -> dict[str, Any]:
    return {"width_l0": 30, "height_l0": 10, "inside": {**MASK.plain(), **overrides}}


def test_points_lie_in_half_open_cells_and_none_beyond_the_slide() -> None:
    x = np.array([0.0, 9.99, 10.0, 29.99, 15.0, 15.0, -0.01, 30.0, 5.0, 5.0])
    y = np.array([0.0, 4.99, 0.0, 0.0, 4.99, 5.0, 0.0, 0.0, -1.0, 10.0])
    assert MASK.holds(x, y).tolist() == [True, True, False, True, False, True, False, False, False, False]


def test_pixels_of_a_square_are_judged_by_their_centres() -> None:
    found = MASK.pixels(0.0, 0.0, 10.0, 10)
    assert found[:5].all()
    assert not found[5:].any()
    found = MASK.pixels(-5.0, -5.0, 20.0, 4)
    np.testing.assert_array_equal(found, [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    assert MASK.pixels(8.0, 0.0, 4.0, 4)[0].tolist() == [True, True, False, False]


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 9), (100, 333)])
def test_a_mask_goes_through_a_header(shape: tuple[int, int]) -> None:
    cells = np.random.default_rng(0).random(shape) < 0.4
    facts = {"slide_id": "s", "slide_mpp": 0.5, "reason": None, "provenance": {}}
    written = TileHeader(**facts, width_l0=300, height_l0=200, inside=InsideMask(cells, 300, 200)).plain()
    read = InsideMask.of_header(json.loads(json.dumps(written)), "t.parquet")
    assert read is not None
    np.testing.assert_array_equal(read.cells, cells)
    assert (read.width_l0, read.height_l0) == (300, 200)


def test_slides_without_a_drawn_mask_have_none() -> None:
    facts = {"slide_id": "s", "slide_mpp": 0.5, "width_l0": 3, "height_l0": 2, "reason": None, "provenance": {}}
    assert "inside" not in TileHeader(**facts).plain()
    assert InsideMask.of_header(TileHeader(**facts).plain(), "t") is None


@pytest.mark.parametrize(
    "broken",
    [
        {"shape": [2]},
        {"shape": [2, -3]},
        {"shape": [10**6, 10**6]},
        {"shape": None},
        {"shape": [20, 30]},
        {"cells": "%%%"},
        {"cells": base64.b64encode(b"no deflate").decode()},
        {"cells": base64.b64encode(zlib.compress(b"")).decode()},
    ],
)
def test_a_damaged_mask_is_an_error_that_names_its_file(broken: dict[str, Any]) -> None:
    with pytest.raises(ArtefactError, match=r"t\.parquet: the mask in its header is damaged .* Tile the slide again"):
        InsideMask.of_header(header(**broken), "t.parquet")
