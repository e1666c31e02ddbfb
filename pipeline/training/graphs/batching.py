"""Which images stand in one batch, and in which order: within guards on memory, and each once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import TypeVar

import torch

from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, PackedBatch, PaddedBatch

PAIRS_PER_BATCH = 4_000_000
"""Guard on memory: most padded node pairs in one batch; a larger image stands alone."""

PAIRED_NODES = 2048
"""Nodes of an image up to which the guard on pairs decides how many stand in a batch, though they are packed."""

NODES_PER_BATCH = 65_536
"""Guard on memory: most nodes in one packed batch of larger images; one that is larger still stands alone."""

Fits = Callable[[Sequence[int]], bool]
"""Whether images of so many nodes each may be one batch; a single one always may."""

T = TypeVar("T")


def pairs_fit(sizes: Sequence[int]) -> bool:
    """Whether images padded to the largest are within the guard on pairs."""
    return len(sizes) * max(sizes) ** 2 <= PAIRS_PER_BATCH


def nodes_fit(sizes: Sequence[int]) -> bool:
    """Whether packed images are within the guard on nodes."""
    return sum(sizes) <= NODES_PER_BATCH


def groups(images: Sequence[NodeImage], batch_size: int, order: Iterable[int], fits: Fits) -> Iterator[list[int]]:
    """Positions ``order`` in ``images``, cut into groups of at most ``batch_size`` that fit."""
    group: list[int] = []
    sizes: list[int] = []
    for position in order:
        size = images[position].n_nodes
        if group and (len(group) == batch_size or not fits([*sizes, size])):
            yield group
            group, sizes = [], []
        group.append(position)
        sizes.append(size)
    if group:
        yield group


def read_ahead(images: Sequence[NodeImage], groups_of_images: Iterable[list[int]]) -> Iterator[list[int]]:
    """Yield groups of positions in ``images``; those of a group are read while the one before it is worked on."""
    coming: deque[list[int]] = deque()
    try:
        for group in groups_of_images:
            for position in group:
                images[position].fetch()
            coming.append(group)
            if len(coming) > 1:
                yield coming.popleft()
        while coming:
            yield coming.popleft()
    finally:
        for group in coming:
            for position in group:
                images[position].drop()


def padded_batches(
    images: Sequence[NodeImage], batch_size: int, order: Sequence[int] | None = None, fits: Fits = pairs_fit
) -> Iterator[PaddedBatch]:
    """Padded batches of ``images`` in ``order``; None means as they stand."""
    order = range(len(images)) if order is None else order
    for group in read_ahead(images, groups(images, batch_size, order, fits)):
        yield PaddedBatch.of([images[position] for position in group])


@dataclass(frozen=True)
class BatchPlan:
    """How images become batches.

    Attributes
    ----------
    batch_size
        Most images of a batch.
    dense_limit
        Most nodes of an image in which every pair may have a number; None for no limit.
    join
        Puts such images together; larger ones are packed.
    """

    batch_size: int
    dense_limit: int | None
    join: Callable[[Sequence[NodeImage]], ImageBatch] = PaddedBatch.of


def planned_batches(
    images: Sequence[NodeImage], plan: BatchPlan, order: Sequence[int] | None = None
) -> Iterator[tuple[list[int], ImageBatch]]:
    """Yield (positions, batch) over ``images`` in ``order``; None means as they stand.

    A batch comes when its last image's turn has come, so that small and large images take
    turns.  Images up to PAIRED_NODES are grouped by the guard on pairs whatever becomes of
    them, so that methods with and without candidates take the same steps.
    """
    order = range(len(images)) if order is None else order
    turn = {position: place for place, position in enumerate(order)}
    limit = plan.dense_limit
    small: list[int] = []
    packed: list[int] = []
    large: list[int] = []
    for position in order:
        size = images[position].n_nodes
        kind = small if limit is None or size <= limit else packed if size <= PAIRED_NODES else large
        kind.append(position)
    kinds = ((small, pairs_fit), (packed, pairs_fit), (large, nodes_fit))
    grouped = [groups(images, plan.batch_size, kind, fits) for kind, fits in kinds]
    for group in read_ahead(images, merge(*grouped, key=lambda group: turn[group[-1]])):
        is_small = limit is None or images[group[0]].n_nodes <= limit
        join = plan.join if is_small else PackedBatch.of
        yield group, join([images[position] for position in group])


def shuffled(n_images: int, generator: torch.Generator) -> list[int]:
    """Random order of ``n_images`` positions."""
    order: list[int] = torch.randperm(n_images, generator=generator).tolist()
    return order


def endless(
    one_round: Callable[[Sequence[int]], Iterable[T]], n_images: int, generator: torch.Generator
) -> Iterator[T]:
    """Rounds over ``n_images`` without end, each in a new order, which is drawn when its first batch is asked for."""
    while True:
        yield from one_round(shuffled(n_images, generator))
