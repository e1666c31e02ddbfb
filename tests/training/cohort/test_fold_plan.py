import subprocess
import sys

import pytest

from pipeline.artefacts.sheet import SlideRow
from pipeline.errors import ConfigError, SheetError
from pipeline.training.cohort.fold_plan import (
    LabelledSlide,
    fold_faults,
    labelled_slides,
    patients_by_class,
    planned_folds,
    require_folds,
    require_select_share,
)


def patients(**counts):
    """Slides of ``counts`` patients of each class, one slide a patient."""
    return [LabelledSlide(f"{label}{i}", f"{label}{i}", label) for label, n in counts.items() for i in range(n)]


def in_folds(**folds):
    """Slides of patients of each class, each in the fold of its digit."""
    return [
        LabelledSlide(f"{label}{i}", f"{label}{i}", label, int(fold))
        for label, text in folds.items()
        for i, fold in enumerate(text)
    ]


@pytest.mark.parametrize(
    ("n_patients", "n_folds", "possible"),
    [
        (2, 2, False),  # one in each fold leaves one outside, and train and structure need one each
        (3, 2, False),  # the fold of two leaves one outside
        (3, 3, True),
        (4, 2, True),
        (4, 3, True),
        (4, 5, False),
        (5, 5, True),
    ],
)
def test_each_class_needs_a_patient_a_fold_and_two_outside_it(n_patients, n_folds, possible):
    assert (fold_faults(patients(a=20, b=n_patients), n_folds) == []) is possible


def test_a_fault_names_every_class_what_it_has_and_what_would_do():
    faults = fold_faults(patients(a=20, b=3, c=1), 5)
    assert faults == [
        "column label: 5 folds need 5 patients of each class, class 'b' has 3; "
        "use 3 folds (splits.folds), add patients or leave the class out",
        "column label: 5 folds need 5 patients of each class, class 'c' has 1; add patients or leave the class out",
    ]
    assert "2 folds need 4 patients" in fold_faults(patients(a=20, b=3), 2)[0]


def test_slides_of_one_patient_are_one_patient():
    slides = [LabelledSlide(f"s{i}", "p", "b") for i in range(9)]
    assert patients_by_class([*slides, *patients(a=1)]) == {"a": {"a0"}, "b": {"p"}}
    assert "class 'b' has 1" in fold_faults([*patients(a=9), *slides], 3)[0]


def test_two_classes_are_the_least():
    assert "at least two classes, there is 'a' of 4 patients" in fold_faults(patients(a=4), 2)[0]
    assert "there is no label" in fold_faults([], 2)[0]


def test_outside_each_fold_of_the_sheet_every_class_has_two_patients():
    assert fold_faults(in_folds(a="0011", b="0011"), 99) == []
    assert fold_faults(in_folds(a="0122", b="0011"), 99) == []
    (fault,) = fold_faults(in_folds(a="0111", b="0011"), 99)
    assert fault.startswith("column fold: outside fold 1 class 'a' has 1 of its 4 patients")
    (fault,) = fold_faults(in_folds(a="222", b="0011"), 99)
    assert fault.startswith("column fold: outside fold 2 class 'a' has 0 of its 3 patients")


def test_the_sheets_folds_beat_their_number():
    assert planned_folds(in_folds(a="71", b="7"), 5) == (1, 7)
    assert planned_folds(patients(a=2), 3) == (0, 1, 2)


def test_a_sheet_is_refused_with_all_its_faults():
    rows = [SlideRow(s.slide_id, label=s.label, case_id=s.case_id) for s in patients(a=9, b=2, c=1)]
    assert labelled_slides([SlideRow("new", case_id="new"), *rows]) == patients(a=9, b=2, c=1)
    with pytest.raises(SheetError, match=r"slides.csv: 2 faults:\n.*'b' has 2.*\n.*'c' has 1"):
        require_folds(rows, 3, "slides.csv")
    require_folds(rows[:9] + [SlideRow(f"b{i}", label="b", case_id=f"b{i}") for i in range(3)], 3, "slides.csv")


def test_what_select_images_decide_needs_some():
    require_select_share({"select_share": 0.1}, {"temperature_scaling": True})
    require_select_share({"select_share": 0}, {"temperature_scaling": False})
    with pytest.raises(ConfigError, match=r"temperature_scaling .* splits.select_share is 0"):
        require_select_share({"select_share": 0.0}, {"temperature_scaling": True})


def test_planning_needs_no_package_beyond_snakemakes():
    """A launcher may hold nothing but Snakemake, which brings PyYAML and jsonschema."""
    heavy = ["numpy", "pandas", "torch", "scipy", "sklearn", "zarr", "dask", "h5py"]
    code = f"import sys\nfor name in {heavy}: sys.modules[name] = None\nimport pipeline.training.cohort.fold_plan"
    subprocess.run([sys.executable, "-c", code], check=True)
