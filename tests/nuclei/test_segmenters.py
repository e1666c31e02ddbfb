from pathlib import Path

import pytest

from pipeline.errors import ConfigError, DeviceError, WeightsError
from pipeline.nuclei.engine import NucleusFinder
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmenters import open_segmenter


def test_cellpose(tiny_weights_path: Path) -> None:
    finder = open_segmenter("cellpose", NucleiParams(), weights_path=tiny_weights_path, device="cpu")
    assert isinstance(finder, NucleusFinder)
    assert finder.network_mpp() == 0.5


def test_watershed_has_the_same_resolution() -> None:
    finder = open_segmenter("watershed", NucleiParams(), weights_path=None, device="cpu")
    assert finder.network_mpp() == 0.5


def test_cellpose_sam_of_a_cpnet(tiny_weights_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected a Cellpose-SAM file"):
        open_segmenter("cellpose_sam", NucleiParams(), weights_path=tiny_weights_path, device="cpu")


def test_what_cannot_be(tiny_weights_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of cellpose, cellpose_sam, watershed, found 'stardist'"):
        open_segmenter("stardist", NucleiParams(), weights_path=None, device="cpu")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cellpose needs weights, found none"):
        open_segmenter("cellpose", NucleiParams(), weights_path=None, device="cpu")
    with pytest.raises(DeviceError, match="float16 needs a CUDA device"):
        open_segmenter("cellpose", NucleiParams(), weights_path=tiny_weights_path, device="cpu", precision="float16")
