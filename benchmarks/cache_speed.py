"""The feature cache: its share of the time of a slide, and how long a cohort takes to open.

    python benchmarks/cache_speed.py [--tiles 500] [--nuclei 200] [--caches 10000] [--folder DIR]

First a slide of random nuclei is computed (orientation graph, 51 + 18 + 31 features) and its cache written and read
back.  Then ``--caches`` copies of that cache are opened for training: header and features alone; then described lazily
by dask.  CPU time, and wall time beside it; the copies are in the page cache of the machine.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from peers import timed
from threadpoolctl import threadpool_limits

from pipeline.artefacts.feature_parts import open_features
from pipeline.artefacts.features import FeatureStore, read_features, write_features
from pipeline.cellgraph import (
    GRAPH_FEATURE_NAMES,
    ORIENTATION_FEATURE_NAMES,
    SPATIAL_FEATURE_NAMES,
    CellGraphParams,
    TiledNuclei,
    build_graphs_batch,
    graph_features_batch,
    orientation_features_batch,
    spatial_features_batch,
)
from pipeline.cellgraph.features.describe_features import describe_features
from pipeline.cellgraph.graphs.neighbour_distances import pairs_within


def compute(n_tiles: int, n_nuclei: int) -> Any:
    """Features of a slide of random nuclei in tiles of 256 um."""
    random, total = np.random.default_rng(0), n_tiles * n_nuclei
    um, theta = random.uniform(0, 256, (total, 2)), random.uniform(0, np.pi, total)
    offsets = np.arange(n_tiles + 1) * n_nuclei
    nuclei = TiledNuclei(um, theta, np.ones(total, np.bool_), np.ones((total, 12)), offsets)
    edges = build_graphs_batch(nuclei, CellGraphParams(), mpp=0.5).edge_index
    near, _ = pairs_within(um, offsets, 32.0)
    blocks = [
        spatial_features_batch(2 * um, offsets),
        graph_features_batch(offsets, edges),
        orientation_features_batch(um, theta, near, offsets),
    ]
    return np.concatenate(blocks, axis=1).astype(np.float32)


def cache_of(features: Any) -> FeatureStore:
    """The store of a slide."""
    names = (*SPATIAL_FEATURE_NAMES, *GRAPH_FEATURE_NAMES, *ORIENTATION_FEATURE_NAMES)
    n_tiles = len(features)
    coords = np.stack([np.arange(n_tiles) * 512, np.zeros(n_tiles, np.int64)], axis=1)
    missing = np.isnan(features)
    return FeatureStore(
        "s", features, names, coords, np.arange(n_tiles), mpp=0.5, valid=~missing if missing.any() else None
    )


def share_of_a_slide(n_tiles: int, n_nuclei: int, path: Path) -> None:
    """Print the time of computing, writing and reading one slide."""
    compute(2, n_nuclei)
    found: list[Any] = []
    computing = timed(lambda: found.append(compute(n_tiles, n_nuclei)))
    store = cache_of(found[0])
    write_features(path, store)
    writing, reading = timed(lambda: write_features(path, store)), timed(lambda: read_features(path))
    share = (writing["cpu_s"] + reading["cpu_s"]) / computing["cpu_s"]
    print(f"{n_tiles} tiles of {n_nuclei} nuclei, {store.features.shape[1]} features; s CPU (wall)")
    for name, seconds in (("compute", computing), ("write", writing), ("read", reading)):
        print(f"  {name:8} {seconds['cpu_s']:.3f} ({seconds['wall_s']:.3f})")
    print(f"  writing and reading are {share:.1%} of computing")


def opening(n_caches: int, path: Path, folder: Path) -> None:
    """Print the time of opening ``n_caches`` copies of the cache at ``path``."""
    copies = [folder / f"s{number}.zarr" for number in range(n_caches)]
    for copy in copies:
        shutil.copytree(path, copy)
    lazy: list[Any] = []
    opened = timed(lambda: lazy.extend(open_features(copy) for copy in copies))
    read = timed(lambda: [cache.read() for cache in lazy])
    described = timed(lambda: describe_features(lazy, {}))
    n_tiles = sum(cache.n_tiles for cache in lazy)
    print(f"{n_caches} caches, {n_tiles} tiles; s CPU (wall), ms CPU a cache")
    for name, seconds in (("open", opened), ("read features", read), ("describe", described)):
        print(f"  {name:14} {seconds['cpu_s']:.1f} ({seconds['wall_s']:.1f}), {1e3 * seconds['cpu_s'] / n_caches:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tiles", type=int, default=500)
    parser.add_argument("--nuclei", type=int, default=200)
    parser.add_argument("--caches", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where copies go; a temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary, threadpool_limits(1):
        path = Path(temporary) / "slide.zarr"
        share_of_a_slide(arguments.tiles, arguments.nuclei, path)
        opening(arguments.caches, path, Path(temporary))


if __name__ == "__main__":
    main()
