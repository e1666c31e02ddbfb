"""What a network is trained on and what chooses its weights: outlined, painted and pasted pictures."""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
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
class ImageSource:
    """Where some of the real images come from; stored with the weights.

    Attributes
    ----------
    name
        What they are.
    images
        How many they are.
    licence, attribution
        Under which licence, and who must be named for it.
    share
        Of the crops of real images, up to a factor common to all sources; None leaves
        it to the sizes and colours of the images.
    """

    name: str
    images: int
    licence: str = "unknown"
    attribution: str = ""
    share: float | None = None


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
        Of the weights, in whose file they are stored.
    sources
        Of the real images, source after source in their order; may be empty.
    patients
        Of the real images, in their order; images of one patient are held out together or not at all.  Empty where
        none is known: each image is then taken for a patient of its own.

    Raises
    ------
    CohortError
        If the sources or patients are those of more or fewer images, or only some sources have a share.
    """

    images: Sequence[tuple[Rgb, Labels]]
    synthetic: Sequence[tuple[Rgb, Labels]] = ()
    canvas: Rgb | None = None
    licence: str = "BSD-3-Clause"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    sources: Sequence[ImageSource] = ()
    patients: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.patients and len(self.patients) != len(self.images):
            raise CohortError(
                f"train-nuclei: expected the patients of {len(self.images)} images, found {len(self.patients)}."
            )
        told = sum(source.images for source in self.sources)
        if self.sources and told != len(self.images):
            raise CohortError(f"train-nuclei: expected sources of {len(self.images)} images, found those of {told}.")
        n_shares = len(self.shares)
        if 0 < n_shares < len(self.sources):
            raise CohortError(
                f"train-nuclei: expected a share for all of {len(self.sources)} sources or for none, found {n_shares}."
            )

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of the sources; empty where sizes and colours of the images decide."""
        return tuple(source.share for source in self.sources if source.share is not None)

    @property
    def origins(self) -> npt.NDArray[np.intp]:
        """Number of the source of each real image, (n,)."""
        return np.repeat(np.arange(len(self.sources)), [source.images for source in self.sources])

    def digest(self) -> str:
        """Of every pixel and label in their order, of the shares of the sources and of patients; 16 hex digits."""
        digest = hashlib.sha256()
        if self.patients:
            digest.update(f"patients {list(self.patients)};".encode())
        if self.shares:
            digest.update(f"shares {self.shares} {self.origins.tolist()};".encode())
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

    Of real images whole patients are held out, drawn at random as long as they fit into the share.

    Raises
    ------
    CohortError
        If there is no image left to train on.
    """
    images = [rescaled(*pair, params.diameter_px) for pair in pictures.images]
    drawn, drawn_out = _split(pictures.patients or range(len(images)), params)
    real, unseen = [images[index] for index in drawn], [images[index] for index in drawn_out]
    synthetic = [rescaled(*pair, params.diameter_px) for pair in pictures.synthetic]
    painted, unseen_painted = ([synthetic[index] for index in part] for part in _split(range(len(synthetic)), params))
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
    origins = pictures.origins[drawn].tolist() if pictures.sources else []
    pools = Pools(image_pool(real, origins, pictures.shares), image_pool(painted), image_pool(pasted))
    return TrainingImages(pools, {"real": unseen, "synthetic": unseen_painted, "collages": unseen_pasted})


def _split(patients: Sequence[Hashable], params: NucleiTrainingParams) -> tuple[list[int], list[int]]:
    """Numbers of the images to train on and of those held out, each rising, by the patient of each image."""
    n_images = len(patients)
    n_held_out = _n_held_out(n_images, params)
    images_of: dict[Hashable, list[int]] = {}
    for image in np.random.default_rng(params.seed).permutation(n_images).tolist():
        images_of.setdefault(patients[image], []).append(image)
    held_out: list[int] = []
    for images in images_of.values():
        if len(held_out) + len(images) <= n_held_out:
            held_out += images
    if n_held_out and not held_out and len(images_of) > 1:
        # Every patient has more images than the share.
        held_out = min(images_of.values(), key=len)
    return sorted(set(range(n_images)) - set(held_out)), sorted(held_out)


def _n_held_out(n_images: int, params: NucleiTrainingParams) -> int:
    return min(MAX_HELD_OUT, round(n_images * params.held_out_fraction))


def _update(digest: "hashlib._Hash", array: npt.NDArray[Any]) -> None:
    digest.update(f"{array.dtype.str} {array.shape};".encode())
    digest.update(np.ascontiguousarray(array).data)
