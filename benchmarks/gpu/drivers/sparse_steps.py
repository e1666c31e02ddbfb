"""``benchmarks/sparse_scaling.py`` in one process: a step of both levels over the number of patches."""

import os
import sys
from argparse import Namespace

import numpy as np
import torch
from common import REHEARSE, Report, arguments, kernel_share, peak_mib, reset_peak, timed

sys.path.insert(0, os.path.join(os.environ["PROJECT"], "benchmarks"))
import sparse_scaling as bench

from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.graphs import block_sizes, neighbour_search
from pipeline.training.graphs.neighbour_search import most_similar

options = arguments()
DEVICE = torch.device(options.device)
GPU = DEVICE.type == "cuda"
report = Report(options, f"sparse/{DEVICE.type}")
METRIC = bench.MetricParams(bench.SETTINGS.heads, bench.SETTINGS.projection, bench.SETTINGS.temperature)
asked = Namespace(device=options.device, similar=16, spatial=8, target_degree=0, repeats=2, limit_gib=1e6)
if not GPU:
    bench.resource.setrlimit = lambda *_: None  # the limit is of a process of its own


def sizes(kind, *numbers):
    found, rows = {}, []
    for size in (512, 1024) if REHEARSE else numbers:
        reset_peak(DEVICE)
        try:
            one = bench.measured(kind, size, asked)
        except torch.OutOfMemoryError:
            found[str(size)] = "out of memory"
            break
        found[str(size)] = {"s": one["seconds"], "search": one["search"], "mib": one["mib"]}
        rows.append((size, one["seconds"], one["mib_step"]))
    if len(rows) > 1:
        n, seconds, mib = np.log(np.maximum(np.array(rows), 1e-9)).T
        found["exponents"] = [float(np.polyfit(n, seconds, 1)[0]), float(np.polyfit(n, mib, 1)[0])]
    return found


def same_candidates():
    """The neighbours that the card finds against those of the CPU, share of equal ones."""
    found = {}
    for size in (1024,) if REHEARSE else (2048, 16384):
        draws = torch.Generator().manual_seed(0)
        points = torch.nn.functional.normalize(torch.randn(2, size, 16, generator=draws), dim=2)
        there, here = most_similar(points.to(DEVICE), 16)[0].cpu(), most_similar(points, 16)[0]
        found[str(size)] = float((there.unsqueeze(3) == here.unsqueeze(2)).any(dim=3).double().mean())
    return found


def blocks():
    """What smaller and larger blocks of the search and of the dots save on this device, and cost; candidates stay."""
    found, size = {}, 1024 if REHEARSE else 65536
    shipped = block_sizes.NUMBERS_AT_ONCE[DEVICE.type]
    for exponent in (20, 24, 27, 29):
        block_sizes.NUMBERS_AT_ONCE[DEVICE.type] = 1 << exponent
        reset_peak(DEVICE)
        one = bench.measured("sparse", size, asked)
        found[f"2^{exponent}"] = {"s": one["seconds"], "search": one["search"], "mib": one["mib"]}
    block_sizes.NUMBERS_AT_ONCE[DEVICE.type] = shipped
    return found


def without_tree():
    """Milliseconds of a search with and without the tree, over the number of patches, and the share of equal neighbours."""
    found = {}
    shipped = neighbour_search.SEARCHED_WITHOUT_TREE[DEVICE.type]
    for size in (512,) if REHEARSE else (1024, 2048, 8192, 32768):
        points = torch.nn.functional.normalize(torch.randn(4, size, 16, device=DEVICE), dim=2)
        answers = []
        for name, limit in (("tree", 0), ("all", size)):
            neighbour_search.SEARCHED_WITHOUT_TREE[DEVICE.type] = limit
            wall, _, (number, _) = timed(DEVICE, lambda points=points: most_similar(points, 16), 3, warm=1)
            found[f"{name} {size}"] = 1e3 * wall
            answers.append(number)
        found[f"same {size}"] = float((answers[0].unsqueeze(3) == answers[1].unsqueeze(2)).any(dim=3).double().mean())
    neighbour_search.SEARCHED_WITHOUT_TREE[DEVICE.type] = shipped
    return found


def parts():
    """Parts of a search at the largest size."""
    size = 1024 if REHEARSE else 65536
    with torch.no_grad(), deterministic_torch(0, threads=1, device=DEVICE):
        image = bench.drawn_image(size, 0, DEVICE)
        points = torch.nn.functional.normalize(torch.randn(4, size, 16, device=DEVICE), dim=2)
        wall = lambda call: timed(DEVICE, call, 2, warm=1)[0]
        return {
            "leaves": wall(lambda: neighbour_search.balanced_leaves(points)),
            "most_similar": wall(lambda: most_similar(points, 16)),
            "nearest_in_space": wall(lambda: neighbour_search.nearest_in_space(image.coords, 8)),
            "mib": peak_mib(DEVICE),
        }


def kernels():
    """Share of wall time with a kernel running, in steps of both levels with their search."""
    size = 1024 if REHEARSE else 65536
    with deterministic_torch(0, threads=1, device=DEVICE):
        generator, classifier = bench.modules("sparse", METRIC, bench.CandidateParams(16, 8), DEVICE)
        images = [bench.drawn_image(size, seed, DEVICE) for seed in (0, 1)]
        optimisers = [torch.optim.AdamW(m.parameters(), lr=1e-4, fused=True) for m in (classifier, generator)]

        def steps():
            for epoch in range(1 if REHEARSE else 5):
                generator.start_epoch(epoch)
                bench.both_levels("sparse", generator, classifier, images, optimisers)

        return kernel_share(DEVICE, steps)


if GPU:
    torch.zeros(8, device=DEVICE).sum().item()
report.section(
    "sparse", lambda: sizes("sparse", 1024, 4096, 16384, 65536, *((262144,) if GPU else ())), 90 if GPU else 300
)
report.section("sparse_pyg", lambda: sizes("sparse_pyg", 1024, 4096, 16384, 65536), 50 if GPU else 300)
if GPU or REHEARSE:
    report.section("kernels", kernels, 40)
    report.section("metric", lambda: sizes("metric", 1024, 2048, 4096, 8192, 16384), 40)
    report.section("pair_mlp", lambda: sizes("pair_mlp", 1024, 2048, 4096, 8192), 40)
    report.section("same_candidates", same_candidates, 30)
    report.section("parts", parts, 30)
    report.section("blocks", blocks, 60)
    report.section("without_tree", without_tree, 30)
