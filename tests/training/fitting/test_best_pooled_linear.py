import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from pipeline.errors import CohortError
from pipeline.training.classifiers.node_pooling import pooled_images
from pipeline.training.fitting.best_pooled_linear import (
    INNER_FOLDS,
    best_pooled_linear,
    cross_entropy,
    inner_folds,
)
from pipeline.training.graphs.image_batches import NodeImage


def drawn(n_images, n_features=6, n_classes=2, shift=1.0, scale=0.0, per_patient=1, seed=0):
    """Images whose first feature is shifted, or spread, by class."""
    rng = np.random.default_rng(seed)
    images = []
    for place in range(n_images):
        patient = place // per_patient
        label = patient % n_classes
        x = rng.normal(size=(6, n_features))
        x[:, 0] = x[:, 0] * (1 + scale * label) + shift * label
        images.append(NodeImage(torch.from_numpy(x).float(), torch.zeros(6, 2), label, f"patient {patient}"))
    return images


def labels_of(images):
    return np.array([image.label for image in images])


@pytest.mark.parametrize(("n_classes", "n_features"), [(2, 6), (3, 6), (2, 60), (3, 60)])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_final_fit_is_scikit_learns_with_the_chosen_pooling_and_penalty(n_classes, n_features, balanced):
    # Fewer of the first class, so that balancing tells; with 60 features fewer images than values.
    images = drawn(60, n_features, n_classes)[n_classes * 8 - 1 :]
    images = [image for place, image in enumerate(images) if image.label or place % 2]
    best = best_pooled_linear(images, balanced=balanced, seed=0)
    pooled = pooled_images(images)
    columns = pooled if best.pooling == "mean_sd" else pooled[:, :n_features]
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    regression = LogisticRegression(
        C=best.inverse_penalty, max_iter=5000, tol=1e-8, class_weight="balanced" if balanced else None
    )
    expected = regression.fit(standard, labels_of(images)).predict_proba(standard)
    np.testing.assert_allclose(softmax(pooled @ best.weight.T + best.bias, axis=1), expected, atol=2e-3)


def test_the_pooling_is_chosen_by_what_tells_the_classes_apart():
    by_mean = best_pooled_linear(drawn(80, shift=1.0), balanced=True, seed=0)
    by_spread = best_pooled_linear(drawn(80, shift=0.0, scale=1.0), balanced=True, seed=0)
    assert by_mean.pooling == "mean"
    assert not by_mean.weight[:, 6:].any()
    assert by_spread.pooling == "mean_sd"
    assert by_mean.loss < math.log(2)


def test_labels_that_nothing_explains_get_a_strong_penalty_and_chance():
    best = best_pooled_linear(drawn(400, n_features=20, shift=0.0), balanced=True, seed=0)
    assert best.inverse_penalty <= 1e-3
    assert best.loss == pytest.approx(math.log(2), abs=0.01)


def test_held_out_logits_come_from_a_fit_without_the_patient():
    images = drawn(40, per_patient=2)
    best = best_pooled_linear(images, balanced=True, seed=0)
    fold = inner_folds(labels_of(images), [image.patient for image in images], seed=0)
    assert (fold[::2] == fold[1::2]).all()
    assert best.held_out.shape == (40, 2)
    assert best.loss == pytest.approx(cross_entropy(best.held_out, labels_of(images), balanced=True))
    pooled, held = pooled_images(images), fold == fold[0]
    columns = pooled if best.pooling == "mean_sd" else pooled[:, :6]
    centre, scale = columns[~held].mean(axis=0), columns[~held].std(axis=0)
    regression = LogisticRegression(C=best.inverse_penalty, max_iter=5000, tol=1e-8, class_weight="balanced")
    regression.fit((columns[~held] - centre) / scale, labels_of(images)[~held])
    expected = regression.predict_proba((columns[held] - centre) / scale)
    np.testing.assert_allclose(softmax(best.held_out[held], axis=1), expected, atol=2e-3)


def test_the_same_seed_gives_the_same_model():
    one, other = (best_pooled_linear(drawn(30), balanced=False, seed=4) for _ in range(2))
    assert np.array_equal(one.weight, other.weight)
    assert np.array_equal(one.held_out, other.held_out)


def test_folds_keep_patients_whole_and_every_class_outside():
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    patients = [*"aabbcd", *"eefg"]
    fold = inner_folds(labels, patients, seed=1)
    assert len(set(fold)) == 3
    assert all(len(set(fold[np.array(patients) == patient])) == 1 for patient in set(patients))
    assert all(set(labels[fold != number]) == {0, 1} for number in set(fold))


def test_many_patients_get_five_folds_of_each_class():
    labels = np.arange(50) % 2
    fold = inner_folds(labels, [str(place) for place in range(50)], seed=0)
    assert np.bincount(fold * 2 + labels).tolist() == [5] * 2 * INNER_FOLDS


def test_a_patient_with_images_of_both_classes_stays_whole():
    labels, patients = np.array([0, 1, 0, 1, 0, 1]), [*"aabcde"]
    fold = inner_folds(labels, patients, seed=0)
    assert fold[0] == fold[1]


def test_a_class_of_one_patient_is_refused():
    images = [replace(image, patient="one" if image.label else image.patient) for image in drawn(12)]
    with pytest.raises(CohortError, match="at least two patients a class; found 6, 1 patients"):
        best_pooled_linear(images, balanced=True, seed=0)


def test_images_without_a_patient_stand_for_themselves():
    unknown = [replace(image, patient="") for image in drawn(20)]
    best = best_pooled_linear(unknown, balanced=True, seed=0)
    assert np.isfinite(best.held_out).all()


def test_balanced_cross_entropy_is_the_mean_over_classes():
    logits, labels = np.log([[0.5, 0.5], [0.25, 0.75], [0.1, 0.9]]), np.array([0, 0, 1])
    first, second, third = -np.log([0.5, 0.25, 0.9])
    assert cross_entropy(logits, labels, balanced=False) == pytest.approx((first + second + third) / 3)
    assert cross_entropy(logits, labels, balanced=True) == pytest.approx(((first + second) / 2 + third) / 2)
