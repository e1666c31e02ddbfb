"""PyTorch as what runs a network.

Frame: network pixels; images are (n, channels, row, col).
"""

import torch
from torch import Tensor, nn

from pipeline.arrays import Float32s
from pipeline.errors import DeviceError
from pipeline.nuclei.network.as_many_as_fit import AsManyAsFit
from pipeline.nuclei.params import Precision


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
        self.in_parts = AsManyAsFit(self.forward, device, images_per_pass)

    def __call__(self, inputs: Float32s | Tensor) -> Tensor:
        """Output on the device; halves the images in a pass, for good, while the device's memory is too small.

        Raises
        ------
        DeviceError
            If the memory is too small for one image.
        """
        return self.in_parts(torch.as_tensor(inputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Output (n, 3, h, w), float32, of inputs (n, 2, h, w) on the device, in one pass."""
        half = torch.autocast(self.device.type, dtype=torch.float16, enabled=self.precision == "float16")
        with torch.inference_mode(), half:
            output: Tensor = self.network(self._moved(inputs))
        return output.float()

    def _moved(self, inputs: Tensor) -> Tensor:
        if self.device.type == "cuda" and not inputs.is_cuda:
            inputs = inputs.pin_memory()
        return inputs.to(self.device, memory_format=torch.channels_last, non_blocking=True)
