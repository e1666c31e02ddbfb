"""Every method on every device: it trains, repeats itself to the bit, and reads images as the processor does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import DeviceError
from pipeline.training.fitting import bilevel, unfinished
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.methods.presets import METHODS
from tests.gpu.conftest import CPU, SmallCohort

ONE_MODEL_TOLERANCE = 1e-4
"""Largest difference of a probability, or of the weight of an edge, that one model gives on two devices."""

TF32_TOLERANCE = 5e-3
"""The same where products are rounded to 10 bits."""

TRAINING_TOLERANCE = 1e-2
"""Largest difference of a probability after two epochs without noise: rounding, as far as it has grown by then."""

BFLOAT16_TOLERANCE = 0.05
"""The same with training in mixed precision."""

OTHER_WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "default, all pairs": ("default", {"target_degree": 0, "spatial_term": True}),
    "default, candidates": ("default", {"dense_limit": 4, "target_degree": 2, "spatial_term": True}),
    "joint, candidates": ("joint", {"dense_limit": 4, "target_degree": 2}),
    "cosine_graph, searched": ("cosine_graph", {"dense_limit": 4, "target_degree": 2}),
    "spatial_graph, searched": ("spatial_graph", {"dense_limit": 4, "target_degree": 2}),
    "default, unrolled": ("default", {"upper_gradient": "unrolled"}),
    "default, neumann": ("default", {"upper_gradient": "neumann"}),
}
WAYS = {name: (name, {}) for name in METHODS} | OTHER_WAYS
WITHOUT_NOISE = ["joint", "joint, candidates", "cosine_graph", "spatial_graph", "mean_pool", "attention_mil", "wikg"]


@pytest.mark.parametrize("way", WAYS)
def test_a_model_reads_images_as_on_the_processor_and_its_training_repeats_itself(
    way: str,
    device: torch.device,
    small_cohort: SmallCohort,
    equal_weights: Callable[[TrainedModel, TrainedModel], bool],
) -> None:
    method, numbers = WAYS[way]
    model, history = small_cohort.fit(method, device, **numbers)
    assert all(weight.device.type == device.type for weight in model.network.parameters())
    assert np.isfinite(history["lower_loss"].astype(float)).all()
    if device != CPU or way == "joint":
        assert equal_weights(model, small_cohort.fit(method, device, **numbers)[0])
    there, graphs = small_cohort.read(model, device)
    here, expected = small_cohort.read(model, CPU)
    np.testing.assert_allclose(there, here, atol=ONE_MODEL_TOLERANCE)
    for graph, same in zip(graphs, expected, strict=True):
        np.testing.assert_array_equal(graph.edge_index, same.edge_index)
        np.testing.assert_allclose(graph.weight, same.weight, atol=ONE_MODEL_TOLERANCE)


@pytest.mark.parametrize("way", WITHOUT_NOISE)
def test_a_training_without_noise_is_that_of_the_processor(
    way: str, device: torch.device, small_cohort: SmallCohort
) -> None:
    method, numbers = WAYS[way]
    models = [small_cohort.fit(method, place, dropout=0.0, **numbers)[0] for place in (device, CPU)]
    there, here = (small_cohort.read(model, CPU)[0] for model in models)
    np.testing.assert_allclose(there, here, atol=TRAINING_TOLERANCE)


@pytest.mark.parametrize("method", ["default", "paper_a", "joint", "attention_mil", "cosine_graph"])
def test_mixed_precision_learns_the_same_on_a_card_and_is_refused_elsewhere(
    method: str, device: torch.device, small_cohort: SmallCohort
) -> None:
    if device == CPU:
        with pytest.raises(DeviceError, match="bfloat16 needs a CUDA device"):
            small_cohort.fit(method, device, precision="bfloat16")
        return
    models = [small_cohort.fit(method, device, precision=p, dropout=0.0)[0] for p in ("bfloat16", "float32")]
    assert all(w.dtype == torch.float32 for w in models[0].network.parameters())
    half, single = (small_cohort.read(model, device)[0] for model in models)
    np.testing.assert_allclose(half, single, atol=BFLOAT16_TOLERANCE)


def test_tf32_changes_a_model_s_probabilities_by_no_more_than_is_said(
    device: torch.device, small_cohort: SmallCohort
) -> None:
    model, _ = small_cohort.fit("joint", device, tf32=True)
    assert model.fitting.tf32
    there, here = (small_cohort.read(model, place)[0] for place in (device, CPU))
    np.testing.assert_allclose(there, here, atol=TF32_TOLERANCE)


class KilledError(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize(("method", "precision"), [("joint", "float32"), ("paper_a", "float32"), ("joint", "bfloat16")])
def test_a_killed_training_goes_on_to_the_same_bits(
    method: str,
    precision: str,
    device: torch.device,
    small_cohort: SmallCohort,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    equal_weights: Callable[[TrainedModel, TrainedModel], bool],
) -> None:
    if device == CPU and precision != "float32":
        pytest.skip("mixed precision is for cards")
    numbers = {"epochs": 2, "dropout": 0.3, "precision": precision, "patience": 0}
    whole, _ = small_cohort.fit(method, device, **numbers)
    record = bilevel._record

    def dies(epoch: int, *rest: Any, **more: Any) -> Any:
        if epoch == 1:
            raise KilledError
        return record(epoch, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "PART_SECONDS", 0.0)
        patch.setattr(bilevel, "_record", dies)
        with pytest.raises(KilledError):
            small_cohort.fit(method, device, UnfinishedFit(tmp_path, {"by": 1}), **numbers)
    assert list(tmp_path.rglob("*.pt"))
    again, _ = small_cohort.fit(method, device, UnfinishedFit(tmp_path, {"by": 1}), **numbers)
    assert equal_weights(again, whole)
