import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from pipeline.errors import ArtefactError
from pipeline.report.contents.method_results import (
    Results,
    SeedMetrics,
    Spread,
    confusion,
    probability_columns,
    read_results,
    read_seed_metrics,
    reliability,
    sd_uncertainty,
)
from pipeline.report.contents.report_sources import ReportSources


def test_spread_over_seeds_and_folds_is_that_of_all_values(build: Callable[..., ReportSources]) -> None:
    sources = build(seeds=(0, 1), with_pictures=False, methods=("default",))
    results = read_results(sources)
    values = [v for seed in (0, 1) for v in results.metrics["default", seed].folds["accuracy"]]
    spread = results.spread("default", "accuracy")
    assert spread.n_values == 4
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.sd == pytest.approx(np.std(values, ddof=1))
    assert set(results.predictions["default"][["seed", "fold"]].itertuples(index=False, name=None)) == {
        (0, 0), (0, 1), (1, 0), (1, 1)
    }  # fmt: skip


def test_one_value_has_no_sd_and_none_has_no_mean(build: Callable[..., ReportSources]) -> None:
    results = read_results(build(folds=(0,), with_pictures=False, methods=("default",)))
    assert results.spread("default", "accuracy").sd is None
    assert results.spread("default", "no_such_metric").mean is None


def test_ranking_knows_which_way_is_better(standard_run: ReportSources) -> None:
    results = read_results(standard_run)
    for metric, best in (("accuracy", max), ("brier", min)):
        means = {m: results.spread(m, metric).mean or 0.0 for m in standard_run.methods}
        assert results.ranked(standard_run.methods, metric)[0] == best(means, key=lambda m: means[m])


def test_methods_without_a_value_come_last_and_ties_keep_their_order() -> None:
    def seed(method: str, *values: float) -> SeedMetrics:
        return SeedMetrics(method, 0, pd.DataFrame({"fold": range(len(values)), "auroc": values}), {}, {}, {}, {})

    seeds = [seed("undefined", math.nan), seed("low", 0.5, math.nan), seed("first", 0.7), seed("tied", 0.6, 0.8)]
    results = Results({(one.method, 0): one for one in seeds}, {}, {}, pd.DataFrame())
    assert results.ranked([one.method for one in seeds], "auroc") == ["first", "tied", "low", "undefined"]
    assert results.fold_values("low", "auroc").tolist() == [0.5]
    assert results.spread("low", "auroc") == Spread(0.5, None, 1)
    assert results.spread("tied", "auroc").sd == pytest.approx(0.2 / math.sqrt(2))
    assert results.spread("undefined", "auroc").n_values == 0


def test_confusion_by_hand() -> None:
    frame = pd.DataFrame({"label": ["a", "a", "b", "b", "b"], "predicted": ["a", "b", "b", "b", "a"]})
    assert confusion(frame, ("a", "b", "c")).tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_probabilities_follow_the_order_of_classes() -> None:
    frame = pd.DataFrame({"p_b": [0.3], "p_a": [0.7]})
    assert probability_columns(frame, ("a", "b")).tolist() == [[0.7, 0.3]]
    with pytest.raises(ArtefactError, match="for c"):
        probability_columns(frame, ("a", "c"))


def test_reliability_bins_by_hand() -> None:
    probabilities = np.array([[0.55, 0.45], [0.4, 0.6], [0.95, 0.05], [1.0, 0.0]])
    binned = reliability(probabilities, np.array([True, False, True, True]))
    # Bins are open below: 0.55 and 0.60 share (0.5, 0.6]; 0.95 and 1.00 share (0.9, 1.0].
    assert binned.count.tolist() == [2, 2]
    np.testing.assert_allclose(binned.confidence, [0.575, 0.975])
    np.testing.assert_allclose(binned.accuracy, [0.5, 1.0])


def test_uncertainty_of_an_sd_covers_95_percent_of_samples() -> None:
    low, high = sd_uncertainty(3)
    assert low == pytest.approx(math.sqrt(2 / chi2.ppf(0.975, 2)))
    assert (round(low, 2), round(high, 1)) == (0.52, 6.3)
    samples = np.random.default_rng(1).normal(size=(20_000, 3)).std(axis=1, ddof=1)
    assert ((low * samples <= 1) & (high * samples >= 1)).mean() == pytest.approx(0.95, abs=0.01)


def test_missing_or_foreign_metrics_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"nothing\.json"):
        read_seed_metrics(tmp_path / "nothing.json", "m", 0)
    (tmp_path / "odd.json").write_text(
        '{"method": "m", "seed": 0, "folds": [], "mean": {}, "sd": {}, "ci95": {"accuracy": 3}}'
    )
    with pytest.raises(ArtefactError, match=r"odd.json: expected folds.*Evaluate again"):
        read_seed_metrics(tmp_path / "odd.json", "m", 0)


def test_what_metrics_json_says_is_read(tmp_path: Path) -> None:
    content = {
        "method": "m",
        "seed": 4,
        "folds": [{"fold": 1, "accuracy": 0.5, "auroc": None, "n": 6}],
        "mean": {"accuracy": 0.5, "auroc": None},
        "sd": {"accuracy": None, "auroc": None},
        "ci95": {"accuracy": [0.25, 0.75], "auroc": None},
        "folds_left_out": [{"fold": 2, "reason": "no tissue"}],
    }
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    metrics = read_seed_metrics(tmp_path / "metrics.json", "m", 4)
    assert metrics.folds["accuracy"].tolist() == [0.5]
    assert math.isnan(metrics.folds["auroc"].iloc[0])
    assert metrics.folds["n"].tolist() == [6]
    assert metrics.ci95 == {"accuracy": (0.25, 0.75), "auroc": None}
    assert metrics.folds_left_out == {2: "no tissue"}


def test_a_fold_that_was_left_out_adds_no_prediction(build: Callable[..., ReportSources]) -> None:
    results = read_results(build(with_pictures=False, methods=("default",), lost_folds=(7,)))
    assert set(results.predictions["default"]["fold"]) == {0, 1}
    assert set(results.histories["default"]["fold"]) == {0, 1}


def test_a_missing_comparison_is_named(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False)
    sources.comparison.unlink()
    with pytest.raises(ArtefactError, match=r"comparison\.csv"):
        read_results(sources)


def test_one_method_alone_needs_no_comparison(build: Callable[..., ReportSources]) -> None:
    sources = build(with_pictures=False, methods=("default",))
    sources.comparison.unlink()
    assert read_results(sources).comparison.to_dict("records") == [{"method": "default", "reference": "default"}]
