"""Which images each graph model of a cross-fit leaves out, by whole patients."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Int64s
from pipeline.training.cohort.fold_plan import LabelledSlide
from pipeline.training.cohort.patient_folds import apportion
from pipeline.training.fitting.steps import TrainingImages
from pipeline.training.graphs.image_batches import NodeImage, patients_of

NEVER = -1
"""Part of the images that every model is fitted on."""


def held_out_parts(images: TrainingImages, n_parts: int, seed: int) -> Int64s:
    """Part, 0 to ``n_parts`` - 1 or NEVER, of each of ``images.all``, (n,).

    Patients of one role and class are spread over the parts, so that outside each part
    every role keeps the classes that it has.  The only patient of a class in a role is
    never left out; where no spread does it, nobody of that role is.
    """
    rng = np.random.default_rng(seed)
    parts = [_of_role(role, n_parts, rng) for role in (images.train, images.structure, images.select)]
    return np.concatenate(parts)


def _of_role(images: Sequence[NodeImage], n_parts: int, rng: np.random.Generator) -> Int64s:
    patients = patients_of(images)
    labels = [str(image.label) for image in images]
    of_class = Counter(label for _, label in set(zip(patients, labels, strict=True)))
    alone = {patient for patient, label in zip(patients, labels, strict=True) if of_class[label] == 1}
    slides = [
        LabelledSlide(str(place), patient, label)
        for place, (patient, label) in enumerate(zip(patients, labels, strict=True))
        if patient not in alone
    ]
    spread = apportion(slides, [1 / n_parts] * n_parts, (), rng, outside=1) if slides else {}
    return np.array([(spread or {}).get(patient, NEVER) for patient in patients], np.int64)
