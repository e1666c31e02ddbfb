"""What limits the numbers of a run, said before they are shown."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from statistics import median

from pipeline.report.contents.cohort_outcome import class_names, patients
from pipeline.report.contents.image_outcomes import SURE, pooled_auroc, sure_errors
from pipeline.report.contents.method_results import sd_uncertainty
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.wording import decimal, listed, plural, title
from pipeline.report.page.page_elements import Block, Caution, Cautions, Section, Text
from pipeline.report.params import LOWER_IS_BETTER

MOST_SLIDES = 20
"""Slides whose cautions are written out; of the others only the number."""


CUT_SHARE = 0.1
"""An image that loses this share of its area at the rim is told of."""

POOLING_GAP = 0.05
"""Difference of pooled and mean AUROC of folds that is told of."""


def applying_cautions(contents: ReportContents) -> list[Caution]:
    """All cautions that apply, the gravest kinds first."""
    return [caution for check in CHECKS if (caution := check(contents)) is not None]


def cautions(contents: ReportContents) -> Section:
    """All cautions that apply, or a sentence that none does."""
    applying = applying_cautions(contents)
    block: Block = Cautions(applying) if applying else Text("None of this report's checks found anything to warn of.")
    return Section("cautions", "Warnings", [block])


def _small_graphs(contents: ReportContents) -> Caution | None:
    patches = [slide.n_patches for slide in contents.tested if slide.n_patches is not None]
    few = contents.params.few_patches
    if not patches or median(patches) >= few:
        return None
    single = sum(n == 1 for n in patches)
    return Caution(
        f"The median image keeps {median(patches):g} {'patch' if median(patches) == 1 else 'patches'}",
        f"Fewer than {few} patches leave little to connect, and a graph of one node learns nothing "
        f"({plural(single, 'image')} of {len(patches)} {'has' if single == 1 else 'have'} a single patch). Make "
        "tiles smaller (tiling: tile_px), the resolution finer (tiling: mpp), or keep tiles with less tissue.",
    )


def _no_patients(contents: ReportContents) -> Caution | None:
    unnamed = [slide.row.slide_id for slide in contents.tested if not slide.row.case_given]
    if not unnamed:
        return None
    how_many = (
        "No slide has"
        if len(unnamed) == len(contents.tested)
        else f"{len(unnamed)} of {len(contents.tested)} slides lack"
    )
    return Caution(
        "Results are image-level",
        f"{how_many} a patient in the sheet (column case_id), so images of one patient may stand in training and "
        "in test. Performance on new patients may be lower than shown.",
    )


def _excluded(contents: ReportContents) -> Caution | None:
    excluded = contents.excluded
    if not excluded:
        return None
    reasons = Counter(slide.reason for slide in excluded)
    return Caution(
        f"{plural(len(excluded), 'labelled slide')} of {len(contents.labelled)} excluded",
        f"In no fold: {listed([slide.row.slide_id for slide in excluded])}. {plural(len(reasons), 'reason')}; see "
        "Cohort. Results speak for the other slides only.",
    )


def _odd_slides(contents: ReportContents) -> Caution | None:
    odd = [slide for slide in contents.cohort if slide.cautions]
    if not odd:
        return None
    alike = defaultdict(list)
    for slide in odd:
        alike["; ".join(slide.cautions)].append(slide.row.slide_id)
    shown = [f"{listed(slides)}: {cautions}" for cautions, slides in list(alike.items())[:MOST_SLIDES]]
    rest = sum(len(slides) for slides in list(alike.values())[MOST_SLIDES:])
    return Caution(
        f"{plural(len(odd), 'slide is', 'slides are')} not as expected",
        "What tiling, or the import of nuclei, found odd and went on with. Look at these slides before believing their "
        "results; cautions of every slide stand in its logs and in the headers of its tables.",
        [*shown, f"and {plural(rest, 'more slide')}"] if rest else shown,
    )


def _lost_classes(contents: ReportContents) -> Caution | None:
    lost = [name for name in class_names(contents.labelled) if name not in contents.classes]
    if not lost:
        return None
    return Caution(
        f"{plural(len(lost), 'class is', 'classes are')} missing from the results",
        f"Every slide of {listed(lost)} was excluded; no model knows {'it' if len(lost) == 1 else 'them'}. See Cohort "
        "for the reasons.",
    )


def _small_classes(contents: ReportContents) -> Caution | None:
    counts = Counter(str(slide.row.label) for slide in contents.tested)
    few = contents.params.few_images
    small = [f"{name} ({counts[name]})" for name in contents.classes if counts[name] < few]
    if not small:
        return None
    return Caution(
        f"{plural(len(small), 'class has', 'classes have')} fewer than {few} images in the folds",
        f"{listed(small)}. A single image moves the recall of such a class by more than {1 / few:.0%}.",
    )


def _folds_left_out(contents: ReportContents) -> Caution | None:
    left_out = contents.results.folds_left_out
    if not left_out:
        return None
    reasons = listed([f"fold {fold} ({reason})" for fold, reason in left_out.items()])
    return Caution(
        f"{plural(len(left_out), 'fold')} of {len(contents.sources.folds)} left out",
        f"Without a test image: {reasons}. Means and SDs are over the other folds.",
    )


def _few_folds(contents: ReportContents) -> Caution | None:
    folds = len(contents.folds)
    if folds >= contents.params.few_folds:
        return None
    if folds == 1:
        return Caution(
            "One fold",
            "No spread over folds can be given: the numbers hold for one particular test set of one split.",
        )
    low, high = sd_uncertainty(folds)
    return Caution(
        f"SDs rest on {folds} folds",
        f"Even for independent normal values the true SD would lie between {low:.2g} and {high:.2g} times the one "
        "shown (95%). Do not read a small SD as stability.",
    )


def _no_better_than_chance(contents: ReportContents) -> Caution | None:
    metric = contents.params.headline_metric
    chance = contents.chance.get(metric)
    if chance is None or metric in LOWER_IS_BETTER:
        return None
    means = {method: contents.results.spread(method, metric).mean for method in contents.sources.methods}
    poor = [f"{method} ({decimal(mean)})" for method, mean in means.items() if mean is not None and mean <= chance]
    if not poor:
        return None
    return Caution(
        f"{plural(len(poor), 'method')} no better than guessing",
        f"{title(metric)} of a guess is {chance:.3f}; {listed(poor)}.",
    )


def _trained_on_mismatches(contents: ReportContents) -> Caution | None:
    return _mismatches(
        contents.mismatches.trained,
        "trained on although their features were made differently",
        "Results may tell how features were made instead of the class.",
    )


def _predicted_mismatches(contents: ReportContents) -> Caution | None:
    return _mismatches(
        contents.mismatches.predicted,
        "predicted although their features were made otherwise than those of the training",
        "Their predictions are not to be relied on.",
    )


def _mismatches(sentences: Sequence[str], what: str, consequence: str) -> Caution | None:
    """What ``on_mismatch: warn`` allowed."""
    if not sentences:
        return None
    more = len(sentences) - MOST_SLIDES
    told = ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences[:MOST_SLIDES])
    rest = f". And {plural(more, 'more slide')}" if more > 0 else ""
    return Caution(
        f"{plural(len(sentences), 'slide')} {what}",
        f"{told}{rest}. Allowed by on_mismatch: warn. {consequence}",
    )


def _mixed_sources(contents: ReportContents) -> Caution | None:
    sources: dict[str, set[str]] = {}
    for slide in contents.cohort:
        for record in slide.records:
            sources.setdefault(record.stage, set()).add(record.source)
    mixed = [f"{stage} ({len(digests)})" for stage, digests in sorted(sources.items()) if len(digests) > 1]
    if not mixed:
        return None
    return Caution(
        "Slides were made by different versions of the source",
        f"Source digests per stage: {listed(mixed)}. Differences between slides may stem from the program. Run "
        "the stage again for all.",
    )


def _few_patients(contents: ReportContents) -> Caution | None:
    n, few = patients(contents.tested), contents.params.few_patients
    if n >= few or not contents.is_patient_level:
        return None
    return Caution(
        f"{plural(n, 'patient')}: few",
        f"Fewer than {few} patients are in the folds. More images of the same patients do not make up for it: every "
        "interval and test here counts patients.",
    )


def _sure_errors(contents: ReportContents) -> Caution | None:
    errors = sure_errors(contents.images)
    wrong = sum(image.is_wrong for image in contents.images)
    if not errors:
        return None
    named = listed([f"{e.slide_id} ({e.probability:.2f} {e.predicted}, is {e.label})" for e in errors], 5)
    return Caution(
        f"{plural(len(errors), 'over-confident error')}",
        f"{contents.reference} is wrong about {plural(wrong, 'slide')} and sure (probability of {SURE} or more) of "
        f"{len(errors)}: {named}. Its probabilities are no measure of doubt.",
    )


def _pooling(contents: ReportContents) -> Caution | None:
    predictions = contents.one_seed(contents.reference)
    pooled = pooled_auroc(predictions, contents.classes)
    of_folds = contents.results.metrics[contents.reference, contents.sources.seeds[0]].mean.get("auroc")
    if pooled is None or of_folds is None or abs(pooled - of_folds) < POOLING_GAP:
        return None
    return Caution(
        "Models of different folds do not share a scale",
        f"AUROC of {contents.reference} is {of_folds:.3f} as the mean of folds and {pooled:.3f} over all test "
        "images at once (first seed). One threshold does not serve all folds; do not read the pooled ROC curve as one "
        "model's.",
    )


def _rims(contents: ReportContents) -> Caution | None:
    cut = {slide.row.slide_id: slide.rim_share for slide in contents.tested if (slide.rim_share or 0) >= CUT_SHARE}
    if not cut:
        return None
    most = max(share for share in cut.values() if share is not None)
    whose = "its" if len(cut) == 1 else "their"
    return Caution(
        f"{plural(len(cut), 'image')} lost {CUT_SHARE:.0%} or more of {whose} area at the rim",
        f"Up to {most:.0%} lies beside the grid and was looked at by no model: {listed(list(cut))}. Tiles across the "
        "right and lower border are left out (tiling: edge: skip); pad takes them.",
    )


def _shortcuts(contents: ReportContents) -> Caution | None:
    found = contents.shortcuts
    if not found:
        return None
    told = [f"{one.fact} (the class explains {one.explained:.0%} of it, p = {one.p:.3f})" for one in found]
    return Caution(
        f"Classes differ in {found[0].fact}" + (f" and {len(found) - 1} more" if len(found) > 1 else ""),
        f"What is no tissue goes with the class: {'; '.join(told)}. A model may have learned that (hospital, scanner, "
        "stain) instead of the disease, and no test fold of this cohort can tell.",
    )


def _patients_outweigh(contents: ReportContents) -> Caution | None:
    found = contents.feature_separation
    if found is None or not found.patients_outweigh():
        return None
    best = found.table.head(10)
    return Caution(
        "Patients differ more than classes",
        f"Among the ten features that separate the classes best, patients of one class explain "
        f"{max(0.0, float(best['patient_omega'].median())):.0%} of the variation between images and classes "
        f"{max(0.0, float(best['class_omega'].median())):.0%} (medians). A model can know patients instead of the "
        "disease; only folds by patient tell.",
    )


CHECKS: tuple[Callable[[ReportContents], Caution | None], ...] = (
    _shortcuts,
    _no_patients,
    _few_patients,
    _patients_outweigh,
    _sure_errors,
    _rims,
    _pooling,
    _small_graphs,
    _excluded,
    _odd_slides,
    _lost_classes,
    _small_classes,
    _folds_left_out,
    _few_folds,
    _no_better_than_chance,
    _trained_on_mismatches,
    _predicted_mismatches,
    _mixed_sources,
)
