import pandas as pd
import pytest

from pipeline.artefacts.interpretation import (
    SUMMARY_KEYS,
    TABLES,
    Interpretation,
    read_interpretation,
    write_interpretation,
)
from pipeline.errors import ArtefactError

NOTHING = {name: pd.DataFrame(columns=list(columns)) for name, columns in TABLES.items()}
SUMMARY = dict.fromkeys(SUMMARY_KEYS)


def written(tmp_path, **changes):
    metrics = pd.DataFrame([("s", "p", "a", "b", 0.5, None)], columns=[*TABLES["graph_metrics"], "density", "radius"])
    found = Interpretation({**NOTHING, "graph_metrics": metrics}, {**SUMMARY, **changes})
    write_interpretation(tmp_path / "interpretation", found, {"source": "s"})
    return tmp_path / "interpretation"


def test_what_is_written_is_read(tmp_path):
    found = read_interpretation(written(tmp_path, verdict="yes"))
    assert found.summary["verdict"] == "yes"
    assert found.tables["graph_metrics"]["density"].tolist() == [0.5]
    assert found.tables["graph_metrics"]["radius"].isna().all()
    assert found.tables["motifs"].empty


def test_an_edited_table_and_a_missing_one_are_refused(tmp_path):
    folder = written(tmp_path)
    with (folder / "motifs.csv").open("a") as stream:
        stream.write("x,0,0,1,1,1,1,1,1\n")
    with pytest.raises(ArtefactError, match=r"motifs.csv: it is damaged or was edited.*abignet explain"):
        read_interpretation(folder)
    (folder / "motifs.csv").unlink()
    with pytest.raises(ArtefactError, match=r"motifs\.csv"):
        read_interpretation(folder)
