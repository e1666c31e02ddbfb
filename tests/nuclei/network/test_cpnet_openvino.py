import numpy as np
import pytest
import torch

from pipeline.nuclei.learning.cellpose_cpnet import build_network, state_of
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.weights import Weights

openvino = pytest.importorskip("openvino")


@pytest.mark.parametrize("style", [False, True])
def test_one_model_for_every_size_and_the_same_output_as_torch(style: bool) -> None:
    from pipeline.nuclei.network.cpnet_openvino import openvino_model

    torch.manual_seed(0)
    channels = (2, 4, 8, 8)
    state = state_of(build_network(channels, style=style))
    folded = fold(Weights("t", "0" * 16, state, channels, "haematoxylin", 16.0, style))
    model = openvino_model(folded)
    assert model.inputs[0].partial_shape.to_string() == "[1,2,?,?]"
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for height, width in ((8, 8), (24, 40)):
        image = np.random.default_rng(0).random((1, 2, height, width), dtype=np.float32)
        expected = FoldedNetwork(folded)(torch.from_numpy(image)).numpy()
        assert compiled([image])[0] == pytest.approx(expected, abs=1e-4)
