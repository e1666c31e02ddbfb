from itertools import pairwise

import numpy as np
import pytest
import torch

from pipeline.nuclei.network.field_of_view import FIELD_PX, field_starts, forward_in_fields, taper


@pytest.mark.parametrize("side", [1, 100, 224, 240, 528, 1040])
def test_fields_cover_the_side(side: int) -> None:
    starts = field_starts(side)
    assert starts[0] == 0
    assert starts[-1] == max(0, side - FIELD_PX)
    assert all(right - left <= 0.9 * FIELD_PX for left, right in pairwise(starts))


def test_known_starts() -> None:
    """1.2 times 528 px are 2.8 fields, so three, whose first pixels are 152 px apart."""
    assert field_starts(528) == [0, 152, 304]


@pytest.mark.parametrize("shape", [(1, 1), (30, 17), (224, 300), (470, 240)])
def test_what_every_field_agrees_on_is_left_as_it_is(shape: tuple[int, int]) -> None:
    inputs = np.random.default_rng(0).random((2, 2, *shape), dtype=np.float32)
    sizes = []

    def run(fields: np.ndarray) -> np.ndarray:
        sizes.append(fields.shape[2:])
        return np.concatenate([fields, fields[:, :1] * 2], axis=1)

    output = forward_in_fields(run, inputs)
    assert output.numpy() == pytest.approx(np.concatenate([inputs, inputs[:, :1] * 2], axis=1), abs=1e-6)
    assert all(height % 8 == width % 8 == 0 and max(height, width) <= FIELD_PX for height, width in sizes)


def test_a_field_s_edge_weighs_less_than_its_middle() -> None:
    weight = taper(FIELD_PX)
    assert weight[FIELD_PX // 2] > 0.99
    assert weight[0] == weight[-1] < 0.1
    assert torch.equal(taper(64), weight[80:144])
