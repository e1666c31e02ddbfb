import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.synthetic.planting.shifts import TEST_FOLD, TRAINING_FOLD, ShiftParams, draw_case, hospital_shifts


def cases(params, n_cases, seed=0):
    rng = np.random.default_rng(seed)
    of_hospitals = hospital_shifts(params, rng)
    return of_hospitals, [draw_case(params, case, 2, of_hospitals, rng) for case in range(n_cases)]


def test_hospitals_of_a_class_treat_its_patients_in_the_training_fold():
    drawn = cases(ShiftParams(bias=0.9), 2000)[1]
    own_side = [c.hospital % 2 == k % 2 for k, c in enumerate(drawn) if c.fold == TRAINING_FOLD]
    # 1,000 draws: SD 0.0095.
    assert np.mean(own_side) == pytest.approx(0.9, abs=0.04)


def test_hospitals_treat_both_classes_alike_in_the_test_fold():
    counts = np.zeros((4, 2))
    for number, case in enumerate(cases(ShiftParams(), 320)[1]):
        if case.fold == TEST_FOLD:
            counts[case.hospital, number % 2] += 1
    np.testing.assert_array_equal(counts, 20)


def test_images_of_a_patient_lie_about_it_and_patients_about_their_hospital():
    of_hospitals, drawn = cases(ShiftParams(hospital_sd=4.0, patient_sd=2.0, image_sd=0.5), 4000)
    own = np.stack([case.shifts[0] - case.shifts[1] for case in drawn])
    assert own.std() / np.sqrt(2) == pytest.approx(0.5, rel=0.05)
    patients = np.stack([case.shifts[0] - of_hospitals[case.hospital] for case in drawn])
    assert patients.std() == pytest.approx(np.hypot(2.0, 0.5), rel=0.05)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"hospital_sd": -1.0}, "hospital_sd"),
        ({"directions": 0}, "directions"),
        ({"n_hospitals": 3}, "n_hospitals"),
        ({"bias": 0.4}, "bias"),
    ],
)
def test_impossible_shifts_are_refused(values, key):
    with pytest.raises(ConfigError, match=key):
        ShiftParams(**values)
