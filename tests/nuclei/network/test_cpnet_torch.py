import pytest
import torch

from pipeline.nuclei.learning.cellpose_cpnet import build_network, state_of
from pipeline.nuclei.network.cpnet_folding import Folded, fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.weights import Weights


@pytest.fixture(params=[False, True], ids=["plain", "style"])
def folded(request: pytest.FixtureRequest) -> Folded:
    torch.manual_seed(0)
    channels, style = (2, 4, 8, 8), bool(request.param)
    return fold(
        Weights("t", "0" * 16, state_of(build_network(channels, style=style)), channels, "haematoxylin", 16.0, style)
    )


def test_three_planes_of_any_multiple_of_the_stride(folded: Folded) -> None:
    network = FoldedNetwork(folded)
    assert network(torch.rand(2, 2, 24, 40)).shape == (2, 3, 24, 40)
    assert network.style_on == any(level.styles for level in folded.up)


def test_images_of_a_batch_do_not_meet(folded: Folded) -> None:
    network = FoldedNetwork(folded)
    images = torch.rand(3, 2, 16, 24)
    alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(network(images), alone, rtol=1e-5, atol=1e-6)


def test_it_only_infers(folded: Folded) -> None:
    network = FoldedNetwork(folded)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_tensors_are_its_own(folded: Folded) -> None:
    network = FoldedNetwork(folded)
    with torch.no_grad():
        network.output.weight.zero_()
    assert folded.output.weight.any()
