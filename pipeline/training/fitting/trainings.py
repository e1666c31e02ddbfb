"""Several trainings one after the other that a killed job goes on with as if they were one."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from pipeline.training.classifiers.image_classifier import ImageClassifier
from pipeline.training.fitting.bilevel import fit
from pipeline.training.fitting.epoch_records import EpochRecord
from pipeline.training.fitting.steps import Objective, TrainingImages
from pipeline.training.fitting.unfinished import State, UnfinishedFit


class Trainings:
    """Trainings whose outcomes and whose one state share a file.

    Parameters
    ----------
    unfinished
        State to go on from, and where it is kept.
    device
        Where its tensors go.
    """

    def __init__(self, unfinished: UnfinishedFit, device: torch.device) -> None:
        self._unfinished = unfinished
        state = unfinished.read(device) or {"done": [], "training": None}
        self._earlier: list[dict[str, Any]] = state["done"]
        self._interrupted: State | None = state["training"]
        self._done: list[dict[str, Any]] = []

    def run(
        self, network: ImageClassifier, images: TrainingImages, objective: Objective, order_seed: int
    ) -> tuple[list[EpochRecord], list[Tensor]]:
        """``fit`` ``network`` in place, or give it what that training came to before.

        Returns
        -------
        Its history, and the logits of the ``select`` images after each epoch, (n, n_classes).
        """
        if len(self._done) < len(self._earlier):
            outcome = self._earlier[len(self._done)]
            network.load_state_dict(outcome["weights"])
            history = [EpochRecord(**record) for record in outcome["history"]]
            select_logits = [logits.cpu() for logits in outcome["select_logits"]]
        else:
            select_logits = []
            history = fit(
                network, images, objective, order_seed=order_seed, unfinished=self, select_logits=select_logits
            )
            records = [asdict(record) for record in history]
            outcome = {"weights": network.state_dict(), "history": records, "select_logits": select_logits}
        self._done.append(outcome)
        return history, select_logits

    def read(self, device: torch.device) -> State | None:
        """The state of the training that was interrupted, once."""
        state, self._interrupted = self._interrupted, None
        return state

    def offer(self, state: Callable[[], State]) -> None:
        """See ``UnfinishedFit.offer``; with the state go the outcomes before it."""
        self._unfinished.offer(lambda: {"done": self._done, "training": state()})
