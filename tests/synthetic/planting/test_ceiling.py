import numpy as np
import pytest

from pipeline.synthetic.planting.ceiling import Ceiling, accuracy_with_true_edges, edge_differences
from pipeline.synthetic.planting.planted_image import PlantedImage, grid_coords


def image(features, pairs, label="0"):
    return PlantedImage("a", "p", label, np.asarray(features, np.float32), grid_coords(len(features)), np.array(pairs))


def test_differences_along_edges_by_hand():
    # Pairs (0, 1) and (2, 0): differences (1, -2) and (3, 0); moments 1 + 9, -2 + 0 and 4 + 0, halved.
    values = edge_differences(image([[0, 0], [-1, 2], [3, 0]], [[0, 2], [1, 0]]))
    np.testing.assert_allclose(values, [5, -1, 2])


def test_a_shift_of_the_image_changes_nothing():
    rng = np.random.default_rng(0)
    features, pairs = rng.normal(size=(6, 3)), [[0, 1], [2, 3]]
    np.testing.assert_allclose(
        edge_differences(image(features, pairs)),
        edge_differences(image(features + np.array([5, -2, 9]), pairs)),
        rtol=1e-4,
    )


def agreeing(n, follow, seed):
    """Images of two pairs whose first column agrees in class 1, if it follows the class."""
    rng = np.random.default_rng(seed)
    images = []
    for number in range(n):
        sign = rng.choice([-1, 1], size=2)
        agrees = number % 2 if follow else rng.integers(0, 2)
        first = np.concatenate([sign, sign * (1 if agrees else -1)])
        images.append(image(np.column_stack([first, rng.normal(size=4)]), [[0, 1], [2, 3]], str(number % 2)))
    return images


def test_the_classifier_reads_agreement_and_nothing_where_there_is_none():
    assert accuracy_with_true_edges(agreeing(200, follow=True, seed=0), agreeing(100, follow=True, seed=1)) == 1.0
    # 200 fair coins: SD 0.035.
    guessed = accuracy_with_true_edges(agreeing(400, follow=False, seed=0), agreeing(200, follow=False, seed=1))
    assert guessed == pytest.approx(0.5, abs=0.12)


def test_a_ceiling_says_what_is_not_known():
    assert str(Ceiling(None, 0.98)) == "ceiling: Bayes not known, a classifier given the true edges 0.980"
    assert str(Ceiling(1.0, 0.5)) == "ceiling: Bayes 1.000, a classifier given the true edges 0.500"
