"""How fast nuclei are found in 1024-px tiles, against ``CellposeModel.eval`` of cellpose 3.1.

In turns, so that other work on the machine meets all alike: Cellpose, this engine with the
same weights in each runtime that is installed, the shipped compact network, and the
watershed.  Prints the medians of processor time and wall time a tile, the median over the
rounds of Cellpose's processor time over each, for the same weights the agreement of the nuclei
with Cellpose's (average precision at IoU 0.5), then the parts of one tile and the peak memory.

    ABIGNET_REAL_DATA=DIR python benchmarks/nuclei_speed.py --rounds 3
    python benchmarks/nuclei_speed.py --weights FILE --painted

DIR holds ``weights_scellseg_cellpose`` and ``wsi_openslide/CMU-1-Small-Region.svs``; with
``--painted`` the tile is painted.  Cellpose's weights see the tile as it is, though their
scale of 30 px a nucleus would want it twice as large, which would cost Cellpose four times as
much; the compact network sees it as in use, enlarged to its own scale.  Processor time counts
all threads; wall time means nothing on a busy machine.
"""

import argparse
import importlib.util
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from device_clock import add_device

from pipeline.nuclei.learning.detection_scores import match_nuclei
from pipeline.nuclei.measures.nucleus_morphology import measure_nuclei
from pipeline.nuclei.network.cpnet_engine import steps_of
from pipeline.nuclei.network.device_engine import DeviceSegmenter
from pipeline.nuclei.network.flow_dynamics import follow_flows, labels_from_ends
from pipeline.nuclei.network.inference_engine import CpnetSegmenter, open_cpnet
from pipeline.nuclei.network.weights import load_weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.segmentation.watershed import WatershedSegmenter
from pipeline.nuclei.stain.stain_channels import StainScale, estimate_stain_scale, network_input
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.tissue import TissueSpec, paint_tissue

SIDE_PX = 1024
MPP = 0.5
COMPARISON = Path("weights_scellseg_cellpose") / "cellpose3_cpnet_cyto_scellseg"
SLIDE = Path("wsi_openslide") / "CMU-1-Small-Region.svs"

Rgb = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]


def painted_tile(side_px: int) -> Rgb:
    """Tissue with 4,000 nuclei per mm^2."""
    spec = TissueSpec(nuclei_per_mm2=4000.0, clustering=0.2, kappa=4.0, axis_rad=0.3)
    return paint_tissue(spec, width_px=side_px, height_px=side_px, mpp=MPP, rng=np.random.default_rng(1)).rgb


def real_tile(path: Path, side_px: int) -> Rgb:
    """The middle of a slide at ``MPP``."""
    with open_slide(path, slide_id=path.stem, mpp=None) as slide:
        whole = slide.thumbnail(MPP)
    top, left = ((side - side_px) // 2 for side in whole.shape[:2])
    return np.ascontiguousarray(whole[top : top + side_px, left : left + side_px])


def cellpose_eval(weights: Path, rgb: Rgb, stain: StainScale, device: str) -> Callable[[], Labels]:
    """Cellpose on the channels that the engine gives the same weights."""
    from cellpose.models import CellposeModel

    model = CellposeModel(gpu=device == "cuda", pretrained_model=str(weights))
    loaded = load_weights(weights)
    image = np.moveaxis(network_input(rgb, stain, loaded.input), 0, -1)
    diameter = loaded.diameter_px
    settings = {"channels": None, "channel_axis": -1, "normalize": False, "diameter": diameter, "min_size": 1}
    return lambda: np.asarray(model.eval(image, **settings)[0], np.int32)


def same_weights(weights: Path, options: argparse.Namespace, runtime: str) -> CpnetSegmenter | DeviceSegmenter:
    """The engine with Cellpose's weights, which see the tile as it is."""
    diameter_um = load_weights(weights).diameter_px * MPP
    params = NucleiParams(threads=options.threads, min_area_um2=0, nucleus_diameter_um=diameter_um, runtime=runtime)
    return open_cpnet(weights, params, device=options.device)


def compact(options: argparse.Namespace, runtime: str) -> CpnetSegmenter | DeviceSegmenter:
    """The engine with the shipped weights, as in use."""
    params = NucleiParams(threads=options.threads, runtime=runtime)
    return open_cpnet(resolve_weights(SHIPPED_WEIGHTS), params, device=options.device)


def find_in(segmenter: CpnetSegmenter | DeviceSegmenter, rgb: Rgb, stain: StainScale) -> Labels:
    """The nuclei of one tile."""
    return segmenter.segment([rgb], MPP, stain)[0]


def timed(run: Callable[[], Labels]) -> tuple[float, float, Labels]:
    """Processor seconds, wall seconds, and the nuclei."""
    wall, processor = time.perf_counter(), time.process_time()
    labels = run()
    return time.process_time() - processor, time.perf_counter() - wall, labels


def print_parts(name: str, segmenter: CpnetSegmenter, rgb: Rgb, stain: StainScale) -> None:
    """Processor seconds of the network, of the dynamics and of the measures of one tile."""
    inputs = network_input(rgb, stain, segmenter.weights.input)[None]
    clock = [time.process_time()]
    output = np.asarray(segmenter.forward(inputs)[0])
    clock.append(time.process_time())
    ends = follow_flows(output, steps=steps_of(segmenter.weights.diameter_px), cellprob_threshold=0.0)
    labels = labels_from_ends(*ends, output[:2], flow_threshold=0.4)
    clock.append(time.process_time())
    measure_nuclei(labels, rgb, MPP)
    clock.append(time.process_time())
    network, flow, measures = np.diff(clock)
    print(f"{name:32}{network:9.2f}{flow:10.2f}{measures:10.2f}  ({labels.max()} nuclei)")


def main() -> None:
    """Print one row a way of finding nuclei, then the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="a CPnet of cellpose 3 (default: in $ABIGNET_REAL_DATA)")
    parser.add_argument("--painted", action="store_true", help="paint the tile")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side-px", type=int, default=SIDE_PX)
    add_device(parser)
    options = parser.parse_args()
    root = Path(os.environ.get("ABIGNET_REAL_DATA", ""))
    weights = options.weights or root / COMPARISON
    if not weights.is_file() or not (options.painted or (root / SLIDE).is_file()):
        sys.exit("set ABIGNET_REAL_DATA, or give --weights and --painted")
    rgb = painted_tile(options.side_px) if options.painted else real_tile(root / SLIDE, options.side_px)
    stain = estimate_stain_scale([rgb])
    torch.set_num_threads(options.threads)

    ways: dict[str, Callable[[], Labels]] = {"CellposeModel.eval": cellpose_eval(weights, rgb, stain, options.device)}
    segmenters: dict[str, CpnetSegmenter | DeviceSegmenter] = {}
    compiled = options.device == "cpu" and importlib.util.find_spec("openvino")
    for runtime in ("torch", "openvino") if compiled else ("torch",):
        segmenters |= {
            f"same weights, {runtime}": same_weights(weights, options, runtime),
            f"compact, {runtime}": compact(options, runtime),
        }
    ways |= {name: partial(find_in, segmenter, rgb, stain) for name, segmenter in segmenters.items()}
    ways["watershed"] = lambda: WatershedSegmenter(NucleiParams()).segment([rgb], MPP, stain)[0]

    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    found: dict[str, Labels] = {}
    for name in list(ways)[1:]:
        timed(ways[name])  # compiles and warms
    for _ in range(options.rounds):
        for name, run in ways.items():
            processor, wall, found[name] = timed(run)
            times[name].append((processor, wall))
    base = next(iter(ways))
    print(f"{options.side_px} px, {options.threads} threads, {options.rounds} rounds")
    print(f"{'':32}{'cpu s':>9}{'wall s':>10}{'x faster':>10}{'AP@0.5':>8}")
    for name, pairs in times.items():
        processor, wall = (statistics.median(values) for values in zip(*pairs, strict=True))
        ratio = statistics.median(one[0] / two[0] for one, two in zip(times[base], pairs, strict=True))
        agreement = match_nuclei(found[base], found[name], 0.5).average_precision
        shown = f"{agreement:8.3f}" if name.startswith("same") else ""
        print(f"{name:32}{processor:9.2f}{wall:10.2f}{ratio:10.1f}{shown}", flush=True)
    print(f"\n{'parts, cpu s':32}{'network':>9}{'dynamics':>10}{'measures':>10}")
    for name, segmenter in segmenters.items():
        if isinstance(segmenter, CpnetSegmenter):
            print_parts(name, segmenter, rgb, stain)
        else:
            print(f"{name:32}those on a card: benchmarks/gpu/drivers/nuclei.py, section parts")
    print(f"\npeak memory of all together: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
