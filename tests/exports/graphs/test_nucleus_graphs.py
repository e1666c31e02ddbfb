import numpy as np
import pytest
import torch

from pipeline.artefacts.cell_graphs import empty_cell_graphs, read_cell_graphs
from pipeline.artefacts.nuclei import COLUMNS, read_nuclei
from pipeline.exports.graphs.nucleus_graphs import MEASURES, nucleus_graph, nucleus_graphs_by_tile


@pytest.fixture(scope="module")
def slide(made):
    nuclei = read_nuclei(made.results / "nuclei/new.parquet").frame
    return nuclei, read_cell_graphs(made.results / "cell_graphs/new.zarr")[0]


def test_every_attribute_of_the_artefacts_comes_back(slide):
    nuclei, graphs = slide
    graph = nucleus_graph(nuclei, graphs)
    for node, nucleus_id in enumerate(graphs.nucleus_id):
        row = nuclei[nuclei["nucleus_id"] == nucleus_id].iloc[0]
        exported = dict(zip(graph.feature_names, graph.x[node].tolist(), strict=True))
        exported |= {
            "x_um": graph.pos[node, 0],
            "y_um": graph.pos[node, 1],
            "orientation_rad": graph.orientation_rad[node],
        }
        exported |= {"nucleus_id": graph.nucleus_id[node], "tile_id": graph.tile_id[node]}
        assert exported.keys() == COLUMNS.keys() - {"contour_um"}
        for name, value in exported.items():
            assert float(value) == np.float32(row[name]), name
    np.testing.assert_array_equal(graph.edge_index, graphs.edge_index)
    assert graph.edge_attr_names == ["length_um", "delta_orientation", "edge_to_axis"]
    for column, name in enumerate(graph.edge_attr_names):
        np.testing.assert_array_equal(graph.edge_attr[:, column], getattr(graphs, name))
    np.testing.assert_array_equal(graph.edge_weight, graphs.weight)
    assert graph.x.dtype == graph.pos.dtype == graph.edge_attr.dtype == torch.float32
    assert graph.validate()


def test_positions_are_micrometres_as_the_lengths_of_edges_are(slide):
    graph = nucleus_graph(*slide)
    source, target = graph.edge_index
    length = (graph.pos[source] - graph.pos[target]).norm(dim=1)
    np.testing.assert_allclose(length, graph.edge_attr[:, 0], rtol=1e-4)


def test_measures_say_nothing_of_place_or_direction():
    assert len(MEASURES) == 17
    assert not {"x_um", "y_um", "orientation_rad", "nucleus_id", "tile_id"} & set(MEASURES)


def test_graphs_by_tile_are_the_slides_graph_without_edges_between_tiles(slide):
    nuclei, graphs = slide
    whole, parts = nucleus_graph(nuclei, graphs), nucleus_graphs_by_tile(nuclei, graphs)
    assert torch.cat([part.tile_id for part in parts]).tolist() == graphs.tile_id.tolist()
    assert sorted(part.num_nodes for part in parts) == [0, 1, *[6] * 8]
    ends = whole.nucleus_id[whole.edge_index]
    inside = whole.tile_id[whole.edge_index[0]] == whole.tile_id[whole.edge_index[1]]
    assert 0 < int(inside.sum()) < whole.num_edges
    np.testing.assert_array_equal(torch.cat([part.nucleus_id[part.edge_index] for part in parts], 1), ends[:, inside])
    for name in ("edge_attr", "edge_weight"):
        np.testing.assert_array_equal(torch.cat([part[name] for part in parts]), whole[name][inside])
    for name in ("x", "pos", "orientation_rad", "nucleus_id"):
        np.testing.assert_array_equal(torch.cat([part[name] for part in parts]), whole[name])
    for part in parts:
        assert part.validate()
        assert set(nuclei.set_index("nucleus_id").loc[part.nucleus_id.numpy(), "tile_id"]) <= set(part.tile_id.tolist())


def test_a_slide_without_nuclei_is_a_graph_of_no_nodes(slide):
    nuclei = slide[0].iloc[:0]
    graph = nucleus_graph(nuclei, empty_cell_graphs())
    assert (graph.num_nodes, graph.num_edges) == (0, 0)
    assert (graph.x.shape, graph.edge_index.shape, graph.edge_attr.shape) == ((0, 17), (2, 0), (0, 3))
    assert nucleus_graphs_by_tile(nuclei, empty_cell_graphs()) == []
