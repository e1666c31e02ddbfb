"""A small results folder with cell graph and evidence, and its server."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.cell_graphs import CellGraphs, write_cell_graphs
from pipeline.artefacts.evidence import Evidence, EvidenceFacts, EvidenceHeader, write_evidence
from pipeline.artefacts.learned_graphs import LearnedGraphs
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.predictions import read_predictions
from pipeline.viewer.serve_run import viewer_server
from pipeline.viewer.serving.server import ViewerServer
from tests.report.results_tree import Recipe, Tree
from tests.report.slide_tables import MADE


@pytest.fixture(scope="session")
def outdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the standard run; slide s00 has a cell graph that joins each nucleus to the next of its tile."""
    tree = Tree(tmp_path_factory.mktemp("results"), Recipe())
    sources = tree.build()
    rows = [(row.slide_id, row.path, row.label or "", row.mpp) for row in sources.slides]
    pd.DataFrame(rows, columns=["slide_id", "path", "label", "mpp"]).to_csv(tree.root / "slides.csv", index=False)
    _write_chain(sources.nuclei["s00"], tree.root / "cell_graphs/s00.zarr")
    for fold in sources.folds:
        _write_evidence(sources.fold_folder("default", 0, fold))
    return tree.root


def _write_chain(nuclei: Path, path: Path) -> None:
    frame = read_nuclei(nuclei).frame
    n, tiles = len(frame), frame["tile_id"].to_numpy()
    first = np.flatnonzero(np.diff(tiles, append=-1) == 0)
    both = np.concatenate([np.stack([first, first + 1]), np.stack([first + 1, first])], axis=1)
    edges = both[:, np.lexsort((both[1], both[0]))]
    kept, n_of_tile = np.unique(tiles, return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(n_of_tile)])
    shape = edges.shape[1]
    graphs = CellGraphs(
        kept,
        np.arange(n),
        offsets,
        edges,
        np.searchsorted(edges[0], offsets),
        np.full(shape, 5.0, np.float32),
        np.full(shape, 0.3, np.float32),
        np.full(shape, 0.2, np.float32),
        np.ones(shape, np.float32),
    )
    write_cell_graphs(path, graphs, slide_id="s00", reason=None, provenance=MADE)


def _write_evidence(fold: Path) -> None:
    """Patch i speaks i - 4 for the first class."""
    graphs = LearnedGraphs(fold / "graphs.zarr")
    predicted = read_predictions(fold / "predictions.csv").set_index("slide_id")["predicted"]
    node = np.arange(9, dtype=np.float32)[:, None] - 4
    images = []
    for slide_id in graphs.slide_ids:
        graph = graphs.of(slide_id)
        facts = EvidenceFacts(predicted[slide_id], 1.0, 0.25, 0.5, "occlusion", None, 1, 0.0)
        features = np.tile(np.array([[0.5, -1.0, 0.0]], np.float32), (9, 1))
        images.append((slide_id, Evidence(np.hstack([node, -node]), graph.weight * graph.kept, features, facts)))
    header = EvidenceHeader(("benign", "malignant"), ("first", "second", "third"), "default")
    write_evidence(fold / "evidence.zarr", header, images, MADE)


@pytest.fixture(scope="session")
def server(outdir: Path) -> Iterator[ViewerServer]:
    """A listening server of that folder."""
    made = viewer_server(outdir, sheet=outdir / "slides.csv")
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join(10)
