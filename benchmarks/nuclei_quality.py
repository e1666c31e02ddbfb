"""How well nuclei are found on real H&E that no weights here were trained on.

One row for each method and set: average precision (TP / (TP + FP + FN), counts pooled over
tiles) at IoU 0.5 and 0.75; F1 at IoU 0.5, or of centres within 6 px where only centres are
marked; and by how many degrees the major axes of matched nuclei are off, median / 90th
percentile, of all nuclei and of elongated ones (minor below 0.75 of the major axis).

    ABIGNET_REAL_DATA=DIR python benchmarks/nuclei_quality.py
    ABIGNET_REAL_DATA=DIR python benchmarks/nuclei_quality.py --compare FILE --limit 5
    ABIGNET_REAL_DATA=DIR python benchmarks/nuclei_quality.py --weights FILE --diameter-um 6

The methods are the weights named by ``--weights``, with ``--compare`` another CPnet at its own
nucleus diameter, and the segmenter ``watershed`` as a classical baseline.  All go through the
same ``Segmenter`` as slides do, with white around the tiles as beyond the border of a slide.

DIR holds ``nuclei_cpm15`` and ``nuclei_tcga_lgg``, each with ``images/*.webp`` and
``masks/*.png`` (instance labels), and ``crchistophenotypes`` with ``images/*.webp`` and
``nuclei.csv`` (image, x, y, type; 1-based).  CPM-15 is at 20x (tiles 1 to 7; taken as
0.5 um/px) and 40x (0.25 um/px); the pixel size of the TCGA-LGG tiles is not stated and taken
as 0.25 um/px; CRCHistoPhenotypes is at 0.55 um/px by its paper (Sirinukunwattana et al.
2016, whose reach of 6 px is used), and every fifth of its images is taken.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from device_clock import add_device
from PIL import Image
from scipy import ndimage

from pipeline.nuclei.learning.detection_scores import Matches, axis_errors, match_centres, match_nuclei
from pipeline.nuclei.network.inference_engine import open_cpnet
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.segmentation.segmenters import Segmenter, open_segmenter
from pipeline.nuclei.stain.stain_channels import estimate_stain_scale

OUTLINED = (
    ("CPM-15, 20x", "nuclei_cpm15", 0.5, range(1, 8)),
    ("CPM-15, 40x", "nuclei_cpm15", 0.25, range(8, 16)),
    ("TCGA-LGG", "nuclei_tcga_lgg", 0.25, None),
)
CENTRED = ("CRCHistoPhenotypes", "crchistophenotypes", 0.55)
CENTRED_STEP = 5
CENTRE_REACH_PX = 6.0
"""At the 0.55 um/px of CRCHistoPhenotypes."""

ELONGATED = 0.75
COMPARED_DIAMETER_UM = 7.5

Rgb = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Method = Callable[[Rgb, float], Labels]


@dataclass(frozen=True)
class Score:
    """What one method reached on one set."""

    tiles: int
    half: Matches
    strict: Matches | None
    turned_deg: npt.NDArray[np.float64]
    elongation: npt.NDArray[np.float64]
    seconds: float


def outlined_tiles(
    folder: Path, mpp: float, numbers: range | None, to_mpp: float, limit: int | None
) -> Iterator[tuple[Rgb, Labels]]:
    """Images and outlines of one set, resampled from ``mpp`` to ``to_mpp``."""
    paths = sorted((folder / "images").glob("*.webp"))
    chosen = [path for path in paths if numbers is None or int(path.stem.removeprefix("image")) in numbers]
    for path in chosen[:limit]:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        labels = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png")).astype(np.int32)
        size = (round(rgb.shape[1] * mpp / to_mpp), round(rgb.shape[0] * mpp / to_mpp))
        yield _resized(rgb, size), np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.int32)


def centred_tiles(
    folder: Path, mpp: float, to_mpp: float, limit: int | None
) -> Iterator[tuple[Rgb, npt.NDArray[np.float64]]]:
    """Images resampled from ``mpp`` to ``to_mpp``, and centres (n, 2) in their pixels."""
    marked = pd.read_csv(folder / "nuclei.csv").query("type == 'detection'")
    paths = sorted((folder / "images").glob("*.webp"))[::CENTRED_STEP]
    for path in paths[:limit]:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        size = (round(rgb.shape[1] * mpp / to_mpp), round(rgb.shape[0] * mpp / to_mpp))
        centres = marked.loc[marked["image"] == path.stem, ["x", "y"]].to_numpy(np.float64)
        yield _resized(rgb, size), (centres - 0.5) * mpp / to_mpp


def by_segmenter(segmenter: Segmenter) -> Method:
    """Nuclei of one image, as ``segment_image`` finds them in an image of one tile."""

    def segment(rgb: Rgb, mpp: float) -> Labels:
        rim = math.ceil(segmenter.params.halo_um / mpp)
        framed = np.pad(rgb, ((rim, rim), (rim, rim), (0, 0)), constant_values=255)
        return segmenter.segment([framed], mpp, estimate_stain_scale([rgb]))[0][rim:-rim, rim:-rim]

    return segment


def score_outlines(find: Method, tiles: Iterator[tuple[Rgb, Labels]], mpp: float) -> Score:
    """Matches pooled over tiles, and the errors of all axes."""
    half, strict, seconds, n_tiles = Matches(0, 0, 0), Matches(0, 0, 0), 0.0, 0
    errors: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = []
    for rgb, labels in tiles:
        started = time.perf_counter()
        found = find(rgb, mpp)
        seconds += time.perf_counter() - started
        half += match_nuclei(labels, found, 0.5)
        strict += match_nuclei(labels, found, 0.75)
        errors.append(axis_errors(labels, found, 0.5))
        n_tiles += 1
    turned, elongation = (np.concatenate(parts) for parts in zip(*errors, strict=True))
    return Score(n_tiles, half, strict, turned, elongation, seconds / n_tiles)


def score_centres(
    find: Method, tiles: Iterator[tuple[Rgb, npt.NDArray[np.float64]]], mpp: float, reach_px: float
) -> Score:
    """Matches of centres pooled over tiles; ``reach_px`` is at the 0.55 um/px of the marked set."""
    total, seconds, n_tiles = Matches(0, 0, 0), 0.0, 0
    for rgb, centres in tiles:
        started = time.perf_counter()
        found = find(rgb, mpp)
        seconds += time.perf_counter() - started
        numbers = np.arange(1, found.max(initial=0) + 1)
        at = np.array(ndimage.center_of_mass(found > 0, found, numbers)).reshape(-1, 2)[:, ::-1] + 0.5
        total += match_centres(centres, at, reach_px * CENTRED[2] / mpp)
        n_tiles += 1
    none = np.empty(0)
    return Score(n_tiles, total, None, none, none, seconds / n_tiles)


def row(method: str, name: str, score: Score) -> str:
    """One line of the table."""
    n_nuclei = score.half.true_positives + score.half.false_negatives
    strict = "-" if score.strict is None else f"{score.strict.average_precision:.3f}"
    half = "-" if score.strict is None else f"{score.half.average_precision:.3f}"
    axes = _spread(score.turned_deg), _spread(score.turned_deg[score.elongation < ELONGATED])
    return (
        f"| {method} | {name} | {score.tiles} | {n_nuclei:,} | {half} | {strict} | {score.half.f1:.3f} "
        f"| {axes[0]} | {axes[1]} | {score.seconds:.1f} |"
    )


def _spread(angles_deg: npt.NDArray[np.float64]) -> str:
    return "{:.1f} / {:.1f}".format(*np.percentile(angles_deg, (50, 90))) if angles_deg.size else "-"


def _resized(rgb: Rgb, size: tuple[int, int]) -> Rgb:
    way = cv2.INTER_AREA if size[0] < rgb.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, size, interpolation=way), np.uint8)


def methods(options: argparse.Namespace) -> dict[str, Method]:
    """What is compared, by name."""
    asked = [(options.weights, options.diameter_um)]
    asked += [(options.compare, options.compare_diameter_um)] if options.compare else []
    found: dict[str, Method] = {}
    for weights, diameter_um in asked:
        params = NucleiParams(
            weights=weights,
            nucleus_diameter_um=diameter_um,
            flow_threshold=options.flow_threshold,
            threads=options.threads,
        )
        path = resolve_weights(weights)
        found[path.stem] = by_segmenter(open_cpnet(path, params, device=options.device))
    classical = open_segmenter(NucleiParams(segmenter="watershed"), device="cpu")
    return {**found, "watershed": by_segmenter(classical)}


def main() -> None:
    """Print one row for each method and set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=SHIPPED_WEIGHTS, help="name or path")
    parser.add_argument("--diameter-um", type=float, default=NucleiParams().nucleus_diameter_um)
    parser.add_argument("--compare", help="name or path of other weights")
    parser.add_argument("--compare-diameter-um", type=float, default=COMPARED_DIAMETER_UM)
    parser.add_argument("--flow-threshold", type=float, default=NucleiParams().flow_threshold, help="of both weights")
    parser.add_argument("--centre-reach-px", type=float, default=CENTRE_REACH_PX, help="at 0.55 um/px")
    parser.add_argument("--mpp", type=float, default=0.5, help="resolution at which nuclei are sought")
    parser.add_argument("--limit", type=int, help="take only the first tiles of each set")
    parser.add_argument("--threads", type=int, default=1)
    add_device(parser)
    options = parser.parse_args()
    root = os.environ.get("ABIGNET_REAL_DATA")
    if root is None:
        sys.exit("set ABIGNET_REAL_DATA to the folder with nuclei_cpm15, nuclei_tcga_lgg and crchistophenotypes")
    print("| method | set | tiles | nuclei | AP@0.5 | AP@0.75 | F1 | axis, degrees | elongated | s/tile |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for method, find in methods(options).items():
        for name, folder, mpp, numbers in OUTLINED:
            tiles = outlined_tiles(Path(root) / folder, mpp, numbers, options.mpp, options.limit)
            print(row(method, name, score_outlines(find, tiles, options.mpp)), flush=True)
        name, folder, mpp = CENTRED
        centred = centred_tiles(Path(root) / folder, mpp, options.mpp, options.limit)
        print(row(method, name, score_centres(find, centred, options.mpp, options.centre_reach_px)), flush=True)


if __name__ == "__main__":
    main()
