import pytest
import torch
from torch_geometric.data import Data, HeteroData

from pipeline.errors import ArtefactError, OutputError
from pipeline.exports.graphs.graph_files import read_graph, write_graph


def plain():
    return Data(x=torch.ones(2, 3), edge_index=torch.tensor([[0, 1], [1, 0]]), feature_names=["a", "b", "c"], reason="")


def hetero():
    graph = HeteroData(slide_id="s", y=torch.tensor([1]))
    graph["nucleus"].x = torch.ones(2, 3)
    graph["patch"].x = torch.ones(1, 4)
    graph["nucleus", "in", "patch"].edge_index = torch.tensor([[0, 1], [0, 0]])
    return graph


def is_same(first, second):
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and first.equal(second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(is_same(first[key], second[key]) for key in first)
    return first == second


@pytest.mark.parametrize("graph", [plain(), hetero(), Data(x=torch.ones(0, 3), edge_index=torch.ones(2, 0).long())])
def test_round_trip(graph, tmp_path):
    write_graph(tmp_path / "g.pt", graph)
    read = read_graph(tmp_path / "g.pt")
    assert type(read) is type(graph)
    assert is_same(read.to_dict(), graph.to_dict())


@pytest.mark.parametrize("graphs", [[], [plain(), plain()]])
def test_round_trip_of_a_list(graphs, tmp_path):
    write_graph(tmp_path / "g.pt", graphs)
    read = read_graph(tmp_path / "g.pt")
    assert isinstance(read, list)
    assert [is_same(one.to_dict(), other.to_dict()) for one, other in zip(read, graphs, strict=True)] == [True] * len(
        graphs
    )


def test_the_files_need_no_allowance_and_have_the_same_bytes(tmp_path):
    for name in ("a.pt", "b.pt"):
        write_graph(tmp_path / name, hetero())
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    assert HeteroData.from_dict(content)["nucleus", "in", "patch"].edge_index.tolist() == [[0, 1], [0, 0]]
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_what_is_no_graph_is_refused(tmp_path):
    (tmp_path / "text.pt").write_text("no archive")
    torch.save({"weights": torch.ones(1)}, tmp_path / "model.pt")
    torch.save([1], tmp_path / "list.pt")
    write_graph(tmp_path / "whole.pt", plain())
    (tmp_path / "half.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:300])
    torch.save(plain(), tmp_path / "pickled.pt")
    for name in ("text.pt", "model.pt", "list.pt", "half.pt", "pickled.pt", "missing.pt"):
        with pytest.raises(ArtefactError, match=f"{name}: expected a graph"):
            read_graph(tmp_path / name)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is no folder"):
        write_graph(tmp_path / "file" / "g.pt", plain())
