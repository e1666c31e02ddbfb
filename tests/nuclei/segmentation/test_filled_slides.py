"""Filling changes neither the stain scale nor the nuclei of what was scanned."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.nuclei_in_tiles import nuclei_by_block
from pipeline.nuclei.segmentation.ownership import nucleus_table
from pipeline.nuclei.segmentation.segment_image import image_tiles
from pipeline.nuclei.segmentation.segmenters import open_segmenter
from pipeline.nuclei.segmentation.slide_stain import SlideStain, image_stain, slide_stain
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.tissue import PaintedTissue

FILLINGS = ("black", "white", "grey", "noisy black", "transparent")


def filling(name: str, height: int, width: int) -> np.ndarray:
    """RGBA (height, width, 4)."""
    if name == "noisy black":
        rgb = np.random.default_rng(0).integers(0, 7, (height, width, 3)).astype(np.uint8)
    else:
        grey = {"black": 0, "white": 255, "grey": 128, "transparent": 40}[name]
        rgb = np.full((height, width, 3), grey, np.uint8)
    alpha = np.full((height, width, 1), 0 if name == "transparent" else 255, np.uint8)
    return np.concatenate([rgb, alpha], axis=2)


def opaque(rgb: np.ndarray) -> np.ndarray:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def with_strip(rgb: np.ndarray, name: str, side: str) -> np.ndarray:
    """The picture with 64 pixels more at one side, a multiple of the network's stride."""
    if side in ("left", "right"):
        parts = [filling(name, rgb.shape[0], 64), opaque(rgb)]
        return np.concatenate(parts if side == "left" else parts[::-1], axis=1)
    parts = [filling(name, 64, rgb.shape[1]), opaque(rgb)]
    return np.concatenate(parts if side == "top" else parts[::-1], axis=0)


def nuclei(rgba: np.ndarray, path: Path, params: NucleiParams) -> tuple[SlideStain, np.ndarray, np.ndarray]:
    """Stain, centroids in pixels (n, 2), and area, mean stain and texture of the nuclei."""
    Image.fromarray(rgba).save(path)
    segmenter = open_segmenter(params, device="cpu")
    with open_slide(path, slide_id="s", mpp=0.5) as slide:
        stain = image_stain(slide, 0.5, params)
        tiles = image_tiles(slide, 0.5, params.block_px)
        table = nucleus_table([block.owned for block in nuclei_by_block(slide, tiles, segmenter, stain)])
    measures = ["area_um2", "mean_haematoxylin", "mean_grey", "orientation_rad"]
    return stain, table[["x_um", "y_um"]].to_numpy() / 0.5, table[measures].to_numpy()


@pytest.mark.parametrize("segmenter", ["watershed", "cellpose"])
@pytest.mark.parametrize("name", FILLINGS)
@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_strip_beside_the_picture_changes_no_nucleus(
    tissue: PaintedTissue, tmp_path: Path, segmenter: str, name: str, side: str
) -> None:
    params = NucleiParams(segmenter=segmenter, block_px=512)  # type: ignore[arg-type]
    stain, places, measures = nuclei(opaque(tissue.rgb), tmp_path / "a.png", params)
    filled_stain, filled_places, filled_measures = nuclei(
        with_strip(tissue.rgb, name, side), tmp_path / "b.png", params
    )
    assert filled_stain == stain
    shift = {"left": (64, 0), "top": (0, 64)}.get(side, (0, 0))
    assert len(filled_places) == len(places)
    np.testing.assert_allclose(np.sort(filled_places - shift, axis=0), np.sort(places, axis=0), atol=0.2)
    np.testing.assert_allclose(np.sort(filled_measures, axis=0), np.sort(measures, axis=0), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", FILLINGS)
@pytest.mark.parametrize("normalisation", ["none", "macenko", "reinhard"])
def test_stain_of_tiles_is_that_of_what_was_scanned(
    tissue: PaintedTissue, tmp_path: Path, name: str, normalisation: str
) -> None:
    params = NucleiParams(stain_normalisation=normalisation)  # type: ignore[arg-type]
    stains = []
    for rgba, width in (
        (opaque(tissue.rgb[:256, :256]), 256),
        (with_strip(tissue.rgb[:256, :256], name, "right"), 320),
    ):
        Image.fromarray(rgba).save(tmp_path / "a.png")
        with open_slide(tmp_path / "a.png", slide_id="s", mpp=0.5) as slide:
            tiles = image_tiles(slide, 0.5, width)
            stains.append(slide_stain(slide, tiles, params))
    assert stains[1].scale.low == pytest.approx(stains[0].scale.low, abs=0.02)
    assert stains[1].scale.high == pytest.approx(stains[0].scale.high, rel=0.02)


@pytest.mark.parametrize("name", FILLINGS)
def test_a_wedge_over_the_picture_is_like_the_edge_of_the_slide(
    tissue: PaintedTissue, tmp_path: Path, name: str
) -> None:
    params = NucleiParams(segmenter="watershed", block_px=512)
    row, col = np.indices(tissue.rgb.shape[:2])
    where = row + 0.3 * col < 90
    pictures = []
    for each in (name, "white"):
        rgba = opaque(tissue.rgb)
        rgba[where] = filling(each, *where.shape)[where]
        pictures.append(nuclei(rgba, tmp_path / "a.png", params))
    np.testing.assert_array_equal(pictures[0][1], pictures[1][1])
    np.testing.assert_array_equal(pictures[0][2], pictures[1][2])


def test_nothing_but_filling_has_no_nucleus(tmp_path: Path) -> None:
    for name in FILLINGS:
        for segmenter in ("watershed", "cellpose"):
            params = NucleiParams(segmenter=segmenter)  # type: ignore[arg-type]
            assert not len(nuclei(filling(name, 200, 200), tmp_path / "a.png", params)[1])
