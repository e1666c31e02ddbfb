from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_summary import spread_meaning, summary
from pipeline.report.params import ReportParams
from tests.report.page_reading import cards, texts


def test_numbers_of_the_cohort(standard: ReportContents) -> None:
    shown = cards(summary(standard))
    assert shown["slides"] == ("10", "8 in folds, 1 excluded, 1 to predict")
    assert shown["patients in folds"] == ("4", "named in the sheet")
    assert shown["classes"] == ("2", "benign, malignant")
    assert shown["tiles kept"] == ("81", "on 10 slides")
    assert shown["nuclei"] == ("972", "on 10 slides")
    assert shown["patches in the median graph"] == ("9", "of 8 images")


def test_the_sentence_counts_methods_images_folds_and_seeds(standard: ReportContents) -> None:
    assert texts(summary(standard)).startswith(
        "2 methods trained and tested on 8 images in 2 folds grouped by patients, with 1 seed."
    )


def test_the_best_method_stands_first_with_its_spread(standard: ReportContents) -> None:
    label, (value, note) = next(iter(cards(summary(standard)).items()))
    best = max(standard.sources.methods, key=lambda method: standard.results.spread(method, "balanced_accuracy").mean)
    spread = standard.results.spread(best, "balanced_accuracy")
    assert label == f"balanced accuracy of {best}, the best of 2 methods"
    assert value == f"{spread.mean:.3f} ± {spread.sd:.3f}"
    assert note.startswith("Mean ± sample SD of 2 values (2 test folds × 1 seed).")
    assert note.endswith("Picking the best after seeing the test folds flatters it.")


def test_several_seeds_are_said_not_to_be_independent(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, seeds=(0, 1), methods=("default",)), ReportParams())
    assert spread_meaning(contents, "default") == (
        "Mean ± sample SD of 4 values (2 test folds × 2 seeds). The SD says how much folds differ; it is not the error "
        "of the mean. Values of one fold under several seeds share their test images and are not independent."
    )


def test_folds_without_a_test_image_are_not_counted(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, lost_folds=(5,)), ReportParams())
    assert "in 2 folds" in texts(summary(contents))
    assert "2 values (2 test folds × 1 seed)" in spread_meaning(contents, "default")


def test_features_alone_one_fold_and_one_method(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False, with_patients=False, folds=(0,), methods=("default",), n_unlabelled=0)
    shown = cards(summary(read_contents(sources, ReportParams())))
    label, (value, note) = next(iter(shown.items()))
    assert label == "balanced accuracy of default"
    assert "±" not in value
    assert note == "One value: no spread can be given."
    assert shown["tiles kept"] == ("–", "no slide was tiled")
    assert shown["nuclei"] == ("–", "none were segmented")
    assert shown["patients in folds"] == ("8", "not all named: images counted")


@pytest.mark.parametrize(("patches", "shown"), [((4, 7), "5.5"), ((4, None), "4")])
def test_the_median_graph_is_of_images_that_have_one(
    standard: ReportContents, patches: tuple[int | None, ...], shown: str
) -> None:
    cohort = tuple(replace(standard.tested[0], n_patches=n) for n in patches)
    assert cards(summary(replace(standard, cohort=cohort)))["patches in the median graph"][0] == shown


def with_graph_path(contents: ReportContents, *decisions: dict[str, object]) -> ReportContents:
    (pair,) = [pair for pair in contents.results.metrics if pair[0] == "default"]
    told = {"folds": decisions, "without_graph": {"mean": {"balanced_accuracy": 0.51234}}}
    metrics = {**contents.results.metrics, pair: replace(contents.results.metrics[pair], graph_path=told)}
    return replace(contents, results=replace(contents.results, metrics=metrics))


def test_whether_the_graph_helps_is_said_first(standard: ReportContents) -> None:
    on, off = {"on": True, "gain": 0.25}, {"on": False, "gain": -0.001}
    first = texts(summary(with_graph_path(standard, on, off)))
    assert first.startswith(
        "default: patients held out within training say that the learned graph adds to what is pooled"
    )
    assert "in 1 of 2 training runs (it lowers their cross-entropy by 0.250 to 0.250 nats an image)" in first
    assert "Without it balanced accuracy is 0.512" in first
    refused = texts(summary(with_graph_path(standard, off, off)))
    assert "adds nothing to what is pooled over patches, in any of 2 training runs" in refused
    unjudged = texts(summary(with_graph_path(standard, {"on": True, "gain": None})))
    assert "not judged: too few patients" in unjudged
    assert texts(summary(standard)).startswith("2 methods")
