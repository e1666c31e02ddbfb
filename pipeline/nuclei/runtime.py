"""What runs a network: PyTorch on any device, or OpenVINO on a CPU.

Frame: network pixels; images are (n, channels, row, col).
"""

import warnings
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import DeviceError
from pipeline.logs import get_logger
from pipeline.nuclei.params import Precision, RuntimeName

logger = get_logger("nuclei")


class Runtime(Protocol):
    """Runs a network on images."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """Output (n, 3, h, w), float32, on the runtime's device, of float32 inputs (n, 2, h, w) on the CPU."""


class TorchRuntime:
    """PyTorch, channels last.

    Parameters
    ----------
    network
        Maps (n, 2, h, w) to (n, 3, h, w).
    device
        Where it runs.
    precision
        Of convolutions; ``float16`` on CUDA only.
    images_per_pass
        At most; None takes all that are given.

    Raises
    ------
    DeviceError
        If ``float16`` is asked for on a CPU.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        *,
        precision: Precision = "float32",
        images_per_pass: int | None = None,
    ) -> None:
        if precision == "float16" and device.type != "cuda":
            raise DeviceError(f"precision: float16 needs a CUDA device, found {device}; use float32.")
        self.network = network.to(device)
        self.device = device
        self.precision = precision
        self.images_per_pass = images_per_pass

    def __call__(self, inputs: Tensor) -> Tensor:
        """Halves the images in a pass, for good, while the device's memory is too small.

        Raises
        ------
        DeviceError
            If the memory is too small for one image.
        """
        n_images = len(inputs)
        while True:
            size = min(n_images, self.images_per_pass or n_images)
            try:
                return torch.cat([self._forward(part) for part in torch.split(inputs, size)])
            except torch.OutOfMemoryError as error:
                if size == 1:
                    height, width = inputs.shape[2:]
                    raise DeviceError(
                        f"{self.device}: too little memory for one image of {width} x {height} pixels; "
                        f"use smaller tiles or the CPU."
                    ) from error
                self.images_per_pass = size // 2
                logger.warning("%s: out of memory with %d images, now %d a pass", self.device, size, size // 2)
            # After the handler, because the error's traceback holds on to tensors.
            torch.cuda.empty_cache()

    def _forward(self, inputs: Tensor) -> Tensor:
        half = torch.autocast(self.device.type, dtype=torch.float16, enabled=self.precision == "float16")
        with torch.inference_mode(), half:
            output: Tensor = self.network(self._moved(inputs))
        return output.float()

    def _moved(self, inputs: Tensor) -> Tensor:
        if self.device.type == "cuda":
            inputs = inputs.pin_memory()
        return inputs.to(self.device, memory_format=torch.channels_last, non_blocking=True)


class OpenVinoRuntime:
    """OpenVINO on the CPU in float32, compiled once for each size of image.

    Parameters
    ----------
    network
        Maps (n, 2, h, w) to (n, 3, h, w).
    threads
        Threads of one pass.

    Raises
    ------
    DeviceError
        If OpenVINO is not installed.
    """

    def __init__(self, network: nn.Module, *, threads: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise DeviceError(
                "runtime: openvino was asked for and is not installed; pip install openvino, or use torch."
            ) from error
        self.network = network
        self.settings = {
            # OpenVINO would choose bfloat16 by itself on processors that have it.
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        self.core = openvino.Core()
        self.compiled: dict[tuple[int, ...], Any] = {}

    def __call__(self, inputs: Tensor) -> Tensor:
        """One image after the other."""
        request = self._request(inputs[:1].contiguous())
        images = inputs.contiguous().numpy()
        return torch.from_numpy(np.concatenate([request.infer([image[None]])[0] for image in images]))

    def _request(self, example: Tensor) -> Any:
        shape = tuple(example.shape)
        if shape not in self.compiled:
            from openvino.frontend import FrontEndManager
            from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

            with torch.inference_mode(), warnings.catch_warnings():
                # TorchScript is what OpenVINO's front end reads.
                warnings.simplefilter("ignore", DeprecationWarning)
                traced = torch.jit.trace(self.network, example)  # type: ignore[no-untyped-call]
            front_end = FrontEndManager().load_by_framework("pytorch")
            # Named, because the front end does not keep it alive.
            decoder = TorchScriptPythonDecoder(traced)
            model = front_end.convert(front_end.load(decoder))
            model.reshape(list(shape))
            self.compiled[shape] = self.core.compile_model(model, "CPU", self.settings).create_infer_request()
        return self.compiled[shape]


def open_runtime(
    network: nn.Module, device: torch.device, *, runtime: RuntimeName, precision: Precision, threads: int
) -> Runtime:
    """Runtime of that name; ``auto`` is OpenVINO on a CPU and PyTorch elsewhere.

    Raises
    ------
    DeviceError
        If it is not installed, or not for ``device`` or ``precision``.
    """
    if runtime == "torch" or (runtime == "auto" and (device.type != "cpu" or precision != "float32")):
        # A processor gains nothing from more images and loses its caches and reused memory.
        return TorchRuntime(network, device, precision=precision, images_per_pass=1 if device.type == "cpu" else None)
    if device.type != "cpu" or precision != "float32":
        raise DeviceError(
            f"runtime: openvino runs on the CPU in float32, found {device} and {precision}; "
            f"use device: cpu and precision: float32, or runtime: torch."
        )
    return OpenVinoRuntime(network, threads=threads)
