"""Time and memory of a training step over the number of patches of an image, sparse against dense.

A step is one of each level, forward, backward and optimiser, for the ``relational``
classifier of the ``default`` method: the lower one on one image, the upper one on another,
candidates searched anew for both.  Kinds: ``sparse``, ours; ``sparse_pyg``, the same edges by
PyTorch Geometric's message passing, with a vector for each edge (``training.message_passing:
pyg``); ``fixed`` and ``fixed_pyg``, the nearest in space instead, which are searched once;
``metric`` and ``pair_mlp``, the dense generators.  Every size runs in a process of its own.  Memory is
what the step adds to that process's peak, and the whole peak (RSS; what torch allocates on
CUDA).  Seconds are of CPU of one thread (of the clock on CUDA), the median over repeats after
one step to warm up.  An exponent is the slope of a line through the logarithms.  A kind
stops where it needs more than ``--limit-gib`` (CPU).

    python benchmarks/sparse_scaling.py scaling --sizes 1024 4096 16384 65536
    python benchmarks/sparse_scaling.py recall --sizes 4096 16384 65536
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from device_clock import add_device, now
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from pipeline.training.classifiers.relational_gcn import RelationalGCN
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.graphs.candidates import CandidateParams, find_candidates
from pipeline.training.graphs.edge_kernels import OWN_KERNELS
from pipeline.training.graphs.fixed_graphs import SpatialGraph
from pipeline.training.graphs.generator import GraphGenerator
from pipeline.training.graphs.image_batches import NodeImage, PackedBatch, PaddedBatch
from pipeline.training.graphs.message_passing import edge_kernels
from pipeline.training.graphs.metric_generator import Metric, MetricParams
from pipeline.training.graphs.neighbour_search import most_similar
from pipeline.training.graphs.pair_mlp import PairMLP
from pipeline.training.methods.presets import METHODS

N_FEATURES, N_CLASSES = 69, 2
SETTINGS = METHODS["default"].settings
GCN = {"width": SETTINGS.hidden, "layers": SETTINGS.layers, "dropout": SETTINGS.dropout}
KINDS = ("sparse", "sparse_pyg", "fixed", "fixed_pyg", "metric", "pair_mlp")
PADDED = ("metric", "pair_mlp")
OUT_OF_MEMORY = ("can't allocate memory", "MemoryError", "OutOfMemoryError", "bad_alloc")
MIB, GIB = 2**20, 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["scaling", "recall", "one"], help="one: a single kind and size, as JSON")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1024, 4096, 16384, 65536])
    parser.add_argument("--similar", type=int, default=16)
    parser.add_argument("--spatial", type=int, default=8)
    parser.add_argument("--target-degree", type=int, default=0, help="entries kept in a row and head; 0 keeps all")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit-gib", type=float, default=8)
    add_device(parser)
    options = parser.parse_args()
    if options.part == "one":
        print(json.dumps(measured(options.kinds[0], options.sizes[0], options)))
    elif options.part == "scaling":
        scaling(options)
    else:
        recall(options.sizes, options.similar)


def scaling(options: argparse.Namespace) -> None:
    print("kind,patches,seconds_step,seconds_search,mib_step,mib_process")
    for kind in options.kinds:
        rows = []
        for size in options.sizes:
            step = in_own_process(kind, size, options)
            if step is None:
                print(f"{kind},{size},out of memory", flush=True)
                break
            print(f"{kind},{size},{step['seconds']:.3f},{step['search']:.3f},{step['mib_step']:.0f},{step['mib']:.0f}",
                  flush=True)  # fmt: skip
            rows.append((size, step["seconds"], step["mib_step"]))
        if len(rows) > 1:
            sizes, seconds, mib = np.log(np.array(rows)).T
            print(f"{kind}: exponent of time {np.polyfit(sizes, seconds, 1)[0]:.2f}, "
                  f"of memory {np.polyfit(sizes, mib, 1)[0]:.2f}", flush=True)  # fmt: skip


def in_own_process(kind: str, size: int, options: argparse.Namespace) -> dict[str, float] | None:
    """What ``measured`` gives, None out of memory."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__)), "one", "--kinds", kind, "--sizes", str(size)]
    for name in ("similar", "spatial", "target_degree", "repeats", "device", "limit_gib"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        numbers: dict[str, float] = json.loads(done.stdout)
        return numbers
    if any(sign in done.stderr for sign in OUT_OF_MEMORY):
        return None
    raise SystemExit(done.stderr)


def measured(kind: str, size: int, options: argparse.Namespace) -> dict[str, float]:
    device = torch.device(options.device)
    if device.type == "cpu":
        limit = int(options.limit_gib * GIB)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with deterministic_torch(0, threads=1, device=device):
        metric = MetricParams(SETTINGS.heads, SETTINGS.projection, SETTINGS.temperature, options.target_degree)
        generator, classifier = modules(kind, metric, CandidateParams(options.similar, options.spatial), device)
        images = [drawn_image(size, seed, device) for seed in (0, 1)]
        # A fixed graph has no weights: its second step is the classifier's as well.
        learned = generator if [*generator.parameters()] else classifier
        optimisers = [torch.optim.AdamW(m.parameters(), lr=1e-4, fused=True) for m in (classifier, learned)]
        start = peak_mib(device)
        seconds = []
        for epoch in range(options.repeats + 1):
            generator.start_epoch(epoch)
            seconds.append(timed(lambda: both_levels(kind, generator, classifier, images, optimisers), device))
        peak = peak_mib(device)
        search = timed(lambda: search_both(generator, images), device)
    return {"seconds": median(seconds[1:]), "search": search, "mib_step": peak - start, "mib": peak}


def modules(
    kind: str, metric: MetricParams, candidates: CandidateParams, device: torch.device
) -> tuple[GraphGenerator, nn.Module]:
    kernels = edge_kernels("pyg") if kind.endswith("pyg") else OWN_KERNELS
    makers: dict[str, Callable[[], GraphGenerator]] = {
        "sparse": lambda: Metric(N_FEATURES, metric, candidates, kernels),
        "fixed": lambda: SpatialGraph(SETTINGS.target_degree, 0, kernels),
        "metric": lambda: Metric(N_FEATURES, metric),
        "pair_mlp": lambda: PairMLP(N_FEATURES),
    }
    generator = makers[kind.removesuffix("_pyg")]()
    heads = SETTINGS.heads if isinstance(generator, Metric) else 1
    return generator.to(device), RelationalGCN(N_FEATURES, N_CLASSES, heads=heads, **GCN).to(device)


def drawn_image(size: int, seed: int, device: torch.device) -> NodeImage:
    """Normal features of six dimensions and some noise, on a square grid."""
    draws = torch.Generator().manual_seed(seed)
    mix = torch.randn(6, N_FEATURES, generator=torch.Generator().manual_seed(0))
    x = torch.randn(size, 6, generator=draws) @ mix / math.sqrt(6) + 0.3 * torch.randn(
        size, N_FEATURES, generator=draws
    )
    place = torch.arange(size)
    side = math.ceil(math.sqrt(size))
    coords = torch.stack([place % side, place // side], dim=1).float()
    return NodeImage(x.to(device), coords.to(device), seed)


def both_levels(
    kind: str,
    generator: GraphGenerator,
    classifier: nn.Module,
    images: list[NodeImage],
    optimisers: list[torch.optim.Optimizer],
) -> None:
    for level, (image, optimiser) in enumerate(zip(images, optimisers, strict=True)):
        batch = (PaddedBatch if kind in PADDED else PackedBatch).of([image])
        with torch.set_grad_enabled(level == 1):
            adjacency = generator(batch)
        logits = classifier(batch, adjacency)
        loss = cross_entropy(logits, torch.tensor([image.label], device=logits.device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=[weight for group in optimiser.param_groups for weight in group["params"]])
        optimiser.step()


def search_both(generator: GraphGenerator, images: list[NodeImage]) -> None:
    if isinstance(generator, Metric):
        for image in images:
            find_candidates(generator.directions(image.x).detach(), image.coords, generator.search.params)


def timed(call: Callable[[], None], device: torch.device) -> float:
    started = now(device)
    call()
    return now(device) - started


def peak_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def recall(sizes: list[int], count: int) -> None:
    """Share of each node's true nearest that the search finds, and seconds of CPU for one head."""
    torch.set_num_threads(1)
    print("directions,patches,recall,recall_first,seconds_search,seconds_exact_estimated")
    for name, draw in CLOUDS.items():
        for size in sizes:
            direction = normalize(draw(size, torch.Generator().manual_seed(0)), dim=1)
            started = time.process_time()
            nearest = most_similar(direction.unsqueeze(0), count)[0].squeeze(0)
            seconds = time.process_time() - started
            rows = torch.arange(0, size, max(1, size // 1024))
            started = time.process_time()
            product = direction[rows] @ direction.T
            product[torch.arange(len(rows)), rows] = -torch.inf
            true = product.topk(count, dim=1).indices
            exact = (time.process_time() - started) * size / len(rows)
            hit = (true.unsqueeze(2) == nearest[rows].unsqueeze(1)).any(dim=2).double()
            print(f"{name},{size},{hit.mean():.3f},{hit[:, 0].mean():.3f},{seconds:.2f},{exact:.2f}", flush=True)


def low_dimensional(size: int, draws: torch.Generator) -> Tensor:
    mix = torch.randn(6, SETTINGS.projection, generator=draws)
    return torch.randn(size, 6, generator=draws) @ mix + 0.3 * torch.randn(size, SETTINGS.projection, generator=draws)


def clustered(size: int, draws: torch.Generator) -> Tensor:
    centres = torch.randn(200, SETTINGS.projection, generator=draws)
    chosen = torch.randint(200, (size,), generator=draws)
    return centres[chosen] + 0.4 * torch.randn(size, SETTINGS.projection, generator=draws)


def pairs(size: int, draws: torch.Generator) -> Tensor:
    """Two of a kind, as in the planted cohorts: the nearest is the partner, and the rest are far."""
    key = torch.randn((size + 1) // 2, SETTINGS.projection, generator=draws).repeat(2, 1)[:size]
    return key + 0.15 * torch.randn(size, SETTINGS.projection, generator=draws)


CLOUDS: dict[str, Callable[[int, torch.Generator], Tensor]] = {
    "six dimensions": low_dimensional,
    "200 clusters": clustered,
    "pairs": pairs,
    "uniform": lambda size, draws: torch.randn(size, SETTINGS.projection, generator=draws),
}


if __name__ == "__main__":
    main()
