"""Filling beside real tissue: the nuclei of what was scanned are those of the same picture without it."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tiles import read_tiles
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segment_nuclei import segment_nuclei
from pipeline.nuclei.segmentation.segment_image import segment_image
from pipeline.slides.filling import filled_in
from pipeline.slides.reader import open_slide
from pipeline.slides.slide_input import SlideInput
from pipeline.synthetic.painting.pyramid import write_pyramid
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_slide import tile_slide

DATA = Path(os.environ.get("ABIGNET_REAL_DATA", ""))
SLIDE = DATA / "wsi_openslide/CMU-1-Small-Region.svs"
CROP_PX = 512

pytestmark = pytest.mark.skipif(not os.environ.get("ABIGNET_REAL_DATA"), reason="ABIGNET_REAL_DATA names no folder")


def filling(name: str, shape: tuple[int, int]) -> np.ndarray:
    if name == "noisy black":
        return np.random.default_rng(0).integers(0, 7, (*shape, 3)).astype(np.uint8)
    return np.full((*shape, 3), {"black": 0, "grey": 128, "white": 255}[name], np.uint8)


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    with open_slide(SLIDE, slide_id="s") as slide:
        return slide.read_box(600, 900, CROP_PX, CROP_PX, width_px=CROP_PX, height_px=CROP_PX)


def nuclei_of_image(rgb: np.ndarray, folder: Path, segmenter: str) -> np.ndarray:
    Image.fromarray(rgb).save(folder / "a.png")
    params = NucleiParams(segmenter=segmenter)  # type: ignore[arg-type]
    slide = SlideInput("a", folder / "a.png", 0.5)
    segment_image(slide, folder / "n.parquet", params=params, device="cpu", source="x")
    return read_nuclei(folder / "n.parquet").frame[["x_um", "y_um"]].to_numpy()


@pytest.mark.parametrize(("segmenter", "tolerance"), [("cellpose", 1), ("watershed", 0)])
def test_a_strip_beside_a_crop_changes_no_count(
    crop: np.ndarray, tmp_path: Path, segmenter: str, tolerance: int
) -> None:
    """The network sees further than the halo: a sliver at the edge, of the smallest size, may come or go."""
    clean = nuclei_of_image(crop, tmp_path, segmenter)
    assert len(clean) > 100
    for name in ("black", "grey", "white", "noisy black"):
        for width in (37, 256):
            filled = np.concatenate([crop, filling(name, (CROP_PX, width))], axis=1)
            n_found = len(nuclei_of_image(filled, tmp_path, segmenter))
            assert abs(n_found - len(clean)) <= tolerance, (name, width)


@pytest.mark.parametrize("name", ["black", "grey", "white", "noisy black"])
def test_tiles_of_a_slide_with_a_wedge_have_the_nuclei_of_one_that_ends_there(
    crop: np.ndarray, tmp_path: Path, name: str
) -> None:
    """Tiles that the wedge does not meet give the same as where the wedge is the slide's white surroundings."""
    row, col = np.indices(crop.shape[:2])
    where = row + 0.4 * col < 180
    counts = []
    for each in (name, "white"):
        rgb = crop.copy()
        rgb[where] = filling(each, where.shape)[where]
        path = tmp_path / f"{each}.tif"
        write_pyramid(path, rgb, 0.5)
        tiling = TilingParams(tile_px=128, overview_px=400)
        tiles = tmp_path / "t.parquet"
        tile_slide(
            path, tiles, None, slide_id="a", mpp=None, mask_path=None, params=tiling, on_bad_slide="stop", source="x"
        )
        kept = read_tiles(tiles).frame.query("kept")["tile_id"].tolist()
        segment_nuclei(path, tiles, tmp_path / "n.parquet", slide_id="a", params=NucleiParams(), source="x")
        table = read_nuclei(tmp_path / "n.parquet").frame
        counts.append((kept, table["tile_id"].value_counts().sort_index().to_dict()))
    assert counts[0][0] == counts[1][0]
    # A pyramid of JPEG carries the edge of the wedge some pixels into the tissue.
    first, other = (sum(found.values()) for _, found in counts)
    assert first == pytest.approx(other, abs=3)


def test_no_real_image_holds_filling() -> None:
    seen = 0
    for folder in ("glas_subset", "lc25000_subset", "nuclei_tnbc", "nuclei_cpm15", "nuclei_tcga_lgg"):
        for path in sorted((DATA / folder / "images").glob("*"))[:12]:
            rgb = np.asarray(Image.open(path).convert("RGB"))
            assert filled_in(rgb, 0.5) is None, path
            assert filled_in(np.asarray(Image.fromarray(rgb).reduce(4)), 2.0) is None, path
            seen += 1
    assert seen > 40
