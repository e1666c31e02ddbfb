from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from pipeline.nuclei.network.cpnet_engine import CpnetEngine, steps_of
from pipeline.nuclei.network.weights import Weights
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale


class Brightness(CpnetEngine):
    """Labels pixels by their red value, whatever the stain."""

    def at_once(self, side_px: int, mpp: float) -> int:
        return 1

    def segment_batches(
        self, batches: Iterable[tuple[Any, Sequence[np.ndarray]]], mpp: float, stain: StainScale
    ) -> Iterator[tuple[Any, list[np.ndarray]]]:
        for key, rgbs in batches:
            yield key, [rgb[..., 0].astype(np.int32) for rgb in rgbs]


@pytest.fixture
def engine(tiny_weights: Weights) -> Brightness:
    """Of weights for nuclei 16 px across, which are 8 um here."""
    return Brightness(tiny_weights, NucleiParams(nucleus_diameter_um=8.0, min_area_um2=5.0))


@pytest.mark.parametrize(("diameter_px", "steps"), [(30, 200), (16, 107), (1.5, 10)])
def test_steps_are_cellpose_s_at_its_diameter_and_rounded_up(diameter_px: float, steps: int) -> None:
    assert steps_of(diameter_px) == steps


def test_a_nucleus_is_seen_at_the_diameter_of_the_training(engine: Brightness) -> None:
    assert engine.network_mpp() == 0.5
    assert engine.seen_size((100, 60), 0.25) == (50, 30)
    assert engine.seen_size((100, 60), 1.0) == (200, 120)


def test_the_least_area_in_pixels(engine: Brightness) -> None:
    assert engine.least_area_px(0.5) == 20.0


def test_one_batch_is_the_labels_of_its_images(engine: Brightness) -> None:
    rgbs = [np.full((2, 3, 3), value, np.uint8) for value in (4, 7)]
    labels = engine.segment(rgbs, 0.5, StainScale(0.0, 1.0))
    assert [int(of_image.max()) for of_image in labels] == [4, 7]
