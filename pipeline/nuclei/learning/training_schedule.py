"""How far a training is, by steps and by the clock, and the learning rate that goes with it."""

import math
import time

from pipeline.nuclei.learning.training_params import NucleiTrainingParams


class Clock:
    """Minutes that a training has taken, those before it was cut off included.

    Parameters
    ----------
    minutes_before
        Of its earlier runs, up to the state that it goes on from.
    """

    def __init__(self, minutes_before: float = 0.0) -> None:
        self._start = time.monotonic() - 60 * minutes_before

    @property
    def minutes(self) -> float:
        """Minutes until now."""
        return (time.monotonic() - self._start) / 60


def learning_rate_factor(step: int, params: NucleiTrainingParams, *, minutes: float = 0.0) -> float:
    """Linear rise over ``warmup_steps``, then half a cosine to 0 at the end (Loshchilov & Hutter 2017).

    The end is ``steps`` or ``max_minutes``, whichever is nearer.
    """
    if step < params.warmup_steps:
        return (step + 1) / params.warmup_steps
    share = (step - params.warmup_steps) / max(1, params.steps - params.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, max(share, share_of_time(params, minutes)))))


def share_of_time(params: NucleiTrainingParams, minutes: float) -> float:
    """Share of ``max_minutes`` that has passed, 1 and more when they are over; 0 without a limit."""
    return minutes / params.max_minutes if params.max_minutes else 0.0
