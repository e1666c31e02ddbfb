import networkx as nx
import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.features import read_features
from pipeline.cli import main
from pipeline.errors import ArtefactError
from pipeline.exports import graphml
from pipeline.exports.graphml import export_graphml
from pipeline.exports.graphs.cohort_slides import CohortSlide
from pipeline.exports.graphs.slide_files import SlideFiles
from pipeline.exports.graphs.slide_graph import GraphSources
from pipeline.exports.graphs.trained_folds import folds_of_folder
from tests.exports.results_folder import PLANTED, SLIDE_MPP


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["export-graphml", *map(str, arguments)])
    return caught.value.code


def test_networkx_reads_the_learned_graph_with_its_evidence(made, tmp_path):
    folds = folds_of_folder(made.trained)
    slide_id, n = next(iter(folds.fold_of)), PLANTED.n_patches
    where = ["--outdir", made.results, "--run", "main", "--slide", slide_id, "--out", tmp_path / "graphml"]
    assert not run(*where)
    read, graph = nx.read_graphml(tmp_path / f"graphml/{slide_id}.graphml", node_type=int), folds.graph(slide_id, n)
    assert not read.is_directed()
    assert read.number_of_nodes() == n
    assert read.number_of_edges() == graph.kept.sum() // 2
    assert read.graph["slide_id"] == slide_id
    weight = nx.to_numpy_array(read, nodelist=range(n), weight="weight")
    expected = np.zeros((n, n))
    expected[tuple(graph.edge_index[:, graph.kept])] = graph.weight[graph.kept]
    np.testing.assert_allclose(weight, expected, rtol=1e-6)
    np.testing.assert_allclose(nx.to_numpy_array(read, nodelist=range(n), weight="evidence"), expected, rtol=1e-6)
    store = read_features(made.results / f"features/{slide_id}.zarr")
    node = read.nodes[3]
    assert [node["x_l0"], node["y_l0"]] == store.coords[3].tolist()
    assert node["x_um"] == pytest.approx((store.coords[3, 0] + store.tile_width_l0 / 2) * SLIDE_MPP)
    assert node["predicted"] in {"0", "1"}
    assert {"p_0", "p_1", "strength", "evidence_0", "evidence_1"} <= node.keys()


def test_names_with_marks_of_xml_stay_whole(made, tmp_path, monkeypatch):
    folds = folds_of_folder(made.trained)
    slide_id = next(iter(folds.fold_of))
    calls = pd.DataFrame({'p_<"&': [0.5] * PLANTED.n_patches})
    monkeypatch.setattr(graphml, "tile_calls", lambda *_: calls)
    export_graphml([CohortSlide(slide_id, "a & <b>")], GraphSources(SlideFiles(made.results), folds), tmp_path)
    read = nx.read_graphml(tmp_path / f"{slide_id}.graphml")
    assert read.graph["case_id"] == "a & <b>"
    assert read.nodes["0"]['p_<"&'] == 0.5


def test_what_is_missing_is_said(made, tmp_path, capsys):
    assert run("--out", tmp_path) == 2
    assert "either --run" in capsys.readouterr().err
    assert run("--run", "main", "--out", tmp_path) == 2
    assert "--outdir" in capsys.readouterr().err
    with pytest.raises(ArtefactError, match="needs a training"):
        export_graphml([], GraphSources(SlideFiles(made.results)), tmp_path)
