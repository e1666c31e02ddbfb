"""What the viewer takes for a region of a slide of 100,000 px with a million nuclei.

``python -m benchmarks.viewer_regions --folder F [--nuclei N]`` writes such a results folder (nuclei with outlines, cell
graph, 10,000 patches and their learned graph) into F unless it is there, and prints seconds and memory: for opening
each layer, and for regions from a few nuclei to the whole slide, 20 places each.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from pipeline import provenance
from pipeline.artefacts.cell_graphs import CellGraphs, write_cell_graphs
from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.learned_graphs import LearnedGraph, write_learned_graphs
from pipeline.artefacts.nuclei import PAPER_MEASURES, NucleusHeader, write_nuclei
from pipeline.artefacts.predictions import prediction_frame, write_predictions
from pipeline.artefacts.tiles import QC_COLUMNS, TileHeader, write_tiles
from pipeline.viewer.results.results_folder import ResultsFolder
from pipeline.viewer.serving.routes import Routes

SIDE_L0, MPP, TILE_L0 = 100_000, 0.25, 1000
N_TILES = (SIDE_L0 // TILE_L0) ** 2
NEIGHBOURS = 5
PLACES = 20
MADE = provenance.record(params={"mpp": 2 * MPP}, source="0123456789abcdef")


def write_folder(folder: Path, n_nuclei: int) -> None:
    """Write a results folder of one slide."""
    rng = np.random.default_rng(0)
    row, col = np.divmod(np.arange(N_TILES), SIDE_L0 // TILE_L0)
    tile_of = np.sort(rng.integers(0, N_TILES, n_nuclei))
    corner = np.stack([col, row], axis=1)[tile_of] * TILE_L0
    places_um = (corner + rng.uniform(0, TILE_L0, (n_nuclei, 2))) * MPP
    _write_tiles(folder, row, col)
    _write_nuclei(folder, places_um, tile_of, rng)
    _write_cell_graph(folder, tile_of)
    _write_learned(folder, np.stack([col, row], axis=1) * TILE_L0, rng)


def _write_tiles(folder: Path, row: np.ndarray, col: np.ndarray) -> None:
    frame = pd.DataFrame(
        {
            "tile_id": np.arange(N_TILES),
            "x_l0": col * TILE_L0,
            "y_l0": row * TILE_L0,
            "width_l0": float(TILE_L0),
            "tile_px": TILE_L0 // 2,
            "mpp": 2 * MPP,
            "tissue_fraction": 1.0,
            **dict.fromkeys(QC_COLUMNS, 0.5),
            "kept": True,
            "reason": "",
            "row": row,
            "col": col,
        }
    )
    write_tiles(folder / "tiles/s.parquet", frame, TileHeader("s", MPP, SIDE_L0, SIDE_L0, None, MADE))


def _write_nuclei(folder: Path, places_um: np.ndarray, tile_of: np.ndarray, rng: np.random.Generator) -> None:
    n = len(places_um)
    angle = rng.uniform(0, np.pi, n)
    turn = np.linspace(0, 2 * np.pi, 25)[:-1]
    local = np.stack([4.5 * np.cos(turn), 2.5 * np.sin(turn)], axis=1)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    rings = np.stack([local[:, 0] * cos - local[:, 1] * sin, local[:, 0] * sin + local[:, 1] * cos], axis=2)
    contours = shapely.to_wkb(shapely.polygons(rings + places_um[:, None, :]))
    frame = pd.DataFrame(
        {"nucleus_id": np.arange(n), "tile_id": tile_of, "x_um": places_um[:, 0], "y_um": places_um[:, 1]}
    )
    frame["orientation_rad"], frame["orientation_reliability"] = angle, 0.6
    for name in (*PAPER_MEASURES, "solidity", "convexity", "mean_haematoxylin", "sd_haematoxylin"):
        frame[name] = rng.uniform(5, 35, n).astype(np.float32)
    frame["contour_um"] = contours
    write_nuclei(folder / "nuclei/s.parquet", frame, NucleusHeader("s", MPP, 2 * MPP, None, None, None, MADE))


def _write_cell_graph(folder: Path, tile_of: np.ndarray) -> None:
    """Each nucleus joined to the next ``NEIGHBOURS`` of its tile."""
    n = len(tile_of)
    first = np.concatenate([np.flatnonzero(tile_of[:-step] == tile_of[step:]) for step in range(1, NEIGHBOURS + 1)])
    step = np.concatenate([np.full((tile_of[:-s] == tile_of[s:]).sum(), s) for s in range(1, NEIGHBOURS + 1)])
    both = np.concatenate([np.stack([first, first + step]), np.stack([first + step, first])], axis=1)
    edges = both[:, np.lexsort((both[1], both[0]))]
    offsets = np.searchsorted(tile_of, np.arange(N_TILES + 1))
    values = np.full(edges.shape[1], 0.5, np.float32)
    graphs = CellGraphs(
        np.arange(N_TILES),
        np.arange(n),
        offsets,
        edges,
        np.searchsorted(edges[0], offsets),
        values,
        values,
        values,
        values,
    )
    write_cell_graphs(folder / "cell_graphs/s.zarr", graphs, slide_id="s", reason=None, provenance=MADE)


def _write_learned(folder: Path, corners: np.ndarray, rng: np.random.Generator) -> None:
    """Sixteen learned edges a patch."""
    features = rng.normal(size=(N_TILES, 185)).astype(np.float32)
    names = tuple(f"feature_{number}" for number in range(185))
    store = FeatureStore("s", features, names, corners, np.arange(N_TILES), 2 * MPP, TILE_L0 // 2, float(TILE_L0))
    write_features(folder / "features/s.zarr", store)
    one, other = np.repeat(np.arange(N_TILES), 8), rng.integers(0, N_TILES, 8 * N_TILES)
    apart = one != other
    pairs = np.unique(np.sort(np.stack([one[apart], other[apart]]), axis=0), axis=1)
    ends, weight = np.concatenate([pairs, pairs[::-1]], axis=1), np.tile(rng.beta(0.6, 3, pairs.shape[1]), 2)
    graph = LearnedGraph(ends, weight.astype(np.float32), np.ones(ends.shape[1], bool))
    fold = folder / "training/main/default/seed_0/fold_0"
    write_learned_graphs(fold / "graphs.zarr", [("s", graph)], MADE)
    write_predictions(
        fold / "predictions.csv", prediction_frame(["s"], ["s"], ["a"], ["a", "b"], np.array([[0.9, 0.1]]))
    )


def timed(what: str, act: Callable[[], object]) -> None:
    """Print the seconds of something, and the most memory so far."""
    start = time.perf_counter()
    act()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what:46} {time.perf_counter() - start:8.3f} s   at most {memory:5.2f} GiB so far", flush=True)


def regions(side_l0: int) -> Iterator[str]:
    """Addresses of boxes of a side."""
    rng = np.random.default_rng(1)
    for x, y in rng.integers(0, SIDE_L0 - side_l0 + 1, (PLACES, 2)).tolist():
        yield f"box={x},{y},{x + side_l0},{y + side_l0}"


def measure(folder: Path) -> None:
    """Print what each layer takes."""
    routes = Routes(ResultsFolder(folder))
    timed("open the slide, its nuclei and patches", lambda: routes.answer("slides/s"))
    timed("first outlines", lambda: routes.answer("slides/s/nuclei?box=0,0,2000,2000&px=1000"))
    timed("first field of axes", lambda: routes.answer(f"slides/s/nuclei?box=0,0,{SIDE_L0},{SIDE_L0}&px=1000"))
    timed("open the cell graph", lambda: routes.answer("slides/s/cell_graph?box=0,0,2000,2000"))
    timed("open the learned graph", lambda: routes.answer("slides/s/models/0/graph"))
    timed("tiles", lambda: routes.answer("slides/s/tiles"))
    for side in (1000, 4000, 16_000, SIDE_L0):
        for layer, rest in (("nuclei", "&px=1000"), ("cell_graph", ""), ("models/0/graph", "&heaviest=5000")):
            seconds, sizes, what = [], [], ""
            for box in regions(side):
                start = time.perf_counter()
                content = routes.answer(f"slides/s/{layer}?{box}{rest}").content
                seconds.append(time.perf_counter() - start)
                sizes.append(len(content))
                what = next(iter(json.loads(content)))
            times = f"median {np.median(seconds):.3f} s, slowest {max(seconds):.3f} s"
            print(f"{side:7} px  {layer:15} {what:9} {times}, {max(sizes) / 1e3:7.0f} kB", flush=True)


def main() -> None:
    """Make the folder if need be, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--nuclei", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if not arguments.folder.exists():
        timed("write the folder", lambda: write_folder(arguments.folder, arguments.nuclei))
    measure(arguments.folder)


if __name__ == "__main__":
    main()
