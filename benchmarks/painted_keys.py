"""How well the keys of painted tiles are read from the features of the shipped network.

Prints, for each key (nuclei large, elongated, aligned; tile dense), the accuracy of a ridge
logistic regression on single tiles of images that it did not see (5 folds by image) and the
number of features that go with the key (correlation beyond 0.5), then the accuracy of a
classifier given the true edges on the same folds: the ceiling of the measured cohort.

    abignet synth painted --out painted
    abignet features --sheet painted/slides.csv --out features --config config/demo/config.yaml
    python benchmarks/painted_keys.py --cohort painted --features features
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.artefacts.features import FeatureStore, read_features
from pipeline.synthetic.planting.ceiling import accuracy_with_true_edges
from pipeline.synthetic.planting.planted_image import PlantedImage

KEYS = ["large", "elongated", "aligned", "dense"]
FOLDS = 5
PENALTY_C = 0.01
LEAST_CORRELATION = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohort", type=Path, required=True, help="folder of abignet synth painted")
    parser.add_argument("--features", type=Path, required=True, help="folder of abignet features")
    options = parser.parse_args()
    sheet = pd.read_csv(options.cohort / "slides.csv", keep_default_na=False)
    labels = sheet[sheet["label"] != ""].set_index("slide_id")["label"]
    stores = {slide_id: read_features(options.features / f"{slide_id}.zarr") for slide_id in labels.index}
    values = np.concatenate([store.features for store in stores.values()])
    median = np.nanmedian(values, axis=0)
    truth = pd.concat([true_keys(options.cohort, store) for store in stores.values()])
    image = np.repeat(np.arange(len(stores)), [len(store.features) for store in stores.values()])
    rows = np.where(np.isfinite(values), values, median)
    print(f"{len(stores)} images, {len(rows)} tiles, {rows.shape[1]} features")
    print("key,accuracy,features_correlated")
    for key in KEYS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY_C, max_iter=2000))
        accuracy = cross_val_score(model, rows, truth[key], groups=image, cv=GroupKFold(FOLDS)).mean()
        print(f"{key},{accuracy:.3f},{correlated(rows, truth[key].to_numpy())}")
    images = [planted(options.cohort, store, labels[slide_id]) for slide_id, store in stores.items()]
    print(f"given the true edges: {ceiling(images, rows, image, truth['dense'].to_numpy()):.3f}")


def true_keys(cohort: Path, store: FeatureStore) -> pd.DataFrame:
    tiles = pd.read_csv(cohort / "truth" / f"{store.slide_id}.tiles.csv").set_index(["x_l0", "y_l0"])
    return tiles.loc[[tuple(corner) for corner in store.coords.tolist()], KEYS]


def correlated(rows: np.ndarray, key: np.ndarray) -> int:
    """Features that vary and whose correlation with a key is beyond LEAST_CORRELATION."""
    varying = rows[:, rows.std(axis=0) > 0]
    return int(sum(abs(np.corrcoef(column, key)[0, 1]) > LEAST_CORRELATION for column in varying.T))


def planted(cohort: Path, store: FeatureStore, label: str) -> PlantedImage:
    edges = pd.read_csv(cohort / "truth" / f"{store.slide_id}.edges.csv")
    node = {tuple(corner): number for number, corner in enumerate(store.coords.tolist())}
    ends = zip(edges[["x_l0", "y_l0"]].to_numpy().tolist(), edges.iloc[:, 2:].to_numpy().tolist(), strict=True)
    pairs = [
        (node[tuple(one)], node[tuple(other)]) for one, other in ends if tuple(one) in node and tuple(other) in node
    ]
    return PlantedImage(store.slide_id, store.slide_id, label, store.features, store.coords, np.array(pairs).T)


def ceiling(images: list[PlantedImage], rows: np.ndarray, image: np.ndarray, dense: np.ndarray) -> float:
    """Accuracy of a classifier given the true edges that sees, of each tile, one value: how dense it looks."""
    accuracies = []
    for learned_from, tried_on in GroupKFold(FOLDS).split(rows, groups=image):
        reader = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY_C, max_iter=2000))
        reader.fit(rows[learned_from], dense[learned_from])
        density = reader.decision_function(rows).astype(np.float32)
        seen = [
            PlantedImage(i.slide_id, i.case_id, i.label, density[image == number, None], i.coords, i.pairs)
            for number, i in enumerate(images)
        ]
        known, new = sorted(set(image[learned_from])), sorted(set(image[tried_on]))
        accuracies.append(accuracy_with_true_edges([seen[i] for i in known], [seen[i] for i in new]))
    return float(np.mean(accuracies))


if __name__ == "__main__":
    main()
