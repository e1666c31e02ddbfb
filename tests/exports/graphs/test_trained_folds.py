import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.learned_graphs import read_learned_graph
from pipeline.artefacts.splits import read_splits, write_splits
from pipeline.errors import ArtefactError, CohortError
from pipeline.exports.graphs.trained_folds import folds_of_folder, folds_of_run
from tests.exports.results_folder import NEW, PLANTED


def folds_by_slide(made):
    splits = read_splits(made.splits)
    return splits[splits["role"] == "test"].set_index("slide_id")["fold"]


def test_a_graph_is_that_of_the_fold_that_tests_the_slide(made):
    folds = folds_of_run(made.results, "main", "default", 0)
    assert folds.fold_of == folds_by_slide(made).to_dict()
    assert set(folds.fold_of.values()) == {0, 1, 2}
    for slide_id, fold in folds.fold_of.items():
        assert folds.store(slide_id) == made.trained / f"fold_{fold}" / "graphs.zarr"
    graph = folds.graph("planted_00003", PLANTED.n_patches)
    stored = read_learned_graph(folds.store("planted_00003"), "planted_00003")
    np.testing.assert_array_equal(graph.weight, stored.weight)


def test_a_run_and_its_folder_are_the_same(made):
    assert folds_of_folder(made.trained) == folds_of_run(made.results, "main", "default", 0)
    assert folds_of_folder(made.trained).seed == 0


def test_the_output_of_the_train_command(made, tmp_path):
    splits = read_splits(made.splits)
    write_splits(tmp_path / "splits.csv", splits.assign(seed=4))
    with pytest.raises(ArtefactError, match="expected fold_0, fold_1"):
        folds_of_folder(tmp_path)
    shutil.copytree(made.trained / "fold_1", tmp_path / "fold_1")
    folds = folds_of_folder(tmp_path)
    assert (folds.folder, folds.splits, folds.seed) == (tmp_path, tmp_path / "splits.csv", 4)
    there, missing = (folds_by_slide(made).eq(fold).idxmax() for fold in (1, 2))
    folds.graph(there, PLANTED.n_patches)
    with pytest.raises(ArtefactError, match=r"fold_2.graphs.zarr"):
        folds.graph(missing, PLANTED.n_patches)
    write_splits(tmp_path / "splits.csv", pd.concat([splits, splits.assign(seed=4)]))
    with pytest.raises(ArtefactError, match="expected one seed, found 0, 4"):
        folds_of_folder(tmp_path)


def test_a_slide_that_no_fold_tests_is_refused(made):
    with pytest.raises(CohortError, match=f"slide {NEW}: no fold of .* tests it"):
        folds_of_folder(made.trained).graph(NEW, PLANTED.n_patches)


def test_a_graph_of_another_cache_is_refused(made):
    folds = folds_of_folder(made.trained)
    folds.graph("planted_00003", PLANTED.n_patches)
    folds.graph("planted_00003", PLANTED.n_patches + 1)
    with pytest.raises(ArtefactError, match="has 8 nodes or more, its feature cache 7 rows"):
        folds.graph("planted_00003", PLANTED.n_patches - 1)


@pytest.mark.parametrize(("run", "method", "seed"), [("main", "magic", 0), ("main", "default", 3)])
def test_what_was_not_trained_is_refused_with_what_was(made, run, method, seed):
    with pytest.raises(ArtefactError, match=f"expected method {method} trained with seed {seed}, found default seed_0"):
        folds_of_run(made.results, run, method, seed)


def test_an_unknown_run_is_refused(made):
    with pytest.raises(ArtefactError, match=r"training/other: expected method default .*found nothing"):
        folds_of_run(made.results, "other", "default", 0)
