"""What runs a network on a processor: PyTorch or OpenVINO; each is imported only where it runs.

Frame: network pixels; images are (n, channels, row, col).
"""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.arrays import Float32s
from pipeline.errors import DeviceError
from pipeline.nuclei.network.cpnet_folding import Folded
from pipeline.nuclei.params import Precision, RuntimeName

if TYPE_CHECKING:
    from torch import Tensor


class Runtime(Protocol):
    """Runs a network on images."""

    def __call__(self, inputs: "Float32s | Tensor") -> "Float32s | Tensor":
        """Output (n, 3, h, w), float32, of inputs (n, 2, h, w); a tensor on the runtime's device where it is torch."""


class OpenVinoRuntime:
    """OpenVINO on the CPU in float32, compiled once for images of any size.

    Parameters
    ----------
    folded
        The network.
    threads
        Threads of one pass.

    Raises
    ------
    DeviceError
        If OpenVINO is not installed.
    """

    def __init__(self, folded: Folded, *, threads: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise DeviceError(
                "runtime: openvino was asked for and is not installed; pip install openvino, or use torch."
            ) from error
        from pipeline.nuclei.network.cpnet_openvino import openvino_model

        settings: dict[str, Any] = {
            # OpenVINO would choose bfloat16 by itself on processors that have it.
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        self.request = openvino.Core().compile_model(openvino_model(folded), "CPU", settings).create_infer_request()

    def __call__(self, inputs: "Float32s | Tensor") -> Float32s:
        """One image after the other."""
        images = np.ascontiguousarray(inputs)
        return np.concatenate([self.request.infer([image[None]])[0] for image in images])


def open_runtime(folded: Folded, *, runtime: RuntimeName, precision: Precision, threads: int) -> Runtime:
    """Runtime of that name on a processor; ``auto`` is OpenVINO.

    Raises
    ------
    DeviceError
        If it is not installed, or not for ``precision``.
    """
    if runtime == "torch" or (runtime == "auto" and precision != "float32"):
        import torch

        from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
        from pipeline.nuclei.network.torch_runtime import TorchRuntime

        torch.set_num_threads(threads)
        # A processor gains nothing from more images and loses its caches and reused memory.
        return TorchRuntime(FoldedNetwork(folded), torch.device("cpu"), precision=precision, images_per_pass=1)
    if precision != "float32":
        raise DeviceError(
            f"runtime: openvino runs on the CPU in float32, found cpu and {precision}; "
            f"use device: cpu and precision: float32, or runtime: torch."
        )
    return OpenVinoRuntime(folded, threads=threads)
