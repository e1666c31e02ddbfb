import numpy as np
import pytest

from pipeline.artefacts.foreign_nuclei.geojson_nuclei import NO_OUTLINE, geojson_nuclei
from pipeline.artefacts.geojson import NotGeoJsonError


def square(x, y, side=4):
    return [[[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]]


def polygon(*place, **beside):
    return {"type": "Polygon", "coordinates": square(*place)} | beside


def feature(geometry, kind="detection", **properties):
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": kind, **properties}}


def test_detections_are_nuclei_with_class_and_measurements_of_both_forms():
    found = geojson_nuclei(
        [
            feature(polygon(0, 0), classification={"name": "Tumor"}, measurements={"area_um2": 3, "Length µm": 9}),
            feature(polygon(10, 0), measurements=[{"name": "Solidity", "value": 1}, {"name": "area_um2", "value": 5}]),
            feature({"type": "Point", "coordinates": [7, 8]}, classification={"name": "Nucleus"}),
            feature(polygon(100, 100, 50), kind="annotation", name="region"),
        ]
    )
    np.testing.assert_array_equal(found.frame[["x", "y"]], [[2, 2], [12, 2], [7, 8]])
    np.testing.assert_array_equal(found.frame["area_um2"], [3, 5, np.nan])
    np.testing.assert_array_equal(found.frame["~perimeter_um"], [9, np.nan, np.nan])
    assert found.frame["type"].tolist() == ["Tumor", None, None]
    assert [shape is None for shape in found.outlines] == [False, False, True]
    assert found.left_out == {"objects of kind annotation": 1}
    assert (found.unit, found.origin) == ("px", "scanned part")


def test_a_detection_of_two_pieces_is_one_nucleus_and_an_annotation_of_two_are_two():
    pieces = {"type": "MultiPolygon", "coordinates": [square(0, 0), square(10, 0)]}
    one = geojson_nuclei([feature(pieces)])
    np.testing.assert_array_equal(one.frame[["x", "y"]], [[7, 2]])
    assert one.outlines[0].area == 32
    two = geojson_nuclei([feature(pieces, kind="annotation", classification={"name": "Neoplastic"})])
    np.testing.assert_array_equal(two.frame[["x", "y"]], [[2, 2], [12, 2]])
    assert two.frame["type"].tolist() == ["Neoplastic"] * 2
    points = {"type": "MultiPoint", "coordinates": [[1, 1], [2, 3]]}
    assert len(geojson_nuclei([feature(points, kind="annotation")]).frame) == 2


def test_of_a_cell_its_nucleus_is_taken_and_a_cell_without_one_is_counted():
    cell = feature(polygon(0, 0, 20), kind="cell")
    found = geojson_nuclei([cell | {"nucleusGeometry": polygon(5, 5)}, cell])
    assert [shape.area for shape in found.outlines] == [16, 400]
    assert found.left_out == {NO_OUTLINE: 1}
    assert "type" not in found.frame


def test_a_measured_centroid_is_taken_where_it_lies_in_the_outline():
    measured = [{"x_px": 2.25, "y_px": 1.5}, {"x_px": 200.0, "y_px": 1.5}, {}]
    found = geojson_nuclei([feature(polygon(0, 0), measurements=numbers) for numbers in measured])
    np.testing.assert_array_equal(found.frame[["x", "y"]], [[2.25, 1.5], [2, 2], [2, 2]])
    assert "x_px" not in found.frame


def test_a_file_without_nuclei_is_empty_and_a_broken_one_is_named():
    assert geojson_nuclei({"type": "FeatureCollection", "features": []}).frame.empty
    with pytest.raises(NotGeoJsonError, match="feature 1"):
        geojson_nuclei([feature(polygon(0, 0)), feature({"type": "Polygon", "coordinates": [["x"]]})])


def test_a_measurement_beyond_any_number_is_none():
    found = geojson_nuclei([feature(polygon(0, 0), measurements={"area_um2": 10**400, "Solidity": 1})])
    assert found.frame["area_um2"].isna().all()
