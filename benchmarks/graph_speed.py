"""Whole-slide cell graphs of 1,000 to 1,000,000 nuclei: ours against squidpy, time, memory and growth.

    python benchmarks/graph_speed.py --peers PEERS/bin/python [--sizes 1000 10000 100000 1000000]

Nuclei lie at random at 4,000 per mm^2 as one group.  Kinds: six nearest neighbours; Delaunay, cut at 32 um; all
within 32 um, ours with the agreement of axes.  Ours are ``build_graphs_batch`` with every attribute of edges, theirs
``gr.spatial_neighbors`` (connectivities and distances).  Each number comes from a process of its own, after a call on
1,000 nuclei, one thread; CPU time, and peak memory above what the process held before.  The exponent is the slope of
log time against log size from 10,000 nuclei on.  See ``peers.py`` for the interpreter.
"""

import argparse
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from peers import Peer, answer_requests, timed

KINDS = ("knn", "delaunay", "radius")
PER_UM2 = 0.004
RADIUS_UM = 32.0
N_NEAREST = 6


def centroids(n_nuclei: int) -> Any:
    """Centroids in um, from a seed."""
    side = np.sqrt(n_nuclei / PER_UM2)
    return np.random.default_rng(0).uniform(0, side, (n_nuclei, 2))


def squidpy(kind: str, n_nuclei: int) -> dict[str, Any]:
    """Their graph."""
    import anndata
    from squidpy.gr import spatial_neighbors

    options: dict[str, Any] = {
        "knn": {"n_neighs": N_NEAREST},
        "delaunay": {"delaunay": True, "radius": (0.0, RADIUS_UM)},
        "radius": {"radius": RADIUS_UM},
    }[kind]

    def build(xy: Any) -> Any:
        table = anndata.AnnData(np.zeros((len(xy), 1), np.float32), obsm={"spatial": xy})
        return lambda: spatial_neighbors(table, coord_type="generic", **options)

    return measured(build, n_nuclei)


def ours(kind: str, n_nuclei: int) -> dict[str, Any]:
    """Our graph."""
    from pipeline.cellgraph import CellGraphParams, TiledNuclei, build_graphs_batch

    named: Any = "orientation" if kind == "radius" else kind
    params = CellGraphParams(kind=named, radius_um=RADIUS_UM, n_nearest=N_NEAREST)

    def build(xy: Any) -> Any:
        n = len(xy)
        axes = np.random.default_rng(1).uniform(0, np.pi, n)
        nuclei = TiledNuclei(xy, axes, np.ones(n, np.bool_), np.ones((1, 12)), np.array([0, n]))
        return lambda: build_graphs_batch(nuclei, params, mpp=0.5)

    return measured(build, n_nuclei)


def measured(build: Any, n_nuclei: int) -> dict[str, Any]:
    """CPU and wall time and additional peak memory of one graph, after a small one."""
    warnings.simplefilter("ignore")
    build(centroids(1000))()
    graph = build(centroids(n_nuclei))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = timed(graph)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**seconds, "peak_mb": (after - before) / 1024}


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Slope of log time against log size from 10,000 nuclei on; NaN with fewer than two sizes."""
    large = [(n, s) for n, s in zip(sizes, seconds, strict=True) if n >= 10_000]
    return float(np.polyfit(*np.log(np.array(large).T), 1)[0]) if len(large) > 1 else float("nan")


def report(peers: Path, sizes: list[int]) -> None:
    """One fresh process a number, ours and theirs in turn; then the table."""
    script = Path(__file__)
    sides = {"abignet": (Path(sys.executable), "ours"), "squidpy": (peers, "squidpy")}
    found: dict[tuple[str, str], list[dict[str, Any]]] = {(k, s): [] for k in KINDS for s in sides}
    for n_nuclei in sizes:
        for kind in KINDS:
            for side, (interpreter, role) in sides.items():
                process = Peer(interpreter, script, "--as", role)
                found[kind, side].append(process.ask(kind=kind, n_nuclei=n_nuclei))
                process.close()
    print("| graph | package | " + " | ".join(f"{n:,}: s CPU / MB" for n in sizes) + " | exponent |")
    print("|---" * (len(sizes) + 3) + "|")
    for (kind, side), rows in found.items():
        cells = " | ".join(f"{row['cpu_s']:.3g} / {row['peak_mb']:.0f}" for row in rows)
        print(f"| {kind} | {side} | {cells} | {exponent(sizes, [row['cpu_s'] for row in rows]):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=Path, help="interpreter with squidpy")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--as", dest="role", choices=["ours", "squidpy"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role is not None:
        answer_requests({"ours": ours, "squidpy": squidpy}[arguments.role])
    elif arguments.peers is None:
        parser.error("--peers is needed")
    else:
        report(arguments.peers, arguments.sizes)


if __name__ == "__main__":
    main()
