from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.predictions import prediction_frame
from pipeline.report.contents.image_outcomes import ImageOutcome, image_outcomes, pooled_auroc, sure_errors
from pipeline.report.contents.report_contents import ReportContents


def frame(seed: int, fold: int, **second: float) -> pd.DataFrame:
    """Slides by the probability of class b; those that begin with b are of it."""
    scores = np.array([[1 - p, p] for p in second.values()])
    names = list(second)
    table = prediction_frame(names, [f"p{name}" for name in names], [name[0] for name in names], ("a", "b"), scores)
    return table.assign(seed=seed, fold=fold)


OWN = pd.concat([frame(0, 0, a1=0.9, b1=0.9), frame(0, 1, b2=0.45), frame(1, 4, a1=0.2, b1=0.8, b2=0.75)])
OTHER = pd.concat([frame(0, 0, a1=0.1, b1=0.3), frame(0, 1, b2=0.9)])
PREDICTIONS = {"own": OWN.reset_index(drop=True), "other": OTHER.reset_index(drop=True)}


def test_images_are_called_by_the_mean_over_seeds() -> None:
    first, second, third = image_outcomes(PREDICTIONS, "own", ("a", "b"), ["b2", "a1", "b1", "unknown"])
    assert (first.slide_id, first.predicted, first.is_wrong) == ("b2", "b", False)
    assert first.probability == pytest.approx(0.6)
    assert (first.seeds_wrong, first.n_seeds, first.fold, first.case_id) == (1, 2, 1, "pb2")
    assert (second.predicted, second.is_wrong, second.seeds_wrong) == ("b", True, 1)
    assert (second.methods_wrong, second.n_methods) == (1, 2)
    assert (third.methods_wrong, third.seeds_wrong) == (1, 0)


def test_every_image_of_the_folds_is_told_of(standard: ReportContents) -> None:
    assert [image.slide_id for image in standard.images] == [slide.row.slide_id for slide in standard.tested]
    one_seed = standard.one_seed("default").set_index("slide_id")
    for image in standard.images:
        assert image.predicted == one_seed.loc[image.slide_id, "predicted"]


def test_errors_that_are_sure_come_surest_first() -> None:
    image = ImageOutcome("s", "p", "a", "b", 0.85, 0, 1, 1, 1, 1)
    images = [image, replace(image, slide_id="t", probability=0.95), replace(image, probability=0.79)]
    right = replace(image, predicted="a", probability=0.99)
    assert [error.probability for error in sure_errors([*images, right])] == [0.95, 0.85]
    assert sure_errors([right]) == ()


def test_pooling_mixes_the_scales_of_folds() -> None:
    """Each fold is ordered without fault, but the second has all its probabilities below the first's."""
    folds = pd.concat([frame(0, 0, a1=0.6, b1=0.7), frame(0, 1, a2=0.1, b2=0.2)])
    assert pooled_auroc(folds, ("a", "b")) == pytest.approx(0.75)
    assert pooled_auroc(frame(0, 0, a1=0.1, b1=0.9), ("a", "b")) == 1.0
    assert pooled_auroc(frame(0, 0, a1=0.1, a2=0.9), ("a", "b")) is None
    assert pooled_auroc(folds.iloc[:0], ("a", "b")) is None


def test_three_classes_are_averaged() -> None:
    scores = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3]])
    table = prediction_frame([*"wxyz"], [*"wxyz"], [*"abcc"], ("a", "b", "c"), scores)
    # a: 1; b: 1; c: of the two of c, one stands above both others, one above both as well (0.3 over 0.1).
    assert pooled_auroc(table, ("a", "b", "c")) == pytest.approx(1.0)
