"""The run at a glance."""

from statistics import median

from pipeline.report.contents.cohort_outcome import patients
from pipeline.report.contents.report_data import Findings
from pipeline.report.contents.wording import NONE, count, mean_sd, plural, title
from pipeline.report.page.page_elements import Card, Cards, Section, Text


def summary(findings: Findings) -> Section:
    """Numbers of the cohort and the best method."""
    return Section(
        "summary", "Summary", [Text(_sentence(findings)), Cards([*_best(findings), *_cohort_cards(findings)])]
    )


def _sentence(findings: Findings) -> str:
    sources = findings.sources
    unit = "patients" if findings.is_patient_level else "images"
    return (
        f"{plural(len(sources.methods), 'method')} trained and tested on {plural(len(findings.tested), 'image')} in "
        f"{plural(len(sources.folds), 'fold')} grouped by {unit}, with {plural(len(sources.seeds), 'seed')}. Every "
        "number is measured on test folds that took no part in training, structure learning or selection."
    )


def _best(findings: Findings) -> list[Card]:
    best, metric = findings.ranked[0], findings.params.headline_metric
    spread = findings.results.spread(best, metric)
    label = f"{title(metric)} of {best}"
    if len(findings.sources.methods) > 1:
        label += f", the best of {len(findings.sources.methods)} methods"
    return [Card(mean_sd(spread.mean, spread.sd), label, spread_meaning(findings, best), wide=True)]


def spread_meaning(findings: Findings, method: str) -> str:
    """What a mean and its SD stand for in this run, in words."""
    folds, seeds = len(findings.sources.folds), len(findings.sources.seeds)
    n_values = findings.results.spread(method, findings.params.headline_metric).n_values
    if n_values < 2:
        return "One value: no spread can be given."
    text = f"Mean ± sample SD of {n_values} values ({plural(folds, 'test fold')} × {plural(seeds, 'seed')}). "
    text += "The SD says how much folds differ; it is not the error of the mean."
    if seeds > 1:
        text += " Values of one fold under several seeds share their test images and are not independent."
    if len(findings.sources.methods) > 1:
        text += " Picking the best after seeing the test folds flatters it."
    return text


def _cohort_cards(findings: Findings) -> list[Card]:
    cohort, tested = findings.cohort, findings.tested
    unlabelled = sum(slide.row.label is None for slide in cohort)
    excluded = sum(slide.status == "excluded" for slide in cohort)
    patches = [slide.n_patches for slide in tested if slide.n_patches is not None]
    kept = [slide.n_kept for slide in cohort if slide.n_kept is not None]
    nuclei = [slide.n_nuclei for slide in cohort if slide.n_nuclei is not None]
    who = "named in the sheet" if findings.is_patient_level else "not all named: images counted"
    return [
        Card(count(len(cohort)), "slides", f"{len(tested)} in folds, {excluded} excluded, {unlabelled} without label"),
        Card(count(patients(tested)), "patients in folds", who),
        Card(count(len(findings.classes)), "classes", ", ".join(findings.classes)),
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
