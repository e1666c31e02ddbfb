import pytest

from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_schedule import Clock, learning_rate_factor, share_of_time


def test_learning_rate_rises_then_falls_to_nothing() -> None:
    params = NucleiTrainingParams(steps=110, warmup_steps=10)
    factors = [learning_rate_factor(step, params) for step in (0, 9, 10, 60, 109)]
    assert factors == pytest.approx([0.1, 1, 1, 0.5, 0], abs=1e-3)


def test_the_nearer_end_decides() -> None:
    """Of 60 minutes 0, 30, 60 and 90 have passed at step 10 of 110, and at step 85 the steps are nearer their end."""
    params = NucleiTrainingParams(steps=110, warmup_steps=10, max_minutes=60.0)
    factors = [learning_rate_factor(10, params, minutes=minutes) for minutes in (0, 30, 60, 90)]
    assert factors == pytest.approx([1, 0.5, 0, 0])
    assert learning_rate_factor(60, params, minutes=15.0) == pytest.approx(0.5)


def test_without_a_limit_no_time_has_passed() -> None:
    assert share_of_time(NucleiTrainingParams(), 1e6) == 0
    assert share_of_time(NucleiTrainingParams(max_minutes=4.0), 5.0) == 1.25


def test_a_clock_goes_on_where_it_stood() -> None:
    assert 0 <= Clock().minutes < 1
    assert 30 <= Clock(30.0).minutes < 31
