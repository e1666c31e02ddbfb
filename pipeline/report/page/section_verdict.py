"""What the run says, what limits it, and what to do next: all of it before the first scrolling."""

from collections.abc import Sequence
from statistics import median

from pipeline.artefacts.method_names import LEARNED_GRAPH
from pipeline.report.contents.cohort_outcome import patients
from pipeline.report.contents.contest import Contest, ahead_elsewhere, holds_a_guess, read_contest
from pipeline.report.contents.graph_statistics import ALL_CLASSES
from pipeline.report.contents.image_outcomes import sure_errors
from pipeline.report.contents.next_steps import Situation, Step, next_steps
from pipeline.report.contents.report_contents import ReportContents
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
from pipeline.report.contents.wording import NONE, count, mean_sd, plural, title
from pipeline.report.page.page_elements import Block, Card, Cards, Caution, Section, Text, Verdict
from pipeline.report.page.section_cautions import CUT_SHARE, applying_cautions


def verdict(contents: ReportContents) -> Section:
    """The verdict with its warnings and next steps, then how it was measured and the cohort in numbers."""
    contest = read_contest(contents)
    path = graph_path(contents, contents.reference)
    blocks: list[Block] = [
        Verdict(
            finding="alone" if contest is None else contest.finding,
            headline=headline(contest, contents.reference, path),
            sentences=_sentences(contents, contest, path),
            called=_called(contents),
            any_wrong=any(image.is_wrong for image in contents.images),
            warnings=_headlines(applying_cautions(contents)),
            steps=_steps(contents, contest, path),
        ),
        Text(_measured(contents)),
        Cards(_cohort_cards(contents)),
    ]
    return Section("verdict", "Verdict", blocks)


def graph_path(contents: ReportContents, method: str) -> GraphPath | None:
    """What was decided about the graph path of a method over all seeds; None of one that has none."""
    seeds = [contents.results.metrics[method, seed] for seed in contents.sources.seeds]
    told = [seed.graph_path for seed in seeds if seed.graph_path is not None]
    return GraphPath.of(told, contents.params.headline_metric)


def _sentences(contents: ReportContents, contest: Contest | None, path: GraphPath | None) -> list[str]:
    method, metric = contents.reference, contents.params.headline_metric
    sentences = [_alone(contents)] if contest is None else [difference_sentence(contest), reading_sentence(contest)]
    guess = holds_a_guess(contents)
    if guess is not None:
        sentences.append(guess_sentence(method, metric, *guess))
    ahead = ahead_sentence(method, ahead_elsewhere(contents))
    if ahead is not None:
        sentences.append(ahead)
    if path is not None:
        sentences.append(graph_path_sentence(method, path, metric))
    if method in LEARNED_GRAPH:
        sentences.append(sparsity_sentence(method, contents.graph_summaries[method][ALL_CLASSES]))
    return sentences


def _alone(contents: ReportContents) -> str:
    metric = contents.params.headline_metric
    spread = contents.results.spread(contents.reference, metric)
    name = title(metric)
    return (
        f"{name[0].upper()}{name[1:]} {mean_sd(spread.mean, spread.sd)}; {spread_meaning(contents, contents.reference)}"
    )


def _called(contents: ReportContents) -> str:
    """How many slides are called wrong, in words."""
    wrong = [image for image in contents.images if image.is_wrong]
    if not wrong:
        return f"All {plural(len(contents.images), 'slide')} of the test folds are called right."
    sure = len(sure_errors(contents.images))
    return f"{len(wrong)} of {plural(len(contents.images), 'slide')} called wrong" + (
        f", {sure} of them with a probability of 0.8 or more" if sure else ""
    )


def _headlines(cautions: Sequence[Caution]) -> list[str]:
    return [caution.headline for caution in cautions]


def _steps(contents: ReportContents, contest: Contest | None, path: GraphPath | None) -> Sequence[Step]:
    wrong = [image for image in contents.images if image.is_wrong]
    situation = Situation(
        method=contents.reference,
        contest=contest,
        graph_is_off=None if path is None else path.n_on == 0,
        n_wrong=len(wrong),
        n_always_wrong=sum(image.seeds_wrong == image.n_seeds for image in wrong),
        n_sure_wrong=len(sure_errors(contents.images)),
        n_seeds=len(contents.sources.seeds),
        n_folds=len(contents.folds),
        n_patients=patients(contents.tested),
        few_patients=contents.params.few_patients,
        is_patient_level=contents.is_patient_level,
        n_cut=sum((slide.rim_share or 0) >= CUT_SHARE for slide in contents.tested),
        is_confounded=bool(contents.shortcuts),
        is_at_chance=holds_a_guess(contents) is not None,
    )
    return next_steps(situation)


def _measured(contents: ReportContents) -> str:
    sources = contents.sources
    unit = "patients" if contents.is_patient_level else "images"
    return (
        f"{plural(len(sources.methods), 'method')} trained and tested on {plural(len(contents.tested), 'image')} in "
        f"{plural(len(contents.folds), 'fold')} grouped by {unit}, with {plural(len(sources.seeds), 'seed')}. Every "
        "number is measured on test folds that took no part in training, structure learning or selection."
    )


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
