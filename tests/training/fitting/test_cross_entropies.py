import numpy as np
import pytest
import torch

from pipeline.training.fitting.cross_entropies import cross_entropies


def test_they_are_torchs_and_those_of_chance_are_log_n():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 3)) * 50, rng.integers(0, 3, 20)
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels), reduction="none")
    np.testing.assert_allclose(cross_entropies(logits, labels), expected.numpy(), atol=1e-12)
    assert cross_entropies(np.zeros((1, 4)), np.array([2])) == pytest.approx(np.log(4))
