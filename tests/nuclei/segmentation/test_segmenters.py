import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from pipeline.errors import DeviceError, WeightsError
from pipeline.nuclei.network.inference_engine import CpnetSegmenter
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.segmenters import open_segmenter


def test_cellpose(tiny_weights_path: Path) -> None:
    segmenter = open_segmenter(NucleiParams(weights=str(tiny_weights_path)), device="cpu")
    assert isinstance(segmenter, CpnetSegmenter)
    assert segmenter.network_mpp() == 0.5


def test_watershed_has_the_same_resolution() -> None:
    segmenter = open_segmenter(NucleiParams(segmenter="watershed"), device="cpu")
    assert segmenter.network_mpp() == 0.5


def test_opencv_takes_no_threads_of_its_own() -> None:
    cv2.setNumThreads(2)
    open_segmenter(NucleiParams(segmenter="watershed"), device="cpu")
    assert cv2.getNumThreads() == 1


def test_cellpose_sam_of_a_cpnet(tiny_weights_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected a Cellpose-SAM file"):
        open_segmenter(NucleiParams(segmenter="cellpose_sam", weights=str(tiny_weights_path)), device="cpu")


def test_half_precision_needs_cuda(tiny_weights_path: Path) -> None:
    params = NucleiParams(weights=str(tiny_weights_path), precision="float16")
    with pytest.raises(DeviceError, match="float16 needs a CUDA device"):
        open_segmenter(params, device="cpu")


def test_openvino_on_a_processor_needs_no_torch(tissue_png: Path) -> None:
    """Opened, and nuclei found, in an interpreter of its own."""
    pytest.importorskip("openvino")
    script = """
import sys
import numpy as np
from PIL import Image
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.segmenters import open_segmenter
from pipeline.nuclei.stain.stain_channels import StainScale

rgb = np.asarray(Image.open(sys.argv[1]))[:96, :96]
labels = open_segmenter(NucleiParams(runtime="openvino"), device="cpu").segment([rgb], 0.5, StainScale(0.0, 1.0))[0]
print(labels.max() > 0, sorted({"torch", "cellpose"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script, tissue_png], check=True, capture_output=True, text=True)
    assert done.stdout.split("\n")[0] == "True []"
