"""Images whose features are fetched when a batch needs them."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from copy import copy
from typing import Any, Self

from torch import Tensor

from pipeline.training.graphs.image_batches import NodeImage


class LazyImage(NodeImage):
    """One image that is read at every use, ahead of time if it was asked for with ``fetch``.

    It stays the same image between uses, so that what is remembered of it, such as its
    candidates, is remembered as long as that of an image in memory.

    Parameters
    ----------
    read
        Gives the standardised features, float32 (n, d); called in a thread of ``readers``.
    coords, label, patient
        As in ``NodeImage``; the features go to the device of ``coords``.
    readers
        Threads that read ahead; None reads when features are asked for.
    """

    def __init__(
        self, read: Callable[[], Tensor], coords: Tensor, label: int, readers: Executor | None, patient: str = ""
    ) -> None:
        self._set(coords=coords, label=label, patient=patient)
        self.read = read
        self._readers = readers
        self._coming: Future[Tensor] | None = None

    @property
    def x(self) -> Tensor:
        """float32 (n, d): what was fetched, and is given once, or else read now."""
        coming, self._coming = self._coming, None
        values = self.read() if coming is None else coming.result()
        return values.to(self.device)

    def but(self, **changes: Any) -> Self:
        """Another image with some attributes changed, whose features stay where they are."""
        other = copy(self)
        other._coming = None
        other._set(**changes)
        return other

    def fetch(self) -> None:
        """Begin to read; once until the features are asked for."""
        if self._readers is not None and self._coming is None:
            self._coming = self._readers.submit(self.read)

    def drop(self) -> None:
        """Forget what was fetched."""
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.cancel()

    def _set(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            object.__setattr__(self, name, value)


def with_nodes(image: NodeImage, rows: Tensor) -> LazyImage:
    """The nodes ``rows``, int64 (m,), of an image as another one, which picks them at every use."""
    coords = image.coords[rows]
    if isinstance(image, LazyImage):
        return image.but(read=lambda: image.read()[rows], coords=coords)
    return LazyImage(lambda: image.x[rows], coords, image.label, None, image.patient).but(offset=image.offset)
