"""Neighbours and sums along edges on every device, against the processor and against plain definitions."""

import pytest
import torch
from torch.nn.functional import normalize

from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.graphs.candidates import CandidateParams, find_candidates
from pipeline.training.graphs.neighbour_search import most_similar, nearest_in_space
from pipeline.training.graphs.sparse_kernels import Pattern, dots, product, transposed_product

SAME_NEIGHBOURS = 0.999
"""Least share of neighbours that are the same: those of nearly equal similarity may change places by rounding."""


def unit_vectors(n_nodes: int) -> torch.Tensor:
    return normalize(torch.randn(2, n_nodes, 8, generator=torch.Generator().manual_seed(n_nodes)), dim=2)


@pytest.mark.parametrize("n_nodes", [40, 2048, 5000])
def test_the_same_neighbours_are_found_as_by_the_processor(n_nodes: int, device: torch.device) -> None:
    points = unit_vectors(n_nodes)
    with deterministic_torch(0, 1, device):
        (there, seen_there), (here, seen_here) = most_similar(points.to(device), 9), most_similar(points, 9)
    same = (there.cpu().unsqueeze(3) == here.unsqueeze(2)).any(dim=3).double().mean()
    assert same >= SAME_NEIGHBOURS
    assert torch.equal(seen_there.cpu(), seen_here)


def test_neighbours_in_space_are_on_the_device_of_their_positions(device: torch.device) -> None:
    coords = torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    nearest = nearest_in_space(coords.to(device), 4)
    assert nearest.device.type == device.type
    assert torch.equal(nearest.cpu(), nearest_in_space(coords, 4))


def test_candidates_hold_no_neighbour_twice(device: torch.device) -> None:
    coords = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)).to(device)
    candidates = find_candidates(unit_vectors(200).to(device), coords, CandidateParams(6, 4))
    named = torch.zeros(2, 200, 200, dtype=torch.int64)
    named.scatter_add_(2, candidates.neighbour.cpu().long(), candidates.filled.cpu().long())
    assert named.max() == 1
    assert candidates.filled.sum(dim=2).min() >= 6


def test_products_along_edges_and_their_gradients_are_those_of_the_dense_matrix(device: torch.device) -> None:
    n_rows, n_columns, n_slots, width = 300, 200, 7, 5
    draws = torch.Generator().manual_seed(0)
    column = torch.randint(n_columns, (n_rows, n_slots), generator=draws, dtype=torch.int32)
    weight, g, h = (
        torch.randn(*shape, generator=draws) for shape in ((n_rows, n_slots), (n_rows, width), (n_columns, width))
    )

    def along_edges(weight: torch.Tensor, g: torch.Tensor, h: torch.Tensor) -> list[torch.Tensor]:
        pattern = Pattern(column.to(device), n_columns)
        return [product(weight, pattern, h), transposed_product(weight, pattern, g), dots(g, pattern, h)]

    def dense(weight: torch.Tensor, g: torch.Tensor, h: torch.Tensor) -> list[torch.Tensor]:
        rows = torch.arange(n_rows).unsqueeze(1).expand(-1, n_slots)
        matrix = torch.zeros(n_rows, n_columns, dtype=weight.dtype)
        matrix = matrix.index_put((rows, column.long()), weight, accumulate=True)
        return [matrix @ h, matrix.T @ g, (g.unsqueeze(1) * h[column.long()]).sum(dim=2)]

    with deterministic_torch(0, 1, device):
        found = with_gradients(along_edges, [x.to(device) for x in (weight, g, h)])
    expected = with_gradients(dense, [x.double() for x in (weight, g, h)])
    for ours, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.cpu().double(), plain, atol=1e-4, rtol=1e-4)


def with_gradients(call, inputs):
    """Results of a call and the gradients of the sum of their squares."""
    inputs = [x.requires_grad_() for x in inputs]
    results = call(*inputs)
    return [*results, *torch.autograd.grad(sum(result.square().sum() for result in results), inputs)]
