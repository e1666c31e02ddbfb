"""How fast nuclei are measured, and put together over the borders of tiles.

Prints nuclei per second of ``measure_nuclei`` on painted tiles, of scikit-image's
``regionprops_table`` (with ``graycomatrix`` and ``graycoprops`` a nucleus, for the same texture
measures) on some of them, and of ``nucleus_table`` over the nuclei of a large slide.

    python benchmarks/morphology_speed.py --nuclei 100000

Processor time, one thread.
"""

import argparse
import time

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from skimage.feature import graycomatrix, graycoprops
from skimage.measure import regionprops_table

from pipeline.nuclei.measures.glcm import LEVELS
from pipeline.nuclei.measures.nucleus_morphology import measure_nuclei
from pipeline.nuclei.segmentation.ownership import BlockPlace, nucleus_table, owned_nuclei
from pipeline.nuclei.stain.stain_channels import LUMINANCE
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue

SIDE_PX = 1024
MPP = 0.5
PROPERTIES = (
    "area",
    "centroid",
    "axis_major_length",
    "axis_minor_length",
    "perimeter",
    "eccentricity",
    "equivalent_diameter_area",
    "mean_intensity",
    "orientation",
    "solidity",
)
TEXTURES = ("contrast", "energy", "correlation", "homogeneity", "ASM")

Labels = npt.NDArray[np.int32]
Rgb = npt.NDArray[np.uint8]


def painted() -> tuple[Labels, Rgb]:
    """A tile with its nuclei numbered 1 to n."""
    spec = TissueSpec(nuclei_per_mm2=4000.0, clustering=0.2, kappa=4.0, axis_rad=0.3)
    tissue = paint_tissue(spec, width_px=SIDE_PX, height_px=SIDE_PX, mpp=MPP, rng=np.random.default_rng(1))
    _, labels = np.unique(tissue.labels, return_inverse=True)
    return labels.reshape(tissue.labels.shape).astype(np.int32), tissue.rgb


def scikit_image(labels: Labels, rgb: Rgb) -> None:
    """The same measures by scikit-image."""

    def texture(mask: npt.NDArray[np.bool_], grey: npt.NDArray[np.uint8]) -> list[float]:
        matrix = graycomatrix(
            np.where(mask, grey // 32, 0).astype(np.uint8), [1], [0], levels=LEVELS, symmetric=True, normed=True
        )
        return [float(graycoprops(matrix, name)[0, 0]) for name in TEXTURES]

    grey = np.rint(rgb @ LUMINANCE).astype(np.uint8)
    regionprops_table(labels, grey, properties=PROPERTIES, extra_properties=(texture,))


def measured(labels: Labels, rgb: Rgb, n_nuclei: int) -> float:
    """Processor seconds for ``n_nuclei`` or more, a tile at a time."""
    measure_nuclei(labels, rgb, MPP)  # compiles
    started = time.process_time()
    for _ in range(-(-n_nuclei // int(labels.max()))):
        measure_nuclei(labels, rgb, MPP)
    return (time.process_time() - started) / (-(-n_nuclei // int(labels.max())) * int(labels.max()))


def tables_of_a_slide(labels: Labels, rgb: Rgb, n_nuclei: int) -> list[pd.DataFrame]:
    """Owned nuclei of as many tiles in a square as hold ``n_nuclei``."""
    side_um = SIDE_PX * MPP
    tile = owned_nuclei(labels, rgb, MPP, BlockPlace((0,), (0.0, 0.0), ((0.0, 0.0, side_um, side_um),)))
    across = int(np.ceil(np.sqrt(n_nuclei / len(tile))))
    outlines = shapely.from_wkb(tile["contour_um"].to_numpy())
    parts = []
    for number in range(across**2):
        x, y = (number % across) * side_um, (number // across) * side_um
        contours = shapely.to_wkb(shapely.transform(outlines, lambda points, at=(x, y): points + at))
        parts.append(
            tile.assign(tile_id=number, block=number, x_um=tile["x_um"] + x, y_um=tile["y_um"] + y, contour_um=contours)
        )
    return parts


def main() -> None:
    """Print nuclei per second of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nuclei", type=int, default=100_000, help="to measure")
    parser.add_argument("--slide-nuclei", type=int, default=300_000, help="to put together")
    options = parser.parse_args()
    labels, rgb = painted()
    ours = measured(labels, rgb, options.nuclei)
    part = np.where(labels <= 300, labels, 0).astype(np.int32)
    started = time.process_time()
    scikit_image(part, rgb)
    theirs = (time.process_time() - started) / 300
    print(f"measure_nuclei      {1 / ours:10.0f} nuclei/s, {options.nuclei:,} nuclei")
    print(f"regionprops_table   {1 / theirs:10.0f} nuclei/s, 300 nuclei; {theirs / ours:.1f} times slower")
    parts = tables_of_a_slide(labels, rgb, options.slide_nuclei)
    started = time.process_time()
    table = nucleus_table(parts)
    seconds = time.process_time() - started
    print(f"nucleus_table       {len(table) / seconds:10.0f} nuclei/s, {len(table):,} nuclei of {len(parts)} tiles")


if __name__ == "__main__":
    main()
