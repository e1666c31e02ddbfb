import math

import torch

from pipeline.training.fitting.epoch_records import LEAST_GAIN, BestIterate, Tally


def test_means_over_an_epoch_weigh_batches_by_their_images():
    tally = Tally(torch.zeros(2, dtype=torch.float64))
    assert all(math.isnan(value) for value in tally.means(tally.sums))
    tally.images = 4
    tally.add(torch.tensor(1.0), torch.tensor([[2.0, 0], [2, 0], [2, 0]]), torch.tensor([0, 0, 1]))
    tally.add(torch.tensor(5.0), torch.tensor([[0.0, 1]]), torch.tensor([1]))
    assert tally.means(tally.sums) == (2, 0.75)


def test_a_better_iterate_must_be_better_by_more_than_the_least_gain():
    best, model = BestIterate(), torch.nn.Linear(1, 1)
    best.offer(1.0, 0, model)
    kept = model.weight.clone()
    with torch.no_grad():
        model.weight.add_(1)
    best.offer(1.0 - LEAST_GAIN / 2, 1, model)
    assert (best.epoch, best.loss) == (0, 1)
    assert torch.equal(best.state["weight"], kept)
    best.offer(1.0 - 2 * LEAST_GAIN, 2, model)
    assert best.epoch == 2
    assert torch.equal(best.state["weight"], kept + 1)
