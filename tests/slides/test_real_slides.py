"""Our decoder against OpenSlide on real slides; runs when ABIGNET_REAL_DATA names their folder."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.slides.reader import open_slide
from pipeline.slides.tiles_in_order import iterate_tiles

DATA = Path(os.environ.get("ABIGNET_REAL_DATA", ""))
SLIDES = {
    "wsi_openslide/CMU-1-Small-Region.svs": (2220, 2967),
    "wsi_tcga_frozen/tcga-cr-7395-01a-01-ts1.svs": (4443, 3567),
}
"""An Aperio slide of JPEG tiles called RGB, and one of JPEG 2000."""

pytestmark = pytest.mark.skipif(not os.environ.get("ABIGNET_REAL_DATA"), reason="ABIGNET_REAL_DATA names no folder")


@pytest.mark.parametrize("name", SLIDES)
def test_every_pixel_of_every_level_is_openslides(name: str) -> None:
    with (
        open_slide(DATA / name, slide_id="a", mpp=0.5, reader="tifffile") as ours,
        open_slide(DATA / name, slide_id="a", mpp=0.5, reader="openslide") as theirs,
    ):
        assert (ours.width_l0, ours.height_l0) == SLIDES[name]
        assert ours.levels == theirs.levels
        for level in ours.levels:
            side = round(500 * level.downsample)
            for y in range(-100, ours.height_l0, side):
                for x in range(-100, ours.width_l0, side):
                    box = ours.read_box(x, y, side, side, width_px=500, height_px=500)
                    other = theirs.read_box(x, y, side, side, width_px=500, height_px=500)
                    np.testing.assert_array_equal(box, other, err_msg=str((level, x, y)))


@pytest.mark.parametrize("name", SLIDES)
def test_tiles_of_a_grid_are_the_same_through_threads(name: str) -> None:
    corners = [(x, y) for y in range(0, 2400, 400) for x in range(0, 1800, 400)]
    tiles = pd.DataFrame(corners, columns=["x_l0", "y_l0"]).assign(width_l0=400 * 0.5 / 0.499, tile_px=400)
    with (
        open_slide(DATA / name, slide_id="a", mpp=0.5) as ours,
        open_slide(DATA / name, slide_id="a", mpp=0.5, reader="openslide") as theirs,
    ):
        assert ours.reader == "tifffile"
        pairs = zip(iterate_tiles(ours, tiles, threads=4), iterate_tiles(theirs, tiles, prefetch=0), strict=True)
        for (position, pixels), (expected_position, expected) in pairs:
            assert position == expected_position
            np.testing.assert_array_equal(pixels, expected)


def test_stored_levels_show_the_same_place_as_level_0() -> None:
    """The second level of the TCGA slide is half of 4,443 x 3,567 px, rounded down: OpenSlide states 2.0005."""
    with open_slide(DATA / "wsi_tcga_frozen/tcga-cr-7395-01a-01-ts1.svs", slide_id="a", mpp=0.5) as slide:
        assert [level.downsample for level in slide.levels] == [1, 2]
        x, y = 3800, 3000
        half = slide.read_box(x, y, 512, 512, width_px=256, height_px=256).astype(float).mean(axis=2)
        fine = slide.read_box(x, y, 512, 512, width_px=512, height_px=512).astype(float).mean(axis=2)
    own = fine.reshape(256, 2, 256, 2).mean(axis=(1, 3))

    def misfit(shift: int) -> float:
        return float(np.abs(half[4:-4, 4:-4] - np.roll(own, shift, axis=1)[4:-4, 4:-4]).mean())

    assert misfit(0) < min(misfit(-1), misfit(1)) / 2
