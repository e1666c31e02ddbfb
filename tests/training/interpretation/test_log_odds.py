import torch

from pipeline.training.interpretation.log_odds import log_odds


def test_log_odds_are_those_of_the_probabilities():
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 9.0]], dtype=torch.float64)
    p = (logits / 2).softmax(dim=1)
    torch.testing.assert_close(log_odds(logits, 2.0), (p / (1 - p)).log())


def test_two_classes_differ_by_sign():
    said = log_odds(torch.tensor([[3.0, 1.0]]))
    assert said.tolist() == [[2.0, -2.0]]
