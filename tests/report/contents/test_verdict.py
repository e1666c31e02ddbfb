from dataclasses import replace

import numpy as np
import pytest

from pipeline.report.contents.contest import Contest
from pipeline.report.contents.graph_statistics import WEIGHT_BINS, GraphSummary
from pipeline.report.contents.verdict import (
    GraphPath,
    ahead_sentence,
    difference_sentence,
    graph_path_sentence,
    guess_sentence,
    headline,
    reading_sentence,
    sparsity_sentence,
)

BETTER = Contest("default", "logistic", 3, "auroc", 0.9, 0.8, 0.1, (0.02, 0.18), 0.0001, 0.02, 60, 40)
WORSE = replace(BETTER, mean=0.7, difference=-0.1, interval=(-0.18, -0.02))
NONE = replace(BETTER, interval=(-0.02, 0.22))
OFF_BETTER = "default, whose graph is switched off, does better than logistic, the best of 3 baselines."
OFF, ON = GraphPath(0, 5, (), 0.8), GraphPath(2, 5, (0.1, 0.3), 0.75)


@pytest.mark.parametrize(
    ("contest", "method", "path", "said"),
    [
        (BETTER, "default", ON, "The learned graph (default) does better than logistic, the best of 3 baselines."),
        (WORSE, "default", None, "The learned graph (default) does worse than logistic, the best of 3 baselines."),
        (
            NONE,
            "default",
            None,
            "No difference shown between the learned graph (default) and logistic, the best of 3 baselines.",
        ),
        (
            BETTER,
            "default",
            OFF,
            OFF_BETTER,
        ),
        (
            NONE,
            "default",
            OFF,
            "No difference shown between default, whose graph is switched off, and logistic, the best of 3 baselines.",
        ),
        (replace(BETTER, method="wikg", n_rivals=1), "wikg", None, "wikg does better than logistic."),
        (None, "logistic", None, "logistic stands alone: nothing was run to compare it with."),
        (None, "default", None, "The learned graph (default) stands alone: nothing was run to compare it with."),
    ],
)
def test_the_headline(contest: Contest | None, method: str, path: GraphPath | None, said: str) -> None:
    assert headline(contest, method, path) == said


def test_other_methods_are_no_baselines_of_a_baseline() -> None:
    said = headline(replace(NONE, method="logistic", rival="abmil"), "logistic")
    assert said == "No difference shown between logistic and abmil, the best of 3 other methods."


def test_an_interval_that_holds_a_guess_is_said() -> None:
    assert guess_sentence("default", "auroc", 0.41, 0.72, 0.5) == (
        "The interval of default itself (0.410 to 0.720) holds what a guess gives (AUROC 0.500): nothing shows that "
        "it has learned the classes."
    )


def test_the_difference_stands_with_interval_and_tests() -> None:
    assert difference_sentence(BETTER) == (
        "AUROC 0.900 against 0.800 on 60 images of 40 patients: difference +0.100, 95% interval +0.020 to +0.180; "
        "right and wrong calls by patient: p < 0.001, p = 0.020 over folds (after Holm's correction)."
    )
    assert difference_sentence(replace(BETTER, metric="brier", p=None)) == (
        "Brier score (lower is better) 0.900 against 0.800 on 60 images of 40 patients: difference +0.100, 95% "
        "interval +0.020 to +0.180."
    )
    assert "no interval of the difference was computed" in difference_sentence(replace(BETTER, interval=None))


def test_what_a_finding_does_not_mean() -> None:
    assert "no proof that they are equal" in reading_sentence(NONE)
    assert "favours it, not the learned graph" in reading_sentence(BETTER)
    assert "too little to call it a difference" in reading_sentence(replace(BETTER, p=0.3))


def test_baselines_ahead_by_other_metrics() -> None:
    assert ahead_sentence("default", {}) is None
    assert ahead_sentence("default", {"accuracy": "logistic", "auroc": "abmil"}) == (
        "Ahead of default in the mean all the same: logistic by accuracy and abmil by AUROC."
    )


def test_the_graph_path_in_words() -> None:
    assert "in any of 5 training runs: predictions come from pooled patches and a fixed graph" in graph_path_sentence(
        "default", OFF, "auroc"
    )
    assert graph_path_sentence("default", ON, "auroc").endswith(
        "in 2 of 5 training runs (lowers their cross-entropy by 0.100 to 0.300 nats an image). Without it AUROC is "
        "0.750 on the test folds."
    )
    assert "(not judged: too few patients)" in graph_path_sentence("default", replace(ON, gains=()), "auroc")


def test_decisions_are_counted_over_seeds_and_folds() -> None:
    told = [
        {"folds": [{"on": True, "gain": 0.2}, {"on": False, "gain": -0.1}], "without_graph": {"mean": {"auroc": 0.6}}},
        {"folds": [{"on": True, "gain": None}], "without_graph": {"mean": {"auroc": 0.8}}},
    ]
    assert GraphPath.of(told, "auroc") == GraphPath(2, 3, (0.2,), pytest.approx(0.7))
    assert GraphPath.of([], "auroc") is None


def summary(**changed: float | None) -> GraphSummary:
    edges = np.ones(len(WEIGHT_BINS) - 1, np.int64)
    numbers = {"patches": 33.0, "degree": 8.0, "kept_share": 0.2, "weight": 0.125, "reach": 1.0, **changed}
    return GraphSummary(4, **numbers, histogram=edges)  # type: ignore[arg-type]


def test_how_sparse_a_graph_is() -> None:
    assert sparsity_sentence("default", summary()) == (
        "The graph joins a patch to 8.0 others of 32 possible (25%), mean weight 0.12."
    )
    assert sparsity_sentence("default", summary(patches=1.0, weight=None)) == "The graph joins a patch to 8.0 others."
    assert "kept no edge" in sparsity_sentence("default", summary(degree=None))
    none = replace(summary(), histogram=np.zeros(len(WEIGHT_BINS) - 1, np.int64))
    assert "kept no edge" in sparsity_sentence("default", none)
