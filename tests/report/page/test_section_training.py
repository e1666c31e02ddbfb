from collections.abc import Callable

from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_training import training
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, texts


def test_every_method_with_a_history_has_curves(standard: ReportContents) -> None:
    section = training(standard)
    assert captions(section) == {
        "learning_default": "default: 2 training runs, up to 12 epochs.",
        "learning_mean_pool": "mean_pool: 2 training runs, up to 12 epochs.",
    }
    assert "lower, the classifier's steps on the train part; upper, the graph generator's" in texts(section)
    assert "No learning curve" not in texts(section)


def test_a_history_without_epochs_has_no_curve(build: Callable[..., ReportSources]) -> None:
    sources = build(methods=("default", "logistic"), with_pictures=False)
    for fold in sources.folds:
        path = sources.fold_folder("logistic", 0, fold) / "history.csv"
        path.write_text(path.read_text().splitlines()[0] + "\n")
    section = training(read_contents(sources, ReportParams()))
    assert list(captions(section)) == ["learning_default"]
    assert "no loss by epoch was kept: logistic" in texts(section)


def test_runs_are_counted_over_seeds_and_the_folds_that_were_trained(build: Callable[..., ReportSources]) -> None:
    sources = build(
        methods=("default",), with_pictures=False, seeds=(0, 1), folds=(0, 1, 2), lost_folds=(3,), per_class=6
    )
    section = training(read_contents(sources, ReportParams()))
    assert captions(section)["learning_default"] == "default: 6 training runs, up to 12 epochs."


def test_no_method_with_a_history(build: Callable[..., ReportSources]) -> None:
    sources = build(methods=("logistic",), with_pictures=False)
    for fold in sources.folds:
        path = sources.fold_folder("logistic", 0, fold) / "history.csv"
        path.write_text(path.read_text().splitlines()[0] + "\n")
    section = training(read_contents(sources, ReportParams()))
    assert section.figures == ()
    assert texts(section) == "No learning curve, because no loss by epoch was kept: logistic."
