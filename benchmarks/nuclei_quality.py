"""How well nuclei are found on outlined H&E tiles that no weights here were trained on.

Prints average precision (TP / (TP + FP + FN), counts pooled over tiles) at IoU 0.5 and 0.75,
and F1 at IoU 0.5.  Tiles are brought to ``--mpp`` and go through the same ``NucleusFinder``
as slides do, with white around them as beyond the border of a slide.

    ABIGNET_REAL_DATA=DIR python benchmarks/nuclei_quality.py
    ABIGNET_REAL_DATA=DIR python benchmarks/nuclei_quality.py --weights FILE --diameter-um 7.5 --limit 5

DIR holds ``nuclei_cpm15`` and ``nuclei_tcga_lgg``, each with ``images/*.webp`` and
``masks/*.png`` (instance labels).  CPM-15 is at 20x (tiles 1 to 7; taken as 0.5 um/px) and
40x (0.25 um/px); the pixel size of the TCGA-LGG tiles is not stated and taken as 0.25 um/px.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.nuclei.engine import NucleusFinder, open_finder
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.scoring import Matches, match_nuclei
from pipeline.nuclei.stain import estimate_stain_scale
from pipeline.nuclei.weights import resolve_weights

SETS = (
    ("CPM-15, 20x", "nuclei_cpm15", 0.5, range(1, 8)),
    ("CPM-15, 40x", "nuclei_cpm15", 0.25, range(8, 16)),
    ("TCGA-LGG", "nuclei_tcga_lgg", 0.25, None),
)

Tile = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]


def tiles_of(folder: Path, mpp: float, numbers: range | None, to_mpp: float) -> Iterator[Tile]:
    """Images and outlines of one set, resampled from ``mpp`` to ``to_mpp``."""
    for path in sorted((folder / "images").glob("*.webp")):
        if numbers is not None and int(path.stem.removeprefix("image")) not in numbers:
            continue
        rgb = np.asarray(Image.open(path).convert("RGB"))
        labels = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png")).astype(np.int32)
        size = (round(rgb.shape[1] * mpp / to_mpp), round(rgb.shape[0] * mpp / to_mpp))
        if size != rgb.shape[1::-1]:
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
            labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.int32)
        yield rgb, labels


def find(finder: NucleusFinder, rgb: npt.NDArray[np.uint8], mpp: float) -> npt.NDArray[np.int32]:
    """Nuclei of one image, as ``segment_image`` finds them in an image of one tile."""
    rim = math.ceil(finder.params.halo_um / mpp)
    framed = np.pad(rgb, ((rim, rim), (rim, rim), (0, 0)), constant_values=255)
    return finder.find([framed], mpp, estimate_stain_scale([rgb]))[0][rim:-rim, rim:-rim]


def score(finder: NucleusFinder, tiles: list[Tile], mpp: float) -> tuple[Matches, Matches]:
    """Matches at IoU 0.5 and 0.75, pooled over tiles."""
    half, strict = Matches(0, 0, 0), Matches(0, 0, 0)
    for rgb, labels in tiles:
        found = find(finder, rgb, mpp)
        half += match_nuclei(labels, found, 0.5)
        strict += match_nuclei(labels, found, 0.75)
    return half, strict


def main() -> None:
    """Print one row a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=SHIPPED_WEIGHTS, help="name or path")
    parser.add_argument("--diameter-um", type=float, default=NucleiParams().nucleus_diameter_um)
    parser.add_argument("--mpp", type=float, default=0.5, help="resolution at which nuclei are sought")
    parser.add_argument("--limit", type=int, help="take only the first tiles of each set")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    root = os.environ.get("ABIGNET_REAL_DATA")
    if root is None:
        sys.exit("set ABIGNET_REAL_DATA to the folder with nuclei_cpm15 and nuclei_tcga_lgg")
    params = NucleiParams(weights=options.weights, nucleus_diameter_um=options.diameter_um, threads=options.threads)
    finder = open_finder(resolve_weights(options.weights), params, device="auto")
    print(f"{finder.weights.name}, {options.diameter_um} um, {options.mpp} um/px")
    print(f"{'set':14}{'tiles':>6}{'nuclei':>8}{'AP@0.5':>8}{'AP@0.75':>9}{'F1':>7}{'s/tile':>8}")
    for name, folder, mpp, numbers in SETS:
        tiles = list(tiles_of(Path(root) / folder, mpp, numbers, options.mpp))[: options.limit]
        started = time.perf_counter()
        half, strict = score(finder, tiles, options.mpp)
        seconds = (time.perf_counter() - started) / len(tiles)
        n_nuclei = half.true_positives + half.false_negatives
        numbers_shown = f"{half.average_precision:8.3f}{strict.average_precision:9.3f}{half.f1:7.3f}{seconds:8.1f}"
        print(f"{name:14}{len(tiles):6d}{n_nuclei:8d}{numbers_shown}", flush=True)


if __name__ == "__main__":
    main()
