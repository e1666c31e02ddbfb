import pytest
import torch

from pipeline.training.graphs.adjacency import NoEdges, PairAdjacency
from pipeline.training.graphs.candidates import CandidatePairs, Candidates
from pipeline.training.graphs.edge_kernels import OWN_KERNELS
from pipeline.training.graphs.pairs import AllPairs

ADJACENCY = torch.tensor([[0.0, 1, 3], [2, 0, 0], [0, 0, 0]])


def dense(*matrices):
    """One image, one head a matrix."""
    n = len(matrices[0])
    return PairAdjacency(AllPairs(torch.ones(1, n, dtype=torch.bool)), torch.stack(matrices).unsqueeze(0))


def as_candidates(*matrices):
    """The same with every other node as a candidate, and an empty slot in each row."""
    n = len(matrices[0])
    own = torch.arange(n).unsqueeze(1)
    others = torch.tensor([[c for c in range(n) if c != r] for r in range(n)])
    neighbour = torch.cat([others, own], dim=1).int().expand(len(matrices), -1, -1)
    filled = (neighbour != own).contiguous()
    weights = torch.stack([m.gather(1, others) for m in matrices])
    weights = torch.cat([weights, torch.zeros(len(matrices), n, 1)], dim=2)
    return PairAdjacency(CandidatePairs(Candidates(neighbour, filled), [n], OWN_KERNELS), weights)


@pytest.fixture(params=[dense, as_candidates], ids=["all pairs", "candidates"])
def adjacency(request):
    return request.param


def test_messages_are_weighted_sums_head_by_head(adjacency):
    h = torch.tensor([[1.0, 10], [2, 20], [5, 50]])
    messages = adjacency(ADJACENCY, 2 * ADJACENCY.T).messages(h if adjacency is as_candidates else h.unsqueeze(0))
    # Node 0 hears 1 of node 1 and 3 of node 2; in the second head 4 of node 1.
    expected = [[17, 170, 8, 80], [2, 20, 2, 20], [0, 0, 6, 60]]
    assert messages.view(3, 4).tolist() == expected


def test_effective_degrees_by_hand(adjacency):
    # (1 + 3)^2 / (1 + 9) and 1 in the first head; equal weights of two neighbours in the second.
    two = torch.tensor([[0.0, 5, 5], [0, 0, 0], [0, 0, 0]])
    degree = adjacency(ADJACENCY, two).effective_degree()
    torch.testing.assert_close(degree, torch.tensor([(1.6 + 2) / 2, 0.5, 0]))


def test_the_degree_leaves_out_the_diagonal_and_padding():
    nodes = torch.tensor([[True, True, False]])
    weights = torch.tensor([[1.0, 2, 9], [4, 1, 9], [9, 9, 9]]).view(1, 1, 3, 3)
    assert PairAdjacency(AllPairs(nodes), weights).effective_degree().tolist() == [1, 1]


def test_the_penalty_is_the_mean_absolute_weight_of_all_pairs(adjacency):
    assert adjacency(ADJACENCY, -ADJACENCY).mean_weight().item() == pytest.approx(12 / 18)


def test_the_normalisation_is_the_textbook_formula(adjacency):
    degree = ADJACENCY.sum(dim=1)
    root = torch.diag(torch.where(degree > 0, degree.clamp_min(1).rsqrt(), 0))
    expected = root @ ADJACENCY @ root
    h = torch.eye(3)
    normalised = adjacency(ADJACENCY).symmetrically_normalised()
    messages = normalised.messages(h if adjacency is as_candidates else h.unsqueeze(0)).view(3, 3)
    torch.testing.assert_close(messages, expected)


def test_normalisation_of_a_path_of_three_with_loops():
    path = torch.tensor([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    root = 6**-0.5
    expected = torch.tensor([[1 / 2, root, 0], [root, 1 / 3, root], [0, root, 1 / 2]])
    torch.testing.assert_close(dense(path).symmetrically_normalised().weights[0, 0], expected)


def test_isolated_nodes_stay_zero_and_have_finite_gradients():
    weights = torch.zeros(1, 1, 2, 2, requires_grad=True)
    adjacency = PairAdjacency(AllPairs(torch.ones(1, 2, dtype=torch.bool)), weights)
    normalised = adjacency.symmetrically_normalised().weights
    assert not normalised.any()
    normalised.sum().backward()
    assert torch.isfinite(weights.grad).all()


def test_gradients_are_those_of_finite_differences(adjacency):
    start = adjacency(ADJACENCY.double() + 0.5)
    h = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    h = h if adjacency is as_candidates else h.unsqueeze(0)

    def outputs(weights, h):
        graph = PairAdjacency(start.pairs, weights * start.pairs.mask)
        return graph.messages(h), graph.symmetrically_normalised().messages(h), graph.mean_weight()

    inputs = start.weights.double().requires_grad_(), h.requires_grad_()
    assert torch.autograd.gradcheck(outputs, inputs)
    assert torch.autograd.gradgradcheck(outputs, inputs)


def test_no_edges_send_nothing():
    graph = NoEdges()
    assert graph.messages(torch.ones(2, 3, 5)).shape == (2, 3, 0)
    assert graph.symmetrically_normalised() is graph
    assert graph.mean_weight() == 0
    assert graph.effective_degree().shape == (0,)
