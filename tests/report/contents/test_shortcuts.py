from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.artefacts.sheet import SlideRow
from pipeline.report.contents.cohort_outcome import SlideSummary
from pipeline.report.contents.shortcuts import association, shortcuts, slide_facts


def slides(n: int = 24, per_patient: int = 1) -> list[SlideSummary]:
    """Two classes in turn by patient; nothing goes with them."""
    made = []
    for number in range(n):
        patient = number // per_patient
        row = SlideRow(f"s{number}", Path(f"s{number}.svs"), None, "ab"[patient % 2], f"p{patient}", True, None)
        made.append(SlideSummary(row, "in the folds", slide_mpp=0.25, sharpness=0.3 + 0.01 * ((number * 7) % 11)))
    return made


def test_nothing_is_told_where_nothing_goes_with_the_class() -> None:
    assert shortcuts(slides()) == ()


def test_another_resolution_of_a_class_is_told() -> None:
    told = shortcuts([replace(one, slide_mpp=0.5 if one.row.label == "a" else 0.25) for one in slides()])
    assert [one.fact for one in told] == ["the resolution of level 0"]
    assert told[0].explained > 0.9
    assert told[0].p <= 0.01


def test_a_hospital_that_sends_one_class_is_told() -> None:
    def barcode(one: SlideSummary) -> SlideSummary:
        site = "A1" if one.row.label == "a" else "B2"
        return replace(one, row=replace(one.row, case_id=f"TCGA-{site}-{one.row.case_id:0>4}"))

    told = shortcuts([barcode(one) for one in slides()])
    assert [one.fact for one in told] == ["the hospital (site code of TCGA)"]


def test_many_slides_of_few_patients_prove_nothing() -> None:
    """Two patients a class: each exchange of labels between patients is likely, however many slides they have."""
    many = slides(40, per_patient=10)
    assert shortcuts([replace(one, sharpness=0.9 if one.row.label == "a" else 0.1) for one in many]) == ()


def test_unknown_facts_are_left_out() -> None:
    bare = [SlideSummary(replace(one.row, path=None), one.status) for one in slides()]
    assert shortcuts(bare) == ()
    assert all(value is None for values in slide_facts(bare).values() for value in values)


def test_the_share_explained_is_that_of_an_analysis_of_variance() -> None:
    values, classes = np.array([[1.0], [2.0], [5.0], [6.0]]), np.array([0, 0, 1, 1])
    explained, p = association(values, classes, np.arange(4))
    # Between 16 of 17 in all; of the six ways to label, two give it, and the mean over all is a third.
    assert explained == pytest.approx(16 / 17 - 1 / 3, abs=0.05)
    assert p == pytest.approx(1 / 3, abs=0.06)
