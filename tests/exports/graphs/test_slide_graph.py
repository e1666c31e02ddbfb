from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.features import read_features, write_features
from pipeline.artefacts.learned_graphs import read_learned_graph
from pipeline.errors import ArtefactError, CohortError
from pipeline.exports.graphs.cohort_slides import CohortSlide
from pipeline.exports.graphs.slide_files import SlideFiles
from pipeline.exports.graphs.slide_graph import LEVELS, GraphSources, available, labelled_graph, slide_attributes
from pipeline.exports.graphs.trained_folds import folds_of_folder
from tests.exports.results_folder import EMPTY, NEW, PLANTED

SLIDE = CohortSlide("planted_00003", "case_00003", "1", 0, "test")
CLASSES = ("0", "1")


@pytest.fixture
def sources(made):
    return GraphSources(SlideFiles(made.results), folds_of_folder(made.trained), n_nearest=2)


def test_a_slide_says_who_it_is():
    attributes = slide_attributes(SLIDE, CLASSES)
    assert attributes.pop("y").tolist() == [1]
    assert attributes == {
        "slide_id": "planted_00003",
        "case_id": "case_00003",
        "label": "1",
        "class_names": ["0", "1"],
        "fold": 0,
        "role": "test",
    }


def test_an_unknown_label_is_minus_one_and_no_splits_no_role():
    attributes = slide_attributes(CohortSlide("s", "p"), CLASSES)
    assert (attributes["y"].tolist(), attributes["label"]) == ([-1], "")
    assert not {"fold", "role"} & attributes.keys()


@pytest.mark.parametrize("level", LEVELS)
def test_every_graph_of_every_level_says_who_it_is_of(sources, level):
    graphs = labelled_graph(level, SLIDE, sources, CLASSES)
    for graph in graphs if isinstance(graphs, list) else [graphs]:
        assert (graph.slide_id, graph.case_id, graph.role, graph.reason) == (SLIDE.slide_id, SLIDE.case_id, "test", "")
        assert graph.y.tolist() == [1]
        assert graph.validate()


def test_learned_graphs_have_the_nodes_of_the_cache_and_the_edges_of_the_fold(sources):
    graph = labelled_graph("learned", SLIDE, sources, CLASSES)
    stored = read_learned_graph(sources.trained.store(SLIDE.slide_id), SLIDE.slide_id)
    np.testing.assert_array_equal(graph.x, read_features(sources.files.path("features", SLIDE.slide_id)).features)
    np.testing.assert_array_equal(graph.edge_index, stored.edge_index)
    np.testing.assert_array_equal(graph.edge_weight, stored.weight)
    np.testing.assert_array_equal(graph.edge_kept, stored.kept)


def test_near_patches_are_as_many_as_asked_for(sources):
    few = labelled_graph("patches", SLIDE, sources, CLASSES)
    all_pairs = labelled_graph("patches", SLIDE, GraphSources(sources.files), CLASSES)
    n = PLANTED.n_patches
    assert few.num_edges < all_pairs.num_edges == n * (n - 1)


def test_hetero_graphs_have_learned_edges_where_there_is_a_training(sources):
    with_training = labelled_graph("hetero", SLIDE, sources, CLASSES)
    assert with_training["patch", "learned", "patch"].edge_kept.any()
    without = labelled_graph("hetero", SLIDE, GraphSources(sources.files), CLASSES)
    assert set(with_training.edge_types) - set(without.edge_types) == {("patch", "learned", "patch")}
    cells = labelled_graph("cells", SLIDE, sources, CLASSES)
    assert without["nucleus"].x.equal(cells.x)
    assert without["nucleus", "near", "nucleus"].edge_attr.isclose(cells.edge_attr, equal_nan=True).all()


@pytest.mark.parametrize("level", ["cells", "patches", "hetero"])
def test_a_slide_without_tissue_is_an_empty_graph_with_its_reason(made, level):
    graph = labelled_graph(level, CohortSlide(EMPTY, "p", "1"), GraphSources(SlideFiles(made.results)), CLASSES)
    assert (graph.num_nodes, graph.num_edges, graph.reason) == (0, 0, "no tissue")
    assert graph.validate()


def test_a_slide_with_nuclei_but_no_patch_says_why(made, tmp_path):
    store = read_features(made.results / f"features/{EMPTY}.zarr")
    write_features(tmp_path / f"{NEW}.zarr", replace(store, slide_id=NEW, reason="too few nuclei"))
    files = SlideFiles(made.results, tmp_path)
    graph = labelled_graph("hetero", CohortSlide(NEW, NEW), GraphSources(files), CLASSES)
    assert (graph["nucleus"].num_nodes, graph["patch"].num_nodes, graph.reason) == (49, 0, "too few nuclei")
    assert graph["nucleus", "in", "patch"].edge_index.shape == (2, 0)


def test_a_slide_without_learned_graph_is_refused(sources):
    for level in ("learned", "hetero"):
        with pytest.raises(CohortError, match="slide new: no fold"):
            labelled_graph(level, CohortSlide(NEW, NEW), sources, CLASSES)
    with pytest.raises(ArtefactError, match="slide new: no training"):
        labelled_graph("learned", CohortSlide(NEW, NEW), GraphSources(sources.files), CLASSES)


def test_slides_that_a_level_finds(made, tmp_path):
    assert CohortSlide(NEW, NEW) in available("cells", SlideFiles(made.results))
    (tmp_path / "features/only.zarr").mkdir(parents=True)
    assert available("patches", SlideFiles(tmp_path)) == (CohortSlide("only", "only"),)
    assert available("cells", SlideFiles(tmp_path)) == ()
