"""Large images as packed graphs: the nodes of several images one after the other, without padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import merge

import torch
from torch import Tensor

from pipeline.training.graphs.padded_batches import GraphBatch, NodeImage, batches

NODES_PER_BATCH = 65_536
"""Guard on memory: most nodes in one packed batch; a larger image stands alone."""


@dataclass(frozen=True)
class PackedGraphs:
    """B images of N nodes in all.

    Attributes
    ----------
    images
        The B images.
    x
        float32 (N, d).
    coords
        float32 (N, 2), in tile sides.
    labels
        int64 (B,).
    """

    images: tuple[NodeImage, ...]
    x: Tensor
    coords: Tensor
    labels: Tensor

    @property
    def sizes(self) -> list[int]:
        """Nodes of each image."""
        return [len(image.x) for image in self.images]

    @cached_property
    def image_of_node(self) -> Tensor:
        """Place of each node's image, int64 (N,)."""
        sizes = torch.tensor(self.sizes, device=self.x.device)
        return torch.arange(len(self.images), device=self.x.device).repeat_interleave(sizes, output_size=len(self.x))


def pack_nodes(images: Sequence[NodeImage]) -> PackedGraphs:
    """Put ``images`` one after the other."""
    return PackedGraphs(
        images=tuple(images),
        x=torch.cat([image.x for image in images]),
        coords=torch.cat([image.coords for image in images]),
        labels=torch.tensor([image.label for image in images], device=images[0].x.device),
    )


def mean_of_images(h: Tensor, graphs: PackedGraphs) -> Tensor:
    """Mean of h (N, d) over the nodes of each image, (B, d)."""
    total = h.new_zeros(len(graphs.images), h.shape[1]).index_add(0, graphs.image_of_node, h)
    return total / torch.tensor(graphs.sizes, device=h.device).unsqueeze(1)


def packed_batches(
    images: Sequence[NodeImage], batch_size: int, order: Sequence[int]
) -> Iterator[tuple[list[int], PackedGraphs]]:
    """Yield (positions, packed graphs) over the positions ``order`` in ``images``, within the guard on nodes."""
    chosen: list[int] = []
    n_nodes = 0
    for position in order:
        n_more = len(images[position].x)
        if chosen and (len(chosen) == batch_size or n_nodes + n_more > NODES_PER_BATCH):
            yield chosen, pack_nodes([images[p] for p in chosen])
            chosen, n_nodes = [], 0
        chosen.append(position)
        n_nodes += n_more
    if chosen:
        yield chosen, pack_nodes([images[p] for p in chosen])


def batches_by_size(
    images: Sequence[NodeImage], batch_size: int, dense_limit: int | None, order: Sequence[int] | None = None
) -> Iterator[tuple[list[int], GraphBatch | PackedGraphs]]:
    """Yield (positions, batch) over ``images`` in ``order``: padded up to ``dense_limit`` nodes, packed beyond.

    A batch comes when its last image's turn has come, so that both kinds take turns.

    Parameters
    ----------
    dense_limit
        Most nodes of an image in a padded batch; None for no limit.
    order
        Positions in ``images``; None means as they stand.
    """
    order = range(len(images)) if order is None else order
    if dense_limit is None:
        yield from batches(images, batch_size, order)
        return
    turn = {position: place for place, position in enumerate(order)}
    small = [position for position in order if len(images[position].x) <= dense_limit]
    large = [position for position in order if len(images[position].x) > dense_limit]
    kinds: list[Iterator[tuple[list[int], GraphBatch | PackedGraphs]]] = [
        iter(batches(images, batch_size, small)),
        iter(packed_batches(images, batch_size, large)),
    ]
    yield from merge(*kinds, key=lambda batch: turn[batch[0][-1]])
