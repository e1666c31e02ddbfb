"""Images whose features stay in their files until a batch needs them."""

from collections.abc import Callable
from concurrent.futures import Executor, Future

import torch
from torch import Tensor

from pipeline.arrays import Float32s
from pipeline.training.graphs.image_batches import NodeImage


class StoredImage(NodeImage):
    """One image that is read at every use, ahead of time if it was asked for with ``fetch``.

    It stays the same image between uses, so that what is remembered of it, such as its
    candidates, is remembered as long as that of an image in memory.

    Parameters
    ----------
    read
        Reads the standardised features, float32 (n, d); called in a thread of ``readers``.
    coords, label, patient
        As in ``NodeImage``; the features go to the device of ``coords``.
    readers
        Threads that read ahead; None reads when features are asked for.
    """

    def __init__(
        self, read: Callable[[], Float32s], coords: Tensor, label: int, readers: Executor | None, patient: str = ""
    ) -> None:
        for name, value in (("coords", coords), ("label", label), ("patient", patient)):
            object.__setattr__(self, name, value)
        self._read = read
        self._readers = readers
        self._coming: Future[Float32s] | None = None

    @property
    def x(self) -> Tensor:
        """float32 (n, d): what was fetched, and is given once, or else read now."""
        coming, self._coming = self._coming, None
        values = self._read() if coming is None else coming.result()
        return torch.from_numpy(values).to(self.coords.device)

    def fetch(self) -> None:
        """Begin to read; once until the features are asked for."""
        if self._readers is not None and self._coming is None:
            self._coming = self._readers.submit(self._read)

    def drop(self) -> None:
        """Forget what was fetched."""
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.cancel()
