"""What the quality control of tiles drops of real H&E images, and what it finds of faults put into them.

Reads the collections in the folder that $ABIGNET_REAL_DATA names.  Tiles are 128 um wide,
everything else is at its default.  Three tables:

* of each collection as it is, the share of tiles dropped by each check;
* faults put in, of every tenth image: the share of a painted stroke found as pen, and as
  pen of its colour (ink in front of the tissue, transmittances multiply; three densities
  an ink), of a stroke over glass, and of a band of doubled tissue found as fold;
* the share of tiles dropped as out of focus under Gaussian blur.

    ABIGNET_REAL_DATA=... python benchmarks/tile_quality.py
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from scipy import ndimage

from pipeline.artefacts.tiles import PEN_COLUMNS
from pipeline.slides.reader import open_slide
from pipeline.tiling.grid.tile_rejection import causes
from pipeline.tiling.params import TilingParams
from pipeline.tiling.tile_slide import tile_open_slide
from pipeline.tiling.tile_table.slide_map import SlideMap

Rgb = npt.NDArray[np.uint8]

COLLECTIONS: dict[str, tuple[str, float]] = {
    "CRCHistoPhenotypes": ("crchistophenotypes/images/*", 0.55),
    "GlaS": ("glas_subset/images/*", 0.62),
    "LC25000": ("lc25000_subset/images/*", 0.25),
    "CPM-15, 20x": ("nuclei_cpm15/images/image0[1-7]*", 0.5),
    "CPM-15, 40x": ("nuclei_cpm15/images/image1*", 0.25),
    "DSB-2018": ("nuclei_dsb2018_he/images/*", 0.35),
    "TCGA-LGG": ("nuclei_tcga_lgg/images/*", 0.25),
    "CMU-1": ("wsi_openslide/*.svs", 0.499),
    "TCGA frozen": ("wsi_tcga_frozen/*.svs", 0.5),
}
"""Files and um/px; that of LC25000 and DSB-2018 is a guess by the size of their cells."""

INKED = {"img11.webp", "img12.webp", "img62.webp", "img63.webp"}
"""Images of CRCHistoPhenotypes that show black (11, 12) and blue (62, 63) ink."""

INKS: dict[str, list[tuple[int, int, int]]] = {
    "qc_pen_red": [(215, 25, 45), (190, 10, 30)],
    "qc_pen_green": [(40, 150, 80), (90, 190, 90)],
    "qc_pen_blue": [(30, 60, 180), (60, 110, 200)],
    "qc_pen_black": [(60, 58, 62), (95, 92, 96)],
}
"""Colours of strokes of density 1 over white."""

INK_DENSITIES = (0.6, 1.0, 1.5)
FAULTY = ("CRCHistoPhenotypes", "GlaS", "CMU-1", "TCGA frozen")
BLURS_UM = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
TILE_UM, STROKE_UM, FOLD_UM = 128.0, 120.0, 60.0
GLASS = 243


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "picture.png"
        print_dropped(scratch)
        print_faults(scratch)
        print_blur(scratch)


def print_dropped(scratch: Path) -> None:
    print("collection,images,tiles,pen,fold,off-stain,out of focus")
    for name in COLLECTIONS:
        tables = [tiled(rgb, mpp, scratch)[0] for file, rgb, mpp in images(name) if file not in INKED]
        tiles = pd.concat(tables)
        judged = tiles[~tiles["reason"].str.contains("tissue")]
        counts = causes(judged)
        shares = [f"{counts[cause].mean() if cause in counts else 0:.3f}" for cause in FAULT_CAUSES]
        print(f'"{name}",{len(tables)},{len(judged)},{",".join(shares)}', flush=True)


FAULT_CAUSES = ("pen", "fold", "off-stain", "out of focus")


def print_faults(scratch: Path) -> None:
    print("\nfault,collection,found,found as its kind")
    for column, inks in INKS.items():
        for name in (*FAULTY, "glass"):
            found = [
                stroke_found(rgb, mpp, column, np.array(ink), density, scratch)
                for rgb, mpp in (glass_only() if name == "glass" else some(name))
                for ink in inks
                for density in INK_DENSITIES
            ]
            whole, named = np.mean(found, axis=0)
            print(f"{column},{name},{whole:.2f},{named:.2f}", flush=True)
    for name in FAULTY:
        found_folds = [fold_found(rgb, mpp, scratch) for rgb, mpp in some(name)]
        print(f"qc_fold,{name},{np.nanmean(found_folds):.2f},")


def print_blur(scratch: Path) -> None:
    print("\ncollection," + ",".join(f"{blur:g} um" for blur in BLURS_UM))
    for name in COLLECTIONS:
        shares = []
        for blur in BLURS_UM:
            tables = [tiled(blurred(rgb, blur / mpp), mpp, scratch)[0] for rgb, mpp in some(name, every=4)]
            focus = pd.concat(tables)["qc_focus"]
            shares.append((focus < TilingParams().qc_min_focus)[focus.notna()].mean())
        print(f'"{name}",' + ",".join(f"{share:.2f}" for share in shares), flush=True)


def images(name: str) -> Iterator[tuple[str, Rgb, float]]:
    pattern, mpp = COLLECTIONS[name]
    for path in sorted(Path(os.environ["ABIGNET_REAL_DATA"]).glob(pattern)):
        with open_slide(path, slide_id=path.stem, mpp=mpp) as slide:
            yield path.name, slide.thumbnail(mpp), mpp


def some(name: str, every: int = 10) -> Iterator[tuple[Rgb, float]]:
    for number, (file, rgb, mpp) in enumerate(images(name)):
        if number % every == 0 and file not in INKED:
            yield rgb, mpp


def glass_only() -> Iterator[tuple[Rgb, float]]:
    noise = np.random.default_rng(0).normal(GLASS, 2, (1000, 1000, 3))
    yield np.clip(noise, 0, 255).astype(np.uint8), 0.5


def tiled(rgb: Rgb, mpp: float, scratch: Path) -> tuple[pd.DataFrame, SlideMap]:
    Image.fromarray(rgb).save(scratch, compress_level=1)
    side_um = min(TILE_UM, min(rgb.shape[:2]) * mpp)
    params = TilingParams(tile_px=256, mpp=side_um / 256)
    with open_slide(scratch, slide_id="picture", mpp=mpp) as slide:
        result = tile_open_slide(slide, params, None)
    return result.tiles, result.found


def stroke_found(
    rgb: Rgb, mpp: float, column: str, ink: npt.NDArray[np.int64], density: float, scratch: Path
) -> tuple[float, float]:
    """Share of a stroke down the middle found as pen, and as pen of its colour."""
    band = middle(rgb, STROKE_UM / mpp)
    inked = rgb.astype(np.float32)
    inked[:, band] *= (ink / 255.0) ** density
    quality = tiled(inked.astype(np.uint8), mpp, scratch)[1].quality
    shares = {pen: of_band(quality[pen], band, rgb) for pen in PEN_COLUMNS if pen in quality}
    return sum(shares.values()), shares.get(column, 0.0)


def fold_found(rgb: Rgb, mpp: float, scratch: Path) -> float:
    """Share of the tissue in a band down the middle, with its density doubled, found as fold."""
    band = middle(rgb, FOLD_UM / mpp)
    doubled = rgb.astype(np.float32)
    doubled[:, band] *= doubled[:, band] / 255.0
    found = tiled(doubled.astype(np.uint8), mpp, scratch)[1]
    tissue = of_band(found.tissue, band, rgb)
    return of_band(found.quality["qc_fold"], band, rgb) / tissue if tissue > 0 else np.nan


def middle(rgb: Rgb, width_px: float) -> slice:
    left = round(rgb.shape[1] / 2 - width_px / 2)
    return slice(left, left + round(width_px))


def of_band(mask: npt.NDArray[np.bool_], band: slice, rgb: Rgb) -> float:
    scale = mask.shape[1] / rgb.shape[1]
    return float(mask[:, round(band.start * scale) : round(band.stop * scale)].mean())


def blurred(rgb: Rgb, sigma_px: float) -> Rgb:
    smooth = ndimage.gaussian_filter(rgb.astype(np.float32), (sigma_px, sigma_px, 0))
    return np.clip(np.rint(smooth), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
