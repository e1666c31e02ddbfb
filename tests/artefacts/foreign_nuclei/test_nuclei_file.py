import gzip
import json

import pytest

from pipeline.artefacts.foreign_nuclei.nuclei_file import read_found_nuclei
from pipeline.errors import ImportedFileError

POINT = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {}}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ([POINT], "GeoJSON"),
        ({"mag": 40, "nuc": {"1": {"centroid": [1, 2]}}}, "HoVer-Net JSON"),
        ({"cells": [{"centroid": [1, 2]}]}, "CellViT JSON"),
    ],
)
def test_json_is_told_by_what_it_holds(tmp_path, content, kind):
    (tmp_path / "a.json").write_text(json.dumps(content))
    (tmp_path / "b.geojson.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    for name in ("a.json", "b.geojson.gz"):
        found = read_found_nuclei(tmp_path / name)
        assert (found.kind, len(found.frame)) == (kind, 1)


def test_anything_else_is_a_table(tmp_path):
    (tmp_path / "a.csv").write_text("x_um,y_um\n1,2\n")
    assert read_found_nuclei(tmp_path / "a.csv").kind == "table"


@pytest.mark.parametrize("text", ["{", "3", '{"type": "Feature", "geometry": {"type": "Circle"}}'])
def test_what_is_none_of_them_is_named(tmp_path, text):
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(ImportedFileError, match=r"a\.geojson: expected nuclei"):
        read_found_nuclei(tmp_path / "a.geojson")
