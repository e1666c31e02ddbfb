"""The state from which a training goes on after it was cut off; it stands beside the weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artefacts.torch_file import read_unfinished, write_torch
from pipeline.errors import ArtefactError
from pipeline.logs import get_logger
from pipeline.nuclei.learning.best_weights import BestWeights
from pipeline.nuclei.learning.learner import Learner

logger = get_logger("nuclei")


class TrainingState:
    """How far a training is, on disk.

    Parameters
    ----------
    path
        The file; need not exist.
    made_by
        Everything that the training's result depends on, by name.
    """

    def __init__(self, path: Path, made_by: Mapping[str, Any]) -> None:
        self.path = path
        self.made_by = dict(made_by)

    def save(self, learner: Learner, best: BestWeights, *, step: int, minutes: float) -> None:
        """Write the state after ``step`` steps in ``minutes``."""
        content = {
            "made_by": self.made_by,
            "step": step,
            "minutes": minutes,
            "best": best.score,
            "history": best.history,
            **learner.state_dict(),
        }
        write_torch(self.path, content)

    def restore(self, learner: Learner, best: BestWeights) -> tuple[int, float]:
        """Fill learner and scores with the stored ones; returns steps and minutes of work done, 0 without a file.

        See ``read_unfinished`` of a file that cannot be read.

        Raises
        ------
        ArtefactError
            If the state was made by another training; an hour's work is not thrown away unasked.
        """
        stored = read_unfinished(self.path)
        if stored is None:
            return 0, 0.0
        self._check(stored.get("made_by", {}))
        learner.load_state_dict(stored)
        best.score, best.history = stored["best"], stored["history"]
        logger.info("going on after step %d", stored["step"])
        return int(stored["step"]), float(stored["minutes"])

    def _check(self, made_by: Mapping[str, Any]) -> None:
        other = sorted(name for name, value in self.made_by.items() if made_by.get(name) != value)
        if other:
            raise ArtefactError(
                f"{self.path}: left by a training with other {', '.join(other)}; remove it, or go on with what made it."
            )
