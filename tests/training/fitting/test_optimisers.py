import subprocess
import sys

import pytest
import torch

from pipeline.training.fitting import optimisers

JOB = """
import sys, torch
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.fitting.optimisers import AdamW
import pipeline.training.train_fold
weight = torch.nn.Parameter(torch.ones(2))
with deterministic_torch(0, 1, torch.device("cpu")):
    optimiser = AdamW([weight], fused=True)
    weight.sum().backward()
    optimiser.step()
    optimiser.zero_grad()
    optimiser.load_state_dict(optimiser.state_dict())
heavy = {"torch._dynamo", "torch._inductor", "torch_geometric", "sklearn", "dask", "scipy.stats"}
print(sorted(heavy & set(sys.modules)))
"""


def trained(optimiser_class, **settings):
    torch.manual_seed(0)
    model = torch.nn.Linear(5, 3)
    optimiser = optimiser_class(model.parameters(), lr=0.1, **settings)
    for _ in range(4):
        optimiser.zero_grad(set_to_none=True)
        model(torch.randn(6, 5)).square().sum().backward()
        optimiser.step()
    return model.weight.detach(), optimiser.state_dict()


@pytest.mark.parametrize(("name", "settings"), [("Adam", {}), ("AdamW", {"fused": True, "weight_decay": 0.3})])
def test_steps_and_states_are_those_of_torch(name, settings):
    (ours, our_state), (theirs, their_state) = (
        trained(getattr(module, name), **settings) for module in (optimisers, torch.optim)
    )
    assert torch.equal(ours, theirs)
    assert our_state["param_groups"] == their_state["param_groups"]
    for place, state in their_state["state"].items():
        assert all(torch.equal(our_state["state"][place][key], value) for key, value in state.items())


def test_a_step_takes_no_gradient_of_itself():
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = optimisers.AdamW([weight])
    weight.sum().backward()
    optimiser.step()
    assert weight.grad_fn is None


def test_a_job_of_training_imports_neither_the_compiler_nor_what_few_methods_need():
    found = subprocess.run([sys.executable, "-c", JOB], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
