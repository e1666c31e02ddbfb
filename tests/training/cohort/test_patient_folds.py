from collections import Counter

import numpy as np
import pytest

from pipeline.errors import CohortError
from pipeline.training.cohort.fold_plan import LabelledSlide
from pipeline.training.cohort.patient_folds import assign_folds, assign_roles
from pipeline.training.params import SplitParams


def slides_of(patients):
    """Slides from (label, images) a patient, or a text of labels, one letter an image."""
    return [
        LabelledSlide(f"s{p}_{i}", f"p{p}", label)
        for p, labels in enumerate(patients)
        for i, label in enumerate(labels)
    ]


def counts(slides, parts, part):
    return Counter(slide.label for slide in slides if parts[slide.case_id] == part)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_equal_patients_divide_evenly():
    slides = slides_of(["a"] * 20 + ["b"] * 10)
    folds = assign_folds(slides, 5, rng())
    assert all(counts(slides, folds, fold) == {"a": 4, "b": 2} for fold in range(5))


def test_patients_of_many_images_and_classes_divide_fairly():
    draw = np.random.default_rng(7)
    slides = slides_of(["".join(draw.choice(list("aab"), size=draw.integers(1, 6))) for _ in range(60)])
    folds = assign_folds(slides, 5, rng())
    total = Counter(slide.label for slide in slides)
    for fold in range(5):
        for label, n in total.items():
            assert counts(slides, folds, fold)[label] == pytest.approx(n / 5, rel=0.15)


def test_folds_follow_their_seed_and_not_the_order_of_patients_names():
    slides = slides_of(["a", "b"] * 10)
    assert assign_folds(slides, 4, rng(1)) == assign_folds(slides, 4, rng(1)) != assign_folds(slides, 4, rng(2))


@pytest.mark.parametrize("seed", range(20))
def test_each_fold_holds_every_class_and_leaves_two_patients_of_each_outside(seed):
    """Four patients of the rare class, of one to nine images: drawn by images alone a fold would take three of them."""
    slides = slides_of(["a"] * 12 + ["b" * 9, "b", "b", "b"])
    folds = assign_folds(slides, 2, rng(seed))
    for label in "ab":
        patients = {slide.case_id for slide in slides if slide.label == label}
        inside = [sum(folds[patient] == fold for patient in patients) for fold in (0, 1)]
        assert min(inside) > 0
        assert len(patients) - max(inside) >= 2


@pytest.mark.parametrize("n_patients", [2, 3, 4, 8, 40])
def test_roles_hold_every_class_and_their_shares(n_patients):
    slides = slides_of(["a"] * n_patients + ["b"] * n_patients)
    roles = assign_roles(slides, SplitParams(structure_share=0.25, select_share=0.15), rng())
    for role, share in (("train", 0.6), ("structure", 0.25), ("select", 0.15)):
        found = counts(slides, roles, role)
        assert found["a"] == pytest.approx(share * n_patients, abs=1)
        assert role == "select" or min(found["a"], found["b"]) > 0


def test_no_select_share_means_no_select_image():
    slides = slides_of(["a"] * 7 + ["b"] * 7)
    assert "select" not in assign_roles(slides, SplitParams(select_share=0), rng()).values()


def test_too_few_patients_say_how_many_folds_are_possible():
    slides = slides_of(["a"] * 9 + ["b"] * 3)
    with pytest.raises(CohortError, match=r"class 'b' has 3; use 3 folds"):
        assign_folds(slides, 5, rng())
    with pytest.raises(CohortError, match=r"class 'b' has 1; add patients or leave the class out"):
        assign_folds(slides_of(["a"] * 9 + ["bbb"]), 2, rng())


def test_one_patient_of_a_class_cannot_serve_both_levels():
    with pytest.raises(CohortError, match=r"b: 1 patients"):
        assign_roles(slides_of(["a"] * 9 + ["bbb"]), SplitParams(), rng())
