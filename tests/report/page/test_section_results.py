from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.metrics import read_comparison, read_metrics
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.section_results import comparison_table, results, whole_comparison
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, frame, tables, texts


def with_comparison(contents: ReportContents, **columns: object) -> ReportContents:
    changed = replace(contents.results, comparison=contents.results.comparison.assign(**columns))
    return replace(contents, results=changed)


def test_what_was_tested(standard: ReportContents) -> None:
    said = texts(results(standard))
    assert said.startswith("8 images (4 patients, none in two folds).")
    assert "Lower is better for ECE and Brier score, higher for all else." in said


def test_metrics_are_those_of_the_files(standard: ReportContents) -> None:
    _, _, shown, folds = (frame(table) for table in tables(results(standard)))
    for place, method in enumerate(standard.sources.methods):
        metrics = read_metrics(standard.sources.metrics(method, 0))
        low, high = metrics["ci95"]["auroc"]
        value = f"{metrics['mean']['auroc']:.3f} ± {metrics['sd']['auroc']:.3f}\n[{low:.3f}, {high:.3f}]"
        assert shown.loc[place, ["method", "seed", "folds", "AUROC"]].tolist() == [method, "0", "2", value]
        of_method = folds[folds["method"] == method]
        assert of_method["Brier score"].tolist() == [f"{fold['brier']:.3f}" for fold in metrics["folds"]]
        assert of_method["n"].tolist() == [str(fold["n"]) for fold in metrics["folds"]]
        assert of_method["fold"].tolist() == ["0", "1"]


def test_the_comparison_is_that_of_the_file(standard: ReportContents) -> None:
    shown, file = frame(tables(results(standard))[1]), read_comparison(standard.sources.comparison)
    assert shown["method"].tolist() == file["method"].tolist()
    assert shown["accuracy difference"].tolist() == ["–", "-0.125"]
    assert shown[["p", "p (Holm)", "p over folds", "p over folds (Holm)"]].iloc[1].tolist() == [
        "0.250", "0.500", "0.375", "0.750"
    ]  # fmt: skip
    assert shown["n images"].tolist() == ["8", "8"]
    assert shown["macro F1"].tolist() == [
        f"{m:.3f} ± {s:.3f}" for m, s in zip(file["macro_f1_mean"], file["macro_f1_sd"], strict=True)
    ]


def test_the_reference_is_set_off_wherever_it_stands(standard: ReportContents) -> None:
    contents = with_comparison(standard, reference="mean_pool")
    comparison, whole, metrics, _ = tables(results(contents))
    assert comparison.marked == whole.marked == metrics.marked == {1}
    assert "Methods against the reference, mean_pool (set off), n = 2 methods" in comparison.caption
    assert list(captions(results(contents)))[1:] == [
        "confusion_mean_pool", "confusion_default", "roc_mean_pool", "reliability_mean_pool"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("p_holm", "said"),
    [
        (0.05, "no method differs from default"),
        (0.049, "these differ from default at the 5% level: mean_pool."),
    ],
)
def test_a_difference_is_one_below_the_level_after_holm(standard: ReportContents, p_holm: float, said: str) -> None:
    contents = with_comparison(standard, p_value=[np.nan, 0.001], p_holm=[np.nan, p_holm])
    assert said in texts(results(contents))


def test_small_p_values_and_undefined_numbers_are_written_as_such(standard: ReportContents) -> None:
    comparison = standard.results.comparison.assign(p_value=[np.nan, 1e-5], auroc_mean=[np.nan, 0.5])
    shown = frame(whole_comparison(comparison))
    assert shown["p"].tolist() == ["–", "< 0.001"]
    assert shown.loc[0, "AUROC"] == "–"
    assert frame(comparison_table(comparison, "auroc")).loc[0, "AUROC"].startswith("–")


def test_the_comparison_is_narrow_and_shows_what_decides(standard: ReportContents) -> None:
    name = "balanced_accuracy_minus_reference"
    contents = with_comparison(
        standard, **{name: [np.nan, -0.25], f"{name}_ci_low": [np.nan, -0.4], f"{name}_ci_high": [np.nan, 0.1]}
    )
    shown = frame(tables(results(contents))[0])
    assert list(shown.columns) == [
        "method", "balanced accuracy", "accuracy", "AUROC", "ECE", "Brier score", "difference", "p (Holm)",
        "p over folds (Holm)",
    ]  # fmt: skip
    assert shown["difference"].tolist() == ["–", "-0.250\n[-0.400, +0.100]"]
    row = standard.results.comparison.iloc[1]
    low, high = row["auroc_ci_low"], row["auroc_ci_high"]
    assert shown.loc[1, "AUROC"] == f"{row['auroc_mean']:.3f} ± {row['auroc_sd']:.3f}\n[{low:.3f}, {high:.3f}]"


def test_what_the_graph_path_adds_is_shown_metric_by_metric(standard: ReportContents) -> None:
    mean = {"balanced_accuracy": 0.5, "accuracy": 0.25, "auroc": None, "ece": 0.125, "brier": 0.5}
    told = {"folds": [], "without_graph": {"mean": mean}}
    metrics = standard.results.metrics
    seeds = {**metrics, ("default", 0): replace(metrics["default", 0], graph_path=told)}
    contents = replace(standard, results=replace(standard.results, metrics=seeds))
    (shown,) = (frame(table) for table in tables(results(contents)) if table.caption.startswith("Ablation"))
    assert set(shown["method"]) == {"default"}
    own = contents.results.spread("default", "accuracy").mean
    row = shown.set_index("metric").loc["accuracy"]
    assert row[["with graph", "without", "the graph adds"]].tolist() == [f"{own:.3f}", "0.250", f"{own - 0.25:+.3f}"]
    assert shown.set_index("metric").loc["AUROC", ["without", "the graph adds"]].tolist() == ["–", "–"]
    assert not any(table.caption.startswith("Ablation") for table in tables(results(standard)))


def test_one_method_has_nothing_to_be_compared_with(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False, folds=(0,), methods=("default",))
    section = results(read_contents(sources, ReportParams()))
    assert "Only one method was run (default)" in texts(section)
    metrics, folds = tables(section)
    assert "one fold, so no SD" in metrics.caption
    assert " ± " not in frame(metrics).loc[0, "accuracy"]
    assert len(folds.rows) == 1


def test_confusions_count_the_images_of_one_seed_once(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False, seeds=(0, 1), lost_folds=(3,))
    contents = read_contents(sources, ReportParams())
    section = results(contents)
    for method in sources.methods:
        predictions = contents.one_seed(method)
        right = int((predictions["label"] == predictions["predicted"]).sum())
        assert captions(section)[f"confusion_{method}"] == f"{method}: {right} of 8 images right."
    assert "pooled (seed 0, the first of 2)" in texts(section)
    assert "(n = 4 per method)" in captions(section)["fold_dots"]


def test_captions_say_what_a_guess_gives_and_over_what_curves_are(standard: ReportContents) -> None:
    drawn = captions(results(standard))
    assert "Dashed, a guess: balanced accuracy 0.500, accuracy 0.500, AUROC 0.500." in drawn["fold_dots"]
    assert drawn["roc_default"].startswith(
        "ROC of default, n = 8 test images of all folds pooled (seed 0): the second class against the first."
    )
    assert "share predicted right against confidence" in drawn["reliability_default"]


def test_the_headline_metric_leads_the_plot_of_folds(standard: ReportContents) -> None:
    contents = replace(standard, params=ReportParams(headline_metric="brier"))
    assert "best mean Brier score on top" in captions(results(contents))["fold_dots"]


def test_of_three_classes_each_stands_against_the_rest(build: Callable[..., ReportSources]) -> None:
    contents = read_contents(build(with_pictures=False, classes=("a", "b", "c")), ReportParams())
    assert "each class against the rest" in captions(results(contents))["roc_default"]


def test_class_names_with_signs_stay_as_they_are(build: Callable[..., ReportSources]) -> None:
    sources = build(classes=("<b>$x$</b>", "y & z"), with_pictures=False, methods=("default",))
    drawn = {f.name: f.content.decode() for f in results(read_contents(sources, ReportParams())).figures}
    assert "&lt;b&gt;$x$&lt;/b&gt;" in drawn["confusion_default"]
    assert "y &amp; z" in drawn["confusion_default"]


def test_metrics_of_a_future_evaluation_stand_behind_the_known_ones(standard: ReportContents) -> None:
    seeds = {key: replace(seed, mean={**seed.mean, "kappa": 0.25}) for key, seed in standard.results.metrics.items()}
    contents = replace(standard, results=replace(standard.results, metrics=seeds))
    shown = frame(tables(results(contents))[2])
    assert shown.columns[-1] == "kappa"
    assert shown["kappa"].tolist() == ["0.250\n–"] * 2
