"""Learned graphs of a training, stored fold by fold for the images that a fold tests."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artefacts.evidence import EVIDENCE, Evidence, EvidenceStore
from pipeline.artefacts.learned_graphs import LearnedGraph, LearnedGraphs
from pipeline.artefacts.predictions import PREDICTIONS, read_predictions
from pipeline.artefacts.splits import read_splits
from pipeline.errors import ArtefactError, CohortError
from pipeline.exports.graphs.cohort_slides import slides_of_splits


@dataclass(frozen=True)
class TrainedFolds:
    """Folds of one method and seed.

    Attributes
    ----------
    folder
        Holds ``fold_{k}/graphs.zarr``.
    splits
        Table of the folds.
    seed
        Seed of the folds.
    """

    folder: Path
    splits: Path
    seed: int

    @cached_property
    def fold_of(self) -> dict[str, int]:
        """Fold that tests each slide."""
        tested = slides_of_splits(self.splits, self.seed, None)
        return {slide.slide_id: slide.fold for slide in tested if slide.fold is not None}

    @cached_property
    def _opened(self) -> dict[Path, LearnedGraphs]:
        """Stores that were opened."""
        return {}

    def store(self, slide_id: str) -> Path:
        """Store with the graph of a slide.

        Raises
        ------
        CohortError
            If no fold tests the slide.
        """
        if slide_id not in self.fold_of:
            raise CohortError(
                f"slide {slide_id}: no fold of {self.splits} (seed {self.seed}) tests it; expected a test image, for "
                "learned graphs are stored for these."
            )
        return self.folder / f"fold_{self.fold_of[slide_id]}" / "graphs.zarr"

    @cached_property
    def _explained(self) -> dict[Path, EvidenceStore]:
        """Stores of evidence that were opened."""
        return {}

    @cached_property
    def _predicted(self) -> dict[Path, pd.DataFrame]:
        """Predictions that were read."""
        return {}

    def evidence(self, slide_id: str) -> tuple[tuple[str, ...], Evidence] | None:
        """Classes and evidence of a slide by the fold that tests it; None where that was not explained.

        Raises
        ------
        ArtefactError
            If it is damaged.
        CohortError
            If no fold tests the slide.
        """
        path = self.store(slide_id).with_name(EVIDENCE)
        if not path.is_dir():
            return None
        if path not in self._explained:
            self._explained[path] = EvidenceStore(path)
        store = self._explained[path]
        return store.header.classes, store.of(slide_id)

    def prediction(self, slide_id: str) -> "pd.Series[Any]":
        """Row of ``predictions.csv`` of a slide by the fold that tests it.

        Raises
        ------
        ArtefactError
            If it is damaged or not there.
        CohortError
            If no fold tests the slide.
        """
        path = self.store(slide_id).with_name(PREDICTIONS)
        if path not in self._predicted:
            self._predicted[path] = read_predictions(path)
        rows = self._predicted[path].loc[self._predicted[path]["slide_id"] == slide_id]
        if rows.empty:
            raise ArtefactError(f"{path}: expected slide {slide_id}, which this fold tests; found none. Train again.")
        return rows.iloc[0]

    def graph(self, slide_id: str, n_patches: int) -> LearnedGraph:
        """Learned graph of a slide, by the fold that tests it.

        Parameters
        ----------
        n_patches
            Rows of the slide's feature cache.

        Raises
        ------
        ArtefactError
            If that fold was not trained, its store is damaged, or the graph has more nodes.
        CohortError
            If no fold tests the slide.
        """
        store = self.store(slide_id)
        if store not in self._opened:
            self._opened[store] = LearnedGraphs(store)
        graph = self._opened[store].of(slide_id)
        n_nodes = int(graph.edge_index.max(initial=-1)) + 1
        if n_nodes > n_patches:
            raise ArtefactError(
                f"slide {slide_id}: its learned graph has {n_nodes} nodes or more, its feature cache {n_patches} rows; "
                "expected the cache that was trained on. Train again, or give that cache."
            )
        return graph


def folds_of_run(results: str | Path, run: str, method: str, seed: int) -> TrainedFolds:
    """Folds of a run of the pipeline.

    Raises
    ------
    ArtefactError
        If the run has none of that method and seed; says which it has.
    """
    training = Path(results) / "training" / run
    folder = training / method / f"seed_{seed}"
    if not folder.is_dir():
        there = sorted(f"{path.parent.name} {path.name}" for path in training.glob("*/seed_*"))
        raise ArtefactError(
            f"{training}: expected method {method} trained with seed {seed}, found {', '.join(there) or 'nothing'}."
        )
    return TrainedFolds(folder, training / "splits.csv", seed)


def folds_of_folder(folder: str | Path) -> TrainedFolds:
    """Folds in ``--out`` of ``abignet train``, or in ``training/{run}/{method}/seed_{s}`` of a run.

    Raises
    ------
    ArtefactError
        If there are none, or more seeds than one.
    """
    place = Path(folder)
    if not any(place.glob("fold_*")):
        raise ArtefactError(f"{place}: expected fold_0, fold_1, ... of one method, found none.")
    if place.name.startswith("seed_"):
        return TrainedFolds(place, place.parents[1] / "splits.csv", int(place.name.removeprefix("seed_")))
    splits = place / "splits.csv"
    seeds = sorted(set(read_splits(splits)["seed"]))
    if len(seeds) != 1:
        raise ArtefactError(f"{splits}: expected one seed, found {', '.join(map(str, seeds)) or 'none'}.")
    return TrainedFolds(place, splits, int(seeds[0]))
