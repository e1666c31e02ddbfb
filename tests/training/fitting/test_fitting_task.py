from dataclasses import replace

from pipeline.training.fitting.fitting_task import fitted_by
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import DEFAULT_FITTING


def test_provenance_of_a_fit_tells_methods_and_numbers_apart() -> None:
    told = fitted_by(METHODS["default"], DEFAULT_FITTING)
    assert set(told) == {"method", "fitting"}
    assert fitted_by(METHODS["joint"], DEFAULT_FITTING) != told
    assert fitted_by(METHODS["default"], replace(DEFAULT_FITTING, upper_gradient="unrolled")) != told
