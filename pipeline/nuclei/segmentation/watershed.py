"""A classical baseline: haematoxylin above its surroundings, cut by a watershed; without torch.

The markers are the maxima of a surface of distance to the background and haematoxylin,
which the watershed floods (Meyer 1994; Malpica et al. 1997).  No pixel's result depends on
anything further away than the halo of a tile at the default parameters.

Frame: pixels, arrays (row, col).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from pipeline.arrays import Float32s, Rgb
from pipeline.nuclei.labels import Labels
from pipeline.nuclei.labels.whole_nuclei import whole_nuclei
from pipeline.nuclei.network.resizing import rescaled_size, resized, resized_labels
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.segmenters import Segmenter
from pipeline.nuclei.stain.stain_channels import StainScale, haematoxylin

DIAMETER_PX = 16.0
"""Nuclei of ``nucleus_diameter_um`` are brought to this diameter."""

SMOOTHING_PX = 1.0
"""Standard deviation of the Gaussian over haematoxylin."""

SURROUNDINGS_PX = 49
"""Side of the square whose mean a nucleus must exceed: three diameters."""

CONTRAST = 0.08
"""By so much, in parts of the slide's range of haematoxylin."""

LEAST_STAIN = 0.25
"""And in these parts at least, so that glass holds no nucleus."""

OPENING_PX = 5
"""Diameter of the disc that must fit into a nucleus everywhere."""

HOLE_PX = 60
"""Holes up to this area are filled."""

PEAK_DISTANCE_PX = 5
"""Two nuclei's middles are at least this far apart."""

STAIN_WEIGHT_PX = 2.0
"""Full haematoxylin counts as much as this distance to the background."""


class WatershedSegmenter(Segmenter):
    """Finds nuclei by thresholds and a watershed.

    Parameters
    ----------
    params
        ``nucleus_diameter_um`` and ``min_area_um2`` are used.
    """

    def __init__(self, params: NucleiParams) -> None:
        self.params = params

    def network_mpp(self) -> float:
        """Resolution at which nuclei of ``nucleus_diameter_um`` are ``DIAMETER_PX`` across, um/px."""
        return self.params.nucleus_diameter_um / DIAMETER_PX

    def segment(self, rgbs: Sequence[Rgb], mpp: float, stain: StainScale) -> list[Labels]:
        """Nuclei of each image; see ``Segmenter``."""
        return [self._segment(rgb, mpp, stain) for rgb in rgbs]

    def _segment(self, rgb: Rgb, mpp: float, stain: StainScale) -> Labels:
        size = (rgb.shape[0], rgb.shape[1])
        seen = resized(rgb, rescaled_size(size, mpp / self.network_mpp()))
        stained = (haematoxylin(seen) - stain.low) / (stain.high - stain.low)
        found = watershed_labels(np.asarray(stained, np.float32))
        return whole_nuclei(resized_labels(found, size), self.params.min_area_um2 / mpp**2)


def watershed_labels(stained: Float32s) -> Labels:
    """Nuclei (h, w) in haematoxylin (h, w) scaled to 0 to 1, of about ``DIAMETER_PX``."""
    smooth = np.asarray(cv2.GaussianBlur(stained, (0, 0), SMOOTHING_PX), np.float32)
    inside = _foreground(smooth)
    distance = cv2.GaussianBlur(cv2.distanceTransform(inside, cv2.DIST_L2, 5), (0, 0), SMOOTHING_PX)
    surface = np.where(inside > 0, distance + STAIN_WEIGHT_PX * np.clip(smooth, 0, 1), 0)
    peaks = peak_local_max(surface, min_distance=PEAK_DISTANCE_PX, labels=inside, exclude_border=False)
    markers = np.zeros(stained.shape, dtype=np.int32)
    markers[peaks[:, 0], peaks[:, 1]] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-surface, markers, mask=inside > 0), np.int32)


def _foreground(smooth: Float32s) -> npt.NDArray[np.uint8]:
    surroundings = cv2.blur(smooth, (SURROUNDINGS_PX, SURROUNDINGS_PX))
    inside = ((smooth > surroundings + CONTRAST) & (smooth > LEAST_STAIN)).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (OPENING_PX, OPENING_PX))
    opened = cv2.morphologyEx(inside, cv2.MORPH_OPEN, disc)
    holes, _ = ndimage.label(opened == 0)
    small = np.bincount(holes.ravel()) <= HOLE_PX
    small[0] = False
    return np.asarray(opened | small[holes], np.uint8)
