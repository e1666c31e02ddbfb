import importlib.util

import numpy as np
import pytest
import torch

from pipeline.errors import DeviceError
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.network_runtime import OpenVinoRuntime, open_runtime
from pipeline.nuclei.network.weights import Weights

CPU = torch.device("cpu")
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "float16"}, "float16 needs a CUDA device"),
        ({"runtime": "openvino", "precision": "float16"}, "openvino runs on the CPU in float32"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, str], message: str, tiny_weights: Weights) -> None:
    wanted = {"runtime": "torch", "precision": "float32", **settings}
    with pytest.raises(DeviceError, match=message):
        open_runtime(fold(tiny_weights), threads=1, **wanted)  # type: ignore[arg-type]


@pytest.mark.skipif(importlib.util.find_spec("openvino") is not None, reason="OpenVINO is installed")
def test_openvino_that_is_not_there(tiny_weights: Weights) -> None:
    with pytest.raises(DeviceError, match="pip install openvino, or use torch"):
        OpenVinoRuntime(fold(tiny_weights), threads=1)


@needs_openvino
def test_openvino_gives_the_network_s_output(tiny_weights: Weights) -> None:
    network = FoldedNetwork(fold(tiny_weights))
    runtime = OpenVinoRuntime(fold(tiny_weights), threads=1)
    for shape in ((3, 2, 40, 56), (1, 2, 24, 24)):
        inputs = np.random.default_rng(0).random(shape, dtype=np.float32)
        output = runtime(inputs)
        assert output == pytest.approx(network(torch.from_numpy(inputs)).numpy(), abs=1e-4)
        assert np.array_equal(output, runtime(inputs))
