"""Shifts of all patches of an image together, as stain and scanner make them, and hospitals that go with the class."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Float64s
from pipeline.errors import ConfigError

TEST_FOLD, TRAINING_FOLD = 0, 1


@dataclass(frozen=True)
class ShiftParams:
    """How images differ for reasons that are not the class.

    Attributes
    ----------
    hospital_sd, patient_sd, image_sd
        SD of what a hospital, a patient and an image add to all their patches, along each
        direction of a shift.
    directions
        Directions in which images are shifted, at least 1.
    n_hospitals
        An even number, at least 2; half of the hospitals see mostly class ``1``.
    bias
        Share of the patients of the training fold that a hospital of their class treats;
        0.5 (hospital and class independent) to 1.  In the test fold every hospital treats as
        many patients of either class.
    """

    hospital_sd: float = 4.0
    patient_sd: float = 1.0
    image_sd: float = 1.0
    directions: int = 3
    n_hospitals: int = 4
    bias: float = 0.9

    def __post_init__(self) -> None:
        if min(self.hospital_sd, self.patient_sd, self.image_sd) < 0:
            raise ConfigError("shifts.hospital_sd, patient_sd and image_sd: expected at least 0.")
        if self.directions < 1:
            raise ConfigError(f"shifts.directions: expected at least 1, found {self.directions}.")
        if self.n_hospitals < 2 or self.n_hospitals % 2:
            raise ConfigError(f"shifts.n_hospitals: expected an even number from 2, found {self.n_hospitals}.")
        if not 0.5 <= self.bias <= 1:
            raise ConfigError(f"shifts.bias: expected 0.5 to 1, found {self.bias}.")


@dataclass(frozen=True)
class ShiftedCase:
    """One patient: test fold, hospital, and the shift of each image, float64 (n_images, directions)."""

    fold: int
    hospital: int
    shifts: Float64s


def hospital_shifts(params: ShiftParams, rng: np.random.Generator) -> Float64s:
    """Shift that each hospital gives to its images, float64 (n_hospitals, directions)."""
    return np.asarray(params.hospital_sd * rng.normal(size=(params.n_hospitals, params.directions)), np.float64)


def draw_case(
    params: ShiftParams, case: int, n_images: int, of_hospitals: Float64s, rng: np.random.Generator
) -> ShiftedCase:
    """Draw hospital and shifts of patient number ``case``, whose class is ``case % 2``.

    Folds change every two patients, so that each has as many of either class.  Hospitals of
    even number see mostly class ``0`` and those of odd number mostly class ``1`` in the
    training fold; in the test fold two patients who follow each other, one of each class,
    are in one hospital.

    Parameters
    ----------
    of_hospitals
        See ``hospital_shifts``.
    """
    fold = TEST_FOLD if case // 2 % 2 else TRAINING_FOLD
    side = case % 2 if rng.random() < params.bias else 1 - case % 2
    of_class = 2 * int(rng.integers(0, params.n_hospitals // 2)) + side
    hospital = of_class if fold == TRAINING_FOLD else case // 4 % params.n_hospitals
    of_patient = of_hospitals[hospital] + params.patient_sd * rng.normal(size=params.directions)
    own = params.image_sd * rng.normal(size=(n_images, params.directions))
    return ShiftedCase(fold, hospital, np.asarray(of_patient + own, np.float64))
