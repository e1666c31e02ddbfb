import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pipeline.nuclei.learning import best_weights
from pipeline.nuclei.learning.best_weights import BestWeights
from pipeline.nuclei.learning.cellpose_cpnet import build_network
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import TrainingPictures
from pipeline.nuclei.network.weights import load_weights

PARAMS = NucleiTrainingParams(base_channels=2, diameter_px=16.0, working_diameter_px=20.0)


@pytest.fixture
def best(tmp_path: Path) -> BestWeights:
    pictures = TrainingPictures([], licence="CC0-1.0", provenance={"data": "painted"})
    return BestWeights(tmp_path / "w.pt", PARAMS, pictures, {}, torch.device("cpu"))


def considered(best: BestWeights, monkeypatch: pytest.MonkeyPatch, *precisions: float) -> list[float]:
    """Step whose weights are on disk after each network; the first tensor of a network holds its step."""
    scores: Iterator[float] = iter(precisions)
    monkeypatch.setattr(best_weights, "validate", lambda *arguments: {"average_precision": next(scores)})
    network = build_network(PARAMS.channels, style=False)
    kept = []
    for step in range(1, len(precisions) + 1):
        with torch.no_grad():
            network.output[2].bias.fill_(step)
        best.consider(network, {"step": step})
        kept.append(float(load_weights(best.path).state["output.2.bias"][0]))
    return kept


def test_the_best_are_kept_and_of_equals_the_last(best: BestWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    assert considered(best, monkeypatch, 0.0, 0.5, 0.4, 0.5, 0.6, 0.1) == [1, 2, 2, 4, 5, 5]
    assert best.score == {"step": 5, "average_precision": 0.6}
    assert [score["step"] for score in best.history] == [1, 2, 3, 4, 5, 6]


def test_without_a_score_the_last_are_kept(best: BestWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    assert considered(best, monkeypatch, math.nan, math.nan) == [1, 2]


def test_the_file_says_how_they_were_made_and_at_which_scale_they_are_used(
    best: BestWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    considered(best, monkeypatch, 0.5, 0.7)
    weights = load_weights(best.path)
    assert (weights.diameter_px, weights.licence, weights.input) == (20.0, "CC0-1.0", "haematoxylin_luminance")
    assert weights.training["best"] == {"step": 2, "average_precision": 0.7}
    assert [score["step"] for score in weights.training["history"]] == [1, 2]
    assert weights.training["params"]["diameter_px"] == 16.0
    assert weights.training["data"] == "painted"
