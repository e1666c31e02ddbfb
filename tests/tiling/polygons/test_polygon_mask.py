import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SheetError
from pipeline.tiling.grid.tile_grid import SlideSize
from pipeline.tiling.polygons.polygon_mask import read_polygon_mask


def square(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]


def feature(*rings: list[list[float]], name: str | None = None) -> dict[str, Any]:
    properties = {} if name is None else {"classification": {"name": name}}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": list(rings)}, "properties": properties}


def rasterise(tmp_path: Path, content: Any) -> np.ndarray:
    path = tmp_path / "mask.geojson"
    path.write_text(json.dumps(content))
    return read_polygon_mask(path, SlideSize(1000, 800), shape=(80, 100))


def test_square_covers_its_cells(tmp_path: Path) -> None:
    mask = rasterise(tmp_path, {"type": "FeatureCollection", "features": [feature(square(200, 100, 600, 500))]})
    assert mask[10:50, 20:60].all()
    assert mask.sum() == pytest.approx(40 * 40, rel=0.06)


def test_hole_and_second_polygon(tmp_path: Path) -> None:
    ring = feature(square(0, 0, 500, 500), square(100, 100, 400, 400))
    island = feature(square(200, 200, 300, 300))
    mask = rasterise(tmp_path, {"type": "FeatureCollection", "features": [ring, island]})
    assert mask[5, 5]
    assert not mask[15, 15]
    assert mask[25, 25]


@pytest.mark.parametrize("name", ["exclude", "Ignore", "Ignore*"])
def test_excluding_alone_leaves_the_rest(tmp_path: Path, name: str) -> None:
    mask = rasterise(tmp_path, feature(square(0, 0, 500, 800), name=name))
    assert not mask[:, :49].any()
    assert mask[:, 52:].all()


def test_excluding_cuts_out_of_including(tmp_path: Path) -> None:
    features = [feature(square(0, 0, 500, 800), name="Tumor"), feature(square(0, 0, 200, 800), name="exclude")]
    mask = rasterise(tmp_path, {"type": "FeatureCollection", "features": features})
    assert not mask[:, :19].any()
    assert mask[:, 22:49].all()
    assert not mask[:, 52:].any()


def test_bare_multipolygon(tmp_path: Path) -> None:
    geometry = {"type": "MultiPolygon", "coordinates": [[square(0, 0, 100, 100)], [square(900, 700, 1000, 800)]]}
    mask = rasterise(tmp_path, geometry)
    assert mask[5, 5]
    assert mask[75, 95]
    assert not mask[40, 50]


def test_origin_moves_the_polygons(tmp_path: Path) -> None:
    path = tmp_path / "mask.geojson"
    path.write_text(json.dumps(feature(square(50, 50, 150, 250))))
    size = SlideSize(1000, 800)
    moved = read_polygon_mask(path, size, shape=(80, 100), origin_l0=(300, 400))
    unmoved = read_polygon_mask(path, size, shape=(80, 100))
    np.testing.assert_array_equal(moved, np.roll(unmoved, (40, 30), axis=(0, 1)))
    assert moved[46:64, 36:44].all()


def test_polygons_beyond_the_slide_are_cut_at_its_border(tmp_path: Path) -> None:
    mask = rasterise(tmp_path, feature(square(-500, -500, 300, 2000)))
    assert mask[:, :29].all()
    assert not mask[:, 32:].any()
    assert not rasterise(tmp_path, feature(square(1100, 0, 1200, 100))).any()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[1, 2", "cannot be read"),
        ("[1, 2]", "feature 0 is int, not an object"),
        ('{"type": "FeatureCollection", "features": []}', "no region with an area"),
        ('{"type": "Point", "coordinates": [1, 2]}', "no region with an area"),
    ],
)
def test_faults_name_the_file(tmp_path: Path, content: str, found: str) -> None:
    path = tmp_path / "mask.geojson"
    path.write_text(content)
    with pytest.raises(SheetError, match=found) as caught:
        read_polygon_mask(path, SlideSize(10, 10), shape=(10, 10))
    assert str(path) in str(caught.value)
    with pytest.raises(SheetError, match="cannot be read"):
        read_polygon_mask(tmp_path / "none.geojson", SlideSize(10, 10), shape=(10, 10))
