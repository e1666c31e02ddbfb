from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.artefacts.tile_coords import SlideOfCoords, TileCoords
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_table.scale_cautions import coords_cautions, scale_cautions

SLIDE: Any = SimpleNamespace(mpp=0.5, width_l0=1000, height_l0=800)


@pytest.mark.parametrize(
    ("slide_mpp", "n_told"), [(0.25, 0), (0.5, 0), (0.51, 0), (0.6, 1), (1.0, 1), (1.02, 1), (1.1, 2), (4.0, 2)]
)
def test_pixels_coarser_than_tiles_and_than_focus_asks_for(slide_mpp: float, n_told: int) -> None:
    assert len(scale_cautions(slide_mpp, TilingParams(mpp=0.5, qc_focus_mpp=1.0))) == n_told


def test_focus_that_is_not_judged_is_not_told() -> None:
    (caution,) = scale_cautions(4.0, TilingParams(mpp=0.5, qc_min_focus=0.0))
    assert caution.startswith("tiles of 0.5 um/px are magnified 8 times")


def cautions(tile_mpp: float | None = None, of_file: tuple[str, ...] = (), **slide: Any) -> tuple[str, ...]:
    coords = TileCoords(
        np.zeros((0, 2), np.int64), 512.0, 512, tile_mpp, slide=SlideOfCoords(**slide), cautions=of_file
    )
    return coords_cautions(SLIDE, coords, 0.5)


def test_coordinates_that_agree_with_their_slide_cause_none() -> None:
    assert cautions() == ()
    assert cautions(0.5, mpp=0.499, power=40, size_l0=(1000, 800)) == ()


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"mpp": 0.25}, "level 0 of 0.25 um/px, by the slide's pixel size it is 0.5 (a factor of 2)"),
        ({"power": 80}, "a magnification of 80 at level 0, but pixels are 0.5 um (a factor of 4)"),
        ({"size_l0": (1000, 801)}, "of a slide of 1000 x 801 px, this one has 1000 x 800"),
    ],
)
def test_coordinates_of_another_slide_are_told(stated: dict[str, Any], words: str) -> None:
    (caution,) = cautions(**stated)
    assert words in caution


def test_tiles_of_another_resolution_and_what_the_file_contradicts_itself_are_told() -> None:
    first, second = cautions(1.0, ("patch_size contradicts itself",))
    assert first == "patch_size contradicts itself"
    assert "tiles of 1 um/px, by the slide's pixel size it is 0.5" in second
