from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.page_elements import Verdict
from pipeline.report.page.section_cautions import applying_cautions
from pipeline.report.page.section_verdict import spread_meaning, verdict
from pipeline.report.params import ReportParams
from tests.report.page_reading import cards, texts


def test_numbers_of_the_cohort(standard: ReportContents) -> None:
    shown = cards(verdict(standard))
    assert shown["slides"] == ("10", "8 in folds, 1 excluded, 1 to predict")
    assert shown["patients in folds"] == ("4", "named in the sheet")
    assert shown["classes"] == ("2", "benign, malignant")
    assert shown["tiles kept"] == ("81", "on 10 slides")
    assert shown["nuclei"] == ("972", "on 10 slides")
    assert shown["patches in the median graph"] == ("9", "of 8 images")


def test_the_sentence_counts_methods_images_folds_and_seeds(standard: ReportContents) -> None:
    assert texts(verdict(standard)).startswith(
        "2 methods trained and tested on 8 images in 2 folds grouped by patients, with 1 seed."
    )


def test_several_seeds_are_said_not_to_be_independent(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, seeds=(0, 1), methods=("default",)), ReportParams())
    assert spread_meaning(contents, "default") == (
        "Mean ± sample SD of 4 values (2 test folds × 2 seeds). The SD says how much folds differ; it is not the error "
        "of the mean. Values of one fold under several seeds share their test images and are not independent."
    )


def test_folds_without_a_test_image_are_not_counted(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, lost_folds=(5,)), ReportParams())
    assert "in 2 folds" in texts(verdict(contents))
    assert "2 values (2 test folds × 1 seed)" in spread_meaning(contents, "default")


def test_features_alone_one_fold_and_one_method(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False, with_patients=False, folds=(0,), methods=("default",), n_unlabelled=0)
    shown = cards(verdict(read_contents(sources, ReportParams())))
    assert shown["tiles kept"] == ("–", "no slide was tiled")
    assert shown["nuclei"] == ("–", "none were segmented")
    assert shown["patients in folds"] == ("8", "not all named: images counted")


@pytest.mark.parametrize(("patches", "shown"), [((4, 7), "5.5"), ((4, None), "4")])
def test_the_median_graph_is_of_images_that_have_one(
    standard: ReportContents, patches: tuple[int | None, ...], shown: str
) -> None:
    cohort = tuple(replace(standard.tested[0], n_patches=n) for n in patches)
    assert cards(verdict(replace(standard, cohort=cohort)))["patches in the median graph"][0] == shown


def with_graph_path(contents: ReportContents, *decisions: dict[str, object]) -> ReportContents:
    (pair,) = [pair for pair in contents.results.metrics if pair[0] == "default"]
    told = {"folds": decisions, "without_graph": {"mean": {"balanced_accuracy": 0.51234}}}
    metrics = {**contents.results.metrics, pair: replace(contents.results.metrics[pair], graph_path=told)}
    return replace(contents, results=replace(contents.results, metrics=metrics))


def said(contents: ReportContents) -> Verdict:
    (block,) = (block for block in verdict(contents).blocks if isinstance(block, Verdict))
    return block


def test_the_verdict_follows_from_the_comparison(standard: ReportContents) -> None:
    block = said(standard)
    assert block.finding == "no difference shown"
    assert block.headline == "No difference shown between the learned graph (default) and mean_pool."
    assert block.sentences[0].startswith("Balanced accuracy ")
    assert "8 images of 4 patients" in block.sentences[0]
    table = standard.results.comparison.assign(
        p_holm=0.01, balanced_accuracy_minus_reference_ci_low=-0.4, balanced_accuracy_minus_reference_ci_high=-0.1
    ).assign(balanced_accuracy_minus_reference=-0.25)
    better = said(replace(standard, results=replace(standard.results, comparison=table)))
    assert (better.finding, better.headline) == ("better", "The learned graph (default) does better than mean_pool.")
    assert "difference +0.250, 95% interval +0.100 to +0.400" in better.sentences[0]


def test_one_method_stands_alone_with_its_spread(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False, with_patients=False, folds=(0,), methods=("default",), n_unlabelled=0)
    block = said(read_contents(sources, ReportParams()))
    assert block.finding == "alone"
    assert "One value: no spread can be given." in block.sentences[0]
    assert any(step.text.startswith("Run baselines") for step in block.steps)
    assert any(step.text.startswith("Name the patient of every slide") for step in block.steps)


def test_the_graph_path_is_told_of(standard: ReportContents) -> None:
    on, off = {"on": True, "gain": 0.25}, {"on": False, "gain": -0.001}
    words = " ".join(said(with_graph_path(standard, on, off)).sentences)
    assert "adds to what is read without it in 1 of 2 training runs (lowers their cross-entropy by 0.250" in words
    assert "Without it balanced accuracy is 0.512" in words
    refused = said(with_graph_path(standard, off, off))
    assert "default, whose graph is switched off" in refused.headline
    assert any(step.text.startswith("Use mean_pool, which is simpler") for step in refused.steps)


def test_warnings_and_wrong_slides_stand_beside_it(standard: ReportContents) -> None:
    block = said(standard)
    assert list(block.warnings) == [caution.headline for caution in applying_cautions(standard)]
    n_wrong = sum(image.is_wrong for image in standard.images)
    assert block.called.startswith(f"{n_wrong} of 8 slides called wrong") == bool(n_wrong)
    assert block.any_wrong == bool(n_wrong)
