"""Packed images with graphs as PyTorch Geometric knows them."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pipeline.training.graphs.image_batches import PackedBatch


def pyg_batch(batch: PackedBatch, edge_index: Sequence[Tensor], edge_weight: Sequence[Tensor]) -> Batch:
    """View of packed images with a graph each, as PyTorch Geometric's layers take it.

    It has x, pos, y, edge_index, edge_weight, batch (the image of each node) and ptr (the
    first node of each image, and N).  Nothing of ``batch`` is copied, which makes it several
    times faster than ``Batch.from_data_list``; nor can it be taken apart again by
    ``to_data_list``.

    Parameters
    ----------
    edge_index
        int64 (2, E) of each image, its nodes counted from 0.
    edge_weight
        float32 (E,) of each image.
    """
    starts = accumulate(batch.sizes, initial=0)
    return Batch(
        x=batch.x,
        pos=batch.coords,
        y=batch.labels,
        edge_index=torch.cat([edges + start for edges, start in zip(edge_index, starts, strict=False)], dim=1),
        edge_weight=torch.cat(list(edge_weight)),
        batch=batch.image_of_node,
        ptr=batch.starts,
    )
