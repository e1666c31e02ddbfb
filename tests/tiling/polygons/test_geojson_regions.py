import gzip
import json
import os

import pytest

from pipeline.artefacts.geojson import NotGeoJsonError
from pipeline.tiling.polygons.geojson_regions import read_regions

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE]}


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, encoding="utf-8"):
        path = tmp_path / "m.geojson"
        path.write_text(json.dumps(content), encoding=encoding)
        return read_regions(path)

    return write_and_read


@pytest.mark.parametrize(
    "content",
    [
        {"type": "FeatureCollection", "features": [feature(POLYGON)]},
        [feature(POLYGON)],
        feature(POLYGON),
        POLYGON,
        feature({"type": "GeometryCollection", "geometries": [POLYGON, {"type": "Point", "coordinates": [1, 2]}]}),
        feature({"type": "MultiPolygon", "coordinates": [[SQUARE]]}),
    ],
)
def test_a_region_is_read_however_it_is_wrapped(read, content):
    (region,) = read(content).regions
    assert region.rings == (tuple((float(x), float(y)) for x, y in SQUARE),)


def test_a_gzipped_file_is_unpacked(tmp_path):
    (tmp_path / "m.geojson").write_bytes(gzip.compress(json.dumps(POLYGON).encode()))
    assert len(read_regions(tmp_path / "m.geojson").regions) == 1
    (tmp_path / "m.geojson").write_bytes(gzip.compress(json.dumps(POLYGON).encode())[:-9])
    with pytest.raises(NotGeoJsonError, match="cannot be unpacked"):
        read_regions(tmp_path / "m.geojson")


def test_a_byte_order_mark_is_no_fault(read):
    assert len(read(POLYGON, encoding="utf-8-sig").regions) == 1


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"classification": {"name": "Ignore*: Fold"}}, "Ignore*"),
        ({"classification": {"names": ["Ignore*", "Fold"]}}, "Ignore*"),
        ({"classification": "Tumor"}, "Tumor"),
        ({"name": "exclude"}, "exclude"),
        ({"classification": {"name": None}}, ""),
        ({"classification": 7}, "7"),
        ({}, ""),
    ],
)
def test_the_class_is_the_base_of_a_derived_one(read, properties, expected):
    assert read(feature(POLYGON, **properties)).regions[0].base_class == expected


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        (feature(POLYGON, objectType="detection"), "detection objects"),
        (feature(POLYGON, objectType="cell"), "cell objects"),
        (feature(POLYGON, objectType="tmaCore", isMissing=True), "missing cores"),
        (feature(None), "objects without geometry"),
        (feature({"type": "Point", "coordinates": [1, 2]}), "points and lines"),
        (feature({"type": "Polygon", "coordinates": []}), "empty polygons"),
        (feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}), "rings of fewer than three corners"),
    ],
)
def test_what_is_no_region_is_left_out_and_counted(read, beside, reason):
    found = read([feature(POLYGON, objectType="annotation"), beside])
    assert len(found.regions) == 1
    assert found.left_out == {reason: 1}


def test_a_core_that_is_there_is_a_region(read):
    assert len(read(feature(POLYGON, objectType="tmaCore", isMissing=False)).regions) == 1


def test_holes_follow_their_outline(read):
    hole = [[1, 1], [2, 1], [2, 2], [1, 1]]
    assert len(read({"type": "Polygon", "coordinates": [SQUARE, hole]}).regions[0].rings) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"type": "FeatureCollection", "features": None}, "its features are null, not a list"),
        (3, "its features are int"),
        ([None], "feature 0 is null"),
        ([feature(POLYGON), feature("x")], "the geometry of feature 1 is str"),
        (feature({"type": "Polygon", "coordinates": SQUARE}), "a corner of feature 0 is 0, not two numbers"),
        (feature({"type": "Polygon", "coordinates": [[SQUARE]]}), "a corner of feature 0 is"),
        (feature({"type": "Polygon", "coordinates": [[["0", "0"]]]}), "not two numbers"),
        (feature({"type": "Polygon", "coordinates": None}), "the coordinates of feature 0 hold null"),
        (feature({"type": "Circle", "coordinates": []}), "a geometry of type 'Circle'"),
        (feature({"type": ["Polygon"], "coordinates": []}), "a geometry of type"),
        (feature({"type": {}, "coordinates": []}), "a geometry of type"),
        (feature({"type": "Polygon", "coordinates": [[[10**400, 0]]]}), "not two numbers"),
        (feature({"type": "Polygon", "coordinates": [[[0, 1e300]]]}), "not two numbers"),
    ],
)
def test_what_is_no_geojson_is_named(read, content, message):
    with pytest.raises(NotGeoJsonError, match=message):
        read(content)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[NaN", '{"type": "Polygon", "coordinates": [[[NaN, 1]]]}'])
def test_text_that_is_no_json_or_no_number(tmp_path, text):
    (tmp_path / "m.geojson").write_text(text)
    with pytest.raises(NotGeoJsonError):
        read_regions(tmp_path / "m.geojson")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "m.geojson")
    with pytest.raises(NotGeoJsonError, match="no regular file"):
        read_regions(tmp_path / "m.geojson")
