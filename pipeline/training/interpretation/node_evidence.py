"""Evidence of patches by occlusion: how much less is said for a class when a patch is left out.

A patch is left out of the image, so that graphs are drawn among the others and pooled
statistics are theirs (Zeiler and Fergus 2014, with absence in the place of grey).  Where an
image has too many patches to leave out each, squares of neighbouring ones are left out, and
share what the square says.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Bools, Float32s, Int64s
from pipeline.training.graphs.image_batches import NodeImage

LEAST_GROUPS = 64
"""Groups of patches that are left out in turn in an image of as many, whatever that costs."""

Says = Callable[[Sequence[NodeImage]], Tensor]
"""Log-odds (n_images, n_classes) of images, on the CPU."""


def occlusion_groups(coords: Float32s, patches_read: int) -> Int64s:
    """Number of the group of each patch, int64 (n,), counted from 0.

    Each patch is its own group if that has the model read at most ``patches_read`` patches;
    else groups are the smallest squares of whole tile sides of which there are few enough.

    Parameters
    ----------
    coords
        float32 (n, 2), in tile sides.
    """
    n_patches = len(coords)
    most = max(LEAST_GROUPS, patches_read // max(n_patches, 1))
    if n_patches <= most:
        return np.arange(n_patches)
    side = max(1, math.isqrt(n_patches // most))
    while True:
        squares = np.floor((coords - coords.min(axis=0)) / side).astype(np.int64)
        _, group = np.unique(squares, axis=0, return_inverse=True)
        if group.max() < most:
            return np.asarray(group.reshape(-1), np.int64)
        side += 1


def node_evidence(image: NodeImage, groups: Int64s, says: Says) -> Float32s:
    """Evidence of each patch for each class, float32 (n, n_classes).

    A group that is the whole image is compared with one average patch (standardised
    features of 0) instead of with nothing.

    Parameters
    ----------
    groups
        int64 (n,), see ``occlusion_groups``.
    says
        The model.
    """
    sizes = np.bincount(groups)
    if len(sizes) == 1:
        rest = [average_patch(image)]
    else:
        rest = [without(image, groups == group) for group in range(len(sizes))]
    whole, *occluded = torch.split(says([image, *rest]), 1)
    said = (whole - torch.cat(occluded)).numpy()
    return np.asarray((said / sizes[:, None])[groups], np.float32)


def without(image: NodeImage, left_out: Bools) -> NodeImage:
    """The image without the patches for which the mask ``left_out`` (n,) is True."""
    kept = torch.from_numpy(np.flatnonzero(~left_out)).to(image.device)
    return NodeImage(image.x[kept], image.coords[kept], image.label)


def average_patch(image: NodeImage) -> NodeImage:
    """One patch of average features in the place of an image."""
    return NodeImage(torch.zeros_like(image.x[:1]), image.coords[:1], image.label)
