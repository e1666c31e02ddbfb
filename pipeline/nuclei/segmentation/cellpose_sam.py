"""Cellpose-SAM (Pachitariu et al. 2025) as a ``segmenters.Segmenter``.

It comes with cellpose 4, which no longer holds the CPnet of cellpose 2 and 3: the two live
in separate environments, and only one of ``network.inference_engine`` and this module works in each.
"""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.arrays import Rgb
from pipeline.errors import ConfigError, WeightsError
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.whole_nuclei import whole_nuclei
from pipeline.nuclei.network.weights import read_state, says_cpnet
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.segmenters import Segmenter
from pipeline.nuclei.stain.stain_channels import StainScale

DIAMETER_PX = 30.0
"""Images are brought to nuclei of this diameter, the mean of its training images."""

FIELDS_PER_PASS = 8
"""Guard on memory: fields of view that the network sees at once."""

SAM_TENSOR = "encoder.pos_embed"
"""A tensor that every Cellpose-SAM file has."""


class SamModel(Protocol):
    """What is used of ``cellpose.models.CellposeModel`` 4."""

    def eval(self, x: list[Rgb], **settings: Any) -> tuple[Any, ...]:
        """Masks of each image, then other things."""


class CellposeSamSegmenter(Segmenter):
    """Cellpose-SAM ready to find nuclei in pixels.

    Parameters
    ----------
    model
        A ``CellposeModel`` of cellpose 4.
    params
        ``nucleus_diameter_um``, thresholds and ``min_area_um2`` are used.
    """

    def __init__(self, model: SamModel, params: NucleiParams) -> None:
        self.model = model
        self.params = params

    def network_mpp(self) -> float:
        """Resolution at which nuclei of ``nucleus_diameter_um`` are ``DIAMETER_PX`` across, um/px."""
        return self.params.nucleus_diameter_um / DIAMETER_PX

    def segment(self, rgbs: Sequence[Rgb], mpp: float, stain: StainScale) -> list[Labels]:
        """Nuclei of each image; see ``Segmenter``.

        ``stain`` is not used: the network sees colours and is given each image scaled by its
        own percentiles, as it was trained.
        """
        masks = self.model.eval(
            list(rgbs),
            batch_size=FIELDS_PER_PASS,
            channel_axis=-1,
            diameter=self.params.nucleus_diameter_um / mpp,
            flow_threshold=self.params.flow_threshold,
            cellprob_threshold=self.params.cellprob_threshold,
            min_size=1,
        )[0]
        min_area_px = self.params.min_area_um2 / mpp**2
        return [whole_nuclei(np.asarray(mask, np.int32), min_area_px) for mask in masks]


def open_cellpose_sam(path: Path, params: NucleiParams, *, device: str) -> CellposeSamSegmenter:
    """Segmenter with the Cellpose-SAM file at ``path``.

    Raises
    ------
    WeightsError
        If the file is missing, corrupt, or not of Cellpose-SAM.
    ConfigError
        If cellpose 4 is not installed.
    DeviceError
        See ``pipeline.devices.choose_device``.
    """
    from pipeline.devices import choose_device

    state = read_state(path)
    if SAM_TENSOR not in state:
        found = "a CPnet, which segmenter: cellpose runs" if says_cpnet(state) else "another architecture"
        raise WeightsError(f"weights {path}: expected a Cellpose-SAM file (cellpose 4), found {found}.")
    _check_cellpose()
    from cellpose.models import CellposeModel

    # cellpose loads its default model where the file is missing; read_state has seen that it is not.
    where = choose_device(device)
    model = CellposeModel(gpu=where.type == "cuda", pretrained_model=str(path), device=where)
    return CellposeSamSegmenter(model, params)


def _check_cellpose() -> None:
    try:
        found = version("cellpose")
    except PackageNotFoundError:
        found = "none"
    if found == "none" or int(found.split(".")[0]) < 4:
        raise ConfigError(
            f"nuclei.segmenter: cellpose_sam needs cellpose 4, found {found}; "
            f'make an environment with pip install "cellpose>=4", or use segmenter: cellpose.'
        )
