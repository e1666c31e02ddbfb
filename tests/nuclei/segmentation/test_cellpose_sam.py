from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError, WeightsError
from pipeline.nuclei.network.weights import load_weights
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.cellpose_sam import CellposeSamSegmenter, open_cellpose_sam
from pipeline.nuclei.stain.stain_channels import StainScale


class DarkPixels:
    """Takes what ``CellposeModel.eval`` of cellpose 4 takes; finds one cell, the dark pixels of each image."""

    def eval(
        self,
        x: list[np.ndarray],
        batch_size: int = 8,
        resample: bool = True,
        channels: None = None,
        channel_axis: int | None = None,
        z_axis: int | None = None,
        normalize: bool = True,
        invert: bool = False,
        rescale: float | None = None,
        diameter: float | None = None,
        flow_threshold: float = 0.4,
        cellprob_threshold: float = 0.0,
        do_3D: bool = False,
        anisotropy: float | None = None,
        flow3D_smooth: int = 0,
        stitch_threshold: float = 0.0,
        min_size: int = 15,
        max_size_fraction: float = 0.4,
        niter: int | None = None,
        augment: bool = False,
        tile_overlap: float = 0.1,
        bsize: int = 256,
        compute_masks: bool = True,
        progress: None = None,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        self.settings = (channel_axis, diameter, flow_threshold, cellprob_threshold, min_size)
        masks = [(image.mean(axis=channel_axis) < 100).astype(np.uint16) * 7 for image in x]
        return masks, [None] * len(x), [None] * len(x)


@pytest.fixture
def sam_path(tmp_path: Path) -> Path:
    torch.save({"encoder.pos_embed": torch.zeros(2), "W2": torch.zeros(1)}, tmp_path / "cpsam")
    return tmp_path / "cpsam"


def test_images_in_labels_out() -> None:
    """Nuclei of 8 um are 16 px across at 0.5 um/px; a square of 10 px is kept, one of 2 px (1 um^2) dropped."""
    images = [np.full((40, 50, 3), 255, np.uint8) for _ in range(2)]
    images[0][5:15, 5:15] = 0
    images[0][30:32, 30:32] = 0
    model = DarkPixels()
    segmenter = CellposeSamSegmenter(model, NucleiParams(flow_threshold=0.3, cellprob_threshold=-1.0))
    key, found = next(segmenter.segment_batches([("key", images)], 0.5, StainScale(0, 1)))
    assert key == "key"
    assert model.settings == (-1, 16.0, 0.3, -1.0, 1)
    assert segmenter.network_mpp() == pytest.approx(8 / 30)
    expected = np.zeros((40, 50), np.int32)
    expected[5:15, 5:15] = 1
    assert np.array_equal(found[0], expected)
    assert found[0].dtype == np.int32
    assert not found[1].any()


@pytest.mark.skipif(int(version("cellpose").split(".")[0]) > 3, reason="cellpose 4 is installed")
def test_cellpose_4_that_is_not_there(sam_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs cellpose 4, found 3\..*pip install"):
        open_cellpose_sam(sam_path, NucleiParams(), device="cpu")


def test_a_cpnet_is_not_cellpose_sam(tiny_weights_path: Path) -> None:
    with pytest.raises(WeightsError, match="found a CPnet, which segmenter: cellpose runs"):
        open_cellpose_sam(tiny_weights_path, NucleiParams(), device="cpu")


def test_cellpose_sam_is_not_a_cpnet(sam_path: Path) -> None:
    with pytest.raises(WeightsError, match="needs segmenter: cellpose_sam"):
        load_weights(sam_path)


def test_missing_and_corrupt_files(tmp_path: Path) -> None:
    (tmp_path / "half").write_bytes(b"PK\x03\x04 half a zip")
    for name, message in (("nowhere", "no such file"), ("half", "cannot be read")):
        with pytest.raises(WeightsError, match=message):
            open_cellpose_sam(tmp_path / name, NucleiParams(), device="cpu")
