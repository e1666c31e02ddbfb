"""PyTorch as what runs a network.

Frame: network pixels; images are (n, channels, row, col).
"""

import torch
from torch import Tensor, nn

from pipeline.arrays import Float32s
from pipeline.errors import DeviceError
from pipeline.logs import get_logger
from pipeline.nuclei.params import Precision

logger = get_logger("nuclei")


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

    def __call__(self, inputs: Float32s | Tensor) -> Tensor:
        """Output on the device; halves the images in a pass, for good, while the device's memory is too small.

        Raises
        ------
        DeviceError
            If the memory is too small for one image.
        """
        images = torch.as_tensor(inputs)
        n_images = len(images)
        while True:
            size = min(n_images, self.images_per_pass or n_images)
            try:
                return torch.cat([self._forward(part) for part in torch.split(images, size)])
            except torch.OutOfMemoryError as error:
                if size == 1:
                    height, width = images.shape[2:]
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
