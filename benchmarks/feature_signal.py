r"""Which blocks of features tell two classes of images apart: logistic regression on pooled features.

    abignet features --sheet slides.csv --out caches --config config/real/config.yaml \\
        --set 'features.blocks=[paper,orientation,core,core_published,histomicstk,morphology]'
    python benchmarks/feature_signal.py --sheet slides.csv --features caches [--repeats 10]

An image is the mean and the SD of each feature over its patches (median of the training images where undefined),
standardised on the training images.  Folds are stratified and **by image**, not by patient: where one patient gave
several images, results are optimistic.  The penalty is chosen inside the training images.  Printed are balanced
accuracy and AUROC, mean and SD over repeated 5-fold splits, and a 95 % bootstrap interval over images of the AUROC of
the mean prediction.  ``shuffled`` has the labels permuted anew in each repeat: what chance looks like here.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.artefacts.feature_parts import open_features
from pipeline.artefacts.sheet import read_sheet
from pipeline.cellgraph import (
    CORE_FEATURE_NAMES,
    GRAPH_FEATURE_NAMES,
    ORIENTATION_FEATURE_NAMES,
    PUBLISHED_CORE_FEATURE_NAMES,
    SPATIAL_FEATURE_NAMES,
)

FOLDS = 5
PENALTIES = np.logspace(-4, 1, 6)


def blocks_of(names: Sequence[str]) -> dict[str, list[int]]:
    """Columns of each block that ``names`` hold."""
    sets = {
        "n_nuclei alone": {"n_nuclei"},
        "51 spatial": set(SPATIAL_FEATURE_NAMES),
        "18 graph": set(GRAPH_FEATURE_NAMES),
        "paper (51 + 18)": {*SPATIAL_FEATURE_NAMES, *GRAPH_FEATURE_NAMES},
        "orientation": set(ORIENTATION_FEATURE_NAMES),
        "core": set(CORE_FEATURE_NAMES),
        "core_published": set(PUBLISHED_CORE_FEATURE_NAMES),
        "histomicstk": {name for name in names if name.startswith("histomicstk_")},
        "morphology": {name for name in names if name.startswith("nucleus_")},
        "paper + orientation": {*SPATIAL_FEATURE_NAMES, *GRAPH_FEATURE_NAMES, *ORIENTATION_FEATURE_NAMES},
        "all": set(names),
    }
    columns = {block: [i for i, name in enumerate(names) if name in chosen] for block, chosen in sets.items()}
    return {block: chosen for block, chosen in columns.items() if chosen}


def pooled(path: Path) -> Any:
    """Mean and SD of each feature over the patches of an image, (2, n_features)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        x = open_features(path).read().astype(np.float64)
        return np.stack([np.nanmean(x, axis=0), np.nanstd(x, axis=0)])


def out_of_fold(x: Any, y: Any, seed: int) -> Any:
    """Probability of class 1 of each image from the model of the fold that did not see it."""
    probability = np.empty(len(y))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, y):
        model = make_pipeline(
            SimpleImputer(strategy="median"),
            StandardScaler(),
            LogisticRegressionCV(
                Cs=PENALTIES, cv=4, class_weight="balanced", scoring="neg_log_loss", max_iter=500, tol=1e-3
            ),
        )
        probability[test] = model.fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    return probability


def bootstrap(y: Any, probability: Any, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of the AUROC over images drawn with replacement."""
    random = np.random.default_rng(0)
    samples = (random.integers(0, len(y), len(y)) for _ in range(draws))
    found = [roc_auc_score(y[s], probability[s]) for s in samples if 0 < y[s].sum() < len(s)]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def row(name: str, x: Any, y: Any, repeats: int, *, shuffled: bool = False) -> str:
    """One line of the table."""
    runs, truths = [], []
    for seed in range(repeats):
        truth = np.random.default_rng(seed).permutation(y) if shuffled else y
        runs.append(out_of_fold(x, truth, seed))
        truths.append(truth)
    accuracy = [balanced_accuracy_score(t, p > 0.5) for t, p in zip(truths, runs, strict=True)]
    auroc = [roc_auc_score(t, p) for t, p in zip(truths, runs, strict=True)]
    interval = "" if shuffled else "{:.3f} to {:.3f}".format(*bootstrap(y, np.mean(runs, axis=0)))
    cells = " | ".join(f"{np.mean(v):.3f} ± {np.std(v, ddof=1):.3f}" for v in (accuracy, auroc))
    return f"| {name} | {x.shape[1]} | {cells} | {interval} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sheet", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True, help="folder of caches")
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")
    rows = [row for row in read_sheet(arguments.sheet) if row.label is not None]
    paths = [arguments.features / f"{row.slide_id}.zarr" for row in rows]
    kept = [i for i, path in enumerate(paths) if open_features(path).n_tiles]
    images = np.stack([pooled(paths[i]) for i in kept])
    labels = [rows[i].label for i in kept]
    classes = sorted(set(labels))
    if len(classes) != 2:
        parser.error(f"expected two classes, found {', '.join(classes) or 'none'}")
    y = np.array([label == classes[1] for label in labels]).astype(int)
    counts = ", ".join(f"{labels.count(c)} {c}" for c in classes)
    print(f"{len(y)} images ({counts}), image-level folds, {arguments.repeats} repeats\n")
    print("| block | values | balanced accuracy | AUROC | 95 % over images |\n|---|---|---|---|---|")
    blocks = blocks_of(open_features(paths[kept[0]]).feature_names)
    for name, columns in blocks.items():
        print(row(name, images[:, :, columns].reshape(len(y), -1), y, arguments.repeats), flush=True)
    print(row("all, labels shuffled", images.reshape(len(y), -1), y, arguments.repeats, shuffled=True))


if __name__ == "__main__":
    main()
