"""The best weights of a training so far, on disk, with the scores of all that were considered."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch.nn import Module

from pipeline.logs import get_logger
from pipeline.nuclei.learning.save_weights import save_weights
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import Kinds, TrainingPictures
from pipeline.nuclei.learning.validation import trained_weights, validate

Score = dict[str, float]
"""Step, loss or share, average precision of each kind of held-out image and their mean."""

logger = get_logger("nuclei")


@dataclass
class BestWeights:
    """Keeper of the weights that do best on held-out images.

    Attributes
    ----------
    path
        File of the best weights.
    params, pictures
        Of the training; stored with the weights.
    held_out
        What they are judged by.
    device
        Where they are judged.
    score, history
        Of the best, and of all in turn.
    """

    path: str | Path
    params: NucleiTrainingParams
    pictures: TrainingPictures
    held_out: Kinds
    device: torch.device
    score: Score = field(default_factory=lambda: {"step": 0, "average_precision": -math.inf})
    history: list[Score] = field(default_factory=list)

    def consider(self, network: Module, known: Mapping[str, float]) -> None:
        """Validate a network and write its weights unless earlier ones were better; without held-out images always.

        Parameters
        ----------
        known
            What is known of it and goes into its score.
        """
        score = {**known, **validate(network, self.held_out, self.params, self.device)}
        self.history.append(score)
        logger.info("of %d steps: %s", self.params.steps, ", ".join(f"{key} {score[key]:.4g}" for key in score))
        precision = score["average_precision"]
        if math.isnan(precision) or precision >= self.score["average_precision"]:
            self.score = score
            self._save(network)

    def _save(self, network: Module) -> None:
        training = {"params": asdict(self.params), "best": self.score, "history": self.history}
        sources = [asdict(source) for source in self.pictures.sources]
        weights = replace(
            trained_weights(network, self.params),
            name=Path(self.path).stem,
            diameter_px=self.params.working_diameter_px,
            licence=self.pictures.licence,
            training={**training, "sources": sources, **self.pictures.provenance},
        )
        save_weights(self.path, weights)
