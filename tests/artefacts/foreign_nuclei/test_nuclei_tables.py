import gzip

import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.artefacts.foreign_nuclei.nuclei_tables import table_nuclei
from pipeline.errors import ImportedFileError

BOX = shapely.box(0, 0, 4, 4)


@pytest.fixture
def csv(tmp_path):
    def write(text, name="n.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("x_um,y_um\n1,2\n3,4.5\n", "um"),
        ("id;x_px;y_px\n7;1,0;2\n8;3;4,5\n", "px"),
        ("cell_id\tX_centroid\ty_centroid\na\t1\t2\nb\t3\t4.5\n", "um"),
        ("Centroid X µm,Centroid Y μm,Image\n1,2,a\n3,4.5,a\n", "um"),
        ("\ufeffx_um,y_um\n1,2\n3,4.5\n", "um"),
    ],
)
def test_places_are_found_whatever_the_table_calls_them(csv, text, unit):
    for name in ("n.csv", "n.csv.gz"):
        found = table_nuclei(csv(text, name))
        np.testing.assert_array_equal(found.frame[["x", "y"]], [[1, 2], [3, 4.5]])
        assert (found.unit, found.origin) == (unit, "level 0")


def test_types_measures_and_outlines_come_along(csv):
    text = f'x_um,y_um,cell_type,area_um2,outline\n1,2,T,9.5,"{BOX.wkt}"\n3,4,,,\n'
    found = table_nuclei(csv(text))
    assert found.frame["type"].tolist() == ["T", None]
    np.testing.assert_array_equal(found.frame["area_um2"], [9.5, np.nan])
    assert found.outlines[0].equals(BOX)
    assert found.outlines[1] is None


@pytest.mark.parametrize("form", [shapely.to_wkb, lambda shape: shapely.to_wkb(shape, hex=True), shapely.to_wkt])
def test_outlines_are_wkb_wkt_or_hexadecimal_and_give_places(tmp_path, form):
    path = tmp_path / "n.parquet"
    pd.DataFrame({"outline_px": [form(BOX), form(shapely.box(4, 0, 8, 2))]}).to_parquet(path)
    found = table_nuclei(path)
    np.testing.assert_array_equal(found.frame[["x", "y"]], [[2, 2], [6, 1]])
    assert found.unit == "px"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,2\n", "where nuclei lie is not told.*found x, y"),
        ("x_um,y_px\n1,2\n", "where nuclei lie is not told"),
        ("x_um,y_um,x_px,y_px\n1,2,3,4\n", "places are given twice"),
        ("x_um,y_um\n1,2\n1,a\n", "row 3, column y_um: expected a number, found 'a'"),
        ("x_um,y_um\n1,2\n1,\n", "row 3: where the nucleus lies is empty"),
        ("x_um,y_um\n1,inf\n", "row 2: where"),
        ("x_um,y_um,outline\n1,2,POINT (1 2)\n", "row 2, column outline: expected a polygon"),
        ("x_um,y_um,outline\n1,2,blob\n", "row 2, column outline: expected a polygon as WKT or WKB, found 'blob'"),
        ('x_um,y_um,outline_px\n1,2,"POLYGON ((0 0, 1 0, 1 1, 0 0))"\n', "outlines are in px and places in um"),
        ("", "expected a table of nuclei; it cannot be read"),
    ],
)
def test_a_fault_names_its_place(csv, text, message):
    with pytest.raises(ImportedFileError, match=rf"n\.csv: {message}"):
        table_nuclei(csv(text))


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "n.parquet").write_bytes(b"no parquet")
    for name in ("n.parquet", "none.csv", "."):
        with pytest.raises(ImportedFileError, match="table of nuclei"):
            table_nuclei(tmp_path / name)


def test_a_table_without_rows_is_empty(csv):
    assert table_nuclei(csv("x_um,y_um\n")).frame.empty


def test_half_a_place_beside_outlines_is_none(csv):
    found = table_nuclei(csv(f'x_um,outline_um\n1,"{BOX.wkt}"\n'))
    np.testing.assert_array_equal(found.frame[["x", "y"]], [[2, 2]])


@pytest.mark.parametrize("harm", [b"", b"PAR1", b"objecu"])
def test_a_damaged_parquet_file_is_named(tmp_path, harm):
    """Not Parquet, cut, and metadata of pandas that name a dtype which is none."""
    pd.DataFrame({"x_um": [1.0], "y_um": [2.0], "type": ["a"]}).to_parquet(tmp_path / "n.parquet")
    content = (tmp_path / "n.parquet").read_bytes()
    (tmp_path / "n.parquet").write_bytes(content.replace(b"object", harm) if len(harm) == 6 else harm)
    with pytest.raises(ImportedFileError, match=r"n\.parquet: expected a table of nuclei; it cannot be read"):
        table_nuclei(tmp_path / "n.parquet")
