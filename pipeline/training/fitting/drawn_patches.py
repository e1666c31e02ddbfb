"""Some patches of very large images, drawn by a seed."""

from collections.abc import Sequence

import torch

from pipeline.training.cohort.seeds import derived_seed
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.graphs.lazy_images import with_nodes


def drawn_patches(images: Sequence[NodeImage], most: int, seed: int, *purpose: int | str) -> Sequence[NodeImage]:
    """``images``, and of those with more than ``most`` patches so many, drawn without repeating, in their order.

    Parameters
    ----------
    most
        0 takes all.
    seed, purpose
        Decide the draw, with the place of an image in ``images``.
    """
    if not most or all(image.n_nodes <= most for image in images):
        return images
    return [
        _drawn(image, most, derived_seed(seed, *purpose, place)) if image.n_nodes > most else image
        for place, image in enumerate(images)
    ]


def _drawn(image: NodeImage, most: int, seed: int) -> NodeImage:
    order = torch.randperm(image.n_nodes, generator=torch.Generator().manual_seed(seed))
    return with_nodes(image, order[:most].sort().values)
