"""The best linear model of pooled nodes: logistic regression whose penalty and pooling inner folds choose.

Inner folds are by whole patients of the images given, and no other image has a say.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.errors import CohortError
from pipeline.training.classifiers.node_pooling import pooled_images
from pipeline.training.classifiers.pooled_linear import PooledLinear, Pooling
from pipeline.training.cohort.fold_plan import LabelledSlide, patients_by_class
from pipeline.training.cohort.patient_folds import apportion
from pipeline.training.fitting.cross_entropies import cross_entropies
from pipeline.training.graphs.image_batches import NodeImage, labels_of, patients_of

POOLINGS: tuple[Pooling, ...] = ("mean", "mean_sd")

INVERSE_PENALTIES = tuple(10.0 ** (power / 2) for power in range(-8, 3))
"""Values of C tried, 1e-4 to 10: the loss weighs C times as much as half the squared norm of the weights."""

INNER_FOLDS = 5
"""Inner folds, or as many as the rarest class has patients."""

SOLVER_ITERATIONS = 2000
"""Most iterations of the logistic regression's solver."""


def best_pooled_linear(images: Sequence[NodeImage], *, balanced: bool, seed: int) -> PooledLinear:
    """Fit the linear model of pooled nodes with the least loss on patients that it has not seen.

    Every pooling and penalty is fitted in each inner fold on the other ones; the choice with
    the least cross-entropy of all images held out is fitted anew on all of them.

    Parameters
    ----------
    images
        With labels 0 to n_classes - 1, each of at least two patients.
    balanced
        Whether classes weigh by their inverse frequency, in fits and in the loss that decides.
    seed
        Of the inner folds.

    Raises
    ------
    CohortError
        If the patients cannot be divided so that every class is also outside each inner fold.
    """
    pooled, labels = pooled_images(images), labels_of(images)
    fold = inner_folds(labels, patients_of(images), seed)
    held_out = {
        (pooling, penalty): logits
        for pooling in POOLINGS
        for penalty, logits in _held_out(_columns(pooled, pooling), labels, fold, balanced=balanced).items()
    }
    losses = {choice: cross_entropy(logits, labels, balanced=balanced) for choice, logits in held_out.items()}
    pooling, penalty = min(losses, key=lambda choice: losses[choice])
    weight, bias = next(_fits(_columns(pooled, pooling), labels, [penalty], balanced=balanced))
    padding = ((0, 0), (0, pooled.shape[1] - weight.shape[1]))
    choice = pooling, penalty
    return PooledLinear(np.pad(weight, padding), bias, pooling, penalty, held_out[choice], losses[choice])


def inner_folds(labels: Int64s, patients: Sequence[str], seed: int) -> Int64s:
    """Inner fold of each image, int64 (n,), by whole patients; outside each fold every class has a patient.

    Raises
    ------
    CohortError
        If there are no such folds.
    """
    slides = [
        LabelledSlide(str(place), patient, str(label))
        for place, (patient, label) in enumerate(zip(patients, labels, strict=True))
    ]
    by_class = patients_by_class(slides)
    n_folds = min(INNER_FOLDS, *(len(cases) for cases in by_class.values()))
    shares = [1 / n_folds] * n_folds
    parts = apportion(slides, shares, (), np.random.default_rng(seed), outside=1) if n_folds > 1 else None
    if parts is None:
        counted = ", ".join(str(len(cases)) for cases in by_class.values())
        raise CohortError(
            "choosing the penalty of a logistic regression needs images of every class outside each inner fold, from "
            f"at least two patients a class; found {counted} patients of the classes. Add patients."
        )
    return np.array([parts[patient] for patient in patients])


def cross_entropy(logits: Float64s, labels: Int64s, *, balanced: bool) -> float:
    """Mean cross-entropy in nats of logits (n, n_classes); ``balanced`` first means over the images of each class."""
    losses = cross_entropies(logits, labels)
    if not balanced:
        return float(losses.mean())
    return float(np.mean([losses[labels == label].mean() for label in np.unique(labels)]))


def _columns(pooled: Float64s, pooling: Pooling) -> Float64s:
    return pooled if pooling == "mean_sd" else pooled[:, : pooled.shape[1] // 2]


def _held_out(pooled: Float64s, labels: Int64s, fold: Int64s, *, balanced: bool) -> Mapping[float, Float64s]:
    """Logits (n, n_classes) of all images by C, each from the fit on the other inner folds."""
    logits = {penalty: np.zeros((len(labels), labels.max() + 1)) for penalty in INVERSE_PENALTIES}
    for number in np.unique(fold):
        test: Bools = fold == number
        fits = _fits(pooled[~test], labels[~test], INVERSE_PENALTIES, balanced=balanced)
        for penalty, (weight, bias) in zip(INVERSE_PENALTIES, fits, strict=True):
            logits[penalty][test] = pooled[test] @ weight.T + bias
    return logits


def _fits(
    pooled: Float64s, labels: Int64s, penalties: Sequence[float], *, balanced: bool
) -> Iterator[tuple[Float64s, Float64s]]:
    """Weights (n_classes, d) and biases (n_classes,) for ``pooled`` (n, d) as it is, one after the other by C.

    The penalty is on weights of standardised columns; each fit starts from the one before.
    """
    # The import takes a second, which only methods with a linear model should pay.
    from sklearn.linear_model import LogisticRegression

    centre, spread = pooled.mean(axis=0), pooled.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    rows, basis = _in_row_space((pooled - centre) / scale)
    regression = LogisticRegression(
        max_iter=SOLVER_ITERATIONS, class_weight="balanced" if balanced else None, warm_start=True
    )
    for penalty in penalties:
        regression.set_params(C=penalty).fit(rows, labels)
        turned = _per_class(regression.coef_)
        weight = (turned if basis is None else turned @ basis.T) / scale
        yield weight, _per_class(regression.intercept_[:, None])[:, 0] - weight @ centre


def _in_row_space(rows: Float64s) -> tuple[Float64s, Float64s | None]:
    """Coordinates (n, n) of ``rows`` (n, d) and their orthonormal basis (d, n); ``rows`` and None where d <= n.

    A ridge penalty does not change when axes are turned, so that a fit on few images of
    many features costs what few features cost.
    """
    if rows.shape[1] <= len(rows):
        return rows, None
    basis, coordinates = np.linalg.qr(rows.T)
    return coordinates.T, basis


def _per_class(parameters: Float64s) -> Float64s:
    """One row a class; scikit-learn gives one row for two classes, the logit of the second."""
    return np.concatenate([-parameters, parameters]) / 2 if len(parameters) == 1 else parameters
