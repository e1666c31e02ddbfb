"""Whether evidence names the pairs of patches that truly carry the class, where truth is known.

For folds that were explained, prints the mean and SD over test images of the area under the ROC curve with
which true pairs of patches are told from all others: by the size of the evidence of edges, by the
evidence itself (for the predicted class), and by the weight of edges; and, where some patches are in no
true pair, with which patches of pairs are told from those by the size of their evidence.

    abignet synth planted --out planted --images 240
    abignet train --sheet planted/slides.csv --out planted/trained --folds 3 --only-fold 0
    abignet explain planted/trained --sheet planted/slides.csv
    python benchmarks/attribution_truth.py planted/trained/fold_0 --truth planted/truth --features planted/features
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.arrays import Bools
from pipeline.artefacts.csv_files import read_csv
from pipeline.artefacts.evidence import EvidenceStore
from pipeline.artefacts.features import read_features
from pipeline.artefacts.learned_graphs import LearnedGraphs

CORNERS = {"x_l0": "int64", "y_l0": "int64", "other_x_l0": "int64", "other_y_l0": "int64"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folds", nargs="+", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    options = parser.parse_args()
    found = [row for fold in options.folds for row in areas_of(fold, options.truth, options.features)]
    print("measure,images,mean,sd")
    for name in dict.fromkeys(name for row in found for name in row):
        values = np.array([row[name] for row in found if name in row])
        print(f"{name},{len(values)},{values.mean():.3f},{values.std(ddof=1):.3f}")


def areas_of(fold: Path, truth: Path, features: Path) -> list[dict[str, float]]:
    """Areas under the ROC curve of each test image of a fold, by measure."""
    store, graphs = EvidenceStore(fold / "evidence.zarr"), LearnedGraphs(fold / "graphs.zarr")
    rows = []
    for slide_id in store.slide_ids:
        evidence, graph = store.of(slide_id), graphs.of(slide_id)
        joined = true_pairs(slide_id, truth, features)
        is_true = joined[tuple(graph.edge_index)]
        if not 0 < is_true.sum() < len(is_true):
            continue
        measures = {"edges by |evidence|": np.abs(evidence.edge), "edges by evidence": evidence.edge}
        measures["edges by weight"] = graph.weight
        row = {name: float(roc_auc_score(is_true, values)) for name, values in measures.items()}
        in_pair = joined.any(axis=1)
        if not in_pair.all():
            size = np.abs(evidence.node[:, store.header.classes.index(evidence.facts.predicted)])
            row["patches by |evidence|"] = float(roc_auc_score(in_pair, size))
        rows.append(row)
    return rows


def true_pairs(slide_id: str, truth: Path, features: Path) -> Bools:
    """Which patches truly belong together, bool (n, n)."""
    coords = read_features(features / f"{slide_id}.zarr").coords
    joined = np.zeros((len(coords), len(coords)), np.bool_)
    planted = truth / f"{slide_id}.npz"
    if planted.exists():
        one, other = np.load(planted)["pairs"]
    else:
        row = {tuple(corner): number for number, corner in enumerate(coords.tolist())}
        edges = read_csv(truth / f"{slide_id}.edges.csv", "true edges", CORNERS)[list(CORNERS)].to_numpy().tolist()
        known = [(row[a, b], row[c, d]) for a, b, c, d in edges if (a, b) in row and (c, d) in row]
        one, other = np.array(known, np.int64).reshape(-1, 2).T
    joined[one, other] = joined[other, one] = True
    return joined


if __name__ == "__main__":
    main()
