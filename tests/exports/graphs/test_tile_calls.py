import numpy as np

from pipeline.exports.graphs.tile_calls import tile_calls
from pipeline.exports.graphs.trained_folds import folds_of_folder
from tests.exports.results_folder import EMPTY, PLANTED


def test_tiles_have_the_call_of_their_slide_their_strength_and_their_evidence(made):
    folds = folds_of_folder(made.trained)
    slide_id = next(iter(folds.fold_of))
    calls, graph = tile_calls(slide_id, PLANTED.n_patches, folds), folds.graph(slide_id, PLANTED.n_patches)
    assert list(calls) == ["predicted", "p_0", "p_1", "strength", "evidence_0", "evidence_1"]
    assert set(calls["p_0"]) <= {0.25, 0.75}
    first = graph.kept & (graph.edge_index[0] == 0)
    assert np.isclose(calls["strength"][0], graph.weight[first].sum())
    np.testing.assert_array_equal(calls["evidence_1"], folds.evidence(slide_id)[1].node[:, 1])


def test_a_slide_that_no_fold_tests_has_rows_alone(made):
    calls = tile_calls(EMPTY, 3, folds_of_folder(made.trained))
    assert calls.shape == (3, 0)
