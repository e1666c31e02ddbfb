from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.artefacts.metrics import read_comparison, write_comparison
from pipeline.artefacts.sheet import SlideRow
from pipeline.report.contents.cohort_outcome import SlideSummary, Status
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams


def slide(name: str, label: str | None, status: Status, case_given: bool = True) -> SlideSummary:
    return SlideSummary(SlideRow(name, label=label, case_id=name, case_given=case_given), status)


@pytest.fixture
def unequal(standard: ReportContents) -> ReportContents:
    """Five images of b, two of a and one of c in the folds; a class that is lost, a new slide and one without label."""
    tested = [
        slide(f"{label}{n}", label, "in the folds")
        for label, many in (("b", 5), ("a", 2), ("c", 1))
        for n in range(many)
    ]
    others = [slide("x", "lost", "excluded"), slide("n", "unheard of", "new"), slide("u", None, "no label")]
    return replace(standard, cohort=(*tested, *others))


def test_classes_are_those_that_a_model_knows(unequal: ReportContents) -> None:
    assert unequal.classes == ("a", "b", "c")


def test_slides_by_what_became_of_them(unequal: ReportContents) -> None:
    def ids(slides: tuple[SlideSummary, ...]) -> list[str]:
        return [summary.row.slide_id for summary in slides]

    assert len(unequal.tested) == 8
    assert ids(unequal.excluded) == ["x"]
    assert ids(unequal.predicted) == ["n", "u"]
    assert ids(unequal.labelled) == [*ids(unequal.tested), "x"]


def test_a_guess_says_the_largest_class(unequal: ReportContents) -> None:
    assert unequal.chance == {"accuracy": 5 / 8, "balanced_accuracy": 1 / 3, "auroc": 0.5}


def test_patients_are_known_when_each_slide_of_the_folds_names_its_own(unequal: ReportContents) -> None:
    assert unequal.is_patient_level
    first, *others = unequal.cohort
    nameless_in_folds = replace(first, row=replace(first.row, case_given=False))
    assert not replace(unequal, cohort=(nameless_in_folds, *others)).is_patient_level
    nameless_outside = slide("y", "a", "excluded", case_given=False)
    assert replace(unequal, cohort=(*unequal.cohort, nameless_outside)).is_patient_level


def test_the_reference_is_the_one_of_the_comparison(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False, methods=("default", "joint"))
    write_comparison(sources.comparison, read_comparison(sources.comparison).assign(reference="joint"))
    assert read_contents(sources, ReportParams()).reference == "joint"


def test_methods_are_ranked_by_the_headline_metric(standard: ReportContents) -> None:
    for metric, best in (("accuracy", max), ("brier", min)):
        contents = replace(standard, params=ReportParams(headline_metric=metric))
        means = {method: contents.results.spread(method, metric).mean or 0.0 for method in standard.sources.methods}
        assert means["default"] != means["mean_pool"]
        assert contents.ranked[0] == best(means, key=means.__getitem__)


def test_folds_without_a_test_image_are_left_out(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, folds=(0, 2), lost_folds=(1,)), ReportParams())
    assert contents.sources.folds == (0, 2, 1)
    assert contents.folds == (0, 2)
    assert contents.results.folds_left_out == {1: "no patch"}


def test_one_seed_tests_every_image_once(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, seeds=(3, 5), methods=("default",)), ReportParams())
    shown = contents.one_seed("default")
    assert set(shown["seed"]) == {3}
    assert sorted(shown["slide_id"]) == [summary.row.slide_id for summary in contents.tested]
