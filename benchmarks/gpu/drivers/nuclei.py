"""Nuclei on a device: speed against Cellpose with the same weights, agreement with the CPU, memory, precision.

``slide`` segments and measures a pasted slide from its file to its table of nuclei, of 256 tiles of 1,024 px, or of 2,304 with
BIG=1 in the environment; ``throughput`` is without reading and measuring.
"""

import os
import resource
import tempfile
import time
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import tifffile
import torch
from common import REHEARSE, Report, arguments, peak_mib, reset_peak, sync, timed
from PIL import Image

from pipeline.nuclei.learning.detection_scores import Matches, match_nuclei
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.network import device_engine
from pipeline.nuclei.network.batch_memory import batch_memory
from pipeline.nuclei.network.cpnet_engine import steps_of
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.device_engine import DeviceSegmenter, finished_labels
from pipeline.nuclei.network.flow_dynamics_on_device import follow_flows_on_device, labels_on_device
from pipeline.nuclei.network.inference_engine import open_cpnet
from pipeline.nuclei.network.resizing import rescaled_size, resized
from pipeline.nuclei.network.resizing_on_device import resized_on_device
from pipeline.nuclei.network.torch_runtime import TorchRuntime
from pipeline.nuclei.network.weights import load_weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.segmentation.nuclei_in_tiles import nuclei_by_block
from pipeline.nuclei.segmentation.ownership import nucleus_table
from pipeline.nuclei.segmentation.segment_image import image_tiles
from pipeline.nuclei.segmentation.slide_stain import slide_stain
from pipeline.nuclei.stain.stain_channels import estimate_stain_scale, network_input
from pipeline.nuclei.stain.stain_on_device import network_input_on_device
from pipeline.slides.reader import open_slide
from pipeline.transfers import to_host

options = arguments(
    ("--image", {"required": True}), ("--weights", {"required": True}), ("--reference", {"required": True}),
    ("--threads", {"type": int, "default": 1}), ("--wait", {"type": float, "default": 60}),
)  # fmt: skip
DEVICE = torch.device(options.device)
GPU = DEVICE.type == "cuda"
COMPACT, FULL = resolve_weights(SHIPPED_WEIGHTS), Path(options.weights)
if not GPU:
    device_engine.free_memory = lambda device: 2**30
report = Report(options, f"nuclei/{DEVICE.type}")
SIDE = 256 if REHEARSE else 2048
TILES = SIDE**2 / 1024**2
WHOLE = np.ascontiguousarray(np.asarray(Image.open(options.image).convert("RGB"))[:SIDE, :SIDE])
# Cellpose's weights want nuclei of 30 px: they see the middle of the image at twice its size, as it is.
MIDDLE = resized(np.ascontiguousarray(WHOLE[SIDE // 4 : 3 * SIDE // 4, SIDE // 4 : 3 * SIDE // 4]), (SIDE, SIDE))
PICTURE = {COMPACT: (WHOLE, 0.55), FULL: (MIDDLE, 0.275)}
STAIN = estimate_stain_scale([WHOLE])
REFERENCE = Path(options.reference)
FOUND = {}


def params(weights, **more):
    """Cellpose's weights see their picture as it is; the compact network brings it to its own scale."""
    if weights is FULL:
        more = {"nucleus_diameter_um": load_weights(FULL).diameter_px * PICTURE[FULL][1], **more}
    return NucleiParams(runtime="torch", min_area_um2=0, **{"threads": options.threads, **more})


def segmenter_of(weights, **more):
    return open_cpnet(weights, params(weights, **more), device=options.device)


def card_segmenter(weights, **more):
    """The engine of cards, in a rehearsal on the processor; batch and cores as it chooses unless said otherwise."""
    return DeviceSegmenter(load_weights(weights), params(weights, **{"threads": None, **more}), DEVICE)


def agreement(a, b, side=512):
    """AP@0.5 over squares, nuclei cut alike in both."""
    total = Matches(0, 0, 0)
    for top in range(0, SIDE, side):
        for left in range(0, SIDE, side):
            window = np.s_[top : top + side, left : left + side]
            total += match_nuclei(a[window], b[window], 0.5)
    return total.average_precision


def cellpose(gpu):
    from cellpose.models import CellposeModel

    model = CellposeModel(gpu=gpu, pretrained_model=str(FULL))
    loaded = load_weights(FULL)
    image = np.moveaxis(network_input(MIDDLE, STAIN, loaded.input), 0, -1)
    settings = {"channels": None, "channel_axis": -1, "normalize": False, "diameter": loaded.diameter_px, "min_size": 1}
    return lambda batch=8: np.asarray(model.eval(image, batch_size=batch, **settings)[0], np.int32)


def against_reference(name, labels):
    """Agreement with what the CPU found, if it has."""
    file = REFERENCE / f"{name}.npy"
    end = time.monotonic() + options.wait
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.5)
    if not file.exists():
        return {}
    return {"ap_cpu": agreement(np.load(file), labels)}


def run(name, call, repeats=3):
    reset_peak(DEVICE)
    wall, cpu, labels = timed(DEVICE, call, 1 if not GPU or REHEARSE else repeats, warm=1 if GPU or REHEARSE else 0)
    FOUND[name] = labels
    found = {
        "wall_s": wall,
        "cpu_s": cpu,
        "tiles_s": TILES / wall,
        "nuclei": int(labels.max()),
        "peak_mib": peak_mib(DEVICE),
    }
    return found


def whole(weights, name, reference=None, **more):
    segmenter, (rgb, mpp) = segmenter_of(weights, **more), PICTURE[weights]
    found = run(name, lambda: segmenter.segment([rgb], mpp, STAIN)[0])
    if GPU:
        again = segmenter.segment([rgb], mpp, STAIN)[0]
        found["same_again"] = bool(np.array_equal(again, FOUND[name]))
        if reference:
            found |= against_reference(reference, FOUND[name])
    else:
        REFERENCE.mkdir(parents=True, exist_ok=True)
        np.save(REFERENCE / f"tmp_{name}.npy", FOUND[name])
        os.replace(REFERENCE / f"tmp_{name}.npy", REFERENCE / f"{name}.npy")
    return found


def cellpose_eval():
    call = cellpose(GPU)
    found = run("cellpose", call, 2)
    if GPU:
        found["wall_s_batch_64"] = timed(DEVICE, lambda: call(64), 2, warm=1)[0]
        if "full" in FOUND:
            found["ap_ours"] = agreement(FOUND["cellpose"], FOUND["full"])
        found |= against_reference("full", FOUND["cellpose"])
    return found


def no_tf32():
    """Float32 that is float32: what TF32 in convolutions changes and saves."""
    before, found = torch.backends.cudnn.allow_tf32, {"default": torch.backends.cudnn.allow_tf32}
    try:
        for weights, name in ((COMPACT, "compact"), (FULL, "full")):
            loaded, (rgb, mpp) = load_weights(weights), PICTURE[weights]
            picture = network_input(rgb[:1024, :1024], STAIN, loaded.input)[None]
            inputs = picture[:, :, : picture.shape[2] // 8 * 8, : picture.shape[3] // 8 * 8]
            exact = FoldedNetwork(fold(loaded))(torch.from_numpy(inputs[:, :, :512, :512]).contiguous())
            for tf32 in (True, False):
                torch.backends.cudnn.allow_tf32 = tf32
                runtime = TorchRuntime(FoldedNetwork(fold(loaded)), DEVICE)
                wall, _, output = timed(DEVICE, lambda: runtime(inputs), 5, warm=2)
                small = runtime(np.ascontiguousarray(inputs[:, :, :512, :512])).cpu()
                error = float((small - exact).abs().max() / exact.abs().max())
                found[f"{name} {'tf32' if tf32 else 'float32'}"] = {"ms": 1e3 * wall, "off": error}
            if GPU:
                runtime = TorchRuntime(FoldedNetwork(fold(loaded)), DEVICE, precision="float16")
                wall, _, output = timed(DEVICE, lambda: runtime(inputs), 5, warm=2)
                small = runtime(np.ascontiguousarray(inputs[:, :, :512, :512])).cpu()
                found[f"{name} float16"] = {
                    "ms": 1e3 * wall,
                    "off": float((small - exact).abs().max() / exact.abs().max()),
                }
            torch.backends.cudnn.allow_tf32 = False
            segmenter = segmenter_of(weights)
            labels = segmenter.segment([rgb], mpp, STAIN)[0]
            if name in FOUND:
                found[f"{name} ap tf32"] = agreement(labels, FOUND[name])
            found |= {f"{name} {key} float32": value for key, value in against_reference(name, labels).items()}
    finally:
        torch.backends.cudnn.allow_tf32 = before
    return found


def parts():
    """Wall milliseconds of the parts of one image of 2048 px, each waited for."""
    found = {}
    for weights, name in ((COMPACT, "compact"), (FULL, "full")):
        (rgb, mpp), loaded = PICTURE[weights], load_weights(weights)
        segmenter = DeviceSegmenter(loaded, params(weights), DEVICE)
        size, steps = rescaled_size(rgb.shape[:2], mpp / segmenter.network_mpp()), steps_of(loaded.diameter_px)
        wall = lambda call: timed(DEVICE, call, 3, warm=1)
        with torch.inference_mode():
            moved = wall(lambda: torch.from_numpy(rgb[None]).to(DEVICE))
            small = wall(lambda: resized_on_device(moved[2], size))
            inputs = wall(lambda: network_input_on_device(small[2], STAIN, loaded.input))
            network = wall(lambda: segmenter.forward(inputs[2]))
            follow = wall(lambda: follow_flows_on_device(network[2], steps=steps, cellprob_threshold=0.0))
            labels = wall(lambda: labels_on_device(network[2], steps=steps, cellprob_threshold=0.0, flow_threshold=0.4))
            host = wall(lambda: to_host(labels[2])[0])
            back = wall(lambda: finished_labels(host[2], size=rgb.shape[:2], min_area_px=0))
        names = ("move", "resize", "input", "network", "follow", "follow_and_label", "to_host", "finish")
        timings = (moved, small, inputs, network, follow, labels, host, back)
        found[name] = {n: 1e3 * t[0] for n, t in zip(names, timings, strict=True)}
    return found


def squares(weights, side=1024, count=24):
    """Squares of a picture, turned, without end to ``count``."""
    side = min(side, SIDE)
    made = [np.ascontiguousarray(np.rot90(PICTURE[weights][0][y : y + side, x : x + side], k)) for k in range(4)
            for y in range(0, SIDE, side) for x in range(0, SIDE, side)]  # fmt: skip
    return [made[i % len(made)] for i in range(count)]


def throughput():
    """Squares of 1024 px a second through ``segment_batches``: pixels in memory to labels, nothing measured."""
    found = {}
    cases = [("compact", COMPACT, None, None, "float32"), ("compact", COMPACT, 2, 6, "float32"), ("compact", COMPACT, 8, 6, "float32"),
             ("compact", COMPACT, None, None, "float16"), ("full", FULL, None, None, "float32"), ("full", FULL, 2, 6, "float32"),
             ("full", FULL, None, None, "float16")]  # fmt: skip
    for name, weights, batch, threads, precision in cases[:1] + cases[4:5] if REHEARSE else cases:
        segmenter, mpp = (
            card_segmenter(weights, batch_size=batch, threads=threads, precision=precision),
            PICTURE[weights][1],
        )
        count = 2 if REHEARSE else 96 if weights is COMPACT else 48
        pictures = squares(weights, count=count)
        batch = segmenter.at_once(pictures[0].shape[0], mpp)
        reset_peak(DEVICE)

        def through(segmenter=segmenter, batch=batch, pictures=pictures, mpp=mpp):
            batches = ((first, pictures[first : first + batch]) for first in range(0, len(pictures), batch))
            return sum(
                int(labels.max())
                for _, batch_labels in segmenter.segment_batches(batches, mpp, STAIN)
                for labels in batch_labels
            )

        next(segmenter.segment_batches([(0, pictures[:batch])], mpp, STAIN))
        t0 = time.time()
        wall, cpu, nuclei = timed(DEVICE, through)
        found[f"{name} b{batch} t{segmenter.helpers} {precision}"] = {
            "tiles_s": count / wall, "nuclei_s": nuclei / wall, "cpus": cpu / wall, "mib": peak_mib(DEVICE), "t0": t0, "t1": time.time(),
        }  # fmt: skip
    return found


def write_pasted_slide(path, tiles_per_side, tile_px):
    """A slide of 0.25 um/px that repeats the picture at twice its size, in stored tiles of 512 px (JPEG)."""
    picture = resized(WHOLE, (2 * SIDE, 2 * SIDE))
    stored = {"tile": (min(512, 2 * SIDE),) * 2, "photometric": "rgb", "compression": "jpeg", "metadata": None,
              "resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        tifffile.imwrite(Path(folder) / "one.tif", picture, **stored)
        with tifffile.TiffFile(Path(folder) / "one.tif") as file, open(Path(folder) / "one.tif", "rb") as bytes_of:
            page, encoded = file.pages[0], []
            for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
                bytes_of.seek(offset)
                encoded.append(bytes_of.read(length))
    per_side, side = 2 * SIDE // stored["tile"][0], 2 * tiles_per_side * tile_px
    n = side // stored["tile"][0]
    repeated = (encoded[row % per_side * per_side + col % per_side] for row in range(n) for col in range(n))
    tifffile.imwrite(path, repeated, shape=(side, side, 3), dtype=np.uint8, bigtiff=True, **stored)


def slide():
    """From a slide's file to its table of nuclei, morphology included, as ``segment_nuclei`` does it."""
    found, tile_px = {}, 128 if REHEARSE else 1024
    per_side = 2 if REHEARSE else 48 if os.environ.get("BIG") else 16
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pasted.tif"
        write_pasted_slide(path, per_side, tile_px)
        found["file_mib"] = path.stat().st_size / 2**20
        for name, weights in (("compact", COMPACT), ("full", FULL)):
            segmenter = card_segmenter(weights, block_px=tile_px)
            with open_slide(path, slide_id="pasted", mpp=0.25) as pixels:
                tiles = image_tiles(pixels, 0.5, tile_px)
                reset_peak(DEVICE)
                t0, cpu = time.time(), cpu_seconds()
                stain = slide_stain(pixels, tiles, segmenter.params)
                t_stain = time.time()
                table = nucleus_table([block.owned for block in nuclei_by_block(pixels, tiles, segmenter, stain)])
                t1 = time.time()
            found[name] = {
                "tiles": len(tiles), "s": t1 - t0, "stain_s": t_stain - t0, "tiles_s": len(tiles) / (t1 - t_stain),
                "cpus": (cpu_seconds() - cpu) / (t1 - t0), "nuclei_a_tile": len(table) / len(tiles), "mib": peak_mib(DEVICE),
                "s_of_2300_tiles": t_stain - t0 + 2300 * (t1 - t_stain) / len(tiles), "t0": t0, "t1": t1,
            }  # fmt: skip
    return found


def cpu_seconds():
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def memory():
    """What a batch was said to take and took, MiB."""
    found = {}
    for name, weights in (("compact", COMPACT), ("full", FULL)):
        segmenter, mpp = card_segmenter(weights), PICTURE[weights][1]
        for n in (1, 2) if REHEARSE else (1, 4, 16):
            pictures = squares(weights, count=n)
            height, width = rescaled_size(pictures[0].shape[:2], mpp / segmenter.network_mpp())
            reset_peak(DEVICE)
            segmenter.segment(pictures, mpp, STAIN)
            said = batch_memory(segmenter.weights, height * width).bytes_of(n) / 2**20
            found[f"{name} {n}"] = {"said": said, "peak": peak_mib(DEVICE)}
            if GPU:
                found[f"{name} {n}"]["held"] = torch.cuda.max_memory_reserved() / 2**20
    return found


def too_little_memory():
    """The batch is halved, the nuclei stay."""
    import logging

    pictures, mpp = squares(FULL, count=8), PICTURE[FULL][1]
    segmenter = segmenter_of(FULL)
    want = segmenter.segment(pictures, mpp, STAIN)
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("abignet").addHandler(handler)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    found = {}
    try:
        for mib in (1500, 700, 150):
            torch.cuda.set_per_process_memory_fraction(mib * 2**20 / total)
            try:
                got = card_segmenter(FULL).segment(pictures, mpp, STAIN)
                found[f"{mib} MiB"] = all(np.array_equal(a, b) for a, b in zip(want, got, strict=True)) or [
                    match_nuclei(a, b, 0.5).average_precision for a, b in islice(zip(want, got, strict=True), 2)
                ]
            except Exception as error:
                found[f"{mib} MiB"] = f"{type(error).__name__}: {str(error)[:120]}"
            torch.cuda.empty_cache()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        logging.getLogger("abignet").removeHandler(handler)
    return found | {"said": said[:4]}


def training():
    """Steps of ``train-nuclei`` a second, and that the loss falls and stays finite."""
    from pipeline.commands.train_nuclei import painted_images
    from pipeline.nuclei.learning.train_nuclei import train_nuclei
    from pipeline.nuclei.learning.training_machine import TrainingMachine
    from pipeline.nuclei.learning.training_pictures import TrainingPictures

    found, painted = {}, painted_images(2 if REHEARSE else 10, 0)
    steps = 4 if REHEARSE else 60
    for bf16 in (False, True):
        numbers = NucleiTrainingParams(steps=steps, warmup_steps=steps // 6, validate_every=steps // 2, bfloat16=bf16, synthetic_fraction=0.98, collage_fraction=0,
                                       held_out_fraction=0.2)  # fmt: skip
        if REHEARSE:
            numbers = replace(numbers, batch_size=2, crop_px=48, base_channels=4)
        with tempfile.TemporaryDirectory() as folder:
            wall, cpu, result = timed(DEVICE, lambda: train_nuclei(TrainingPictures([], painted), Path(folder) / "w.pt", params=numbers,
                                                                   machine=TrainingMachine(options.device, options.threads, workers=0 if REHEARSE else 14)))  # fmt: skip
            again = load_weights(Path(folder) / "w.pt")
        found["bfloat16" if bf16 else "float32"] = {
            "s": wall, "steps_s": steps / wall, "losses": [row["loss"] for row in result.history if "loss" in row],
            "ap": result.average_precision, "finite": all(np.isfinite(v).all() for v in again.state.values()),
        }  # fmt: skip
    return found


def profile_share():
    """Busy share of the card while squares go through, by the profiler."""
    from torch.profiler import ProfilerActivity, profile

    found = {}
    for name, weights in (("compact", COMPACT), ("full", FULL)):
        segmenter, pictures, mpp = (
            card_segmenter(weights),
            squares(weights, count=2 if REHEARSE else 48),
            PICTURE[weights][1],
        )
        batch = segmenter.at_once(pictures[0].shape[0], mpp)
        batches = [(first, pictures[first : first + batch]) for first in range(0, len(pictures), batch)]
        go = lambda: sum(1 for _ in segmenter.segment_batches(batches, mpp, STAIN))
        wall, _, _ = timed(DEVICE, go, warm=1)
        with profile(activities=[ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if GPU else [])) as traced:
            go()
            sync(DEVICE)
        kernels = [e for e in traced.events() if str(e.device_type).endswith("CUDA")]
        busy = sum(e.time_range.elapsed_us() for e in kernels) / 1e6
        found[name] = {"wall_s": wall, "gpu_s": busy, "busy": busy / wall, "events": len(kernels), "batch": batch}
    return found


SECTIONS = {
    "compact": (partial(whole, COMPACT, "compact", "compact"), 60),
    "full": (partial(whole, FULL, "full", "full"), 90),
    "cellpose": (cellpose_eval, 90),
}
if GPU or REHEARSE:
    half = {"precision": "float16"} if GPU else {}
    SECTIONS |= {
        "compact_float16": (partial(whole, COMPACT, "compact_float16", "compact", **half), 30),
        "full_float16": (partial(whole, FULL, "full_float16", "full", **half), 30),
        "parts": (parts, 40),
        "slide": (slide, 240 if os.environ.get("BIG") else 60),
        "memory": (memory, 30),
        "throughput": (throughput, 60),
        "no_tf32": (no_tf32, 50),
        "profile_share": (profile_share, 30),
        "training": (training, 60),
    }
    if GPU:
        SECTIONS["too_little_memory"] = (too_little_memory, 30)
for name, (call, limit) in SECTIONS.items():
    report.section(name, call, limit if GPU else 400)
