"""Features of patches: ours against HistomicsTK's ``compute_global_cell_graph_features``, one run, interleaved.

    python benchmarks/feature_speed.py --peers PEERS/bin/python [--patches 100] [--nuclei 200] [--rounds 5]

Nuclei lie at random in 512 px at 0.5 um/px, neighbours within 32 um.  Each round computes all patches by either, one
thread each; the table has medians over rounds of CPU time per patch and of the ratio within a round.  The first call,
which compiles or loads compiled loops, is timed apart: in this process, once with and once without the compiled code
on disk.  See ``peers.py`` for the interpreter.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from peers import ONE_THREAD, Peer, answer_requests, timed

FIRST_CALL = """
import time, numpy as np
start = time.perf_counter()
from pipeline.cellgraph import core_features_batch, graph_features_batch, orientation_features_batch
from pipeline.cellgraph import published_core_features_batch, spatial_features_batch
imported = time.perf_counter()
xy, edges = np.random.default_rng(0).uniform(0, 512, (200, 2)), np.array([[0, 1], [1, 2]])
spatial_features_batch(xy, [0, 200])
graph_features_batch([0, 200], edges)
for block in (orientation_features_batch, core_features_batch, published_core_features_batch):
    block(xy, np.zeros(200), edges, [0, 200])
print(f"import {imported - start:.1f} s, first calls {time.perf_counter() - imported:.1f} s")
"""


def layout(n_patches: int, n_nuclei: int) -> tuple[Any, Any, Any]:
    """Centroids in px, offsets of the patches and axes in radians, from a seed."""
    random = np.random.default_rng(0)
    total = n_patches * n_nuclei
    return (
        random.uniform(0, 512, (total, 2)),
        np.arange(n_patches + 1) * n_nuclei,
        random.uniform(0, np.pi, total),
    )


def histomicstk(**request: int) -> dict[str, Any]:
    """Time of their function, one patch after the other, as it is called."""
    from importlib.util import find_spec, module_from_spec, spec_from_file_location

    warnings.simplefilter("ignore")
    # The package's own imports need more than this one function does.
    package = find_spec("histomicstk")
    if package is None or package.origin is None:
        sys.exit("the peers' interpreter has no histomicstk")
    name = "compute_global_cell_graph_features"
    spec = spec_from_file_location(name, Path(package.origin).parent / "features" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    xy, offsets, _ = layout(**request)
    return timed(lambda: [module.compute_global_cell_graph_features(xy[a:b]) for a, b in pairwise(offsets)])


def our_blocks(n_patches: int, n_nuclei: int) -> Mapping[str, Callable[[], Any]]:
    """Blocks by name, each from centroids to features."""
    from pipeline.cellgraph import (
        core_features_batch,
        graph_features_batch,
        histomicstk_features_batch,
        orientation_features_batch,
        spatial_features_batch,
    )
    from pipeline.cellgraph.graphs.neighbour_distances import pairs_within

    xy, offsets, theta = layout(n_patches, n_nuclei)
    um = 0.5 * xy

    def near() -> Any:
        return pairs_within(um, offsets, 32.0)[0]

    def paper_and_orientation() -> None:
        edges = near()
        spatial_features_batch(xy, offsets)
        graph_features_batch(offsets, edges)
        orientation_features_batch(um, theta, edges, offsets)

    return {
        "51 spatial": lambda: spatial_features_batch(xy, offsets),
        "18 graph, with the graph": lambda: graph_features_batch(offsets, near()),
        "31 orientation, with neighbours": lambda: orientation_features_batch(um, theta, near(), offsets),
        "51 + 18 + orientation": paper_and_orientation,
        "39 core, with neighbours": lambda: core_features_batch(um, theta, near(), offsets),
        "56 of HistomicsTK's set": lambda: histomicstk_features_batch(xy, offsets),
    }


def report(peer: Path, n_patches: int, n_nuclei: int, rounds: int) -> None:
    """Interleaved rounds, then the table."""
    from threadpoolctl import threadpool_limits

    blocks = our_blocks(n_patches, n_nuclei)
    theirs = Peer(peer, Path(__file__), "--as-peer")
    ours: dict[str, list[float]] = {name: [] for name in blocks}
    their_s = []
    # Their first call imports SciPy and pandas.
    theirs.ask(n_patches=1, n_nuclei=n_nuclei)
    with threadpool_limits(1):
        for block in blocks.values():
            block()
        for _ in range(rounds):
            their_s.append(theirs.ask(n_patches=n_patches, n_nuclei=n_nuclei)["cpu_s"])
            for name, block in blocks.items():
                ours[name].append(timed(block)["cpu_s"])
    theirs.close()
    print(f"{n_patches} patches of {n_nuclei} nuclei, {rounds} rounds; CPU time\n")
    print("| block | ms a patch | times faster than HistomicsTK's 56 |\n|---|---|---|")
    print(f"| HistomicsTK | {1e3 * median(their_s) / n_patches:.1f} | 1 |")
    for name, seconds in ours.items():
        ratio = median(t / o for t, o in zip(their_s, seconds, strict=True))
        print(f"| {name} | {1e3 * median(seconds) / n_patches:.2f} | {ratio:.1f} |")


def first_calls() -> None:
    """Time of the first calls in a fresh process, compiling and with compiled code on disk."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, **ONE_THREAD, "NUMBA_CACHE_DIR": cache}
        for state in ("compiling", "compiled code on disk"):
            found = subprocess.run(
                [sys.executable, "-c", FIRST_CALL], env=environment, check=True, capture_output=True, text=True
            )
            print(f"fresh process, {state}: {found.stdout.strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=Path, help="interpreter with histomicstk")
    parser.add_argument("--patches", type=int, default=100)
    parser.add_argument("--nuclei", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.as_peer:
        answer_requests(histomicstk)
    elif arguments.peers is None:
        parser.error("--peers is needed")
    else:
        report(arguments.peers, arguments.patches, arguments.nuclei, arguments.rounds)
        first_calls()


if __name__ == "__main__":
    main()
