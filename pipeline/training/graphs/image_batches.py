"""Images put together for a network: padded to one size, or packed one after the other."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from pipeline.arrays import Int64s
from pipeline.training.graphs.edge_kernels import at_least_float32
from pipeline.training.graphs.pairs import AllPairs


@dataclass(frozen=True, eq=False)
class NodeImage:
    """One image, ready for a network; equal to itself alone, so that a cache can have it for a key.

    Attributes
    ----------
    x
        float32 (n, d), standardised node features.
    coords
        float32 (n, 2), tile positions in units of the tile's side.
    label
        Index of the class; -1 when unknown.
    patient
        Whose image it is; empty where nothing is known of others of the same patient.
    offset
        float32 (n_classes,), logits that another model gave the image, and to which a network in training adds
        its own; None for none.
    """

    x: Tensor
    coords: Tensor
    label: int
    patient: str = ""
    offset: Tensor | None = None

    @property
    def n_nodes(self) -> int:
        """Number of nodes; asking for it reads nothing."""
        # As ``len(coords)``, which takes torch four times as long; a step of training asks a hundred times.
        return self.coords.shape[0]

    @property
    def device(self) -> torch.device:
        """Where its tensors are; asking for it reads nothing."""
        return self.coords.device

    def but(self, **changes: Any) -> Self:
        """Another image with some attributes changed; features that stay in a file are not read for it."""
        return replace(self, **changes)

    def fetch(self) -> None:
        """Begin to read ``x``, where it is not in memory, for the next who asks for it."""

    def drop(self) -> None:
        """Forget what ``fetch`` has begun and nobody asked for."""


@dataclass(frozen=True)
class ImageBatch(ABC):
    """B images with N nodes in all.

    What belongs to nodes has a shape (*nodes, d), where ``nodes`` are the leading
    dimensions of ``x``; what a method takes and gives by node has them too.

    Attributes
    ----------
    images
        The B images; none where only a step of training asks for the batch (``ImageTable.padded_to``).
    x
        float32 (*nodes, d).
    coords
        float32 (*nodes, 2), in tile sides.
    labels
        int64 (B,).
    n_nodes
        Nodes of each image, int64 (B, 1).
    offset
        Logits that others gave the images, (B, n_classes); 0 where nobody did.
    """

    images: tuple[NodeImage, ...]
    x: Tensor
    coords: Tensor
    labels: Tensor
    n_nodes: Tensor
    offset: Tensor | float

    @classmethod
    @abstractmethod
    def of(cls, images: Sequence[NodeImage]) -> Self:
        """Put ``images`` together; at least one."""

    @cached_property
    def sizes(self) -> list[int]:
        """Nodes of each image."""
        return [image.n_nodes for image in self.images]

    @abstractmethod
    def packed(self) -> "PackedBatch":
        """The same images one after the other."""

    @property
    @abstractmethod
    def all_pairs(self) -> AllPairs | None:
        """Every two nodes of an image, where there is room for a number of each; else None."""

    @abstractmethod
    def total(self, h: Tensor) -> Tensor:
        """Sum of h (*nodes, d) over the nodes of each image, (B, d)."""

    def mean(self, h: Tensor) -> Tensor:
        """Mean of h (*nodes, d) over the nodes of each image, (B, d)."""
        return self.total(h) / self.n_nodes

    @abstractmethod
    def softmax(self, score: Tensor) -> Tensor:
        """Softmax of ``score`` (*nodes) over the nodes of each image, (*nodes)."""

    @abstractmethod
    def at_nodes(self, values: Tensor) -> Tensor:
        """``values`` (B, d) of images at each of their nodes; broadcasts against (*nodes, d)."""


@dataclass(frozen=True)
class PaddedBatch(ImageBatch):
    """Images padded to the largest of them: ``nodes`` is (B, n), and ``x`` and ``coords`` are zero where padded.

    Attributes
    ----------
    mask
        bool (B, n), True for real nodes.
    """

    mask: Tensor

    @classmethod
    def of(cls, images: Sequence[NodeImage]) -> Self:
        """Pad ``images``; at least one."""
        x = pad_sequence([image.x for image in images], batch_first=True)
        of_images = _of_images(images, x.device)
        return cls(
            images=tuple(images),
            x=x,
            coords=pad_sequence([image.coords for image in images], batch_first=True),
            **of_images,
            mask=torch.arange(x.shape[1], device=x.device) < of_images["n_nodes"],
        )

    @cached_property
    def places(self) -> Tensor:
        """Places of the real nodes among all, padded ones included, int64 (N,)."""
        # Their number is known here, so that nothing waits for a device to count them.
        return self.mask.flatten().nonzero_static(size=sum(self.sizes)).squeeze(1)

    def packed(self) -> "PackedBatch":
        """The images without padding."""
        x, coords = (values.flatten(0, 1)[self.places] for values in (self.x, self.coords))
        return PackedBatch(self.images, x, coords, self.labels, self.n_nodes, self.offset)

    @cached_property
    def all_pairs(self) -> AllPairs:
        """Every two nodes of an image."""
        return AllPairs(self.mask, sum(self.sizes) if self.images else None)

    def total(self, h: Tensor) -> Tensor:
        """Sum of h (B, n, d) over the real nodes of each image, (B, d)."""
        return (h * self.mask.to(h.dtype).unsqueeze(-1)).sum(dim=1)

    def softmax(self, score: Tensor) -> Tensor:
        """Softmax of ``score`` (B, n) over the real nodes of each image; 0 where padded."""
        return score.masked_fill(~self.mask, -torch.inf).softmax(dim=-1)

    def at_nodes(self, values: Tensor) -> Tensor:
        """``values`` (B, d) as (B, 1, d)."""
        return values.unsqueeze(1)


@dataclass(frozen=True)
class PackedBatch(ImageBatch):
    """Images one after the other: ``nodes`` is (N,), and no tensor has the size of all pairs."""

    @classmethod
    def of(cls, images: Sequence[NodeImage]) -> Self:
        """Pack ``images``; at least one."""
        x = _one_after_the_other(images)
        return cls(
            images=tuple(images),
            x=x,
            coords=torch.cat([image.coords for image in images]),
            **_of_images(images, x.device),
        )

    def packed(self) -> "PackedBatch":
        """Itself."""
        return self

    @property
    def all_pairs(self) -> None:
        """There is no room for them."""
        return

    @cached_property
    def starts(self) -> Tensor:
        """Place of each image's first node, and N, int64 (B + 1,)."""
        return pad(self.n_nodes.squeeze(1).cumsum(0), (1, 0))

    @cached_property
    def image_of_node(self) -> Tensor:
        """Place of each node's image, int64 (N,)."""
        places = torch.arange(len(self.images), device=self.x.device)
        return places.repeat_interleave(self.n_nodes.squeeze(1), output_size=len(self.x))

    def total(self, h: Tensor) -> Tensor:
        """Sum of h (N, d) over the nodes of each image, (B, d), at least in single precision."""
        h = at_least_float32(h)
        return h.new_zeros(len(self.images), h.shape[1]).index_add(0, self.image_of_node, h)

    def softmax(self, score: Tensor) -> Tensor:
        """Softmax of ``score`` (N,) over the nodes of each image, at least in single precision."""
        score = at_least_float32(score)
        least = score.new_full((len(self.images),), -torch.inf)
        largest = least.scatter_reduce(0, self.image_of_node, score.detach(), "amax")
        share = (score - self.at_nodes(largest)).exp()
        return share / self.at_nodes(self.total(share.unsqueeze(1)).squeeze(1))

    def at_nodes(self, values: Tensor) -> Tensor:
        """``values`` (B, d) as (N, d)."""
        return values[self.image_of_node]


def _one_after_the_other(images: Sequence[NodeImage]) -> Tensor:
    """Features of all images, (N, d); one image at a time is in memory beside them."""
    first, *others = images
    values = first.x
    x = values.new_empty(sum(image.n_nodes for image in images), values.shape[1])
    x[: first.n_nodes], end = values, first.n_nodes
    for image in others:
        x[end : end + image.n_nodes] = image.x
        end += image.n_nodes
    return x


def _of_images(images: Sequence[NodeImage], device: torch.device) -> dict[str, Any]:
    """``labels``, ``n_nodes`` and ``offset`` of a batch on ``device``."""
    offsets = [image.offset for image in images if image.offset is not None]
    return {
        "labels": torch.tensor([image.label for image in images], device=device),
        "n_nodes": torch.tensor([image.n_nodes for image in images], device=device).unsqueeze(1),
        "offset": torch.stack(offsets) if offsets else 0.0,
    }


def labels_of(images: Sequence[NodeImage]) -> Int64s:
    """Labels of ``images``, int64 (n,)."""
    return np.array([image.label for image in images], np.int64)


def patients_of(images: Sequence[NodeImage]) -> list[str]:
    """Whose images they are; where nothing is known of patients each image has its own."""
    return [image.patient or f"image {place}" for place, image in enumerate(images)]
