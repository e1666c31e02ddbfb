import shutil

import pytest

from pipeline.commands.results_checks import ResultsChecks
from pipeline.commands.results_layout import product
from tests.exports.results_folder import NEW


@pytest.fixture
def results(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "results")
    return tmp_path / "results"


def test_a_file_as_it_was_written_has_no_fault(results):
    checks = ResultsChecks(results)
    for name in (f"tiles/{NEW}.parquet", f"cell_graphs/{NEW}.zarr", "training/main/splits.csv"):
        assert checks.fault(product(results, results / name)) is None


def test_what_was_made_from_another_file_is_stale(results):
    graphs = product(results, results / f"cell_graphs/{NEW}.zarr")
    other = next(path for path in (results / "nuclei").iterdir() if path.stem != NEW)
    shutil.copy(other, results / f"nuclei/{NEW}.parquet")
    assert "stale" in ResultsChecks(results).fault(graphs)


def test_outputs_of_a_job_that_left_others_are_missing(results):
    (results / "training/main/excluded.csv").unlink()
    splits = product(results, results / "training/main/splits.csv")
    missing = [one.path.name for one in ResultsChecks(results).missing([splits])]
    assert missing == ["excluded.csv"]


def test_slides_that_a_run_learns_from_are_those_of_its_splits(results):
    provenance = product(results, results / "training/main/provenance.json")
    learned = ResultsChecks(results).learned_slides([provenance])
    assert NEW not in learned["main"]
    assert "planted_00000" in learned["main"]
    provenance.path.write_text("{")
    assert ResultsChecks(results).learned_slides([provenance]) == {}
