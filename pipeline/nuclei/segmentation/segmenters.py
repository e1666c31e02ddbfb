"""The ways to find nuclei, behind one interface; torch is imported only by those that need it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from pipeline.arrays import Rgb
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.network.weights_files import weights_of
from pipeline.nuclei.params import PROCESSOR_BATCH, NucleiParams
from pipeline.nuclei.stain.stain_channels import StainScale

Key = TypeVar("Key")


class Segmenter(Protocol):
    """Finds nuclei in pixels."""

    params: NucleiParams

    helpers: int = 0
    """Cores that read, finish and measure beside what finds nuclei; 0 where all is done in turn."""

    def at_once(self, side_px: int, mpp: float) -> int:
        """Squares of ``side_px`` at ``mpp`` that are best given in one batch."""
        return self.params.batch_size or PROCESSOR_BATCH

    def network_mpp(self) -> float:
        """Resolution at which it works, um/px."""

    def segment(self, rgbs: Sequence[Rgb], mpp: float, stain: StainScale) -> list[Labels]:
        """Nuclei of each image, labelled 1 to n without gaps, 0 = background, in the images' own pixels.

        Parameters
        ----------
        rgbs
            Images of one size (h, w, 3).
        mpp
            Their resolution, um/px.
        stain
            The slide's stain scale.
        """

    def segment_batches(
        self, batches: Iterable[tuple[Key, Sequence[Rgb]]], mpp: float, stain: StainScale
    ) -> Iterator[tuple[Key, list[Labels]]]:
        """``segment`` of each batch, in order, with the key that came with it; a batch or two may be taken ahead."""
        return ((key, self.segment(rgbs, mpp, stain)) for key, rgbs in batches)


def open_segmenter(params: NucleiParams, *, device: str) -> Segmenter:
    """Segmenter that ``params`` ask for.

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
    import cv2

    cv2.setNumThreads(1)  # images are shared among threads; each would take all cores besides
    weights_path = weights_of(params)
    if weights_path is None:
        from pipeline.nuclei.segmentation.watershed import WatershedSegmenter

        return WatershedSegmenter(params)
    if params.segmenter == "cellpose_sam":
        from pipeline.nuclei.segmentation.cellpose_sam import open_cellpose_sam

        return open_cellpose_sam(weights_path, params, device=device)
    from pipeline.nuclei.network.inference_engine import open_cpnet

    return open_cpnet(weights_path, params, device=device)
