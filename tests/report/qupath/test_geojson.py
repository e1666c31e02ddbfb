import gzip
import json
import uuid
from pathlib import Path

import numpy as np
import pytest
import shapely

from pipeline.report.qupath.geojson import (
    classified,
    feature_text,
    nucleus_features,
    origin_l0,
    patch_features,
    polygons_l0,
    square,
    write_collection,
)
from tests.report.slide_tables import nuclei_frame, tile_frame


def wkb(*points: tuple[float, float]) -> bytes:
    return shapely.to_wkb(shapely.Polygon(points))


def test_micrometres_become_level_0_pixels() -> None:
    (shape,) = polygons_l0([wkb((10, 20), (14, 20), (14, 23), (10, 23))], slide_mpp=0.25)
    assert shape.equals(shapely.box(40, 80, 56, 92))
    assert shape.area == pytest.approx(12 / 0.25**2)


def test_the_frame_starts_at_the_corner_of_the_scanned_part() -> None:
    origin = origin_l0({"bounds_l0": [30, 70, 400, 200]})
    (shape,) = polygons_l0([wkb((10, 20), (14, 20), (14, 23), (10, 23))], 0.25, origin)
    assert shape.equals(shapely.box(40 - 30, 80 - 70, 56 - 30, 92 - 70))
    frame = tile_frame(np.ones(25, bool))
    ring = json.loads(next(patch_features(frame, {}, slide_id="s", origin=origin)))["geometry"]["coordinates"][0]
    assert ring == [[-30, -70], [66, -70], [66, 26], [-30, 26], [-30, -70]]
    assert origin_l0({"bounds_l0": None}) == origin_l0({}) == (0, 0)


def test_a_tile_carries_its_reason_and_what_quality_control_measured() -> None:
    frame = tile_frame(np.arange(25) > 0).assign(qc_focus=0.25, qc_fold=np.nan)
    frame.loc[0, "reason"] = "out of focus"
    dropped, kept = (json.loads(text)["properties"] for text in list(patch_features(frame, {}, slide_id="s"))[:2])
    assert (dropped["name"], kept["name"]) == ("tile 0: out of focus", "tile 1")
    assert dropped["classification"]["name"] == "Patch dropped"
    assert dropped["classification"]["color"] != kept["classification"]["color"]
    assert dropped["measurements"] == {"tissue_fraction": 0.02, "qc_focus": 0.25}


def test_a_bow_tie_becomes_two_valid_triangles_of_the_same_outline() -> None:
    (shape,) = polygons_l0([wkb((0, 0), (10, 10), (10, 0), (0, 10))], slide_mpp=1.0)
    assert shape.is_valid
    assert shape.area == pytest.approx(50.0)


def test_a_contour_without_area_gives_none_and_others_stay_in_place() -> None:
    line = wkb((0, 0), (5, 5), (0, 0))
    shapes = polygons_l0([line, wkb((0, 0), (4, 0), (4, 4))], slide_mpp=1.0)
    assert shapes[0] is None
    assert shapes[1].area == pytest.approx(8.0)


def test_a_spike_that_mending_turns_into_a_line_is_dropped() -> None:
    (shape,) = polygons_l0([wkb((0, 0), (4, 0), (8, 0), (4, 0), (4, 4), (0, 4))], slide_mpp=1.0)
    assert shape.geom_type == "Polygon"
    assert shape.area == pytest.approx(16.0)


def test_feature_has_the_keys_that_qupath_reads() -> None:
    feature = json.loads(
        feature_text(
            identity="s:nucleus:1",
            object_type="detection",
            geometry='{"type": "Point", "coordinates": [1, 2]}',
            classification=classified("Nucleus", (1, 2, 3)),
            name='a "name" of µ',
            numbers={"area": 2.5, "undefined": float("nan"), "endless": float("inf")},
        )
    )
    assert feature["type"] == "Feature"
    assert str(uuid.UUID(feature["id"])) == feature["id"]
    assert feature["properties"] == {
        "objectType": "detection",
        "name": 'a "name" of µ',
        "classification": {"name": "Nucleus", "color": [1, 2, 3]},
        "measurements": {"area": 2.5},
    }


def test_nucleus_features_round_trip() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(50, 300, (2, 7))
    frame = nuclei_frame(x, y, rng.uniform(0, np.pi, 7), np.arange(7))
    features = [json.loads(text) for text in nucleus_features(frame, slide_id="s", slide_mpp=0.25)]
    assert [f["properties"]["measurements"]["nucleus_id"] for f in features] == list(range(7))
    for feature, contour in zip(features, frame["contour_um"], strict=True):
        ring = np.array(feature["geometry"]["coordinates"][0])
        assert (ring[0] == ring[-1]).all()
        back = shapely.Polygon(ring * 0.25)
        assert back.symmetric_difference(shapely.from_wkb(contour)).area < 0.2
    assert features[0]["properties"]["objectType"] == "detection"
    assert features[0]["properties"]["measurements"]["area_um2"] == pytest.approx(np.pi * 9 * 5 / 4)


def test_ids_follow_slide_and_nucleus() -> None:
    frame = nuclei_frame(np.array([20.0, 60.0]), np.array([20.0, 60.0]), np.zeros(2), np.zeros(2, int))
    ids = {s: [json.loads(t)["id"] for t in nucleus_features(frame, slide_id=s, slide_mpp=1.0)] for s in ("a", "b")}
    again = [json.loads(t)["id"] for t in nucleus_features(frame, slide_id="a", slide_mpp=1.0)]
    assert ids["a"] == again
    assert len({*ids["a"], *ids["b"]}) == 4


def test_square_is_closed() -> None:
    assert square(0, 10, 4.256, 14) == [[0, 10], [4.26, 10], [4.26, 14], [0, 14], [0, 10]]


@pytest.mark.parametrize("name", ["c.geojson", "c.geojson.gz"])
def test_collection_of_nothing_and_of_some(tmp_path: Path, name: str) -> None:
    def read() -> dict[str, object]:
        raw = (tmp_path / name).read_bytes()
        return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)

    assert write_collection(tmp_path / name, []) == 0
    assert read() == {"type": "FeatureCollection", "features": []}
    assert write_collection(tmp_path / name, ['{"a": 1}', '{"b": "µ"}']) == 2
    assert read()["features"] == [{"a": 1}, {"b": "µ"}]


def test_gzip_bytes_hold_neither_time_nor_name(tmp_path: Path) -> None:
    for name in ("one.geojson.gz", "other.geojson.gz"):
        write_collection(tmp_path / name, ['{"a": 1}'])
    one, other = (tmp_path / name for name in ("one.geojson.gz", "other.geojson.gz"))
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes()[4:8] == bytes(4)
