"""What a batch of images takes of a card's memory, by the sizes of the network's tensors.

The factors were counted tensor by tensor on the processor: the most that lives at once.  A test counts again.
"""

from dataclasses import dataclass

from pipeline.nuclei.network.field_of_view import FIELD_PX, FIELDS_PER_PASS
from pipeline.nuclei.network.weights import Weights

GIB = 2**30

MEMORY_SHARE = 0.5
"""Of the free memory that a batch may take: cuDNN's workspaces and gaps between tensors are not counted."""

MOST_PIXELS = 21_000_000
"""Of the network in one batch: 16 squares of 1,120 px; more keep a card no busier and are held by the processor too."""

BYTES_PER_CHANNEL = 26
"""Of a pixel and a channel of the network's finest level, in a pass: six and a half tensors in float32."""

BYTES_PER_PIXEL = 170
"""Of a pixel of an image that is seen in fields, beside the pass: inputs and outputs of fields that overlap."""


@dataclass(frozen=True)
class BatchMemory:
    """Bytes of a batch.

    Attributes
    ----------
    of_pass
        What it takes however many images there are.
    of_image
        What each image adds.
    most
        Images in a batch, at most.
    """

    of_pass: int
    of_image: int
    most: int

    def bytes_of(self, n_images: int) -> int:
        """Bytes of a batch of so many images."""
        return self.of_pass + n_images * self.of_image

    def images_in(self, n_bytes: int) -> int:
        """Images whose batch takes up to ``n_bytes``; at least one, which is tried wherever it may fit."""
        return max(1, min(self.most, (n_bytes - self.of_pass) // self.of_image))


def batch_memory(weights: Weights, n_pixels: int) -> BatchMemory:
    """Memory of images of ``n_pixels`` at the network's resolution; a network with style sees a few fields a pass."""
    of_pixel = BYTES_PER_CHANNEL * weights.channels[1]
    most = max(1, MOST_PIXELS // n_pixels)
    if not weights.style:
        return BatchMemory(0, of_pixel * n_pixels, most)
    return BatchMemory(of_pixel * FIELDS_PER_PASS * FIELD_PX**2, BYTES_PER_PIXEL * n_pixels, most)
