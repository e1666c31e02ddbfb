import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from pipeline.artefacts.nuclei import (
    COLUMNS,
    PAPER_MEASURES,
    NucleusHeader,
    count_nuclei,
    count_types,
    read_nuclei,
    read_nuclei_columns,
    write_nuclei,
)
from pipeline.artefacts.tables import write_table
from pipeline.errors import ArtefactError
from pipeline.provenance import record


@pytest.fixture
def frame():
    numbers = {name: np.linspace(0, 1, 2) for name, dtype in COLUMNS.items() if dtype == "float64"}
    contours = [shapely.to_wkb(shapely.box(x, 0, x + 4, 2)) for x in (0, 10)]
    return pd.DataFrame({**numbers, "nucleus_id": [0, 1], "tile_id": [4, 4], "contour_um": contours})


@pytest.fixture
def table_header():
    provenance = record(params={}, source="x")
    return NucleusHeader(
        slide_id="s", slide_mpp=0.25, mpp=0.5, weights="w", weights_digest="d", reason=None, provenance=provenance
    )


def test_outlines_and_measures_survive_the_round_trip(tmp_path, frame, table_header):
    write_nuclei(tmp_path / "n.parquet", frame, table_header)
    table = read_nuclei(tmp_path / "n.parquet")
    assert list(table.frame) == list(COLUMNS)
    assert shapely.area(shapely.from_wkb(table.frame["contour_um"].to_numpy())).tolist() == [8, 8]
    assert (table.header["weights"], table.header["weights_digest"]) == ("w", "d")


def test_the_paper_has_twelve_measures():
    assert len(PAPER_MEASURES) == 12
    assert set(PAPER_MEASURES) <= set(COLUMNS)


def test_a_table_of_tiles_is_not_a_table_of_nuclei(tmp_path, frame, table_header):
    write_table(tmp_path / "n.parquet", frame, COLUMNS, table_header.plain() | {"kind": "tiles"})
    with pytest.raises(ArtefactError, match="expected nuclei, found 'tiles'"):
        read_nuclei(tmp_path / "n.parquet")


def test_columns_that_a_table_has_are_read_alone(tmp_path, frame, table_header):
    write_nuclei(tmp_path / "n.parquet", frame, table_header)
    assert list(read_nuclei_columns(tmp_path / "n.parquet", ("y_um", "x_um", "type"))) == ["y_um", "x_um"]


def test_nuclei_are_counted_without_their_rows(tmp_path, frame, table_header):
    write_nuclei(tmp_path / "n.parquet", frame, table_header)
    assert count_nuclei(tmp_path / "n.parquet") == 2
    write_table(tmp_path / "t.parquet", frame, COLUMNS, table_header.plain() | {"kind": "tiles"})
    with pytest.raises(ArtefactError, match="expected nuclei"):
        count_nuclei(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("nucleus_id", [1, 1], "each nucleus_id once"),
        ("x_um", [0.0, np.nan], "finite centroids"),
        ("y_um", [np.inf, 0.0], "finite centroids"),
        ("orientation_rad", [0.0, 7.0], "orientation_rad from 0 to pi"),
        ("area_um2", [3.0, -1.0], "areas"),
    ],
)
def test_rows_that_cannot_be_are_told(tmp_path, frame, table_header, column, values, fault):
    write_nuclei(tmp_path / "n.parquet", frame.assign(**{column: values}), table_header)
    with pytest.raises(ArtefactError, match=rf"n\.parquet: it is half-written, damaged or edited: expected {fault}"):
        read_nuclei(tmp_path / "n.parquet")


def test_nuclei_beside_a_reason_for_none_are_told(tmp_path, frame, table_header):
    write_nuclei(tmp_path / "n.parquet", frame, replace(table_header, reason="no tissue"))
    with pytest.raises(ArtefactError, match="no nucleus where there is a reason for none"):
        read_nuclei(tmp_path / "n.parquet")


def test_types_are_counted_and_imported_tables_say_where_from(tmp_path, frame, table_header):
    header = replace(table_header, imported_from="GeoJSON", cautions=("odd",))
    write_nuclei(tmp_path / "n.parquet", frame.assign(type=["T", None]), header)
    assert count_types(tmp_path / "n.parquet") == {"T": 1, None: 1}
    table = read_nuclei(tmp_path / "n.parquet")
    assert (table.header["imported_from"], table.header["cautions"]) == ("GeoJSON", ["odd"])
    assert table.frame["type"].tolist() == ["T", None]
    write_nuclei(tmp_path / "m.parquet", frame, table_header)
    assert count_types(tmp_path / "m.parquet") == {None: 2}
    assert {"imported_from", "cautions"}.isdisjoint(read_nuclei(tmp_path / "m.parquet").header)


def test_outlines_are_geoparquet(tmp_path, frame, table_header):
    """As geoparquet.org asks of version 1.0.0."""
    write_nuclei(tmp_path / "n.parquet", frame, table_header)
    geo = json.loads(pq.read_schema(tmp_path / "n.parquet").metadata[b"geo"])
    assert geo["version"] == "1.0.0"
    assert geo["primary_column"] == "contour_um"
    column = geo["columns"]["contour_um"]
    assert (column["encoding"], column["crs"]) == ("WKB", None)
    assert set(column["geometry_types"]) == {"Polygon", "MultiPolygon"}
