from dataclasses import replace

import numpy as np
import pytest

from pipeline.report.contents.contest import Contest, ahead_elsewhere, best_rival, holds_a_guess, read_contest
from pipeline.report.contents.report_contents import ReportContents

SHOWN = Contest("default", "logistic", 3, "auroc", 0.9, 0.8, 0.1, (0.02, 0.18), 0.01, 0.02, 60, 40)


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({}, "better"),
        ({"difference": -0.1, "interval": (-0.18, -0.02)}, "worse"),
        ({"interval": (-0.02, 0.22)}, "no difference shown"),
        ({"p": 0.2}, "no difference shown"),
        ({"p": None}, "no difference shown"),
        ({"interval": None}, "better"),
        ({"interval": None, "p": 0.05}, "no difference shown"),
        ({"metric": "brier"}, "worse"),
    ],
)
def test_a_difference_is_shown_where_interval_and_test_agree(changed: dict[str, object], finding: str) -> None:
    assert replace(SHOWN, **changed).finding == finding  # type: ignore[arg-type]


def test_differences_of_the_table_are_turned_round(standard: ReportContents) -> None:
    """The table has the other method minus the reference."""
    name = "balanced_accuracy_minus_reference"
    told = {name: -0.2, f"{name}_ci_low": -0.3, f"{name}_ci_high": 0.1, "p_holm": 0.03}
    contest = read_contest(with_columns(standard, **told))
    assert contest is not None
    assert (contest.method, contest.rival, contest.n_rivals) == ("default", "mean_pool", 1)
    assert contest.difference == pytest.approx(0.2)
    assert contest.interval == pytest.approx((-0.1, 0.3))
    assert contest.p == pytest.approx(0.03)
    assert (contest.n_images, contest.n_patients) == (8, 4)


def test_a_table_without_differences_leaves_them_unknown(standard: ReportContents) -> None:
    contest = read_contest(standard)
    assert contest is not None
    assert contest.difference is None
    assert contest.interval is None
    assert contest.gain == pytest.approx(contest.mean - contest.rival_mean)


def test_baselines_are_rivals_before_other_learned_graphs(standard: ReportContents) -> None:
    assert best_rival(among(standard, "default", "joint", "mean_pool")) == ("mean_pool", 1)
    assert best_rival(among(standard, "default", "joint")) == ("joint", 1)
    assert best_rival(among(standard, "default")) is None
    assert read_contest(among(standard, "default")) is None


def test_a_method_that_is_no_learned_graph_is_held_against_all_others(standard: ReportContents) -> None:
    contents = among(standard, "default", "logistic", "joint")
    table = contents.results.comparison.assign(reference="logistic")
    changed = replace(contents, results=replace(contents.results, comparison=table))
    assert best_rival(changed) == ("default", 2)


@pytest.mark.parametrize(("low", "holds"), [(0.45, True), (0.5, True), (0.51, False)])
def test_an_interval_that_holds_a_guess(standard: ReportContents, low: float, holds: bool) -> None:
    table = standard.results.comparison.assign(balanced_accuracy_ci_low=low, balanced_accuracy_ci_high=0.9)
    contents = replace(standard, results=replace(standard.results, comparison=table))
    assert holds_a_guess(contents) == ((low, 0.9, 0.5) if holds else None)


def test_without_a_comparison_the_interval_of_the_seed_counts(standard: ReportContents) -> None:
    table = standard.results.comparison[["method", "reference"]]
    seed = replace(standard.results.metrics["default", 0], ci95={"balanced_accuracy": (0.4, 0.6)})
    metrics = {**standard.results.metrics, ("default", 0): seed}
    contents = replace(standard, results=replace(standard.results, comparison=table, metrics=metrics))
    assert holds_a_guess(contents) == (0.4, 0.6, 0.5)


def test_baselines_that_lead_by_another_metric_are_named(standard: ReportContents) -> None:
    scores = {"default": 0.7, "mean_pool": 0.6, "logistic": 0.8}
    contents = among(standard, *scores, scores={"accuracy": scores})
    assert ahead_elsewhere(contents, ("accuracy",)) == {"accuracy": "logistic"}
    level = among(standard, *scores, scores={"accuracy": dict.fromkeys(scores, 0.7)})
    assert ahead_elsewhere(level, ("accuracy",)) == {}


def with_columns(contents: ReportContents, **columns: float) -> ReportContents:
    table = contents.results.comparison.copy()
    for name, value in columns.items():
        table[name] = np.where(table["method"] == "default", np.nan, value)
    return replace(contents, results=replace(contents.results, comparison=table))


def among(contents: ReportContents, *methods: str, scores: dict[str, dict[str, float]] | None = None) -> ReportContents:
    """Contents whose methods all have the reference's results but for the given scores."""
    own = contents.results.metrics["default", 0]
    metrics = {}
    for method in methods:
        given = {metric: by_method[method] for metric, by_method in (scores or {}).items()}
        metrics[method, 0] = replace(own, method=method, folds=own.folds.assign(**given))
    results = replace(contents.results, metrics=metrics)
    return replace(contents, results=results, sources=replace(contents.sources, methods=methods))
