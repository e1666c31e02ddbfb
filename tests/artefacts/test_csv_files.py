import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.csv_files import read_csv, read_sealed_csv, write_csv
from pipeline.artefacts.json_files import read_json, write_json, write_provenance, write_provenance_of
from pipeline.errors import ArtefactError
from pipeline.provenance import record

COLUMNS = {"slide_id": "str", "count": "int64", "share": "float64", "kept": "bool"}


def test_values_come_back_as_written(tmp_path):
    frame = pd.DataFrame(
        {"slide_id": ["007", "a,b"], "count": [1, 2], "share": [1 / 3, np.nan], "kept": [True, False], "extra": [1, 2]}
    )
    write_csv(tmp_path / "t.csv", frame, COLUMNS)
    found = read_csv(tmp_path / "t.csv", "things", COLUMNS)
    assert found["slide_id"].tolist() == ["007", "a,b"]
    assert found["share"].iloc[0] == pytest.approx(1 / 3, rel=1e-8)
    assert np.isnan(found["share"].iloc[1])
    assert found["kept"].tolist() == [True, False]
    assert found["extra"].tolist() == ["1", "2"]


def test_numbers_have_nine_digits_and_undefined_ones_are_empty(tmp_path):
    frame = pd.DataFrame({"slide_id": ["a"], "count": [1], "share": [2 / 3], "kept": [True]})
    write_csv(tmp_path / "t.csv", frame, COLUMNS)
    assert (tmp_path / "t.csv").read_bytes() == b"slide_id,count,share,kept\na,1,0.666666667,True\n"


def test_faults_name_file_and_column(tmp_path):
    path = tmp_path / "t.csv"
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_csv(path, "things", COLUMNS)
    path.write_text("slide_id,count\na,1\n")
    with pytest.raises(ArtefactError, match="columns share, kept missing; found slide_id, count"):
        read_csv(path, "things", COLUMNS)
    path.write_text("slide_id,count,share,kept\na,many,1,True\n")
    with pytest.raises(ArtefactError, match="column count cannot be int64"):
        read_csv(path, "things", COLUMNS)
    path.write_text("")
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_csv(path, "things", COLUMNS)


def test_json_keeps_order_and_refuses_what_is_no_object(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": None})
    assert list(read_json(tmp_path / "a.json", "record")) == ["b", "a"]
    (tmp_path / "b.json").write_text("[1]")
    with pytest.raises(ArtefactError, match="found list"):
        read_json(tmp_path / "b.json", "record")
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_json(tmp_path / "c.json", "record")


KIND = "predictions"
ROWS = pd.DataFrame({"slide_id": ["a", "b", "c"], "count": [1, 2, 3], "share": [0.5, 0.25, 0.125], "kept": [True] * 3})


@pytest.fixture
def sealed(tmp_path):
    write_csv(tmp_path / "t.csv", ROWS, COLUMNS)
    write_provenance(tmp_path, record(params={}, source="x"), ["t.csv"])
    return tmp_path / "t.csv"


def test_what_was_written_is_read(sealed, caplog):
    pd.testing.assert_frame_equal(read_sealed_csv(sealed, KIND, COLUMNS), ROWS)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "edit",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[0], lines[2], lines[1], lines[3]],
        lambda lines: [line.replace("0.25", "0.26") for line in lines],
        lambda lines: [line.replace("\n", "\r\n") for line in lines],
        lambda lines: lines[:1],
        lambda lines: [],
    ],
    ids=["cut at a row's end", "row doubled", "rows swapped", "number", "line ends", "header alone", "empty"],
)
def test_what_was_not_written_is_damage(sealed, edit):
    lines = sealed.read_text().splitlines(keepends=True)
    sealed.write_bytes("".join(edit(lines)).encode())
    with pytest.raises(ArtefactError, match=r"t\.csv: it is damaged or was edited.*snakemake --forcerun"):
        read_sealed_csv(sealed, KIND, COLUMNS)


def test_a_file_that_no_provenance_knows_is_read_and_told(sealed, caplog, monkeypatch):
    monkeypatch.setattr("pipeline.artefacts.unverified._said", set())
    other = sealed.with_name("other.csv")
    other.write_bytes(sealed.read_bytes())
    pd.testing.assert_frame_equal(read_sealed_csv(other, KIND, COLUMNS), ROWS)
    assert "other.csv was written by another tool, or put there by hand" in caplog.text


def test_a_provenance_of_its_own_beats_that_of_the_folder(sealed):
    write_csv(sealed, ROWS.iloc[:1], COLUMNS)
    write_provenance_of(sealed, record(params={}, source="x"))
    assert len(read_sealed_csv(sealed, KIND, COLUMNS)) == 1
