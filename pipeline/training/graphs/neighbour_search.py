"""Nearest nodes of an image without comparing every two of them.

By similarity: the nodes are halved again and again at the median along their leading
direction (a principal-axis tree, Sproull 1991), and every node of a leaf is compared with
those of the ``PROBES`` leaves whose mean directions are nearest.  Leaves are of one size,
so that everything runs in large products, and memory is bounded by a block.  Images of up
to ``LEAF_NODES * PROBES`` nodes are searched exactly, which a card does without a tree.
There is no randomness, and nothing here waits for a card but ``nearest_in_space``, which
is asked once for an image.
"""

import math

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor
from torch.nn.functional import normalize, pad
from torch.utils.weak import WeakTensorKeyDictionary

from pipeline.training.graphs.block_sizes import numbers_at_once

LEAF_NODES = 32
"""Most nodes of a leaf."""

PROBES = 64
"""Leaves that a leaf is compared with, its own among them."""

SEARCHED_WITHOUT_TREE = {"cpu": 0, "cuda": LEAF_NODES * PROBES}
"""Nodes of an image up to which every two are compared outright, by kind of device.

The same nodes are found with and without the tree: as far as it is exact, a product of
all with all saves a card some hundred launches.  Beyond, the tree is less work anywhere.
"""

POWER_STEPS = 8
"""Multiplications by the covariance in search of its leading direction."""

PLACES_REMEMBERED = 8_388_608
"""Guard on memory (4 bytes a neighbour): nodes whose neighbours in space are kept; those of later images are searched
at each use."""


@torch.no_grad()
def most_similar(direction: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Other nodes of the largest inner product with each node, as far as the search sees.

    Parameters
    ----------
    direction
        float32 (H, n, p), unit vectors of the nodes in H spaces.
    count
        Nodes wanted, at most ``LEAF_NODES * PROBES / 2``; n - 1 are given if that is less.

    Returns
    -------
    Numbers of nodes, int64 (H, n, count), most similar first; and which of them were seen,
    bool (H, n, count), for the search of a large image may see too few.  The number in the
    place of one that was not is the node's own.
    """
    count = min(count, direction.shape[1] - 1)
    if direction.shape[1] <= SEARCHED_WITHOUT_TREE[direction.device.type]:
        nearest = nearest_of_all(direction, count)
        return nearest, torch.ones_like(nearest, dtype=torch.bool)
    spaces = zip(direction, balanced_leaves(direction), strict=True)
    number, seen = zip(*(_most_similar_in_one(points, leaves, count) for points, leaves in spaces), strict=True)
    return torch.stack(number), torch.stack(seen)


def nearest_of_all(direction: Tensor, count: int) -> Tensor:
    """Most similar others of each node, int64 (H, n, count), by comparing every two, block by block."""
    n_heads, n_nodes, _ = direction.shape
    rows = max(1, numbers_at_once(direction.device) // (n_heads * n_nodes))
    nearest = []
    for first in range(0, n_nodes, rows):
        product = direction[:, first : first + rows] @ direction.transpose(1, 2)
        product.diagonal(offset=first, dim1=1, dim2=2).fill_(-torch.inf)
        nearest.append(product.topk(count, dim=2).indices)
    return torch.cat(nearest, dim=1)


def _most_similar_in_one(direction: Tensor, leaves: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Numbers and whether seen, both (n, count), from direction (n, p) and leaves (leaves, nodes)."""
    n_nodes = len(direction)
    # One row more, for the node that stands for none.
    points = pad(direction, (0, 0, 0, 1))[leaves]
    centre = normalize(points.mean(dim=1), dim=1)
    at_once = max(1, numbers_at_once(direction.device) // (LEAF_NODES**2 * PROBES))
    number, seen = [], []
    for first in range(0, len(leaves), at_once):
        block = torch.arange(first, min(first + at_once, len(leaves)), device=direction.device)
        probed = _probed_leaves(centre, block)
        names = leaves[probed].flatten(1)
        value, place = _largest_products(points[block], points[probed].flatten(1, 2), names == n_nodes, count)
        best = names.unsqueeze(1).expand(-1, leaves.shape[1], -1).gather(2, place)
        finite = value > -torch.inf
        number.append(torch.where(finite, best, leaves[block].unsqueeze(2)).flatten(0, 1))
        seen.append(finite.flatten(0, 1))
    # Where each node stands in the leaves; what stands for none comes last.
    turn = leaves.flatten().argsort(stable=True)[:n_nodes]
    return torch.cat(number)[turn], torch.cat(seen)[turn]


def _probed_leaves(centre: Tensor, block: Tensor) -> Tensor:
    """Leaves (b, probes) to compare those of ``block`` with, a leaf's own first, by centres (leaves, p)."""
    closeness = centre[block] @ centre.T
    closeness.scatter_(1, block.unsqueeze(1), torch.inf)
    return closeness.topk(min(PROBES, len(centre)), dim=1).indices


def _largest_products(queries: Tensor, keys: Tensor, absent: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Largest inner products of (b, m, p) with (b, M, p), and their places; a query's own key is in its place."""
    product = queries @ keys.transpose(1, 2)
    product.masked_fill_(absent.unsqueeze(1), -torch.inf)
    product.diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    value, place = product.topk(count, dim=2)
    return value, place


def balanced_leaves(points: Tensor) -> Tensor:
    """Nodes of each leaf, int64 (H, leaves, nodes); n stands for no node.

    Parameters
    ----------
    points
        float32 (H, n, p).
    """
    n_heads, n_nodes, n_dimensions = points.shape
    depth = max(0, math.ceil(math.log2(n_nodes / LEAF_NODES)))
    n_padded = 2**depth * math.ceil(n_nodes / 2**depth)
    order = torch.arange(n_padded, device=points.device).clamp_max(n_nodes).repeat(n_heads, 1)
    points = pad(points, (0, 0, 0, n_padded - n_nodes))
    for level in range(depth):
        group = points.reshape(n_heads * 2**level, -1, n_dimensions)
        along = (group @ leading_direction(group).unsqueeze(2)).squeeze(2)
        along.masked_fill_((order == n_nodes).view_as(along), torch.inf)
        turn = along.argsort(dim=1, stable=True)
        order = order.view_as(along).gather(1, turn).view(n_heads, -1)
        points = group.gather(1, turn.unsqueeze(2).expand_as(group)).view(n_heads, -1, n_dimensions)
    return order.view(n_heads, 2**depth, -1)


def leading_direction(points: Tensor) -> Tensor:
    """About the first principal direction of each group, (G, p) from (G, m, p), by the power method."""
    centred = points - points.mean(dim=1, keepdim=True)
    covariance = centred.transpose(1, 2) @ centred
    widest = covariance.diagonal(dim1=1, dim2=2).argmax(dim=1)
    axis = covariance[torch.arange(len(points), device=points.device), widest]
    for _ in range(POWER_STEPS):
        axis = (covariance @ normalize(axis, dim=1).unsqueeze(2)).squeeze(2)
    return normalize(axis, dim=1)


class SpatialNeighbours:
    """Neighbours in space of nodes that never move: searched once, and kept as long as their positions are.

    Images that share one tensor of positions, as those of several graph models do, share its
    neighbours.
    """

    def __init__(self) -> None:
        self._found = WeakTensorKeyDictionary()
        self._most_kept = 0

    def of(self, coords: Tensor, count: int) -> Tensor:
        """``nearest_in_space``, as int32 (n, count)."""
        kept: dict[int, Tensor] = self._found.get(coords, {})  # type: ignore[no-untyped-call]
        if count in kept:
            return kept[count]
        nearest = nearest_in_space(coords, count).int()
        if self._has_room(len(coords)):
            self._found[coords] = {**kept, count: nearest}
        return nearest

    def _has_room(self, n_nodes: int) -> bool:
        """Whether so many nodes more may be kept; those of images that are gone are counted only while all fit."""
        self._most_kept += n_nodes
        if self._most_kept > PLACES_REMEMBERED:
            every = self._found.values()  # type: ignore[no-untyped-call]
            self._most_kept = sum(len(nearest) for kept in every for nearest in kept.values()) + n_nodes
        return self._most_kept <= PLACES_REMEMBERED


def nearest_in_space(coords: Tensor, count: int) -> Tensor:
    """Other nodes nearest to each node, int64 (n, count); n - 1 of them if that is less.

    Parameters
    ----------
    coords
        float32 (n, 2), any unit.
    """
    n_nodes = len(coords)
    count = min(count, n_nodes - 1)
    if count < 1:
        return torch.zeros(n_nodes, 0, dtype=torch.int64, device=coords.device)
    points = coords.cpu().numpy()
    _, nearest = KDTree(points).query(points, k=count + 1)
    others = nearest != np.arange(n_nodes)[:, None]
    # Where many nodes share a place, a node may be missing from its own nearest; the farthest goes instead.
    others[others.all(axis=1), -1] = False
    return torch.from_numpy(nearest[others].reshape(n_nodes, count)).to(coords.device)
