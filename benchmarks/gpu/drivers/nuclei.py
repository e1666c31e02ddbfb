"""Nuclei on a device: speed against Cellpose with the same weights, agreement with the CPU, memory, precision."""

import os
import tempfile
import time
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from common import REHEARSE, Report, arguments, peak_mib, reset_peak, sync, timed
from PIL import Image

from pipeline.nuclei.learning.detection_scores import Matches, match_nuclei
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.network.cpnet_folding import fold
from pipeline.nuclei.network.cpnet_torch import FoldedNetwork
from pipeline.nuclei.network.device_engine import DeviceSegmenter, finished_labels
from pipeline.nuclei.network.flow_dynamics_on_device import follow_flows_on_device, labels_on_device
from pipeline.nuclei.network.inference_engine import open_cpnet, steps_of
from pipeline.nuclei.network.readback import to_host
from pipeline.nuclei.network.resizing import rescaled_size, resized
from pipeline.nuclei.network.resizing_on_device import resized_on_device
from pipeline.nuclei.network.torch_runtime import TorchRuntime
from pipeline.nuclei.network.weights import load_weights
from pipeline.nuclei.network.weights_files import resolve_weights
from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams
from pipeline.nuclei.stain.stain_channels import estimate_stain_scale, network_input
from pipeline.nuclei.stain.stain_on_device import network_input_on_device

options = arguments(
    ("--image", {"required": True}), ("--weights", {"required": True}), ("--reference", {"required": True}),
    ("--threads", {"type": int, "default": 1}), ("--wait", {"type": float, "default": 60}),
)  # fmt: skip
DEVICE = torch.device(options.device)
GPU = DEVICE.type == "cuda"
COMPACT, FULL = resolve_weights(SHIPPED_WEIGHTS), Path(options.weights)
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
    """Squares of 1024 px a second through ``segment_batches``, as slides are segmented."""
    found = {}
    count = 2 if REHEARSE else 24
    cases = [("compact", COMPACT, 2, 1, "float32"), ("compact", COMPACT, 2, 8, "float32"), ("compact", COMPACT, 8, 8, "float32"),
             ("compact", COMPACT, 8, 16, "float32"), ("compact", COMPACT, 8, 16, "float16"),
             ("full", FULL, 2, 1, "float32"), ("full", FULL, 8, 16, "float32"), ("full", FULL, 8, 16, "float16")]  # fmt: skip
    for name, weights, batch, threads, precision in cases[:2] if REHEARSE else cases:
        segmenter, mpp, pictures = (
            segmenter_of(weights, threads=threads, precision=precision),
            PICTURE[weights][1],
            squares(weights, count=count),
        )
        reset_peak(DEVICE)

        def through(segmenter=segmenter, batch=batch, pictures=pictures, mpp=mpp):
            batches = ((first, pictures[first : first + batch]) for first in range(0, count, batch))
            return sum(
                int(labels.max())
                for _, batch_labels in segmenter.segment_batches(batches, mpp, STAIN)
                for labels in batch_labels
            )

        next(segmenter.segment_batches([(0, pictures[:batch])], mpp, STAIN))
        t0 = time.time()
        wall, cpu, nuclei = timed(DEVICE, through)
        found[f"{name} b{batch} t{threads} {precision}"] = {
            "tiles_s": count / wall, "nuclei_s": nuclei / wall, "cpus": cpu / wall, "mib": peak_mib(DEVICE), "t0": t0, "t1": time.time(),
        }  # fmt: skip
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
                got = segmenter_of(FULL).segment(pictures, mpp, STAIN)
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
    for name, weights, threads in (("compact", COMPACT, 16), ("full", FULL, 16)):
        segmenter, pictures, mpp = (
            segmenter_of(weights, threads=threads),
            squares(weights, count=2 if REHEARSE else 16),
            PICTURE[weights][1],
        )
        next(segmenter.segment_batches([(0, pictures[:2])], mpp, STAIN))
        go = lambda: sum(
            1
            for _ in segmenter.segment_batches(
                ((i, pictures[i : i + 2]) for i in range(0, len(pictures), 2)), mpp, STAIN
            )
        )
        wall, _, _ = timed(DEVICE, go)
        with profile(activities=[ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if GPU else [])) as traced:
            go()
            sync(DEVICE)
        kernels = [e for e in traced.events() if str(e.device_type).endswith("CUDA")]
        busy = sum(e.time_range.elapsed_us() for e in kernels) / 1e6
        found[name] = {"wall_s": wall, "gpu_s": busy, "busy": busy / wall, "events": len(kernels)}
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
        "throughput": (throughput, 60),
        "no_tf32": (no_tf32, 50),
        "profile_share": (profile_share, 30),
        "training": (training, 60),
    }
    if GPU:
        SECTIONS["too_little_memory"] = (too_little_memory, 30)
for name, (call, limit) in SECTIONS.items():
    report.section(name, call, limit if GPU else 400)
