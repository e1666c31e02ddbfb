"""The ways to find nuclei, behind one interface; torch is imported only by those that need it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain import Rgb, StainScale

Segmenter = Literal["cellpose", "cellpose_sam", "watershed"]
RuntimeName = Literal["torch", "openvino"]
Precision = Literal["float32", "float16"]


class Finder(Protocol):
    """Finds nuclei in pixels; see ``engine.NucleusFinder``."""

    params: NucleiParams

    def network_mpp(self) -> float:
        """Resolution at which it works, um/px."""

    def find(self, rgbs: Sequence[Rgb], mpp: float, stain: StainScale) -> list[npt.NDArray[np.int32]]:
        """Nuclei of each image of one size (h, w, 3), labelled 1 to n without gaps, 0 = background."""

    def find_batches(
        self, batches: Iterable[Sequence[Rgb]], mpp: float, stain: StainScale
    ) -> Iterator[list[npt.NDArray[np.int32]]]:
        """``find`` of each batch, in order."""


def open_segmenter(
    segmenter: Segmenter,
    params: NucleiParams,
    *,
    weights_path: Path | None,
    device: str,
    runtime: RuntimeName = "torch",
    precision: Precision = "float32",
) -> Finder:
    """Finder of that name.

    Parameters
    ----------
    weights_path
        The weights of ``cellpose`` and ``cellpose_sam``; ``watershed`` has none.
    device
        ``auto``, ``cpu`` or ``cuda``.
    runtime, precision
        Of ``cellpose``; see ``runtime.open_runtime``.

    Raises
    ------
    ConfigError
        If the segmenter is unknown, lacks weights, or needs cellpose 4 and does not find it.
    WeightsError, DeviceError
        If the weights or the device cannot be had.
    """
    if segmenter not in get_args(Segmenter):
        raise ConfigError(f"nuclei.segmenter: expected one of {', '.join(get_args(Segmenter))}, found {segmenter!r}.")
    if segmenter == "watershed":
        from pipeline.nuclei.watershed import WatershedFinder

        return WatershedFinder(params)
    if weights_path is None:
        raise ConfigError(f"nuclei.segmenter: {segmenter} needs weights, found none.")
    if segmenter == "cellpose_sam":
        from pipeline.nuclei.cellpose_sam import open_cellpose_sam

        return open_cellpose_sam(weights_path, params, device=device)
    from pipeline.nuclei.engine import open_finder

    return open_finder(weights_path, params, device=device, runtime=runtime, precision=precision)
