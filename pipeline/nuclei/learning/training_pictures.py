"""What a network is trained on and what chooses its weights: outlined, painted and pasted pictures."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Rgb
from pipeline.errors import CohortError
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.learning.augmentation import OutlinedImage, rescaled
from pipeline.nuclei.learning.collage import collages
from pipeline.nuclei.learning.training_batches import Pools, image_pool
from pipeline.nuclei.learning.training_params import NucleiTrainingParams

MAX_HELD_OUT = 24
"""Most images of a kind that are held out: more would make validation long."""

CANVAS_HELD_OUT = 0.2
"""Lower share of the canvas' rows that only held-out collages lie on."""

Kinds = Mapping[str, Sequence[OutlinedImage]]
"""Images of each kind: ``real``, ``synthetic`` and ``collages``."""


@dataclass(frozen=True)
class TrainingPictures:
    """What a network is trained on.

    Attributes
    ----------
    images
        Real images uint8 (h, w, 3) and their nuclei int32 (h, w), 0 = background.
    synthetic
        Painted images in the same form; may be empty.
    canvas
        Real tissue at the training scale, onto which nuclei of ``images`` are laid; None makes no collages.
    licence, provenance
        Of the pictures, hence of the weights, in whose file they are stored.
    """

    images: Sequence[tuple[Rgb, Labels]]
    synthetic: Sequence[tuple[Rgb, Labels]] = ()
    canvas: Rgb | None = None
    licence: str = "BSD-3-Clause"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> str:
        """Of every pixel and every label, in their order; 16 hex digits."""
        digest = hashlib.sha256()
        for kind, pairs in (("images", self.images), ("synthetic", self.synthetic)):
            digest.update(f"{kind} {len(pairs)};".encode())
            for rgb, labels in pairs:
                _update(digest, rgb)
                _update(digest, labels)
        if self.canvas is not None:
            _update(digest, self.canvas)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class TrainingImages:
    """What a training draws its crops from, and what chooses its weights.

    Attributes
    ----------
    pools
        Seen by the optimiser.
    held_out
        Never seen, at the training scale.
    """

    pools: Pools
    held_out: Kinds


def training_images(pictures: TrainingPictures, params: NucleiTrainingParams) -> TrainingImages:
    """Rescale images, hold a share of each kind out, and make collages of either share on its own part of the canvas.

    Raises
    ------
    CohortError
        If there is no image left to train on.
    """
    real, unseen = _split([rescaled(*pair, params.diameter_px) for pair in pictures.images], params)
    painted, unseen_painted = _split([rescaled(*pair, params.diameter_px) for pair in pictures.synthetic], params)
    if not real and not painted:
        raise CohortError(
            f"train-nuclei: expected images to train on, found {len(pictures.images)} of which "
            f"{len(unseen)} are held out."
        )
    pasted: list[OutlinedImage] = []
    unseen_pasted: list[OutlinedImage] = []
    canvas = pictures.canvas
    if canvas is not None and params.collages:
        border = round(canvas.shape[0] * (1 - CANVAS_HELD_OUT))
        n_unseen = _n_held_out(params.collages, params)
        pasted = collages(real, canvas[:border], params.collages - n_unseen, params.collage_px, params.seed)
        unseen_pasted = collages(unseen, canvas[border:], n_unseen, params.collage_px, params.seed)
    pools = Pools(image_pool(real), image_pool(painted), image_pool(pasted))
    return TrainingImages(pools, {"real": unseen, "synthetic": unseen_painted, "collages": unseen_pasted})


def _split(
    images: Sequence[OutlinedImage], params: NucleiTrainingParams
) -> tuple[list[OutlinedImage], list[OutlinedImage]]:
    """Images to train on and those held out, each in their own order."""
    drawn = np.random.default_rng(params.seed).permutation(len(images))
    n_held_out = _n_held_out(len(images), params)
    seen, unseen = sorted(drawn[n_held_out:]), sorted(drawn[:n_held_out])
    return [images[index] for index in seen], [images[index] for index in unseen]


def _n_held_out(n_images: int, params: NucleiTrainingParams) -> int:
    return min(MAX_HELD_OUT, round(n_images * params.held_out_fraction))


def _update(digest: "hashlib._Hash", array: npt.NDArray[Any]) -> None:
    digest.update(f"{array.dtype.str} {array.shape};".encode())
    digest.update(np.ascontiguousarray(array).data)
