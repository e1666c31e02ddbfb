"""A slide cut into tiles with a halo gives the nuclei of the slide in one piece."""

import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.nuclei.params import NucleiParams, SegmenterName
from pipeline.nuclei.segmentation.ownership import BlockPlace, nucleus_table, owned_nuclei
from pipeline.nuclei.segmentation.segmenters import Segmenter, open_segmenter
from pipeline.nuclei.stain.stain_channels import estimate_stain_scale
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue

MPP = 0.5
HALO_PX = 48


def nuclei_in_tiles(segmenter: Segmenter, rgb: np.ndarray, tile_px: int) -> pd.DataFrame:
    """Nucleus table of ``rgb`` cut into tiles, with white around it as beyond the border of a slide."""
    framed = np.pad(rgb, ((HALO_PX, HALO_PX), (HALO_PX, HALO_PX), (0, 0)), constant_values=255)
    stain = estimate_stain_scale([rgb])
    parts = []
    for row in range(0, rgb.shape[0], tile_px):
        for col in range(0, rgb.shape[1], tile_px):
            tile = framed[row : row + tile_px + 2 * HALO_PX, col : col + tile_px + 2 * HALO_PX]
            origin = ((col - HALO_PX) * MPP, (row - HALO_PX) * MPP)
            box = (col * MPP, row * MPP, (col + tile_px) * MPP, (row + tile_px) * MPP)
            labels = segmenter.segment([tile], MPP, stain)[0]
            parts.append(owned_nuclei(labels, tile, MPP, BlockPlace((len(parts),), origin, (box,))))
    assert not pd.concat(parts)["cut"].any()
    return nucleus_table(parts)


@pytest.mark.parametrize("segmenter", ["watershed", pytest.param("cellpose", marks=pytest.mark.slow)])
def test_tiles_give_the_nuclei_of_the_whole(segmenter: SegmenterName) -> None:
    spec = TissueSpec(nuclei_per_mm2=4000.0, clustering=0.2, kappa=4.0, axis_rad=0.3)
    rgb = paint_tissue(spec, width_px=512, height_px=512, mpp=MPP, rng=np.random.default_rng(2)).rgb
    segmenter = open_segmenter(NucleiParams(segmenter=segmenter), device="cpu")
    whole, tiled = nuclei_in_tiles(segmenter, rgb, 512), nuclei_in_tiles(segmenter, rgb, 128)
    assert len(whole) > 200
    assert abs(len(tiled) - len(whole)) <= 0.005 * len(whole)
    areas = [shapely.area(shapely.from_wkb(table["contour_um"])) for table in (whole, tiled)]
    assert areas[1].sum() == pytest.approx(areas[0].sum(), rel=0.005)
    tree = shapely.STRtree(shapely.points(whole[["x_um", "y_um"]].to_numpy()))
    nearest, distance = tree.query_nearest(shapely.points(tiled[["x_um", "y_um"]].to_numpy()), return_distance=True)
    assert len(np.unique(nearest[1])) > 0.99 * len(whole)
    assert np.quantile(distance, 0.99) < MPP
