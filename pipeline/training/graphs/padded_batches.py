"""Images as padded batches of nodes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

PAIRS_PER_BATCH = 4_000_000
"""Guard on memory: most padded node pairs in one batch; a larger image stands alone."""


@dataclass(frozen=True)
class NodeImage:
    """One image, ready for a network.

    Attributes
    ----------
    x
        float32 (n, d), standardised node features.
    coords
        float32 (n, 2), tile positions in units of the tile's side.
    label
        Index of the class; -1 when unknown.
    """

    x: Tensor
    coords: Tensor
    label: int


@dataclass(frozen=True)
class GraphBatch:
    """B images padded to N nodes.

    Attributes
    ----------
    x
        float32 (B, N, d), zero where padded.
    coords
        float32 (B, N, 2), zero where padded.
    mask
        bool (B, N), True for real nodes.
    labels
        int64 (B,).
    """

    x: Tensor
    coords: Tensor
    mask: Tensor
    labels: Tensor

    @cached_property
    def pair_mask(self) -> Tensor:
        """Mask (B, N, N), True for ordered pairs of two different real nodes."""
        pairs = self.mask.unsqueeze(2) & self.mask.unsqueeze(1)
        return pairs & ~torch.eye(self.mask.shape[1], dtype=torch.bool, device=self.mask.device)


def pack(images: Sequence[NodeImage]) -> GraphBatch:
    """Pad ``images`` to the largest of them."""
    sizes = torch.tensor([len(image.x) for image in images])
    mask = torch.arange(int(sizes.max())) < sizes[:, None]
    device = images[0].x.device
    return GraphBatch(
        x=pad_sequence([image.x for image in images], batch_first=True),
        coords=pad_sequence([image.coords for image in images], batch_first=True),
        mask=mask.to(device),
        labels=torch.tensor([image.label for image in images], device=device),
    )


def pairs_fit(n_images: int, n_nodes: int) -> bool:
    """Whether as many images padded to ``n_nodes`` are within the guard on pairs."""
    return n_images * n_nodes**2 <= PAIRS_PER_BATCH


def batches(
    images: Sequence[NodeImage],
    batch_size: int,
    order: Sequence[int] | None = None,
    fits: Callable[[int, int], bool] = pairs_fit,
) -> Iterator[tuple[list[int], GraphBatch]]:
    """Yield (positions, batch) over ``images`` in ``order``.

    Parameters
    ----------
    order
        Positions in ``images``; None means as they stand.
    fits
        Whether so many images of so many nodes may be one batch; a single one always may.
    """
    chosen: list[int] = []
    largest = 0
    for position in range(len(images)) if order is None else order:
        grown = max(largest, len(images[position].x))
        if chosen and (len(chosen) == batch_size or not fits(len(chosen) + 1, grown)):
            yield chosen, pack([images[p] for p in chosen])
            chosen, grown = [], len(images[position].x)
        chosen.append(position)
        largest = grown
    if chosen:
        yield chosen, pack([images[p] for p in chosen])


def shuffled(n_images: int, generator: torch.Generator) -> list[int]:
    """Random order of ``n_images`` positions."""
    order: list[int] = torch.randperm(n_images, generator=generator).tolist()
    return order
