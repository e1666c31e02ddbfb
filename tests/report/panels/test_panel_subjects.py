from dataclasses import replace

from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.panels.panel_subjects import panel_subjects


def test_each_slide_has_the_models_that_tested_it_the_reference_first(standard_run: ReportSources) -> None:
    sources = replace(standard_run, methods=("mean_pool", "default"), config={"prediction": {"method": "default"}})
    subjects = {subject.slide_id: subject for subject in panel_subjects(sources)}
    assert list(subjects) == [row.slide_id for row in sources.slides]
    for slide_id, subject in subjects.items():
        methods = [view.method for view in subject.views]
        if slide_id.startswith("s"):
            assert methods == ["default", "mean_pool"]
            assert all(view.graphs.parent.name == f"fold_{view.fold}" for view in subject.views)
        else:
            assert methods == (["default"] if slide_id.startswith("u") else [])
    (final,) = subjects["u00"].views
    assert (final.seed, final.graphs.name, final.evidence) == (None, "run.graphs.zarr", None)
