from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import ArtefactError
from pipeline.nuclei.learning.best_weights import BestWeights
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import TrainingPictures
from pipeline.nuclei.learning.training_state import TrainingState

MADE_BY = {"parameters": {"steps": 3, "crop_px": 32}, "pictures": "abc", "first weights": None}


def parts(seed: int) -> tuple[nn.Module, torch.optim.Optimizer, BestWeights]:
    """A network and its optimiser after one step."""
    torch.manual_seed(seed)
    network = nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.rand(4, 3)).sum().backward()
    optimiser.step()
    return (
        network,
        optimiser,
        BestWeights("w.pt", NucleiTrainingParams(), TrainingPictures([]), {}, torch.device("cpu")),
    )


def test_nothing_is_gone_on_from_without_a_file(tmp_path: Path) -> None:
    network, optimiser, best = parts(0)
    assert TrainingState(tmp_path / "none", MADE_BY).restore(network, optimiser, best) == 0
    assert best.history == []


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_state_is_discarded(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    network, optimiser, best = parts(0)
    (tmp_path / "c").write_bytes(content)
    with caplog.at_level("WARNING"):
        assert TrainingState(tmp_path / "c", MADE_BY).restore(network, optimiser, best) == 0
    assert "expected the state of a training; it cannot be read" in caplog.text
    assert not (tmp_path / "c").exists()
    assert best.history == []


def test_everything_comes_back(tmp_path: Path) -> None:
    state = TrainingState(tmp_path / "c", MADE_BY)
    network, optimiser, best = parts(0)
    best.score, best.history = {"step": 2, "average_precision": 0.5}, [{"step": 1.0}, {"step": 2.0}]
    state.save(network, optimiser, best, step=7)
    other, other_optimiser, other_best = parts(1)
    assert TrainingState(tmp_path / "c", MADE_BY).restore(other, other_optimiser, other_best) == 7
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))
    moments = [one.state_dict()["state"][0]["exp_avg"] for one in (optimiser, other_optimiser)]
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
    network, optimiser, best = parts(0)
    TrainingState(tmp_path / "c", made_by).save(network, optimiser, best, step=1)
    with pytest.raises(ArtefactError, match=f"left by a training with other {other}; remove it"):
        TrainingState(tmp_path / "c", MADE_BY).restore(network, optimiser, best)


def test_a_state_that_does_not_say_what_made_it_is_refused(tmp_path: Path) -> None:
    network, optimiser, best = parts(0)
    torch.save({"step": 1}, tmp_path / "c")
    with pytest.raises(ArtefactError, match="other parameters, pictures"):
        TrainingState(tmp_path / "c", {"parameters": 1, "pictures": 2}).restore(network, optimiser, best)
