"""What is fitted, and how."""

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

import torch

from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.methods.presets import MethodSpec
from pipeline.training.params import DEFAULT_FITTING, FittingParams


@dataclass(frozen=True)
class FittingTask:
    """One fit of a method, whatever the images.

    Attributes
    ----------
    spec
        The method with all its numbers.
    seeds
        Seeds of weights, dropout, noise and order.
    device
        Where it runs.
    fitting
        What is the same for every method.
    """

    spec: MethodSpec
    seeds: Seeds
    device: torch.device
    fitting: FittingParams = DEFAULT_FITTING

    def deterministic(self, seed: int) -> AbstractContextManager[None]:
        """A block with torch seeded, and the threads, kernels and products of this fit (``deterministic_torch``)."""
        return deterministic_torch(seed, self.spec.settings.threads, self.device, tf32=self.fitting.tf32)


def fitted_by(spec: MethodSpec, fitting: FittingParams) -> dict[str, object]:
    """All parameters of a fit, for its provenance: the method with its numbers, and how it is fitted."""
    return {"method": asdict(spec), "fitting": asdict(fitting)}
