"""Images that lie on a device one after the other, so that a batch is a selection of rows.

Features are copied to the device once, and an order of images once for all of its batches; what
belongs to a batch (rows, sizes, labels, masks, offsets) is then selected on the device by places
in an ``ImageTable``.  Batches are equal, to the bit, to those put together of the same images.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding

from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.transfers import to_device


@dataclass(frozen=True, eq=False)
class NodeStore:
    """Nodes of images one after the other, and a row of zeros after the last one, which stands for padding.

    Attributes
    ----------
    x
        float32 (N + 1, d), standardised node features.
    coords
        float32 (N + 1, 2), in tile sides.
    """

    x: Tensor
    coords: Tensor

    @property
    def padding(self) -> int:
        """Place of the row of zeros, N."""
        return len(self.x) - 1


@dataclass(frozen=True, eq=False)
class ResidentImage(NodeImage):
    """An image whose ``x`` and ``coords`` are views of rows of a store.

    Attributes
    ----------
    store
        Where they are.
    first
        Row of its first node.
    """

    store: NodeStore | None = None
    first: int = 0


def store_images(images: Iterable[NodeImage], n_nodes: int, device: torch.device) -> list[ResidentImage]:
    """``images`` of ``n_nodes`` in all, copied to ``device`` one after the other."""
    resident: list[ResidentImage] = []
    store, first = None, 0
    for image in images:
        x = image.x
        if store is None:
            store = NodeStore(*(x.new_zeros(n_nodes + 1, width, device=device) for width in (x.shape[1], 2)))
        rows = slice(first, first + len(x))
        store.x[rows], store.coords[rows] = x, image.coords
        resident.append(
            ResidentImage(store.x[rows], store.coords[rows], image.label, image.patient, image.offset, store, first)
        )
        first += len(x)
    return resident


class ImageTable(Sequence[NodeImage]):
    """Images of one store, and on its device what belongs to each of them.

    Parameters
    ----------
    images
        At least one, all of one store.
    """

    def __init__(self, images: Sequence[ResidentImage]) -> None:
        store = images[0].store
        assert store is not None, "a resident image has a store"
        self._images, self._store = tuple(images), store
        self.sizes = [image.n_nodes for image in images]
        by_image = [[image.first for image in images], self.sizes, [image.label for image in images]]
        self._by_image = torch.tensor(by_image).to(store.x.device)
        self._column = torch.arange(size_class(max(self.sizes)), device=store.x.device)
        offsets = [image.offset for image in images if image.offset is not None]
        self._offset = torch.stack(offsets).to(store.x.device) if offsets else None
        self._selected: tuple[list[int], Tensor] = ([], torch.zeros(0, dtype=torch.int64, device=store.x.device))

    @overload
    def __getitem__(self, place: int) -> NodeImage: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[NodeImage]: ...
    def __getitem__(self, place: int | slice) -> NodeImage | Sequence[NodeImage]:
        return self._images[place]

    def __len__(self) -> int:
        return len(self._images)

    @property
    def device(self) -> torch.device:
        """Where the images lie."""
        return self._column.device

    def selection(self, places: list[int]) -> Tensor:
        """``places`` of images on the device, int64 (n,), by one copy; the same ones again by none."""
        if self._selected[0] != places:
            self._selected = places, to_device(np.array(places, np.int64), self.device)
        return self._selected[1]

    def padded(self, places: Sequence[int], selected: Tensor) -> PaddedBatch:
        """The images at ``places``, which ``selected`` int64 (B,) are on the device, padded to the largest."""
        batch = self.padded_to(max(self.sizes[place] for place in places), selected)
        return replace(batch, images=self._named(places))

    def padded_to(self, width: int, selected: Tensor) -> PaddedBatch:
        """The images ``selected``, int64 (B,), padded to ``width`` nodes; which these are the host need not know."""
        first, n_nodes, labels = self._by_image.index_select(1, selected)
        n_nodes, column = n_nodes.unsqueeze(1), self._column[:width]
        mask = column < n_nodes
        rows = (first.unsqueeze(1) + column).masked_fill_(~mask, self._store.padding)
        return PaddedBatch((), *self._nodes(rows), labels, n_nodes, self._offsets(selected), mask)

    def packed(self, places: Sequence[int], selected: Tensor) -> PackedBatch:
        """The images at ``places``, which ``selected`` int64 (B,) are on the device, one after the other."""
        first, n_nodes, labels = self._by_image.index_select(1, selected)
        n_rows = sum(self.sizes[place] for place in places)
        # Row of an image's first node less its place in the batch, at each of its nodes.
        shift = (first - n_nodes.cumsum(0) + n_nodes).repeat_interleave(n_nodes, output_size=n_rows)
        rows = torch.arange(n_rows, device=shift.device) + shift
        offsets = self._offsets(selected)
        return PackedBatch(self._named(places), *self._nodes(rows), labels, n_nodes.unsqueeze(1), offsets)

    def _named(self, places: Sequence[int]) -> tuple[NodeImage, ...]:
        return tuple(self._images[place] for place in places)

    def _nodes(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Features and positions in ``rows`` of the store."""
        return embedding(rows, self._store.x), embedding(rows, self._store.coords)

    def _offsets(self, selected: Tensor) -> Tensor | float:
        return 0.0 if self._offset is None else self._offset.index_select(0, selected)


def tabled(images: Sequence[NodeImage]) -> Sequence[NodeImage]:
    """``images`` as a table where all of them lie in one store, else as they are."""
    resident = [image for image in images if isinstance(image, ResidentImage)]
    if isinstance(images, ImageTable) or not images or len(resident) < len(images):
        return images
    return ImageTable(resident) if len({id(image.store) for image in resident}) == 1 else images


def size_class(n_nodes: int) -> int:
    """What images of ``n_nodes`` are padded to where steps have few shapes.

    The next of 8, 16, ..., 64, 80, 96, 112, 128, ..., four in each octave from 64 on, so that a fifth of the nodes of
    an image of more than 32 is padding at most.
    """
    step = max(8, 2 ** ((n_nodes - 1).bit_length() - 3)) if n_nodes > 1 else 8
    return -(-n_nodes // step) * step
