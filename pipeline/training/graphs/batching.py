"""Which images stand in one batch, and in which order: within guards on memory, and each once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import TypeVar, cast

import torch

from pipeline.training.graphs.image_batches import ImageBatch, NodeImage, PackedBatch, PaddedBatch
from pipeline.training.graphs.resident_images import ImageTable

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


@dataclass(frozen=True)
class Group:
    """Images that become one batch.

    Attributes
    ----------
    places
        Which images.
    kind
        How they are put together.
    """

    places: list[int]
    kind: type[ImageBatch]


def joined(images: Sequence[NodeImage], planned: Sequence[Group]) -> Iterator[ImageBatch]:
    """The batch of each group of ``images``: selected where they are an ``ImageTable``, else read and put together."""
    if isinstance(images, ImageTable):
        yield from _selected(images, planned)
        return
    ahead = read_ahead(images, (group.places for group in planned))
    for group, places in zip(planned, ahead, strict=True):
        yield group.kind.of([images[place] for place in places])


def _selected(images: ImageTable, planned: Sequence[Group]) -> Iterator[ImageBatch]:
    selection = images.selection([place for group in planned for place in group.places])
    for group, selected in zip(planned, torch.split(selection, [len(group.places) for group in planned]), strict=True):
        select = images.padded if group.kind is PaddedBatch else images.packed
        yield select(group.places, selected)


def padded_batches(
    images: Sequence[NodeImage], batch_size: int, order: Sequence[int] | None = None, fits: Fits = pairs_fit
) -> Iterator[PaddedBatch]:
    """Padded batches of ``images`` in ``order``; None means as they stand."""
    order = range(len(images)) if order is None else order
    planned = [Group(group, PaddedBatch) for group in groups(images, batch_size, order, fits)]
    return cast(Iterator[PaddedBatch], joined(images, planned))


@dataclass(frozen=True)
class BatchPlan:
    """How images become batches.

    Attributes
    ----------
    batch_size
        Most images of a batch.
    dense_limit
        Most nodes of an image in which every pair may have a number; None for no limit.
    kind
        How such images are put together; larger ones are packed.
    """

    batch_size: int
    dense_limit: int | None
    kind: type[ImageBatch] = PaddedBatch


def planned_groups(images: Sequence[NodeImage], plan: BatchPlan, order: Sequence[int] | None = None) -> Iterator[Group]:
    """Yield the groups of the images at the places ``order``; None means all as they stand.

    A group comes when its last image's turn has come, so that small and large images take
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
    for group in merge(*grouped, key=lambda group: turn[group[-1]]):
        is_small = limit is None or images[group[0]].n_nodes <= limit
        yield Group(group, plan.kind if is_small else PackedBatch)


def planned_batches(
    images: Sequence[NodeImage], plan: BatchPlan, order: Sequence[int] | None = None
) -> Iterator[tuple[list[int], ImageBatch]]:
    """Yield (places, batch) of ``planned_groups``."""
    planned = list(planned_groups(images, plan, order))
    return ((group.places, batch) for group, batch in zip(planned, joined(images, planned), strict=True))


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
