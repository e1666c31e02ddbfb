"""A small planted cohort for tests of every device.

A test here takes the fixture ``device``: the default run proves its body on the processor, and
``pytest -m gpu`` runs the same on a card.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.artefacts.learned_graphs import LearnedGraph
from pipeline.synthetic.planted import PlantedImage, PlantedParams, plant_images
from pipeline.training.cohort.cohort_nodes import CohortNodes, SlideNodes
from pipeline.training.cohort.fold_plan import LabelledSlide
from pipeline.training.cohort.role_tables import split_table
from pipeline.training.cohort.seeds import Seeds
from pipeline.training.fitting.checkpoint import TrainedModel
from pipeline.training.fitting.fitting import fit_model
from pipeline.training.fitting.fitting_task import FittingTask
from pipeline.training.fitting.inference import learned_graphs, predict_probabilities
from pipeline.training.fitting.unfinished import UnfinishedFit
from pipeline.training.methods.presets import method_spec
from pipeline.training.params import SplitParams, TrainingParams

CPU = torch.device("cpu")
SMALL = PlantedParams(n_images=24, n_pairs=3, n_distractors=2, key_dim=3, nuisance_dim=2)
SHORT: dict[str, Any] = {"epochs": 2, "hidden": 8, "heads": 2, "pretraining_steps": 4, "cross_fit": 2}
NOT_KEPT = UnfinishedFit(None, {})


@dataclass(frozen=True)
class SmallCohort:
    """Twenty-four planted images and the rows of one fold."""

    planted: list[PlantedImage]

    @cached_property
    def nodes(self) -> CohortNodes:
        slides = {i.slide_id: SlideNodes(i.features, (i.coords / 256).astype(np.float32)) for i in self.planted}
        return CohortNodes(slides, tuple(f"f{column}" for column in range(SMALL.n_features)))

    @cached_property
    def rows(self) -> pd.DataFrame:
        slides = [LabelledSlide(i.slide_id, i.case_id, i.label) for i in self.planted]
        rows = split_table(slides, SplitParams(folds=3), seeds=[0])
        return rows[rows["fold"] == 0].reset_index(drop=True)

    def fit(
        self, method: str, device: torch.device, kept: UnfinishedFit = NOT_KEPT, **numbers: Any
    ) -> tuple[TrainedModel, pd.DataFrame]:
        params = TrainingParams(**{**SHORT, **numbers})
        task = FittingTask(method_spec(method, params), Seeds(0, "devices"), device, params.fitting)
        return fit_model(self.nodes, self.rows, task, kept)

    def read(self, model: TrainedModel, device: torch.device) -> tuple[np.ndarray, list[LearnedGraph]]:
        """Probabilities and graphs of the test images on ``device``, where the model is left."""
        test = self.rows.loc[self.rows["role"] == "test", "slide_id"]
        network = model.network.to(device)
        images = model.images([self.nodes.slides[slide_id] for slide_id in test], device)
        task = FittingTask(model.spec, Seeds(0, "devices"), device, model.fitting)
        with task.deterministic(0):
            return predict_probabilities(network, images, n_classes=2), learned_graphs(network, images)


@pytest.fixture(scope="session")
def small_cohort() -> SmallCohort:
    return SmallCohort(plant_images(SMALL, seed=3))


def same_bits(one: TrainedModel, other: TrainedModel) -> bool:
    """Whether two models have equal weights."""
    a, b = (model.network.state_dict() for model in (one, other))
    return all(torch.equal(a[name].cpu(), b[name].cpu()) for name in a)


@pytest.fixture(scope="session")
def equal_weights() -> Callable[[TrainedModel, TrainedModel], bool]:
    return same_bits
