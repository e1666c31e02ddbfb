from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import ArtefactError
from pipeline.nuclei.learning.best_weights import BestWeights
from pipeline.nuclei.learning.learner import Learner
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import TrainingPictures
from pipeline.nuclei.learning.training_state import TrainingState

MADE_BY = {"parameters": {"steps": 3, "crop_px": 32}, "pictures": "abc", "first weights": None}


def parts(seed: int) -> tuple[Learner, BestWeights]:
    """A learner after one step, and no scores."""
    torch.manual_seed(seed)
    params = NucleiTrainingParams(learning_rate=0.1)
    learner = Learner(nn.Linear(3, 2), params)
    learner.step(learner.network(torch.rand(4, 3)).sum(), 0.1)
    return learner, BestWeights("w.pt", params, TrainingPictures([]), {}, torch.device("cpu"))


def test_nothing_is_gone_on_from_without_a_file(tmp_path: Path) -> None:
    learner, best = parts(0)
    assert TrainingState(tmp_path / "none", MADE_BY).restore(learner, best) == (0, 0.0)
    assert best.history == []


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_state_is_discarded(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    learner, best = parts(0)
    (tmp_path / "c").write_bytes(content)
    with caplog.at_level("WARNING"):
        assert TrainingState(tmp_path / "c", MADE_BY).restore(learner, best) == (0, 0.0)
    assert "expected the state of a training; it cannot be read" in caplog.text
    assert not (tmp_path / "c").exists()
    assert best.history == []


def test_everything_comes_back(tmp_path: Path) -> None:
    state = TrainingState(tmp_path / "c", MADE_BY)
    learner, best = parts(0)
    best.score, best.history = {"step": 2, "average_precision": 0.5}, [{"step": 1.0}, {"step": 2.0}]
    state.save(learner, best, step=7, minutes=2.5)
    other, other_best = parts(1)
    assert TrainingState(tmp_path / "c", MADE_BY).restore(other, other_best) == (7, 2.5)
    for ours, theirs in ((learner.network, other.network), (learner.average, other.average)):
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    moments = [one.optimiser.state_dict()["state"][0]["exp_avg"] for one in (learner, other)]
    assert torch.equal(*moments)
    assert (other_best.score, other_best.history) == (best.score, best.history)


@pytest.mark.parametrize(
    ("made_by", "other"),
    [
        ({**MADE_BY, "parameters": {"steps": 4, "crop_px": 32}}, "parameters"),
        ({**MADE_BY, "pictures": "abd"}, "pictures"),
        ({**MADE_BY, "first weights": "0" * 16}, "first weights"),
        ({"pictures": "abd", "parameters": {}, "first weights": None}, "parameters, pictures"),
    ],
)
def test_another_training_is_told_by_what_differs(tmp_path: Path, made_by: dict[str, object], other: str) -> None:
    learner, best = parts(0)
    TrainingState(tmp_path / "c", made_by).save(learner, best, step=1, minutes=0.0)
    with pytest.raises(ArtefactError, match=f"left by a training with other {other}; remove it"):
        TrainingState(tmp_path / "c", MADE_BY).restore(learner, best)


def test_a_state_that_does_not_say_what_made_it_is_refused(tmp_path: Path) -> None:
    learner, best = parts(0)
    torch.save({"step": 1}, tmp_path / "c")
    with pytest.raises(ArtefactError, match="other parameters, pictures"):
        TrainingState(tmp_path / "c", {"parameters": 1, "pictures": 2}).restore(learner, best)
