from dataclasses import replace

import torch

from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting.fitting_task import FittingTask, fitted_by
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import DEFAULT_FITTING


def test_provenance_of_a_fit_tells_methods_and_numbers_apart() -> None:
    told = fitted_by(METHODS["default"], DEFAULT_FITTING)
    assert set(told) == {"method", "fitting"}
    assert fitted_by(METHODS["joint"], DEFAULT_FITTING) != told
    assert fitted_by(METHODS["default"], replace(DEFAULT_FITTING, upper_gradient="unrolled")) != told


def test_a_fit_runs_with_its_threads_and_its_products() -> None:
    spec = replace(METHODS["joint"], settings=replace(METHODS["joint"].settings, threads=2))
    task = FittingTask(spec, Seeds(0, "fold"), torch.device("cpu"), replace(DEFAULT_FITTING, tf32=True))
    with task.deterministic(5):
        assert torch.get_num_threads() == 2
        assert torch.backends.cuda.matmul.allow_tf32
        drawn = torch.rand(3)
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(5)))
