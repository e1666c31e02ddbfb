import torch

from pipeline.training.fitting import unfinished as module
from pipeline.training.fitting.steps import Objective
from pipeline.training.fitting.trainings import Trainings
from pipeline.training.fitting.unfinished import UnfinishedFit
from tests.training.fitting.small_models import EVEN, small

CPU = torch.device("cpu")


def run(roles, folder, n=3, stop_in=None):
    """Train ``n`` networks one after the other; weights and histories."""
    trainings, results = Trainings(UnfinishedFit(folder, {"a": 1}), CPU), []
    for number in range(n):
        if number == stop_in:
            return results
        spec, network = small("joint")
        with torch.random.fork_rng():
            torch.manual_seed(number)
            history, logits = trainings.run(network, roles, Objective(spec, EVEN), number)
        results.append((network.state_dict(), history, logits))
    return results


def test_trainings_go_on_from_the_one_that_was_interrupted(roles, tmp_path, monkeypatch):
    whole = run(roles, None)
    monkeypatch.setattr(module, "PART_SECONDS", 0.0)
    run(roles, tmp_path, stop_in=2)
    fitted = []
    monkeypatch.setattr("pipeline.training.fitting.trainings.fit", counting(fitted))
    again = run(roles, tmp_path)
    # The state was last written in the second training, after which the first one's outcome is kept.
    assert len(fitted) == 2
    for (state, history, logits), (expected, expected_history, expected_logits) in zip(again, whole, strict=True):
        assert all(torch.equal(state[name], expected[name]) for name in expected)
        assert str(history) == str(expected_history)
        assert torch.equal(torch.stack(logits), torch.stack(expected_logits))


def counting(fitted):
    from pipeline.training.fitting.bilevel import fit

    def counted(*arguments, **named):
        fitted.append(1)
        return fit(*arguments, **named)

    return counted


def test_without_a_folder_nothing_is_kept(roles):
    assert [len(history) for _, history, _ in run(roles, None)] == [3, 3, 3]
