import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Dataset
from torch_geometric.loader import DataLoader

from pipeline.artefacts.features import read_features
from pipeline.artefacts.splits import read_splits
from pipeline.commands.export_pyg import LEVELS
from pipeline.errors import ArtefactError, CohortError
from pipeline.exports.pyg_dataset import CellGraphs, HeteroGraphs, KeptEdges, PatchGraphs
from tests.exports.results_folder import EMPTY, NEW, PLANTED

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/exports.md"
ROLES = ("train", "structure", "select", "test")


def code_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_the_ten_lines_of_the_docs_train_a_model_that_learns(made, monkeypatch):
    monkeypatch.chdir(made.folder)
    train, test, _, _ = code_blocks()
    assert len(train.split("\n\n")[1].splitlines()) == 10
    names: dict[str, object] = {}
    torch.manual_seed(0)
    exec(train, names)
    exec(test, names)
    # The class is in the mean of the features of this cohort.
    assert names["accuracy"] == 1.0
    assert len(names["train"]) + len(names["test"]) == 16


def test_the_lines_on_cell_graphs_train_a_model(made, monkeypatch):
    monkeypatch.chdir(made.folder)
    _, _, cells, _ = code_blocks()
    names: dict[str, object] = {}
    exec(cells, names)
    assert names["logits"].isfinite().all()
    assert names["cells"].num_features == 17


def test_the_lines_on_files_read_them(made, monkeypatch, tmp_path):
    from tests.exports.test_export_pyg import export

    export(made, tmp_path / "pyg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code_blocks()[-1], names)
    assert [graph.slide_id for graph in names["slides"]] == ["planted_00003", EMPTY, NEW]


def test_the_docs_describe_every_level_and_every_attribute(made):
    page = PAGE.read_text()
    assert all(f"| `{level}`" in page for level in LEVELS)
    graph = HeteroGraphs(made.sheet, made.results, trained=made.trained).with_roles(made.splits)[0]
    attributes = {name.replace("x_uni", "x_{name}") for store in graph.to_dict().values() for name in store}
    assert [name for name in attributes if f"`{name}`" not in page] == []


def test_slides_are_those_of_the_sheet_with_patient_and_label(made):
    graphs = PatchGraphs(made.sheet, made.results / "features")
    assert isinstance(graphs, Dataset)
    assert len(graphs) == 18
    assert [slide.slide_id for slide in graphs.slides][-3:] == ["planted_00015", NEW, EMPTY]
    assert (graphs.num_classes, graphs.class_names, graphs.num_features) == (2, ("0", "1"), PLANTED.n_features)
    assert graphs[3].y.tolist() == [1]
    assert graphs[16].y.tolist() == [-1]
    assert (graphs[17].num_nodes, graphs[17].reason) == (0, "no tissue")
    assert (graphs[3].case_id, "role" in graphs[3]) == ("case_00003", False)


def test_parts_follow_the_splits_and_share_no_patient(made):
    splits = read_splits(made.splits)
    for fold in range(3):
        graphs = PatchGraphs(made.sheet, made.results / "features").with_roles(made.splits, seed=0, fold=fold)
        parts = {role: graphs.in_role(role) for role in ROLES}
        assert sum(map(len, parts.values())) == len(graphs) == 16
        for role, part in parts.items():
            rows = splits[(splits["fold"] == fold) & (splits["role"] == role)]
            assert {slide.slide_id for slide in part.slides} == set(rows["slide_id"])
            assert {graph.slide_id for graph in part} == set(rows["slide_id"])
            assert {graph.case_id for graph in part} == set(rows["case_id"])
            assert {(graph.role, graph.fold) for graph in part} == {(role, fold)}
        assert len(graphs.in_role("train", "test")) == len(parts["train"]) + len(parts["test"])


def test_a_part_of_a_part_and_roles_of_a_part(made):
    graphs = PatchGraphs(made.sheet, made.results / "features")
    assert [slide.slide_id for slide in graphs[2:5][1:].slides] == ["planted_00003", "planted_00004"]
    part = graphs[2:5].with_roles(made.splits)
    assert [slide.slide_id for slide in part.slides] == [f"planted_0000{n}" for n in (2, 3, 4)]
    assert part[1].slide_id == "planted_00003"
    assert graphs[0].slide_id == "planted_00000"


def test_a_slide_is_read_when_it_is_asked_for(made, monkeypatch):
    read = []
    monkeypatch.setattr(
        "pipeline.exports.graphs.slide_files.read_features",
        lambda path: (read.append(path.stem), read_features(path))[1],
    )
    graphs = PatchGraphs(made.sheet, made.results / "features").with_roles(made.splits)
    assert read == []
    assert graphs[5].num_nodes == 8
    assert read == ["planted_00005"]


def test_features_of_the_sheet_without_a_folder(made):
    graphs = PatchGraphs(made.sheet)
    np.testing.assert_array_equal(graphs[2].x, read_features(made.results / "features/planted_00002.zarr").features)


def test_missing_features_are_told_at_once(made, tmp_path):
    with pytest.raises(ArtefactError, match="18 lack them"):
        PatchGraphs(made.sheet, tmp_path)


def test_splits_of_another_cohort_are_refused(made, tmp_path):
    (tmp_path / "splits.csv").write_text(made.splits.read_text().replace("case_00003", "case_x"))
    with pytest.raises(CohortError, match="slide planted_00003: the sheet has patient 'case_00003'"):
        PatchGraphs(made.sheet, made.results / "features").with_roles(tmp_path / "splits.csv")


def test_learned_graphs_whatever_the_role(made):
    graphs = PatchGraphs(made.sheet, made.results / "features", trained=made.trained, transform=KeptEdges())
    graphs = graphs.with_roles(made.splits, fold=2)
    assert {slide.role for slide in graphs.slides} == set(ROLES)
    for graph in graphs:
        assert 0 < graph.num_edges < 56
        assert (graph.edge_weight > 0.5).all()


def test_nuclei_and_patches(made):
    graphs = HeteroGraphs(made.sheet, made.results, n_nearest=1)
    assert graphs[0].metadata()[0] == ["nucleus", "patch"]
    assert graphs[0]["patch", "near", "patch"].edge_index.shape[1] < 56
    batch = next(iter(DataLoader(graphs, batch_size=3)))
    assert batch["nucleus"].ptr.tolist() == [0, 49, 98, 147]


def test_a_loader_batches_slides_in_order(made):
    graphs = CellGraphs(made.sheet, made.results).with_roles(made.splits)
    batches = list(DataLoader(graphs, batch_size=6))
    assert [batch.ptr.tolist()[-1] for batch in batches] == [294, 294, 196]
    assert [name for batch in batches for name in batch.slide_id] == [slide.slide_id for slide in graphs.slides]
    assert torch.cat([batch.y for batch in batches]).tolist() == [n % 2 for n in range(16)]


READ_BY_WORKERS = """
import sys

import torch
from torch_geometric.loader import DataLoader

from pipeline.exports.pyg_dataset import PatchGraphs, Standardise

graphs = PatchGraphs(*sys.argv[1:])
graphs.transform = Standardise.fit(graphs[:4])
beside = torch.cat([batch.x for batch in DataLoader(graphs, batch_size=5, num_workers=2)])
print(beside.equal(torch.cat([graph.x for graph in graphs])))
"""


def test_slides_are_read_by_workers_too(made):
    # In a process of its own: a loader with workers answers for every child of its process from then on.
    command = [sys.executable, "-c", READ_BY_WORKERS, made.sheet, made.results / "features"]
    read = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert read.stdout == "True\n"
