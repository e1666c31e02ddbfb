import subprocess
import sys

import numpy as np
import pytest

from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.learning.restaining import rgb_from_hed
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.watershed import WatershedSegmenter
from pipeline.nuclei.stain.stain_channels import StainScale, estimate_stain_scale
from pipeline.synthetic.painting.tissue import PaintedTissue


def stained_discs(*middles: tuple[int, int], radius: float = 7.0) -> np.ndarray:
    """RGB (80, 120) of faint tissue with discs of haematoxylin."""
    rows, cols = np.mgrid[:80, :120]
    hed = np.zeros((80, 120, 3), np.float32)
    hed[..., 0] = 0.1
    for row, col in middles:
        hed[(rows - row) ** 2 + (cols - col) ** 2 <= radius**2, 0] = 1.0
    return rgb_from_hed(hed)


def test_touching_discs_are_cut_between_them() -> None:
    rgb = stained_discs((40, 30), (40, 43), (20, 90))
    labels = WatershedSegmenter(NucleiParams()).segment([rgb], 0.5, StainScale(0.0, 1.0))[0]
    assert labels.max() == 3
    assert len({labels[40, 30], labels[40, 43], labels[20, 90]} - {0}) == 3
    assert (labels[40, :36][labels[40, :36] > 0] == labels[40, 30]).all()
    assert (labels > 0).sum() == pytest.approx(3 * np.pi * 49, rel=0.2)


@pytest.mark.parametrize("mpp", [0.25, 0.5, 1.0])
def test_found_nuclei_have_the_size_of_the_pixels(mpp: float) -> None:
    rgb = stained_discs((40, 60), radius=3.5 / mpp)
    labels = WatershedSegmenter(NucleiParams()).segment([rgb], mpp, StainScale(0.0, 1.0))[0]
    assert labels.shape == (80, 120)
    assert labels.max() == 1
    assert (labels > 0).sum() * mpp**2 == pytest.approx(np.pi * 3.5**2, rel=0.3)


def test_painted_nuclei_are_found_the_same_each_time(tissue: PaintedTissue) -> None:
    segmenter = WatershedSegmenter(NucleiParams())
    stain = estimate_stain_scale([tissue.rgb])
    key, (first, second) = next(segmenter.segment_batches([("key", [tissue.rgb, tissue.rgb])], 0.5, stain))
    assert key == "key"
    assert match_nuclei(tissue.labels, first, 0.5).f1 > 0.8
    assert np.array_equal(first, second)


@pytest.mark.parametrize("colour", [0, 243, 255])
def test_empty_tiles(colour: int) -> None:
    rgb = np.full((64, 64, 3), colour, np.uint8)
    assert not WatershedSegmenter(NucleiParams()).segment([rgb], 0.5, StainScale(0.0, 0.8))[0].any()


def test_torch_is_not_imported() -> None:
    code = (
        "import sys; from pipeline.nuclei.segmentation.segmenters import open_segmenter; "
        "from pipeline.nuclei.params import NucleiParams; "
        "open_segmenter(NucleiParams(segmenter='watershed'), device='cpu'); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
