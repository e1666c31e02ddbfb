import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.tables import empty_frame, read_table, write_table
from pipeline.errors import ArtefactError
from pipeline.provenance import record

COLUMNS = {"count": "int64", "share": "float64", "kept": "bool", "reason": "str"}
HEADER = {"kind": "tiles", "slide_id": "s1", "reason": None, "provenance": record(params={"a": 1}, source="x")}


@pytest.fixture
def frame():
    return pd.DataFrame(
        {"count": [1, 2], "share": [0.5, np.nan], "kept": [True, False], "reason": ["", "why"], "more": [7, 8]}
    )


def test_what_is_written_is_read_with_its_header(tmp_path, frame):
    write_table(tmp_path / "t.parquet", frame, COLUMNS, HEADER)
    table = read_table(tmp_path / "t.parquet", "tiles", COLUMNS)
    pd.testing.assert_frame_equal(table.frame, frame)
    assert table.header == HEADER
    assert table.reason is None


def test_the_same_table_has_the_same_bytes(tmp_path, frame):
    for name in ("a", "b"):
        write_table(tmp_path / name, frame, COLUMNS, HEADER)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_of_no_rows_keeps_its_dtypes(tmp_path):
    write_table(tmp_path / "t.parquet", empty_frame(COLUMNS), COLUMNS, HEADER)
    frame = read_table(tmp_path / "t.parquet", "tiles", COLUMNS).frame
    assert len(frame) == 0
    assert [str(dtype) for dtype in frame.dtypes] == ["int64", "float64", "bool", "object"]


def test_a_missing_column_is_named_and_nothing_is_written(tmp_path, frame):
    with pytest.raises(ArtefactError, match="column kept missing"):
        write_table(tmp_path / "t.parquet", frame.drop(columns="kept"), COLUMNS, HEADER)
    assert list(tmp_path.iterdir()) == []


def test_a_column_of_the_wrong_type_is_named(tmp_path, frame):
    with pytest.raises(ArtefactError, match="column count cannot be int64"):
        write_table(tmp_path / "t.parquet", frame.assign(count=["a", "b"]), COLUMNS, HEADER)


def test_foreign_and_broken_files_are_refused(tmp_path, frame):
    broken, foreign, other = tmp_path / "broken", tmp_path / "foreign", tmp_path / "other"
    broken.write_bytes(b"PAR1 but not really")
    frame.to_parquet(foreign)
    write_table(other, frame, COLUMNS, HEADER | {"provenance": {"format_version": 99}})
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_table(broken, "tiles", COLUMNS)
    with pytest.raises(ArtefactError, match="without its header"):
        read_table(foreign, "tiles", COLUMNS)
    with pytest.raises(ArtefactError, match="expected format version 2, found 99"):
        read_table(other, "tiles", COLUMNS)
    with pytest.raises(ArtefactError, match="expected nuclei, found 'tiles'"):
        read_table(other, "nuclei", COLUMNS)
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_table(tmp_path / "missing", "tiles", COLUMNS)


@pytest.mark.parametrize("key", ["slide_id", "reason", "provenance"])
def test_a_header_that_lacks_what_every_header_holds_is_damaged(tmp_path, frame, key):
    header = {name: value for name, value in HEADER.items() if name != key} | {"format_version": 1}
    write_table(tmp_path / "t.parquet", frame, COLUMNS, header)
    with pytest.raises(ArtefactError, match=f"its header lacks {key}"):
        read_table(tmp_path / "t.parquet", "tiles", COLUMNS)
