import pytest

from pipeline.artefacts.graph_path import read_graph_path, write_graph_path
from pipeline.artefacts.json_files import write_json
from pipeline.errors import ArtefactError


def test_what_is_not_given_is_null(tmp_path):
    write_graph_path(tmp_path / "graph_path.json", {"decision": {"on": True}})
    assert read_graph_path(tmp_path / "graph_path.json") == {
        "decision": {"on": True},
        "pretraining": None,
        "without_graph": None,
    }


def test_another_file_is_refused(tmp_path):
    write_json(tmp_path / "graph_path.json", {"decision": None})
    with pytest.raises(ArtefactError, match="missing pretraining, without_graph"):
        read_graph_path(tmp_path / "graph_path.json")
