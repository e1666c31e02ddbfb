"""The engine finds the nuclei that Cellpose 3 finds with the same weights, on real tissue."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.nuclei.learning.detection_scores import Matches, match_nuclei
from pipeline.nuclei.network.inference_engine import open_cpnet
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import estimate_stain_scale, network_input
from tests.nuclei.network.network_outputs import labels_from_output

DATA = Path(os.environ.get("ABIGNET_REAL_DATA", ""))
WEIGHTS = DATA / "weights_scellseg_cellpose" / "cellpose3_cpnet_cyto_scellseg"

pytestmark = pytest.mark.skipif(not os.environ.get("ABIGNET_REAL_DATA"), reason="ABIGNET_REAL_DATA names no folder")


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_same_nuclei_as_cellpose_on_tissue(runtime: str) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino")
    from cellpose.models import CellposeModel

    model = CellposeModel(gpu=False, pretrained_model=str(WEIGHTS))
    segmenter = open_cpnet(WEIGHTS, NucleiParams(threads=2, runtime=runtime), device="cpu")  # type: ignore[arg-type]
    total = Matches(0, 0, 0)
    for path in sorted((DATA / "nuclei_tcga_lgg" / "images").glob("*.webp"))[:12:4]:
        rgb = np.asarray(Image.open(path).convert("RGB"))[:320, :320]
        image = network_input(rgb, estimate_stain_scale([rgb]), "haematoxylin")
        masks = model.eval(
            np.moveaxis(image, 0, -1), channels=None, channel_axis=-1, normalize=False, diameter=30, min_size=1
        )[0]
        output = np.asarray(segmenter.forward(image[None])[0])
        total += match_nuclei(masks, labels_from_output(output, segmenter.params, diameter_px=30), 0.5)
    assert total.true_positives > 60
    assert total.average_precision >= 0.99
