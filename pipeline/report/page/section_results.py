"""What the methods achieved on the test folds."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.artefacts.metric_names import METRICS
from pipeline.report.contents.cohort_outcome import patients
from pipeline.report.contents.contest import SIGNIFICANT
from pipeline.report.contents.method_results import SeedMetrics, confusion, probability_columns, reliability
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import NONE, count, decimal, interval, listed, mean_sd, plural, probability, title
from pipeline.report.figures.charts_results import confusion_matrix, fold_dots, reliability_curve, roc, roc_points
from pipeline.report.figures.figure_style import Figure, plot_figure
from pipeline.report.page.page_elements import (
    Block,
    Column,
    FoldedTable,
    Gallery,
    Section,
    Table,
    Text,
    number_columns,
    text_columns,
)
from pipeline.report.params import LOWER_IS_BETTER

IN_COMPARISON = ("accuracy", "auroc", "ece", "brier")
"""Metrics beside the headline one where the page is narrow."""


def results(contents: ReportContents) -> Section:
    """Comparison, the graph path ablated, metrics of every method, confusion, and the reference method in depth."""
    blocks: list[Block] = [Text(_what_was_tested(contents)), *_comparison(contents), *_ablation(contents)]
    blocks += [Gallery([_dots_figure(contents)], "whole")]
    blocks += [FoldedTable("Every method and seed in numbers", _metrics_table(contents)), _folds_table(contents)]
    blocks += [Gallery(_confusions(contents), "small", _confusion_note(contents)), *_depth(contents)]
    return Section("results", "Results", blocks)


def _what_was_tested(contents: ReportContents) -> str:
    n_patients = patients(contents.tested)
    who = (
        f"{plural(n_patients, 'patient')}, none in two folds" if contents.is_patient_level else "patients not all known"
    )
    return (
        f"{plural(len(contents.tested), 'image')} ({who}). Each seed tests every image at most once, in the fold that "
        "holds it out. Lower is better for "
        f"{' and '.join(title(name) for name in METRICS if name in LOWER_IS_BETTER)}, higher for all else."
    )


def _comparison(contents: ReportContents) -> list[Block]:
    frame = contents.results.comparison
    if len(contents.sources.methods) == 1:
        return [Text(f"Only one method was run ({contents.sources.methods[0]}); there is nothing to compare it with.")]
    return [
        comparison_table(frame, contents.params.headline_metric),
        Text(_tests_in_words(frame)),
        FoldedTable("All columns of the comparison", whole_comparison(frame)),
    ]


def _tests_in_words(frame: pd.DataFrame) -> str:
    tested = frame[frame["p_holm"].notna()]
    reference = str(frame["reference"].iloc[0])
    different = [str(name) for name in tested.loc[tested["p_holm"] < SIGNIFICANT, "method"]]
    if not different:
        return (
            f"After Holm's correction no method differs from {reference} at the {SIGNIFICANT:.0%} level. That is no "
            "proof that they are equal: small cohorts show large differences only."
        )
    return f"After Holm's correction these differ from {reference} at the {SIGNIFICANT:.0%} level: {listed(different)}."


def comparison_table(frame: pd.DataFrame, headline: str) -> Table:
    """Methods against the reference: what decides between them, narrow enough for a page of paper.

    Parameters
    ----------
    frame
        ``comparison.csv``.
    headline
        Metric that stands first, and of which the difference is shown.
    """
    reference = str(frame["reference"].iloc[0])
    metrics = list(dict.fromkeys([headline, *IN_COMPARISON]))
    tests = ["p_holm", "p_folds_holm"]
    rows = []
    for record in frame.to_dict("records"):
        cells = [_mean_cell(record, metric) for metric in metrics]
        rows.append(
            (str(record["method"]), *cells, _difference_cell(record, headline), *(_cell(record, p) for p in tests))
        )
    columns = [*text_columns("method"), *number_columns(*map(title, metrics), "difference", *map(title, tests))]
    return Table(
        columns,
        rows,
        f"Methods against the reference, {reference} (set off), n = {len(rows)} methods: mean ± sample SD over runs "
        f"(seeds × folds), below it the 95% interval of the mean. Difference: of {title(headline)}, method minus "
        "reference, with its interval over patients. p: exact two-sided sign-flip test of right and wrong calls over "
        "patients; p over folds: t-test corrected for shared training images; Holm: corrected for the number of "
        "methods compared.",
        marked=frozenset(int(place) for place in np.flatnonzero(frame["method"].to_numpy() == reference)),
    )


def whole_comparison(frame: pd.DataFrame) -> Table:
    """``comparison.csv`` as it stands, each ``x_mean`` and ``x_sd`` joined to one column."""
    reference = str(frame["reference"].iloc[0])
    metrics = [name.removesuffix("_mean") for name in frame.columns if name.endswith("_mean")]
    parts = {f"{metric}_{part}" for metric in metrics for part in ("mean", "sd", "ci_low", "ci_high")}
    bounds = {name for name in frame.columns if name.endswith(("_reference_ci_low", "_reference_ci_high"))}
    hidden = {"method", "reference", *parts, *bounds}
    order = [*metrics, *(name for name in frame.columns if name not in hidden)]
    rows = [(str(record["method"]), *(_cell(record, name) for name in order)) for record in frame.to_dict("records")]
    columns = [
        *text_columns("method"),
        *(Column(title(name), numeric=name != "status") for name in order),
    ]
    return Table(
        columns,
        rows,
        f"comparison.csv, n = {len(rows)} methods; mean ± sample SD over runs, differences with their intervals.",
        marked=frozenset(int(place) for place in np.flatnonzero(frame["method"].to_numpy() == reference)),
    )


def _mean_cell(record: Mapping[Hashable, Any], metric: str) -> str:
    bounds = record[f"{metric}_ci_low"], record[f"{metric}_ci_high"]
    below = "" if any(pd.isna(bound) for bound in bounds) else f"\n{interval(bounds)}"
    return mean_sd(record[f"{metric}_mean"], record[f"{metric}_sd"]) + below


def _difference_cell(record: Mapping[Hashable, Any], metric: str) -> str:
    """Difference with its interval below it; that of the whole table's accuracy where others were not computed."""
    name = f"{metric}_minus_reference"
    value = record.get(name, math.nan)
    if pd.isna(value):
        return NONE
    low, high = (float(record[f"{name}_ci_{end}"]) for end in ("low", "high"))
    return f"{value:+.3f}" + ("" if math.isnan(low) else f"\n[{low:+.3f}, {high:+.3f}]")


def _cell(record: Mapping[Hashable, Any], name: str) -> str:
    if name not in record:
        return mean_sd(record[f"{name}_mean"], record.get(f"{name}_sd"))
    if isinstance(record[name], str):
        return str(record[name])
    number = float(record[name])
    if name.endswith("_minus_reference"):
        return _difference_cell(record, name.removesuffix("_minus_reference"))
    if name.startswith("p_"):
        return probability(number)
    if name.endswith("_difference"):
        return NONE if math.isnan(number) else f"{number:+.3f}"
    return count(int(number)) if name.startswith("n_") else decimal(number)


def _ablation(contents: ReportContents) -> list[Block]:
    """Methods with a graph beside a pooled model: the same models on the same images without their graphs."""
    rows = []
    metrics = list(dict.fromkeys([contents.params.headline_metric, *IN_COMPARISON]))
    for method in contents.sources.methods:
        told = [contents.results.metrics[method, seed].graph_path for seed in contents.sources.seeds]
        paths = [path for path in told if path is not None]
        if not paths:
            continue
        for metric in metrics:
            own = contents.results.spread(method, metric).mean
            values = [path["without_graph"]["mean"][metric] for path in paths]
            without = None if None in values else float(np.mean(values))
            lost = NONE if own is None or without is None else f"{own - without:+.3f}"
            rows.append((method, title(metric), decimal(own), decimal(without), lost))
    if not rows:
        return []
    columns = [*text_columns("method", "metric"), *number_columns("with graph", "without", "the graph adds")]
    return [
        Table(
            columns,
            rows,
            "Ablation: the same trained models with their graph path taken away, means over test folds and seeds. What "
            "the graph adds is the difference, and no test is made of it here; for ECE and Brier score less is better.",
        )
    ]


def _shown_metrics(seeds: Sequence[SeedMetrics]) -> list[str]:
    measured = {name for seed in seeds for name in seed.mean}
    return [name for name in METRICS if name in measured] + sorted(measured - set(METRICS))


def _metrics_table(contents: ReportContents) -> Table:
    seeds = list(contents.results.metrics.values())
    metrics = _shown_metrics(seeds)
    rows = []
    for entry in seeds:
        cells = [
            f"{mean_sd(entry.mean.get(name), entry.sd.get(name))}\n{interval(entry.ci95.get(name))}" for name in metrics
        ]
        rows.append((entry.method, str(entry.seed), count(len(entry.folds)), *cells))
    columns = [*text_columns("method"), *number_columns("seed", "folds", *map(title, metrics))]
    spread = "one fold, so no SD" if len(contents.folds) == 1 else "mean ± sample SD over test folds"
    return Table(
        columns,
        rows,
        f"Metrics of every method and seed: {spread}; below it the 95% interval of the mean over folds (percentile "
        "bootstrap, patients resampled within folds; it does not cover the chance of training itself).",
        marked=frozenset(i for i, entry in enumerate(seeds) if entry.method == contents.reference),
    )


def _folds_table(contents: ReportContents) -> FoldedTable:
    seeds = list(contents.results.metrics.values())
    metrics = _shown_metrics(seeds)
    rows = [
        (
            entry.method,
            str(entry.seed),
            str(int(fold["fold"])),
            count(int(fold["n"])),
            *(decimal(fold.get(m)) for m in metrics),
        )
        for entry in seeds
        for fold in entry.folds.to_dict("records")
    ]
    columns = [*text_columns("method"), *number_columns("seed", "fold", "n", *map(title, metrics))]
    return FoldedTable("Every fold in numbers", Table(columns, rows, f"One row per test fold, n = {len(rows)}."))


def _dots_figure(contents: ReportContents) -> Figure:
    headline = contents.params.headline_metric
    metrics = list(dict.fromkeys([headline, "accuracy", "balanced_accuracy", "auroc"]))[:3]
    reference = contents.reference
    content = fold_dots(contents.results, contents.ranked, metrics, contents.chance, reference)
    guess = ", ".join(f"{title(name)} {contents.chance[name]:.3f}" for name in metrics if name in contents.chance)
    n_values = contents.results.spread(reference, headline).n_values
    return plot_figure(
        "fold_dots",
        content,
        f"Every test fold of every seed as a dot (n = {n_values} per method), mean as a stroke and ± 1 sample SD as a "
        f"line; best mean {title(headline)} on top, the reference method in blue. Dashed, a guess: {guess}.",
        "Dot plot of metrics by method, one dot per fold",
        _fold_values(contents, metrics),
    )


def _fold_values(contents: ReportContents, metrics: Sequence[str]) -> pd.DataFrame:
    columns = ["method", "seed", "fold", *metrics]
    seeds = contents.results.metrics.values()
    return pd.concat([one.folds.assign(method=one.method, seed=one.seed)[columns] for one in seeds])


def _confusion_note(contents: ReportContents) -> str:
    seeds = len(contents.sources.seeds)
    return (
        f"Confusion matrices, test images of all folds pooled (seed {contents.sources.seeds[0]}"
        + (f", the first of {seeds}" if seeds > 1 else "")
        + "): count, and share of the true class."
    )


def _confusions(contents: ReportContents) -> list[Figure]:
    order = sorted(contents.ranked, key=lambda method: method != contents.reference)
    figures = []
    for method in order:
        counts = confusion(contents.one_seed(method), contents.classes)
        figures.append(
            plot_figure(
                f"confusion_{method}",
                confusion_matrix(counts, contents.classes),
                f"{method}: {int(np.trace(counts))} of {plural(int(counts.sum()), 'image')} right.",
                f"Confusion matrix of {method}",
                pd.DataFrame(counts, contents.classes, contents.classes).rename_axis("true").reset_index(),
            )
        )
    return figures


def _depth(contents: ReportContents) -> list[Block]:
    method = contents.reference
    predictions = contents.one_seed(method)
    probabilities = probability_columns(predictions, contents.classes)
    labels = predictions["label"].to_numpy(object)
    binned = reliability(probabilities, labels == predictions["predicted"].to_numpy(object))
    about = (
        f"{method}, n = {plural(len(predictions), 'test image')} of all folds pooled (seed {contents.sources.seeds[0]})"
    )
    against = "the second class against the first" if len(contents.classes) == 2 else "each class against the rest"
    figures = [
        plot_figure(
            f"roc_{method}",
            roc(probabilities, labels, contents.classes),
            f"ROC of {about}: {against}. Pooling mixes the scales of several models, so areas differ from the mean "
            "AUROC of folds.",
            f"ROC curves of {method}",
            roc_points(probabilities, labels, contents.classes),
        ),
        plot_figure(
            f"reliability_{method}",
            reliability_curve(binned),
            f"Reliability of {about}: share predicted right against confidence in ten equal bins, images per bin "
            "below the dots. Below the dashed line the model is too sure of itself.",
            f"Reliability curve of {method}",
            pd.DataFrame({"confidence": binned.confidence, "share_right": binned.accuracy, "images": binned.count}),
        ),
    ]
    return [Gallery(figures, "medium")]
