"""What jobs of a network ask for, by the configuration and where they run: the table in docs/gpu.md.

Only the standard library is imported here: the Snakefile asks.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.devices import DeviceName, has_driver
from pipeline.errors import DeviceError


@dataclass(frozen=True)
class Place:
    """Where jobs run, as far as it decides about cards.

    Attributes
    ----------
    is_here
        Whether they run on this machine; else a scheduler such as SLURM finds them one.
    n_cards
        Cards of this machine that they may take.
    why_no_more
        Where the number comes from, in words that follow it.
    """

    is_here: bool
    n_cards: int = 0
    why_no_more: str = "nvidia-smi lists no more"


@dataclass(frozen=True)
class CardPlan:
    """What is asked for.

    Attributes
    ----------
    per_job
        Cards that a job of a network asks for, 0 or 1.
    at_once
        Jobs that may have a card at the same time; None where cores or the scheduler decide.
    fault
        Why no job with a card can start, and what to do; None where it can.
    """

    per_job: int
    at_once: int | None = None
    fault: str | None = None

    @property
    def environment(self) -> DeviceName:
        """Which conda environment its jobs have: with CUDA exactly where they ask for a card."""
        return "cuda" if self.per_job else "cpu"


NO_CARDS = CardPlan(per_job=0)


def plan_cards(device: str, gpus: int, place: Place) -> CardPlan:
    """What jobs of a network ask for.

    ``gpus`` are the cards that a run may use at once: with 0 all that this machine has, or that a scheduler gives.
    ``auto`` takes cards where they are known, by their number or because jobs run here and there are some.

    Parameters
    ----------
    device, gpus
        The keys of the configuration.
    place
        Where jobs run.
    """
    if device == "cpu":
        return NO_CARDS
    if not place.is_here:
        return CardPlan(1, gpus or None) if gpus or device == "cuda" else NO_CARDS
    if device == "auto" and gpus == 0 and place.n_cards == 0:
        return NO_CARDS
    wanted = max(gpus, 1)
    if wanted > place.n_cards:
        return CardPlan(1, wanted, _too_few(device, gpus, place))
    return CardPlan(1, gpus or place.n_cards)


def _too_few(device: str, gpus: int, place: Place) -> str:
    fewer = f"gpus: {place.n_cards}" if place.n_cards else "device: cpu"
    return (
        f"device: {device} and gpus: {gpus} want {max(gpus, 1)} of this machine's cards, and jobs may take "
        f"{place.n_cards}: {place.why_no_more}. Set {fewer}, or run where there are more."
    )


def require_solvable(environments: Iterable[str]) -> None:
    """Refuse environments for CUDA that conda would not solve on this machine.

    Parameters
    ----------
    environments
        Files of conda environments whose packages need CUDA.

    Raises
    ------
    DeviceError
        If there are any, the machine has no CUDA driver, and ``CONDA_OVERRIDE_CUDA`` does not stand in for it.
    """
    named = ", ".join(sorted(set(environments)))
    if named and not os.environ.get("CONDA_OVERRIDE_CUDA") and not has_driver():
        raise DeviceError(
            f"{named}: conda solves packages for CUDA only where it finds CUDA's driver, and this machine has none. "
            "Where jobs run on other machines, say which CUDA these have (`nvidia-smi` there tells): "
            "`export CONDA_OVERRIDE_CUDA=12.8`; else set device: cpu, or nuclei.segmenter: cellpose."
        )
