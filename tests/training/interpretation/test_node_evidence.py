import numpy as np
import torch

from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.interpretation import node_evidence as module
from pipeline.training.interpretation.node_evidence import node_evidence, occlusion_groups


def image(values, coords=None):
    n = len(values)
    places = np.zeros((n, 2)) if coords is None else coords
    return NodeImage(torch.tensor(values).reshape(n, 1).float(), torch.as_tensor(places).float(), -1)


def total_of(images):
    """A model that adds its patches up: what one says is its own value."""
    sums = torch.stack([one.x.sum() for one in images])
    return torch.stack([sums, -sums], dim=1)


def test_a_patch_says_its_own_value_in_a_model_that_adds_up():
    evidence = node_evidence(image([1.0, -2.0, 5.0]), np.arange(3), total_of)
    np.testing.assert_allclose(evidence, [[1, -1], [-2, 2], [5, -5]])


def test_patches_left_out_together_share_what_they_say():
    evidence = node_evidence(image([1.0, 3.0, 5.0]), np.array([0, 0, 1]), total_of)
    np.testing.assert_allclose(evidence[:, 0], [2, 2, 5])


def test_one_patch_is_compared_with_the_average_one():
    np.testing.assert_allclose(node_evidence(image([4.0]), np.zeros(1, int), total_of), [[4, -4]])


def test_small_images_have_a_group_a_patch():
    np.testing.assert_array_equal(occlusion_groups(np.zeros((5, 2), np.float32), 1000), np.arange(5))


def test_large_images_are_left_out_in_the_smallest_squares_that_are_few_enough(monkeypatch):
    monkeypatch.setattr(module, "LEAST_GROUPS", 4)
    rows, columns = np.divmod(np.arange(36), 6)
    groups = occlusion_groups(np.stack([columns, rows], axis=1).astype(np.float32), 36 * 4)
    assert sorted(np.bincount(groups)) == [9, 9, 9, 9]
    first = np.flatnonzero(groups == groups[0])
    assert set(zip(rows[first], columns[first], strict=True)) == {(r, c) for r in range(3) for c in range(3)}
