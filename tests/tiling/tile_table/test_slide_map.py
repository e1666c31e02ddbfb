import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pipeline.artefacts.tiles import PEN_COLUMNS
from pipeline.errors import UnreadableRegionError
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.pyramid import write_pyramid
from pipeline.tiling.grid.tile_grid import SlideSize, make_grid
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_table.slide_map import SlideMap, map_slide, unmeasured, with_quality

PARAMS = TilingParams(tile_px=128)
BLUE = (30, 60, 180)


def inked_slide(make_slide: Any) -> Path:
    """1024 px at 0.5 um/px: tissue in the right half, blue pen over glass at the left."""
    path: Path = make_slide("a.png", 1024, 1024, (512, 0, 1024, 1024))
    rgb = np.array(Image.open(path))
    rgb[256:512, 128:384] = BLUE
    Image.fromarray(rgb).save(path)
    return path


def test_pen_is_mapped_and_no_tissue(make_slide: Any) -> None:
    with open_slide(inked_slide(make_slide), slide_id="s1", mpp=0.5) as slide:
        found = map_slide(slide, PARAMS)
    assert set(found.quality) == {"qc_pen_blue", "qc_fold", "qc_off_stain"}
    grid = make_grid(found.size, 0.5, PARAMS)
    under_pen = found.share(found.quality["qc_pen_blue"], grid).reshape(8, 8)
    assert (under_pen[2:4, 1:3] > 0.85).all()
    assert under_pen.sum() == pytest.approx(4.0, rel=0.15)
    assert found.share(found.tissue, grid).reshape(8, 8)[:, :4].sum() < 0.5


def test_checks_that_are_off_find_nothing(make_slide: Any) -> None:
    params = TilingParams(tile_px=128, qc_max_pen=1.0, qc_max_fold=1.0, qc_max_off_stain=1.0)
    with open_slide(inked_slide(make_slide), slide_id="s1", mpp=0.5) as slide:
        found = map_slide(slide, params)
    assert found.quality == {}
    tiles = with_quality(unmeasured(make_grid(found.size, 0.5, params)), found, PEN_COLUMNS, params)
    assert tiles[list(PEN_COLUMNS)].isna().all(axis=None)


def test_quality_is_measured_of_tiles_not_yet_dropped() -> None:
    size = SlideSize(512, 128)
    fold = np.zeros((4, 16), bool)
    fold[:, :6] = True
    found = SlideMap(size, np.ones((4, 16), bool), quality={"qc_fold": fold})
    tiles = unmeasured(make_grid(size, 0.5, PARAMS)).assign(reason=["no tissue", "", "", ""])
    tiles = with_quality(tiles, found, ("qc_fold", "qc_off_stain"), PARAMS)
    np.testing.assert_allclose(tiles["qc_fold"], [np.nan, 0.5, 0.0, 0.0])
    np.testing.assert_allclose(tiles["qc_off_stain"], [np.nan, 0.0, 0.0, 0.0])
    assert tiles["qc_pen_red"].isna().all()


def test_polygons_are_counted_from_the_corner_of_the_bounds(make_slide: Any, tmp_path: Path) -> None:
    path = make_slide("a.png", 512, 512, (0, 0, 512, 512))
    mask = tmp_path / "m.geojson"
    mask.write_text(json.dumps({"type": "Polygon", "coordinates": [[[0, 0], [128, 0], [128, 128], [0, 128]]]}))
    with open_slide(path, slide_id="s1", mpp=0.5) as slide:
        slide.bounds_l0 = (256, 128, 256, 384)
        found = map_slide(slide, PARAMS, mask_path=mask)
    inside = found.share(found.inside, make_grid(found.size, 0.5, PARAMS)).reshape(4, 4)
    assert inside[1, 2] > 0.95
    assert inside.sum() == pytest.approx(1.0, abs=0.05)


def test_unreadable_part_is_mapped_or_raises(tmp_path: Path, damaged_slide: Path) -> None:
    # A mask as fine as the slide reads level 0, where the damage is.
    params = TilingParams(tile_px=64, mask_mpp=0.5)
    with open_slide(damaged_slide, slide_id="s1") as slide:
        found = map_slide(slide, params, on_bad_tile="exclude")
        assert found.unreadable is not None
        truth = np.zeros((1024, 1024), bool)
        truth[512:768, 512:768] = True
        np.testing.assert_array_equal(found.unreadable, truth)
        with pytest.raises(UnreadableRegionError, match="slide s1"):
            map_slide(slide, params)


def test_whole_slides_are_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_pyramid(path, np.full((300, 300, 3), 240, np.uint8), 0.5)
    with open_slide(path, slide_id="s1") as slide:
        found = map_slide(slide, PARAMS, on_bad_tile="exclude")
    assert found.unreadable is None
    assert found.inside is None
    assert found.usable is found.tissue


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("scanned", ["left of a strip", "around a gap", "beside a wedge"])
def test_filling_is_neither_tissue_nor_pen(make_slide: Any, grey: int, scanned: str) -> None:
    path: Path = make_slide("a.png", 1024, 1024, (0, 0, 1024, 1024))
    rgb = np.array(Image.open(path))
    row, col = np.indices((1024, 1024))
    where = {
        "left of a strip": col >= 700,
        "around a gap": (abs(row - 500) < 64) & (abs(col - 500) < 64),
        "beside a wedge": row + col < 600,
    }[scanned]
    rgb[where] = grey
    Image.fromarray(rgb).save(path)
    with open_slide(path, slide_id="s1", mpp=0.5) as slide:
        found = map_slide(slide, PARAMS)
    assert set(found.quality) == {"qc_fold", "qc_off_stain"}
    assert not found.quality["qc_fold"].any()
    side = 1024 // found.tissue.shape[0]
    share = where.reshape(1024 // side, side, 1024 // side, side).mean(axis=(1, 3))
    well_inside = ndimage.binary_erosion(share == 1, iterations=3, border_value=1)
    assert not found.tissue[well_inside].any()
    assert found.tissue[share == 0].mean() > 0.98
