from pathlib import Path

import pytest

from pipeline.errors import DeviceError, WeightsError
from pipeline.nuclei.engine import NucleusFinder
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmenters import open_segmenter


def test_cellpose(tiny_weights_path: Path) -> None:
    finder = open_segmenter(NucleiParams(weights=str(tiny_weights_path)), device="cpu")
    assert isinstance(finder, NucleusFinder)
    assert finder.network_mpp() == 0.5


def test_watershed_has_the_same_resolution() -> None:
    finder = open_segmenter(NucleiParams(segmenter="watershed"), device="cpu")
    assert finder.network_mpp() == 0.5


def test_cellpose_sam_of_a_cpnet(tiny_weights_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected a Cellpose-SAM file"):
        open_segmenter(NucleiParams(segmenter="cellpose_sam", weights=str(tiny_weights_path)), device="cpu")


def test_half_precision_needs_cuda(tiny_weights_path: Path) -> None:
    params = NucleiParams(weights=str(tiny_weights_path), precision="float16")
    with pytest.raises(DeviceError, match="float16 needs a CUDA device"):
        open_segmenter(params, device="cpu")
