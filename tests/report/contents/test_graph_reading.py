from collections.abc import Callable
from dataclasses import replace

from pipeline.report.contents.graph_reading import graph_reading, interpretation_folder
from pipeline.report.contents.report_sources import ReportSources
from tests.report.page.test_section_interpretation import explained


def test_the_reading_is_that_of_the_interpretation_beside_the_seeds(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False)
    assert interpretation_folder(sources, "default") is None
    assert graph_reading(sources, "default") == ""
    explained(sources, sources.slides[0].slide_id)
    assert graph_reading(sources, "default") == "Do not read this graph: weights differ."
    assert graph_reading(sources, "mean_pool") == ""


def test_of_a_training_without_workflow_it_lies_beside_the_folds(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False)
    explained(sources, sources.slides[0].slide_id)
    own = replace(sources, seed_folders={("default", 0): sources.training / "default"})
    assert graph_reading(own, "default").startswith("Do not read")
