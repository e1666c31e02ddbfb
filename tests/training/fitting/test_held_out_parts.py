from dataclasses import replace

import numpy as np
import pytest

from pipeline.training.fitting.held_out_parts import NEVER, held_out_parts
from pipeline.training.fitting.steps import TrainingImages


def of_patients(images, per_patient):
    return [replace(image, patient=f"p{place // per_patient}") for place, image in enumerate(images)]


@pytest.mark.parametrize("n_parts", [2, 3, 5])
@pytest.mark.parametrize("per_patient", [1, 2, 3])
def test_parts_are_of_whole_patients_and_leave_every_class_in_every_role(n_parts, per_patient, random_images):
    roles = [of_patients(random_images([4] * n), per_patient) for n in (36, 18, 12)]
    roles = [
        [replace(image, patient=f"{name}{image.patient}") for image in role]
        for name, role in zip("abc", roles, strict=True)
    ]
    images = TrainingImages(*roles)
    part = held_out_parts(images, n_parts, seed=1)
    patients = np.array([image.patient for image in images.all])
    assert all(len(set(part[patients == patient])) == 1 for patient in set(patients))
    assert set(part) >= set(range(min(n_parts, 2)))
    for number in set(part) - {NEVER}:
        for role, place in zip(roles, np.split(part, np.cumsum([len(role) for role in roles])[:-1]), strict=True):
            left = [image for image, its in zip(role, place, strict=True) if its != number]
            assert {image.label for image in left} == {image.label for image in role}
    assert np.array_equal(part, held_out_parts(images, n_parts, seed=1))
    assert not np.array_equal(part, held_out_parts(images, n_parts, seed=2))


def test_parts_are_of_like_size(random_images):
    images = TrainingImages(random_images([4] * 60), random_images([4] * 30), random_images([4] * 12))
    counts = np.bincount(held_out_parts(images, 3, seed=0))
    assert counts.max() - counts.min() <= 4


def test_the_only_patient_of_a_class_in_a_role_is_never_left_out(random_images):
    images = TrainingImages(random_images([4] * 2), random_images([4] * 2), [])
    assert set(held_out_parts(images, 3, seed=0)) == {NEVER}
