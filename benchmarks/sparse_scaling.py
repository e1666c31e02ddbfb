"""Time and memory of a training step over the number of patches of an image, sparse against dense.

A step is one of each level, forward, backward and optimiser, for the ``relational``
classifier of the ``default`` method: the lower one on one image, the upper one on another,
candidates searched anew for both.  Kinds: ``sparse``, ours; ``messages``, the same edges by
PyTorch Geometric's message passing, with a vector for each edge; ``metric`` and
``pair_mlp``, the dense generators.  Every size runs in a process of its own.  Memory is
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
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from pipeline.training.classifiers.gcn import RelationalGCN
from pipeline.training.classifiers.sparse_gcn import SparseRelationalGCN
from pipeline.training.cohort.determinism import deterministic_torch
from pipeline.training.graphs.candidate_edges import CandidateParams, SparseMetric, find_candidates
from pipeline.training.graphs.generators import GraphGenerator, Metric, PairMLP
from pipeline.training.graphs.neighbour_search import most_similar
from pipeline.training.graphs.packed_batches import mean_of_images, pack_nodes
from pipeline.training.graphs.padded_batches import NodeImage, pack
from pipeline.training.methods.presets import METHODS

N_FEATURES, N_CLASSES = 69, 2
SETTINGS = METHODS["default"].settings
METRIC = {"heads": SETTINGS.heads, "projection": SETTINGS.projection, "temperature": SETTINGS.temperature}
GCN = {"width": SETTINGS.hidden, "layers": SETTINGS.layers, "dropout": SETTINGS.dropout}
KINDS = ("sparse", "messages", "metric", "pair_mlp")
OUT_OF_MEMORY = ("can't allocate memory", "MemoryError", "OutOfMemoryError", "bad_alloc")
MIB, GIB = 2**20, 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["scaling", "recall", "one"], help="one: a single kind and size, as JSON")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1024, 4096, 16384, 65536])
    parser.add_argument("--similar", type=int, default=16)
    parser.add_argument("--spatial", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit-gib", type=float, default=8)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
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
            found = in_own_process(kind, size, options)
            if found is None:
                print(f"{kind},{size},out of memory", flush=True)
                break
            print(f"{kind},{size},{found['seconds']:.3f},{found['search']:.3f},{found['mib_step']:.0f},{found['mib']:.0f}",
                  flush=True)  # fmt: skip
            rows.append((size, found["seconds"], found["mib_step"]))
        if len(rows) > 1:
            sizes, seconds, mib = np.log(np.array(rows)).T
            print(f"{kind}: exponent of time {np.polyfit(sizes, seconds, 1)[0]:.2f}, "
                  f"of memory {np.polyfit(sizes, mib, 1)[0]:.2f}", flush=True)  # fmt: skip


def in_own_process(kind: str, size: int, options: argparse.Namespace) -> dict[str, float] | None:
    """What ``measured`` finds, None out of memory."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__)), "one", "--kinds", kind, "--sizes", str(size)]
    for name in ("similar", "spatial", "repeats", "device", "limit_gib"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        found: dict[str, float] = json.loads(done.stdout)
        return found
    if any(sign in done.stderr for sign in OUT_OF_MEMORY):
        return None
    raise SystemExit(done.stderr)


def measured(kind: str, size: int, options: argparse.Namespace) -> dict[str, float]:
    device = torch.device(options.device)
    if device.type == "cpu":
        limit = int(options.limit_gib * GIB)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with deterministic_torch(0, threads=1, device=device):
        generator, classifier = modules(kind, CandidateParams(options.similar, options.spatial), device)
        images = [drawn_image(size, seed, device) for seed in (0, 1)]
        optimisers = [torch.optim.AdamW(m.parameters(), lr=1e-4, fused=True) for m in (classifier, generator)]
        start = peak_mib(device)
        seconds = []
        for epoch in range(options.repeats + 1):
            generator.start_epoch(epoch)
            seconds.append(timed(lambda: both_levels(kind, generator, classifier, images, optimisers), device))
        peak = peak_mib(device)
        search = timed(lambda: search_both(generator, images), device)
    return {"seconds": median(seconds[1:]), "search": search, "mib_step": peak - start, "mib": peak}


def modules(kind: str, candidates: CandidateParams, device: torch.device) -> tuple[GraphGenerator, nn.Module]:
    if kind == "pair_mlp":
        return PairMLP(N_FEATURES).to(device), RelationalGCN(N_FEATURES, N_CLASSES, heads=1, **GCN).to(device)
    if kind == "metric":
        classifier = RelationalGCN(N_FEATURES, N_CLASSES, heads=SETTINGS.heads, **GCN)
        return Metric(N_FEATURES, **METRIC).to(device), classifier.to(device)
    sparse = SparseRelationalGCN(N_FEATURES, N_CLASSES, heads=SETTINGS.heads, **GCN)
    return SparseMetric(N_FEATURES, **METRIC, candidates=candidates).to(device), sparse.to(device)


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
        logits = LOGITS[kind](generator, classifier, image, level == 1)
        loss = cross_entropy(logits, torch.tensor([image.label], device=logits.device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=[weight for group in optimiser.param_groups for weight in group["params"]])
        optimiser.step()


def dense_logits(generator: GraphGenerator, classifier: nn.Module, image: NodeImage, upper: bool) -> Tensor:
    batch = pack([image])
    with torch.set_grad_enabled(upper):
        weights = generator(batch)
    return classifier(batch, weights)


def sparse_logits(generator: SparseMetric, classifier: SparseRelationalGCN, image: NodeImage, upper: bool) -> Tensor:
    graphs = pack_nodes([image])
    with torch.set_grad_enabled(upper):
        adjacency = generator.sparse_weights(graphs)
    return classifier.sparse_logits(graphs, adjacency)


def message_logits(generator: SparseMetric, classifier: SparseRelationalGCN, image: NodeImage, upper: bool) -> Tensor:
    """The same by PyTorch Geometric, heads as graphs beside each other."""
    from torch_geometric.nn import SimpleConv
    from torch_geometric.utils import softmax

    n_heads, n_nodes = SETTINGS.heads, len(image.x)
    with torch.set_grad_enabled(upper):
        direction = generator.directions(image.x.unsqueeze(0)).squeeze(0)
        candidates = find_candidates(direction.detach(), image.coords, generator.candidate_params)
        filled = candidates.filled.flatten(0, 1)
        rows = torch.arange(len(filled), device=filled.device).unsqueeze(1)
        source, target = rows.expand_as(filled)[filled], candidates.pattern.column[filled].long()
        flat = direction.flatten(0, 1)
        factor = generator.factors().expand(-1, n_nodes, -1).reshape(-1)[source]
        weights = softmax((flat[source] * flat[target]).sum(dim=1) * factor, source, num_nodes=len(flat))
    convolve, edges = SimpleConv(aggr="sum", flow="target_to_source"), torch.stack([source, target])
    h = classifier.embed(image.x)
    for layer in classifier.layers:
        messages = convolve(h.repeat(n_heads, 1), edges, weights).view(n_heads, *h.shape).transpose(0, 1).flatten(1)
        h = h + layer.dropout(torch.relu(layer.norm(layer.linear(torch.cat([h, messages], dim=1)))))
    return classifier.head(mean_of_images(h, pack_nodes([image])))


LOGITS: dict[str, Callable[..., Tensor]] = {
    "sparse": sparse_logits,
    "messages": message_logits,
    "metric": dense_logits,
    "pair_mlp": dense_logits,
}


def search_both(generator: GraphGenerator, images: list[NodeImage]) -> None:
    if isinstance(generator, SparseMetric):
        for image in images:
            direction = generator.directions(image.x.unsqueeze(0)).squeeze(0).detach()
            find_candidates(direction, image.coords, generator.candidate_params)


def timed(call: Callable[[], None], device: torch.device) -> float:
    if device.type == "cpu":
        started = time.process_time()
        call()
        return time.process_time() - started
    torch.cuda.synchronize(device)
    started = time.perf_counter()
    call()
    torch.cuda.synchronize(device)
    return time.perf_counter() - started


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
            found = most_similar(direction.unsqueeze(0), count)[0].squeeze(0)
            seconds = time.process_time() - started
            rows = torch.arange(0, size, max(1, size // 1024))
            started = time.process_time()
            product = direction[rows] @ direction.T
            product[torch.arange(len(rows)), rows] = -torch.inf
            true = product.topk(count, dim=1).indices
            exact = (time.process_time() - started) * size / len(rows)
            hit = (true.unsqueeze(2) == found[rows].unsqueeze(1)).any(dim=2).double()
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
