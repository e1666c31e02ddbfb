"""Results of a run on a planted cohort, with nuclei painted into its tiles, made by the writers of its files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artefacts import nuclei as nucleus_files
from pipeline.artefacts import tiles as tile_files
from pipeline.artefacts.evidence import Evidence, EvidenceFacts, EvidenceHeader, write_evidence
from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.learned_graphs import LearnedGraph, write_learned_graphs
from pipeline.artefacts.predictions import prediction_frame, write_predictions
from pipeline.artefacts.sheet import read_sheet
from pipeline.artefacts.splits import read_splits
from pipeline.cellgraph.build_cell_graphs import build_cell_graphs
from pipeline.cellgraph.params import CellGraphParams
from pipeline.provenance import record
from pipeline.synthetic.planted import PlantedParams, plant_images
from pipeline.synthetic.planting.planted_image import MPP, TILE_PX, PlantedImage
from pipeline.training.params import SplitParams
from pipeline.training.split_cohort import SplitJob, split_cohort

MADE = record(params={}, source="0123456789abcdef")
SLIDE_MPP = 0.25
"""Tiles are read at 0.5 um/px, so one of 256 px is 512 level-0 px and 128 um wide."""

WIDTH_L0 = TILE_PX * MPP / SLIDE_MPP
PLANTED = PlantedParams(n_images=16, n_pairs=3, n_distractors=2)
NUCLEI_A_TILE = 6
EMPTY = "nothing"
"""The slide without tissue."""

NEW = "new"
"""The slide without label."""

SHIFT = 3.0
"""Added to every feature of class 1, so that a mean knows the class."""


@dataclass(frozen=True)
class Results:
    """A working directory with ``slides.csv`` and ``results``."""

    folder: Path

    @property
    def sheet(self) -> Path:
        return self.folder / "slides.csv"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def splits(self) -> Path:
        return self.results / "training/main/splits.csv"

    @property
    def trained(self) -> Path:
        return self.results / "training/main/default/seed_0"


def build_results(folder: Path) -> Results:
    """Sixteen labelled slides of two classes, one without label and one without tissue."""
    made = Results(folder)
    images = plant_images(PLANTED, seed=1)
    rows = [(image.slide_id, image.label, image.case_id) for image in images]
    rows += [(NEW, "", NEW), (EMPTY, "1", "case_empty")]
    lines = [f"{name},results/features/{name}.zarr,{label},{case}" for name, label, case in rows]
    for image in images:
        add_slide(made.results, image)
    add_slide(made.results, images[0], NEW)
    add_empty_slide(made.results)
    made.sheet.write_text("\n".join(["slide_id,features,label,case_id", *lines]) + "\n")
    job = SplitJob(SplitParams(folds=3, select_share=0.2), seeds=(0,), source="5p11ts")
    split_cohort(read_sheet(made.sheet), made.results / "features", made.splits.parent, job)
    add_learned_graphs(made)
    return made


def add_slide(results: Path, image: PlantedImage, name: str | None = None) -> None:
    """One slide: its patches in the cache, two more kept tiles that are not, and a dropped one."""
    slide_id = name or image.slide_id
    n = len(image.coords)
    corners = np.concatenate([image.coords, [[9 * TILE_PX, 0], [10 * TILE_PX, 0], [11 * TILE_PX, 0]]]) * 2
    kept = np.arange(n + 3) < n + 2
    # The table is in reading order, which is not the order of the cache.
    order = np.lexsort((corners[:, 0], corners[:, 1]))
    tiles = tile_frame(corners[order], kept[order])
    place = np.argsort(order)
    rng = np.random.default_rng(len(slide_id) + n)
    # No nucleus in the first tile that is not in the cache, one in the second.
    owner = np.append(np.repeat(place[:n], NUCLEI_A_TILE), place[n + 1])
    write_slide(results, slide_id, tiles, nuclei_frame(tiles, np.sort(owner), rng), None)
    store = FeatureStore(
        slide_id,
        image.features + SHIFT * (image.label == "1"),
        tuple(f"rotated_{column}" for column in range(image.features.shape[1])),
        image.coords * 2,
        place[:n],
        mpp=MPP,
        tile_px=TILE_PX,
        tile_width_l0=WIDTH_L0,
        embeddings={"uni": rng.normal(size=(n, 3)).astype(np.float32)},
    )
    write_features(results / "features" / f"{slide_id}.zarr", store)


def add_empty_slide(results: Path) -> None:
    """A slide without tissue."""
    tiles = tile_frame(np.zeros((1, 2), np.int64), np.zeros(1, bool))
    write_slide(
        results, EMPTY, tiles, nuclei_frame(tiles, np.zeros(0, np.int64), np.random.default_rng(0)), "no tissue"
    )
    names = tuple(f"rotated_{column}" for column in range(PLANTED.n_features))
    store = FeatureStore(
        EMPTY, np.zeros((0, len(names)), np.float32), names, np.zeros((0, 2), np.int64), np.zeros(0, np.int64),
        embeddings={"uni": np.zeros((0, 3), np.float32)}, reason="no tissue",
    )  # fmt: skip
    write_features(results / "features" / f"{EMPTY}.zarr", store)


def write_slide(results: Path, slide_id: str, tiles: pd.DataFrame, nuclei: pd.DataFrame, reason: str | None) -> None:
    """Tile table, nucleus table and cell graphs of a slide."""
    paths = {kind: results / kind / f"{slide_id}.parquet" for kind in ("tiles", "nuclei")}
    size = {"width_l0": 8192, "height_l0": 8192}
    tile_header = tile_files.TileHeader(slide_id=slide_id, slide_mpp=SLIDE_MPP, reason=reason, provenance=MADE, **size)
    tile_files.write_tiles(paths["tiles"], tiles, tile_header)
    segmented = {"slide_mpp": SLIDE_MPP, "mpp": MPP, "weights": None, "weights_digest": None}
    header = nucleus_files.NucleusHeader(slide_id=slide_id, reason=reason, provenance=MADE, **segmented)
    nucleus_files.write_nuclei(paths["nuclei"], nuclei, header)
    build_cell_graphs(
        *paths.values(),
        results / "cell_graphs" / f"{slide_id}.zarr",
        slide_id=slide_id,
        params=CellGraphParams(extent="slide", radius_um=60.0),
        source="6r4ph5",
    )


def tile_frame(corners_l0: np.ndarray, kept: np.ndarray) -> pd.DataFrame:
    """Tiles at ``corners_l0`` (n, 2)."""
    return pd.DataFrame(
        {
            "tile_id": np.arange(len(kept)),
            "x_l0": corners_l0[:, 0],
            "y_l0": corners_l0[:, 1],
            "width_l0": WIDTH_L0,
            "tile_px": TILE_PX,
            "mpp": MPP,
            "tissue_fraction": np.where(kept, 0.9, 0.0),
            **dict.fromkeys(tile_files.QC_COLUMNS, np.nan),
            "kept": kept,
            "reason": np.where(kept, "", "too little tissue"),
            "row": corners_l0[:, 1] // int(WIDTH_L0),
            "col": corners_l0[:, 0] // int(WIDTH_L0),
        }
    )


def nuclei_frame(tiles: pd.DataFrame, owner: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """One nucleus for each of ``owner`` (tile_id), somewhere in its tile, no measure like another."""
    n = len(owner)
    corner_um = tiles[["x_l0", "y_l0"]].to_numpy()[owner] * SLIDE_MPP
    x_um, y_um = (corner_um + rng.uniform(0, WIDTH_L0 * SLIDE_MPP, (n, 2))).T
    measures = {name: rng.uniform(1, 2, n) for name, dtype in nucleus_files.COLUMNS.items() if dtype == "float64"}
    angles = {"orientation_rad": rng.uniform(0, np.pi, n), "eccentricity": rng.uniform(0.5, 1, n)}
    place = {"nucleus_id": np.arange(n), "tile_id": owner, "x_um": x_um, "y_um": y_um}
    return pd.DataFrame({**measures, **angles, **place, "contour_um": [b""] * n})


def add_learned_graphs(made: Results) -> None:
    """All pairs of each test image, scored at random."""
    splits = read_splits(made.splits)
    n = PLANTED.n_patches
    ends = np.array([(i, j) for i in range(n) for j in range(n) if i != j]).T
    for fold, rows in splits[splits["role"] == "test"].groupby("fold"):
        graphs = {}
        for number, slide_id in enumerate(rows["slide_id"]):
            score = np.random.default_rng(number).uniform(size=(n, n)).astype(np.float32)
            weight = ((score + score.T) / 2)[ends[0], ends[1]]
            graphs[slide_id] = LearnedGraph(ends, weight, weight > 0.5)
        folder = made.trained / f"fold_{fold}"
        write_learned_graphs(folder / "graphs.zarr", graphs.items(), MADE)
        add_calls(folder, rows, graphs)


def add_calls(folder: Path, rows: pd.DataFrame, graphs: dict[str, LearnedGraph]) -> None:
    """Predictions of test images, all right with a probability of 0.75, and evidence in them, drawn at random."""
    slide_ids, labels = list(rows["slide_id"]), list(rows["label"])
    classes = ("0", "1")
    sure = np.array([[0.75, 0.25] if label == "0" else [0.25, 0.75] for label in labels])
    frame = prediction_frame(slide_ids, list(rows["case_id"]), labels, classes, sure)
    write_predictions(folder / "predictions.csv", frame)
    write_evidence(folder / "evidence.zarr", EvidenceHeader(classes, ("f",), "default"), _evidence(graphs), MADE)


def _evidence(graphs: dict[str, LearnedGraph]) -> Iterator[tuple[str, Evidence]]:
    for number, (slide_id, graph) in enumerate(graphs.items()):
        rng, n = np.random.default_rng(number), PLANTED.n_patches
        node, edge = rng.normal(size=(n, 2)), np.where(graph.kept, graph.weight, 0)
        facts = EvidenceFacts("0", 1.0, 0.5, 0.5, "occlusion", None, 1, 0.0)
        yield slide_id, Evidence(np.float32(node), np.float32(edge), np.zeros((n, 1), np.float32), facts)
