"""A small results tree as the pipeline leaves it, made with the writers of its files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from PIL import Image, ImageDraw
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from pipeline import provenance
from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.artefacts.json_files import write_provenance
from pipeline.artefacts.learned_graphs import LearnedGraph, write_learned_graphs
from pipeline.artefacts.metric_names import METRICS
from pipeline.artefacts.metrics import write_comparison, write_metrics
from pipeline.artefacts.predictions import prediction_frame, write_history, write_predictions
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import write_excluded, write_splits
from pipeline.report.contents.report_sources import ReportSources
from tests.report.slide_tables import (
    MADE,
    SLIDE_MPP,
    SLIDE_PX,
    TILE_PX,
    nuclei_frame,
    tile_frame,
    write_nucleus_table,
    write_tile_table,
)


@dataclass(frozen=True)
class Recipe:
    """What the tree holds."""

    classes: tuple[str, ...] = ("benign", "malignant")
    per_class: int = 4
    methods: tuple[str, ...] = ("default", "mean_pool")
    seeds: tuple[int, ...] = (0,)
    folds: tuple[int, ...] = (0, 1)
    with_pictures: bool = True
    with_patients: bool = True
    n_unlabelled: int = 1
    n_excluded: int = 1
    patches_kept: int = 9
    skill: float = 0.75
    lost_class: str | None = None
    """A class of which the one slide is excluded."""
    new_label: str | None = None
    """Label of the one slide of the sheet of new slides, if there is one."""
    lost_folds: tuple[int, ...] = ()
    """Planned folds that have no test image."""


class Tree:
    """Writes a recipe's files below ``root`` and names them."""

    def __init__(self, root: Path, recipe: Recipe) -> None:
        self.root, self.recipe = root, recipe
        self.rng = np.random.default_rng(7)
        self.rows: list[SlideRow] = []
        self.tiles: dict[str, Path] = {}
        self.overviews: dict[str, Path] = {}
        self.nuclei: dict[str, Path] = {}
        self.features: dict[str, Path] = {}
        self.training = root / "training" / "run"

    def build(self) -> ReportSources:
        recipe = self.recipe
        labels = [name for name in recipe.classes for _ in range(recipe.per_class)]
        for number, label in enumerate(labels):
            self.add_slide(f"s{number:02d}", label, recipe.patches_kept)
        for number in range(recipe.n_excluded):
            self.add_slide(f"x{number:02d}", recipe.classes[0], 0)
        for number in range(recipe.n_unlabelled):
            self.add_slide(f"u{number:02d}", None, recipe.patches_kept)
        if recipe.lost_class is not None:
            self.add_slide("x99", recipe.lost_class, 0)
        if recipe.new_label is not None:
            self.add_slide("n00", recipe.new_label, recipe.patches_kept)
        predictions = self._train()
        return ReportSources(
            run="run",
            slides=tuple(self.rows),
            training=self.training,
            methods=recipe.methods,
            seeds=recipe.seeds,
            folds=(*recipe.folds, *recipe.lost_folds),
            tiles=self.tiles,
            overviews=self.overviews,
            nuclei=self.nuclei,
            features=self.features,
            predictions=predictions,
            new_slides=frozenset() if recipe.new_label is None else frozenset({"n00"}),
            config={"run": "run", "tiling": {"tile_px": TILE_PX, "mpp": SLIDE_MPP}},
        )

    def add_slide(self, slide_id: str, label: str | None, n_kept: int) -> None:
        kept = np.zeros(25, bool)
        kept[[6, 7, 8, 11, 12, 13, 16, 17, 18, *range(6), *range(19, 25), 9, 10, 14, 15][:n_kept]] = True
        reason = None if n_kept else "no tissue"
        frame = tile_frame(kept)
        patient = f"p{int(slide_id[1:]) // 2}{label}" if self.recipe.with_patients else slide_id
        path = self.root / "slides" / f"{slide_id}.png" if self.recipe.with_pictures else None
        features = self.root / "features" / f"{slide_id}.zarr"
        given = None if self.recipe.with_pictures else features
        mpp = SLIDE_MPP if self.recipe.with_pictures else None
        self.rows.append(SlideRow(slide_id, path, given, label, patient, self.recipe.with_patients, mpp))
        if path is not None:
            self._write_pictures(path, slide_id, frame, reason)
        self._write_features(features, slide_id, frame[frame["kept"]], reason)

    def _write_pictures(self, path: Path, slide_id: str, frame: pd.DataFrame, reason: str | None) -> None:
        pixels, nuclei = self._paint(frame[frame["kept"]])
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels.save(path)
        self.tiles[slide_id] = self.root / "tiles" / f"{slide_id}.parquet"
        write_tile_table(self.tiles[slide_id], frame, slide_id, reason)
        self.overviews[slide_id] = self.root / "tiles" / f"{slide_id}.png"
        pixels.resize((160, 160)).save(self.overviews[slide_id])
        self.nuclei[slide_id] = self.root / "nuclei" / f"{slide_id}.parquet"
        write_nucleus_table(self.nuclei[slide_id], nuclei, slide_id, reason)

    def _paint(self, kept: pd.DataFrame) -> tuple[Image.Image, pd.DataFrame]:
        """Violet ellipses on pink tiles, twelve a tile."""
        picture = Image.new("RGB", (SLIDE_PX, SLIDE_PX), (245, 243, 246))
        draw = ImageDraw.Draw(picture)
        corners = kept[["x_l0", "y_l0"]].to_numpy(float)
        for x, y in corners:
            draw.rectangle((x, y, x + TILE_PX, y + TILE_PX), fill=(232, 190, 214))
        places = np.repeat(corners, 12, axis=0) + self.rng.uniform(8, TILE_PX - 8, (12 * len(corners), 2))
        angles = self.rng.uniform(0, np.pi, len(places))
        frame = nuclei_frame(*(places.T * SLIDE_MPP), angles, np.repeat(kept["tile_id"].to_numpy(), 12))
        for shape in shapely.from_wkb(frame["contour_um"].to_numpy(object)):
            draw.polygon([tuple(point / SLIDE_MPP) for point in shapely.get_coordinates(shape)], fill=(92, 60, 138))
        return picture, frame

    def _write_features(self, path: Path, slide_id: str, kept: pd.DataFrame, reason: str | None) -> None:
        self.features[slide_id] = path
        write_features(
            path,
            FeatureStore(
                slide_id,
                self.rng.normal(size=(len(kept), 3)).astype(np.float32),
                ("first", "second", "third"),
                kept[["x_l0", "y_l0"]].to_numpy(np.int64),
                kept["tile_id"].to_numpy(np.int64),
                mpp=SLIDE_MPP,
                tile_px=TILE_PX,
                tile_width_l0=float(TILE_PX),
                reason=reason,
                source="fedcba9876543210",
            ),
        )

    def _train(self) -> Path | None:
        recipe = self.recipe
        labelled = [row for row in self.rows if row.slide_id.startswith("s")]
        groups = {case: i for i, case in enumerate(dict.fromkeys(row.case_id for row in labelled))}
        fold_of = {row.slide_id: recipe.folds[groups[row.case_id] % len(recipe.folds)] for row in labelled}
        self._write_splits(labelled, fold_of)
        comparison = []
        for method in recipe.methods:
            comparison += [self._write_method(method, seed, labelled, fold_of) for seed in recipe.seeds]
        self._write_comparison(comparison)
        unlabelled = [row for row in self.rows if row.label is None or row.slide_id.startswith("n")]
        if not unlabelled:
            return None
        path = self.root / "predictions" / "run.csv"
        write_predictions(path, self._predict(unlabelled, 0.0))
        return path

    def _write_splits(self, labelled: list[SlideRow], fold_of: dict[str, int]) -> None:
        others = ("train", "structure", "select")
        patients = {case: i for i, case in enumerate(dict.fromkeys(row.case_id for row in labelled))}
        rows = [
            (
                row.slide_id,
                row.case_id,
                row.label,
                seed,
                fold,
                "test" if fold_of[row.slide_id] == fold else others[patients[row.case_id] % 3],
            )
            for seed in self.recipe.seeds
            for fold in self.recipe.folds
            for row in labelled
        ]
        write_splits(
            self.training / "splits.csv",
            pd.DataFrame(rows, columns=["slide_id", "case_id", "label", "seed", "fold", "role"]),
        )
        excluded = [
            (row.slide_id, row.case_id, row.label, "no tissue") for row in self.rows if row.slide_id.startswith("x")
        ]
        write_excluded(
            self.training / "excluded.csv", pd.DataFrame(excluded, columns=["slide_id", "case_id", "label", "reason"])
        )
        write_provenance(self.training, provenance.record(params={}, source="5p11ts"))

    def _predict(self, rows: list[SlideRow], skill: float) -> pd.DataFrame:
        classes = self.recipe.classes
        logits = self.rng.normal(size=(len(rows), len(classes)))
        for number, row in enumerate(rows):
            if row.label in classes:
                logits[number, classes.index(row.label)] += 2.5 * skill
        exponents = np.exp(logits)
        names = [row.slide_id for row in rows], [row.case_id for row in rows], [row.label for row in rows]
        return prediction_frame(*names, classes, exponents / exponents.sum(axis=1, keepdims=True))

    def _write_method(
        self, method: str, seed: int, labelled: list[SlideRow], fold_of: dict[str, int]
    ) -> dict[str, object]:
        folds = []
        skill = self.recipe.skill if method == self.recipe.methods[0] else self.recipe.skill / 2
        for fold in self.recipe.folds:
            folder = self.training / method / f"seed_{seed}" / f"fold_{fold}"
            tested = [row for row in labelled if fold_of[row.slide_id] == fold]
            predictions = self._predict(tested, skill)
            write_predictions(folder / "predictions.csv", predictions)
            write_history(folder / "history.csv", self._history(method))
            graphs = {row.slide_id: self._graph(row.slide_id, method) for row in tested}
            write_learned_graphs(folder / "graphs.zarr", graphs.items(), MADE)
            folds.append({"fold": fold, **fold_metrics(predictions, self.recipe.classes), "n": len(tested)})
        for fold in self.recipe.lost_folds:
            self._write_lost_fold(self.training / method / f"seed_{seed}" / f"fold_{fold}", method)
        lost = [{"fold": fold, "reason": "no patch"} for fold in self.recipe.lost_folds]
        metrics = summarised(method, seed, folds) | {"folds_left_out": lost}
        write_metrics(self.training / method / f"seed_{seed}" / "metrics.json", metrics)
        return metrics

    def _write_lost_fold(self, folder: Path, method: str) -> None:
        write_predictions(folder / "predictions.csv", self._predict([], 0.0))
        write_history(folder / "history.csv", self._history(method).iloc[:0])
        write_learned_graphs(folder / "graphs.zarr", (), MADE)

    def _history(self, method: str) -> pd.DataFrame:
        epochs = np.arange(12)
        bilevel = method != "mean_pool"
        empty = np.full(len(epochs), np.nan)
        noise = self.rng.normal(0, 0.02, (4, len(epochs)))
        return pd.DataFrame(
            {
                "epoch": epochs,
                "lower_loss": 0.7 * np.exp(-epochs / 6) + noise[0],
                "lower_accuracy": 1 - 0.5 * np.exp(-epochs / 4) + noise[1] / 5,
                "upper_loss": 0.75 * np.exp(-epochs / 8) + noise[2] if bilevel else empty,
                "upper_accuracy": empty,
                "select_loss": 0.4 + 0.3 * np.exp(-epochs / 3) + noise[3],
                "select_accuracy": 0.9 - 0.4 * np.exp(-epochs / 4),
                "tau": empty,
                "mean_degree": 8 * np.exp(-epochs / 9) if bilevel else empty,
                "selected": epochs == 9,
                "model": 0,
                "stage": "refit" if bilevel else "fit",
            }
        )

    def _graph(self, slide_id: str, method: str) -> LearnedGraph:
        n = self.recipe.patches_kept
        if method == "mean_pool":
            return LearnedGraph(np.zeros((2, 0), np.int64), np.zeros(0, np.float32), np.zeros(0, bool))
        ends = np.array([(i, j) for i in range(n) for j in range(n) if i != j], np.int64).reshape(-1, 2).T
        weight = self.rng.beta(0.6, 3.0, (n, n))
        weight = ((weight + weight.T) / 2)[ends[0], ends[1]].astype(np.float32)
        return LearnedGraph(ends, weight, weight > 0.2)

    def _write_comparison(self, entries: list[dict[str, object]]) -> None:
        rows = []
        for method in self.recipe.methods:
            own = [entry for entry in entries if entry["method"] == method]
            values = pd.concat([pd.DataFrame(entry["folds"]) for entry in own])
            row: dict[str, object] = {
                "method": method,
                "n_runs": len(values),
                "n_images": int(values["n"].sum()) // len(own),
            }
            for name in METRICS:
                mean, sd = values[name].mean(), values[name].std(ddof=1)
                row |= {
                    f"{name}_mean": mean,
                    f"{name}_sd": sd,
                    f"{name}_ci_low": mean - sd,
                    f"{name}_ci_high": mean + sd,
                }
            row["reference"] = self.recipe.methods[0]
            other = method != self.recipe.methods[0]
            row |= {
                "accuracy_difference": -0.125 if other else np.nan,
                "p_value": 0.25 if other else np.nan,
                "p_holm": 0.5 if other else np.nan,
                "p_folds": 0.375 if other else np.nan,
                "p_folds_holm": 0.75 if other else np.nan,
            }
            rows.append(row)
        write_comparison(self.training / "comparison.csv", pd.DataFrame(rows))


def fold_metrics(predictions: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, float]:
    label, predicted = predictions["label"], predictions["predicted"]
    scores = predictions[[f"p_{name}" for name in classes]].to_numpy(float)
    aurocs = [
        roc_auc_score(label == name, scores[:, i])
        for i, name in enumerate(classes)
        if 0 < (label == name).sum() < len(label)
    ]
    one_hot = np.stack([label == name for name in classes], axis=1)
    return {
        "accuracy": float((label == predicted).mean()),
        "balanced_accuracy": float(balanced_accuracy_score(label, predicted)),
        "macro_f1": float(f1_score(label, predicted, average="macro")),
        "auroc": float(np.mean(aurocs)),
        "ece": 0.1,
        "brier": float(((scores - one_hot) ** 2).sum(axis=1).mean()),
    }


def summarised(method: str, seed: int, folds: list[dict[str, float]]) -> dict[str, object]:
    values = {name: np.array([fold[name] for fold in folds]) for name in METRICS}
    return {
        "method": method,
        "seed": seed,
        "folds": folds,
        "mean": {name: float(column.mean()) for name, column in values.items()},
        "sd": {name: float(column.std(ddof=1)) if len(column) > 1 else None for name, column in values.items()},
        "ci95": {name: [float(column.min()) - 0.05, float(column.max()) + 0.05] for name, column in values.items()},
    }
