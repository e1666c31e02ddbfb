"""The run at a glance."""

from statistics import median

from pipeline.report.contents.cohort_outcome import patients
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import NONE, count, mean_sd, plural, title
from pipeline.report.page.page_elements import Card, Cards, Section, Text


def summary(contents: ReportContents) -> Section:
    """Numbers of the cohort and the best method."""
    return Section(
        "summary", "Summary", [Text(_sentence(contents)), Cards([*_best(contents), *_cohort_cards(contents)])]
    )


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
