from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.report.contents.cohort_outcome import StageRecord
from pipeline.report.contents.method_results import Results
from pipeline.report.contents.mismatches import Mismatches
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.page.page_elements import Caution, Cautions, Text
from pipeline.report.page.section_cautions import cautions
from pipeline.report.params import ReportParams

CLASSES = ("benign", "malignant")
LENIENT = ReportParams(few_patches=2, few_images=1, few_folds=2, few_patients=1, headline_metric="accuracy")


@pytest.fixture(scope="module")
def sound(standard_run: ReportSources) -> ReportContents:
    """Nothing to warn of: 8 images of 2 classes and 4 patients in 2 folds, 9 patches each, all predicted right."""
    contents = read_contents(standard_run, LENIENT)
    cohort = tuple(slide for slide in contents.cohort if slide.status != "excluded")
    sources = replace(contents.sources, features={})  # random ones go with patients as with anything
    results = called_right(with_accuracy(contents.results, 1.0))
    return replace(contents, sources=sources, cohort=cohort, results=results)


def called_right(results: Results) -> Results:
    """Every image called right with a probability of 0.7, so that AUROC is 1 in folds and over all."""
    predictions = {
        method: table.assign(
            predicted=table["label"], **{f"p_{name}": 0.3 + 0.4 * (table["label"] == name) for name in CLASSES}
        )
        for method, table in results.predictions.items()
    }
    metrics = {key: replace(seed, mean={**seed.mean, "auroc": 1.0}) for key, seed in results.metrics.items()}
    return replace(results, predictions=predictions, metrics=metrics)


def with_wrong(contents: ReportContents, slide_id: str, probability: float) -> ReportContents:
    """One benign image called malignant by the reference."""
    table = contents.results.predictions["default"].copy()
    row = table["slide_id"] == slide_id
    table.loc[row, ["predicted", "p_benign", "p_malignant"]] = ["malignant", 1 - probability, probability]
    predictions = {**contents.results.predictions, "default": table}
    return replace(contents, results=replace(contents.results, predictions=predictions))


def with_accuracy(results: Results, accuracy: float) -> Results:
    metrics = {key: replace(seed, folds=seed.folds.assign(accuracy=accuracy)) for key, seed in results.metrics.items()}
    return replace(results, metrics=metrics)


def said(contents: ReportContents) -> Sequence[Caution]:
    (block,) = cautions(contents).blocks
    return block.cautions if isinstance(block, Cautions) else []


def test_a_sound_run_has_none_and_says_so(sound: ReportContents) -> None:
    (block,) = cautions(sound).blocks
    assert isinstance(block, Text)
    assert "None of this report's checks" in block.text


def test_small_graphs(sound: ReportContents) -> None:
    (caution,) = said(replace(sound, cohort=tuple(replace(slide, n_patches=1) for slide in sound.cohort)))
    assert caution.headline == "The median image keeps 1 patch"
    assert "8 images of 8 have a single patch" in caution.text
    assert "a graph of one node learns nothing" in caution.text


def test_one_small_graph_among_others_is_counted(sound: ReportContents) -> None:
    first, *others = sound.cohort
    rest = [replace(slide, n_patches=3) for slide in others]
    params = replace(LENIENT, few_patches=4)
    (caution,) = said(replace(sound, cohort=(replace(first, n_patches=1), *rest), params=params))
    assert caution.headline == "The median image keeps 3 patches"
    assert "(1 image of 8 has a single patch)" in caution.text


@pytest.mark.parametrize(("few", "warned"), [(9, False), (10, True)])
def test_the_median_decides_and_the_bound_is_open(sound: ReportContents, few: int, warned: bool) -> None:
    first, *others = sound.cohort
    contents = replace(sound, cohort=(replace(first, n_patches=1), *others), params=replace(LENIENT, few_patches=few))
    assert [c.headline for c in said(contents)] == ["The median image keeps 9 patches"] * warned


def test_without_patients_results_are_image_level(sound: ReportContents) -> None:
    cohort = tuple(replace(slide, row=replace(slide.row, case_given=False)) for slide in sound.cohort)
    (caution,) = said(replace(sound, cohort=cohort))
    assert caution.headline == "Results are image-level"
    assert caution.text.startswith("No slide has a patient")


def test_some_patients_missing_counts_them(sound: ReportContents) -> None:
    first, *others = sound.cohort
    nameless = replace(first, row=replace(first.row, case_given=False))
    (caution,) = said(replace(sound, cohort=(nameless, *others)))
    assert caution.text.startswith("1 of 8 slides lack a patient")


def test_excluded_slides_are_named(standard_run: ReportSources, sound: ReportContents) -> None:
    (caution,) = said(replace(read_contents(standard_run, LENIENT), sources=sound.sources, results=sound.results))
    assert caution.headline == "1 labelled slide of 9 excluded"
    assert "In no fold: x00." in caution.text


def test_slides_with_the_same_cautions_share_a_line_and_the_rest_is_counted(
    sound: ReportContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third, *others = sound.cohort
    odd = [replace(slide, cautions=("pixels of 5 um", "no focus")) for slide in (first, second)]
    (caution,) = said(replace(sound, cohort=(*odd, third, *others)))
    assert caution.headline == "2 slides are not as expected"
    both = f"{first.row.slide_id}, {second.row.slide_id}: pixels of 5 um; no focus"
    assert caution.items == [both]
    monkeypatch.setattr("pipeline.report.page.section_cautions.MOST_SLIDES", 1)
    (caution,) = said(replace(sound, cohort=(*odd, replace(third, cautions=("grey",)), *others)))
    assert caution.headline == "3 slides are not as expected"
    assert caution.items == [both, "and 1 more slide"]


def test_small_classes_and_few_folds(sound: ReportContents) -> None:
    headlines = [c.headline for c in said(replace(sound, params=ReportParams()))]
    assert "2 classes have fewer than 20 images in the folds" in headlines
    assert "SDs rest on 2 folds" in headlines


def test_folds_without_a_test_image_are_named_and_do_not_count(sound: ReportContents) -> None:
    seeds = {key: replace(seed, folds_left_out={2: "no patch"}) for key, seed in sound.results.metrics.items()}
    contents = replace(
        sound, sources=replace(sound.sources, folds=(0, 1, 2)), results=replace(sound.results, metrics=seeds)
    )
    (caution,) = said(contents)
    assert caution.headline == "1 fold of 3 left out"
    assert "Without a test image: fold 2 (no patch)." in caution.text
    assert len(said(replace(contents, params=replace(LENIENT, few_folds=3)))) == 2


def test_a_class_that_no_model_knows_is_named(sound: ReportContents) -> None:
    first, *others = sound.cohort
    lost = replace(first, row=replace(first.row, slide_id="z", label="rare"), status="excluded")
    headlines = {caution.headline: caution.text for caution in said(replace(sound, cohort=(first, *others, lost)))}
    assert list(headlines) == ["1 labelled slide of 9 excluded", "1 class is missing from the results"]
    assert headlines["1 class is missing from the results"].startswith(
        "Every slide of rare was excluded; no model knows it."
    )


@pytest.mark.parametrize(("few", "warned"), [(4, False), (5, True)])
def test_a_class_is_small_below_the_number_given(sound: ReportContents, few: int, warned: bool) -> None:
    cautions_said = said(replace(sound, params=replace(LENIENT, few_images=few)))
    assert [caution.headline for caution in cautions_said] == [
        "2 classes have fewer than 5 images in the folds"
    ] * warned
    assert all("benign (4), malignant (4). A single image moves" in caution.text for caution in cautions_said)
    assert all("more than 20%" in caution.text for caution in cautions_said)


def test_one_fold(sound: ReportContents) -> None:
    assert [c.headline for c in said(replace(sound, sources=replace(sound.sources, folds=(0,))))] == ["One fold"]


@pytest.mark.parametrize(("accuracy", "warned"), [(0.5, True), (0.51, False)])
def test_methods_no_better_than_a_guess(sound: ReportContents, accuracy: float, warned: bool) -> None:
    headlines = [c.headline for c in said(replace(sound, results=with_accuracy(sound.results, accuracy)))]
    assert headlines == ["2 methods no better than guessing"] * warned


def test_slides_of_different_sources(sound: ReportContents) -> None:
    first, *others = sound.cohort
    remade = replace(first, records=(StageRecord("cache_features", "another"),))
    (caution,) = said(replace(sound, cohort=(remade, *others)))
    assert caution.headline == "Slides were made by different versions of the source"
    assert "cache_features (2)" in caution.text


def test_mismatches_that_were_allowed_are_told_by_slide(sound: ReportContents) -> None:
    mismatches = Mismatches(("slide a: mpp is 0.25, not 0.5",), tuple(f"slide n{i}: encoder is x" for i in range(22)))
    trained, predicted = said(replace(sound, mismatches=mismatches))
    assert trained.headline == "1 slide trained on although their features were made differently"
    assert "Slide a: mpp is 0.25, not 0.5. Allowed by on_mismatch: warn." in trained.text
    assert predicted.headline.startswith("22 slides predicted although")
    assert "Slide n19: encoder is x. And 2 more slides." in predicted.text


@pytest.mark.parametrize(("few", "warned"), [(4, False), (5, True)])
def test_few_patients(sound: ReportContents, few: int, warned: bool) -> None:
    headlines = [c.headline for c in said(replace(sound, params=replace(LENIENT, few_patients=few)))]
    assert headlines == ["4 patients: few"] * warned


@pytest.mark.parametrize(("probability", "warned"), [(0.79, False), (0.8, True)])
def test_errors_that_the_model_is_sure_of_are_named(sound: ReportContents, probability: float, warned: bool) -> None:
    cautions_of = [c for c in said(with_wrong(sound, "s01", probability)) if "over-confident" in c.headline]
    assert [c.headline for c in cautions_of] == ["1 over-confident error"] * warned
    assert all("s01 (0.80 malignant, is benign)" in c.text for c in cautions_of)


def test_folds_whose_models_share_no_scale(sound: ReportContents) -> None:
    """One benign image above all others takes a quarter of the pooled area, which the mean of folds does not show."""
    (caution,) = said(with_wrong(sound, "s01", 0.75))
    assert caution.headline == "Models of different folds do not share a scale"
    assert "is 1.000 as the mean of folds and 0.750 over all test images" in caution.text


@pytest.mark.parametrize(("share", "warned"), [(0.099, False), (0.1, True)])
def test_rims_that_tiling_left_out(sound: ReportContents, share: float, warned: bool) -> None:
    first, *others = sound.cohort
    told = said(replace(sound, cohort=(replace(first, rim_share=share), *others)))
    assert [c.headline for c in told] == ["1 image lost 10% or more of its area at the rim"] * warned
    assert all(first.row.slide_id in c.text and "edge: skip" in c.text for c in told)


def test_facts_beside_the_tissue_that_go_with_the_class(sound: ReportContents) -> None:
    """Sixteen patients a class, one class at another resolution."""
    first = sound.cohort[0]
    cohort = tuple(
        replace(
            first,
            row=replace(first.row, slide_id=f"s{n}", case_id=f"p{n}", label=CLASSES[n % 2]),
            slide_mpp=0.25 + 0.25 * (n % 2),
        )
        for n in range(32)
    )
    told = [
        c for c in said(replace(sound, cohort=cohort)) if c.headline == "Classes differ in the resolution of level 0"
    ]
    assert len(told) == 1
    assert "no test fold of this cohort can tell" in told[0].text
