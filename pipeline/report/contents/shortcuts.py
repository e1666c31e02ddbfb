"""Whether what surrounds the tissue tells classes apart: a model could learn that instead.

What is looked at are facts of a slide that no pathologist would read a class from. Each is held against the class over
patients, by how much of it the class explains beyond chance: labels of patients are exchanged among each other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from pipeline.arrays import Float64s, Int64s
from pipeline.report.contents.cohort_outcome import SlideSummary

PERMUTATIONS = 999
"""Of the classes over patients, by which chance is judged."""

PERMUTATION_SEED = 0

TELLING = 0.1
"""Least share of a fact's variation, beyond chance, that the class explains where it is told of."""

LEVEL = 0.01
"""Of the permutation test, after Bonferroni's correction for the number of facts."""

TCGA_SITE = re.compile(r"TCGA-(\w\w)-\w{4}", re.IGNORECASE)
"""Patient barcodes of TCGA name the tissue source site (docs.gdc.cancer.gov, TCGA barcode)."""


@dataclass(frozen=True)
class Shortcut:
    """A fact that goes with the class.

    Attributes
    ----------
    fact
        In words.
    explained
        Share of its variation between patients that the class explains, less what chance does.
    p
        Permutation test, uncorrected.
    """

    fact: str
    explained: float
    p: float


def shortcuts(slides: Sequence[SlideSummary]) -> tuple[Shortcut, ...]:
    """Facts of slides that go with their classes, the most telling first.

    Parameters
    ----------
    slides
        With label.
    """
    facts = {name: values for name, values in slide_facts(slides).items() if _varies(values)}
    found = [
        Shortcut(name, *association(_indicators(values), _classes(kept), _patients(kept)))
        for name, values in facts.items()
        if (kept := [slide for slide, value in zip(slides, values, strict=True) if value is not None])
    ]
    telling = [one for one in found if one.explained >= TELLING and one.p * len(found) <= LEVEL]
    return tuple(sorted(telling, key=lambda one: -one.explained))


def slide_facts(slides: Sequence[SlideSummary]) -> dict[str, list[float | str | None]]:
    """By name, one value a slide: a number, a word, or None where it is not known."""
    sites = [TCGA_SITE.match(slide.row.case_id) for slide in slides]
    return {
        "the resolution of level 0": [slide.slide_mpp for slide in slides],
        "the file format": [None if s.row.path is None else s.row.path.suffix.lower() for s in slides],
        "the sharpness of tiles": [slide.sharpness for slide in slides],
        "colours that haematoxylin and eosin do not make": [slide.off_stain for slide in slides],
        "the size of the scanned area": [
            None if s.width_mm is None or s.height_mm is None else s.width_mm * s.height_mm for s in slides
        ],
        "the hospital (site code of TCGA)": [None if site is None else site.group(1).upper() for site in sites],
    }


def association(values: Float64s, classes: Int64s, patients: Int64s) -> tuple[float, float]:
    """Share of the variation of ``values`` between classes less its mean under exchanged labels, and p of the exchange.

    Patients are the units: values of a patient's slides of one class are averaged.

    Parameters
    ----------
    values
        float64 (n, d); the variation is the sum over columns.
    classes, patients
        int64 (n,).
    """
    _, unit = np.unique(np.stack([patients, classes]), axis=1, return_inverse=True)
    unit = unit.ravel()
    size = np.bincount(unit).astype(np.float64)
    means = np.stack([np.bincount(unit, column) / size for column in values.T], axis=1)
    labels = np.zeros(len(size), np.int64)
    labels[unit] = classes
    observed = _explained(means, labels)
    rng = np.random.default_rng(PERMUTATION_SEED)
    drawn = np.array([_explained(means, rng.permutation(labels)) for _ in range(PERMUTATIONS)])
    p = (1 + int((drawn >= observed - 1e-12).sum())) / (1 + PERMUTATIONS)
    return float(observed - drawn.mean()), float(p)


def _explained(values: Float64s, labels: Int64s) -> float:
    centred = values - values.mean(axis=0)
    whole = float((centred**2).sum())
    members = np.eye(int(labels.max()) + 1)[labels]
    sums = members.T @ centred
    between = float(((sums**2).sum(axis=1) / np.maximum(members.sum(axis=0), 1.0)).sum())
    return between / whole if whole else 0.0


def _indicators(values: Sequence[float | str | None]) -> Float64s:
    """Ranks of numbers, float64 (n, 1); one column a word, float64 (n, n_words)."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, str) for value in known):
        words = sorted({str(value) for value in known})
        return np.array([[float(value == word) for word in words] for value in known])
    return np.asarray(rankdata(np.array(known, np.float64)), np.float64)[:, None]


def _varies(values: Sequence[float | str | None]) -> bool:
    return len({value for value in values if value is not None}) > 1


def _classes(slides: Sequence[SlideSummary]) -> Int64s:
    return np.unique([str(slide.row.label) for slide in slides], return_inverse=True)[1].astype(np.int64)


def _patients(slides: Sequence[SlideSummary]) -> Int64s:
    return np.unique([slide.row.case_id for slide in slides], return_inverse=True)[1].astype(np.int64)
