from collections import Counter

import pytest

from pipeline.artefacts.geojson import Feature, NotGeoJsonError, features_of, kind_of, read_features, shapes_of

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 0]]


def shapes(geometry):
    left_out = Counter()
    return shapes_of(geometry, "feature 0", left_out), +left_out


def test_points_polygons_and_collections_are_drawn_and_lines_counted():
    point = {"type": "Point", "coordinates": [1, 2, 0]}
    parts = [
        point,
        {"type": "MultiPoint", "coordinates": [[3, 4], [5, 6]]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]},
        {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
        {"type": "Point", "coordinates": []},
    ]
    drawn, left_out = shapes({"type": "GeometryCollection", "geometries": parts})
    assert drawn.points == ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0))
    assert len(drawn.polygons) == 2
    assert left_out == {"lines": 1, "empty points": 1}


@pytest.mark.parametrize("coordinates", [["a", "b"], [1], None, [float("nan"), 1]])
def test_a_point_that_is_none_is_named(coordinates):
    with pytest.raises(NotGeoJsonError, match="feature 0"):
        shapes({"type": "Point", "coordinates": coordinates})


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"classification": {"name": "Tumor: Positive"}}, "Tumor: Positive"),
        ({"classification": {"names": ["Tumor", "Positive"]}}, "Tumor: Positive"),
        ({"classification": "Stroma"}, "Stroma"),
        ({"name": "nucleus 5"}, ""),
        (None, ""),
    ],
)
def test_the_class_is_the_whole_class_and_never_the_name(properties, expected):
    assert Feature("feature 0", {"properties": properties}).class_name == expected


def test_a_file_that_is_none_says_so(tmp_path):
    with pytest.raises(NotGeoJsonError, match="cannot be read"):
        read_features(tmp_path / "none.geojson")
    with pytest.raises(NotGeoJsonError, match="str, not a list"):
        features_of("x")
    assert kind_of(None) == "null"
