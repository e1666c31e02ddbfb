"""The run at a glance."""

from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

from pipeline.report.contents.cohort_outcome import patients
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import NONE, count, decimal, mean_sd, plural, title
from pipeline.report.page.page_elements import Card, Cards, Section, Text


def summary(contents: ReportContents) -> Section:
    """Whether the learned graph helps, numbers of the cohort and the best method."""
    first = [*map(Text, graph_path_sentences(contents)), Text(_sentence(contents))]
    return Section("summary", "Summary", [*first, Cards([*_best(contents), *_cohort_cards(contents)])])


def graph_path_sentences(contents: ReportContents) -> list[str]:
    """For each method with a pooled model beside its graph: where the graph is used, and the metric without it."""
    metric = contents.params.headline_metric
    sentences = []
    for method in contents.sources.methods:
        seeds = [contents.results.metrics[method, seed] for seed in contents.sources.seeds]
        told = [seed.graph_path for seed in seeds if seed.graph_path is not None]
        if not told:
            continue
        folds = [fold for path in told for fold in path["folds"]]
        n_on = sum(fold["on"] for fold in folds)
        start = f"{method}: patients held out within training say that the learned graph "
        if not n_on:
            sentences.append(
                f"{start}adds nothing to what is pooled over patches, in any of {plural(len(folds), 'training run')}. "
                "Predictions are those of a linear model of pooled patches; do not read its graphs as reasons."
            )
            continue
        without = [path["without_graph"]["mean"][metric] for path in told]
        alone = mean(without) if None not in without else None
        sentences.append(
            f"{start}adds to what is pooled over patches in {n_on} of {plural(len(folds), 'training run')}"
            f"{_gains(folds)}. Without it {title(metric)} is {decimal(alone)} on the test folds."
        )
    return sentences


def _gains(folds: Sequence[Mapping[str, Any]]) -> str:
    """Least and largest gain of the runs in which the graph is used, in words."""
    gains = [fold["gain"] for fold in folds if fold["on"] and fold["gain"] is not None]
    if not gains:
        return " (not judged: too few patients)"
    return f" (it lowers their cross-entropy by {min(gains):.3f} to {max(gains):.3f} nats an image)"


def _sentence(contents: ReportContents) -> str:
    sources = contents.sources
    unit = "patients" if contents.is_patient_level else "images"
    return (
        f"{plural(len(sources.methods), 'method')} trained and tested on {plural(len(contents.tested), 'image')} in "
        f"{plural(len(contents.folds), 'fold')} grouped by {unit}, with {plural(len(sources.seeds), 'seed')}. Every "
        "number is measured on test folds that took no part in training, structure learning or selection."
    )


def _best(contents: ReportContents) -> list[Card]:
    best, metric = contents.ranked[0], contents.params.headline_metric
    spread = contents.results.spread(best, metric)
    label = f"{title(metric)} of {best}"
    if len(contents.sources.methods) > 1:
        label += f", the best of {len(contents.sources.methods)} methods"
    return [Card(mean_sd(spread.mean, spread.sd), label, spread_meaning(contents, best), wide=True)]


def spread_meaning(contents: ReportContents, method: str) -> str:
    """What a mean and its SD stand for in this run, in words."""
    folds, seeds = len(contents.folds), len(contents.sources.seeds)
    n_values = contents.results.spread(method, contents.params.headline_metric).n_values
    if n_values < 2:
        return "One value: no spread can be given."
    text = f"Mean ± sample SD of {n_values} values ({plural(folds, 'test fold')} × {plural(seeds, 'seed')}). "
    text += "The SD says how much folds differ; it is not the error of the mean."
    if seeds > 1:
        text += " Values of one fold under several seeds share their test images and are not independent."
    if len(contents.sources.methods) > 1:
        text += " Picking the best after seeing the test folds flatters it."
    return text


def _cohort_cards(contents: ReportContents) -> list[Card]:
    cohort, tested = contents.cohort, contents.tested
    patches = [slide.n_patches for slide in tested if slide.n_patches is not None]
    kept = [slide.n_kept for slide in cohort if slide.n_kept is not None]
    nuclei = [slide.n_nuclei for slide in cohort if slide.n_nuclei is not None]
    who = "named in the sheet" if contents.is_patient_level else "not all named: images counted"
    return [
        Card(
            count(len(cohort)),
            "slides",
            f"{len(tested)} in folds, {len(contents.excluded)} excluded, {len(contents.predicted)} to predict",
        ),
        Card(count(patients(tested)), "patients in folds", who),
        Card(count(len(contents.classes)), "classes", ", ".join(contents.classes)),
        Card(
            count(sum(kept)) if kept else NONE,
            "tiles kept",
            f"on {plural(len(kept), 'slide')}" if kept else "no slide was tiled",
        ),
        Card(
            count(sum(nuclei)) if nuclei else NONE,
            "nuclei",
            f"on {plural(len(nuclei), 'slide')}" if nuclei else "none were segmented",
        ),
        Card(
            f"{median(patches):g}" if patches else NONE,
            "patches in the median graph",
            f"of {plural(len(patches), 'image')}",
        ),
    ]
