import pytest

from pipeline.artefacts.tile_ownership import check_single_ownership
from pipeline.errors import ConfigError
from tests.artefacts.test_tiles import at, grid


def test_tiles_apart_and_tiles_that_touch_are_owned_once():
    check_single_ownership(grid(pitch=1012.66, n_rows=30, n_cols=40), "s1")
    check_single_ownership(at((0, 0), (100, 0), (30, 100), (350, 7)), "s1")
    check_single_ownership(at((5, 5)), "s1")
    check_single_ownership(at((5, 5)).iloc[:0], "s1")


@pytest.mark.parametrize(
    ("corners", "found"),
    [
        ([(0, 0), (300, 0), (98, 0)], "tiles 40 and 42 overlap by 2.0"),
        ([(0, 0), (300, 0), (20, 90)], "tiles 40 and 42 overlap by 10.0"),
        ([(0, 0), (300, 0), (500, 500), (300, 0), (300, 0)], "tiles 41 and 4[34] overlap by 100.0"),
    ],
)
def test_overlapping_tiles_are_refused_by_name(corners, found):
    with pytest.raises(ConfigError, match=f"slide s1: {found}.*overlap_px: 0.*edge: skip or pad"):
        check_single_ownership(at(*corners), "s1")


def test_overlap_is_judged_among_the_tiles_given():
    tiles = at((0, 0), (50, 0), (100, 0))
    check_single_ownership(tiles.iloc[[0, 2]], "s1")
    with pytest.raises(ConfigError, match="tiles 40 and 41"):
        check_single_ownership(tiles, "s1")
