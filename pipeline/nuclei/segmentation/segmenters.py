"""The ways to find nuclei, behind one interface; torch is imported only by those that need it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from pipeline.arrays import Int32s
from pipeline.nuclei.network.weights_files import weights_of
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.stain.stain_channels import Rgb, StainScale

Key = TypeVar("Key")


class Finder(Protocol):
    """Finds nuclei in pixels; see ``inference_engine.NucleusFinder``."""

    params: NucleiParams

    def network_mpp(self) -> float:
        """Resolution at which it works, um/px."""

    def find(self, rgbs: Sequence[Rgb], mpp: float, stain: StainScale) -> list[Int32s]:
        """Nuclei of each image of one size (h, w, 3), labelled 1 to n without gaps, 0 = background."""

    def find_batches(
        self, batches: Iterable[tuple[Key, Sequence[Rgb]]], mpp: float, stain: StainScale
    ) -> Iterator[tuple[Key, list[Int32s]]]:
        """``find`` of each batch, in order, with the key that came with it."""
        return ((key, self.find(rgbs, mpp, stain)) for key, rgbs in batches)


def open_segmenter(params: NucleiParams, *, device: str) -> Finder:
    """Finder that ``params`` ask for.

    Parameters
    ----------
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If it needs cellpose 4 and does not find it.
    WeightsError, DeviceError
        If the weights, the device or the runtime cannot be had.
    """
    weights_path = weights_of(params)
    if weights_path is None:
        from pipeline.nuclei.segmentation.watershed import WatershedFinder

        return WatershedFinder(params)
    if params.segmenter == "cellpose_sam":
        from pipeline.nuclei.segmentation.cellpose_sam import open_cellpose_sam

        return open_cellpose_sam(weights_path, params, device=device)
    from pipeline.nuclei.network.inference_engine import open_finder

    return open_finder(weights_path, params, device=device)
