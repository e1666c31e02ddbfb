"""What a CPnet does alike on processors (``inference_engine``) and on cards (``device_engine``).

Frame: network pixels, arrays (row, col).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from pipeline.arrays import Rgb
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.network.resizing import Size, rescaled_size
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale

Key = TypeVar("Key")
"""What a batch of images is known by to whoever asks for their nuclei."""

STRIDE_PX = 8
"""Sides must be multiples of this: three poolings by 2."""

STEPS_PER_DIAMETER = 200 / 30
"""Steps of the dynamics per pixel of nucleus diameter (cellpose: 200 at 30 px)."""


def steps_of(diameter_px: float) -> int:
    """Steps of the dynamics for nuclei of that diameter."""
    return math.ceil(diameter_px * STEPS_PER_DIAMETER)


class CpnetEngine(ABC):
    """A network ready to find nuclei in pixels; a ``segmenters.Segmenter``.

    Parameters
    ----------
    weights
        See ``load_weights``.
    params
        Thresholds, the nucleus diameter and how the network is run.

    Attributes
    ----------
    helpers
        Cores that work beside what runs the network; 0 where all is done in turn.
    """

    helpers = 0

    def __init__(self, weights: Weights, params: NucleiParams) -> None:
        self.weights = weights
        self.params = params

    def network_mpp(self) -> float:
        """Resolution at which nuclei of ``nucleus_diameter_um`` have the training diameter, um/px."""
        return self.params.nucleus_diameter_um / self.weights.diameter_px

    def seen_size(self, size: Size, mpp: float) -> Size:
        """Size at which the network sees an image of ``size`` pixels at ``mpp``."""
        return rescaled_size(size, mpp / self.network_mpp())

    def least_area_px(self, mpp: float) -> float:
        """Area below which a nucleus is left out, in pixels at ``mpp``."""
        return self.params.min_area_um2 / mpp**2

    @abstractmethod
    def at_once(self, side_px: int, mpp: float) -> int:
        """Squares of ``side_px`` at ``mpp`` in a batch."""

    def segment(self, rgbs: Sequence[Rgb], mpp: float, stain: StainScale) -> list[Labels]:
        """Nuclei of each image, labelled 1 to n without gaps, 0 = background; see ``segmenters.Segmenter``."""
        return next(labels for _, labels in self.segment_batches([(None, rgbs)], mpp, stain))

    @abstractmethod
    def segment_batches(
        self, batches: Iterable[tuple[Key, Sequence[Rgb]]], mpp: float, stain: StainScale
    ) -> Iterator[tuple[Key, list[Labels]]]:
        """``segment`` of each batch, in order, with the key that came with it."""
