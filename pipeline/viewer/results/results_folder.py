"""Slides, runs and models of a results folder."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.artefacts.evidence import EVIDENCE
from pipeline.artefacts.fingerprint_cache import CACHE_NAME, known_paths
from pipeline.artefacts.predictions import PREDICTIONS, PROBABILITY_PREFIX, class_names, read_predictions
from pipeline.artefacts.sheet import read_sheet
from pipeline.artefacts.tables import read_table_header
from pipeline.artefacts.tiles import KIND as TILES
from pipeline.errors import ArtefactError

FOLD = re.compile(r"training/(?P<run>[^/]+)/(?P<method>[^/]+)/seed_(?P<seed>\d+)/fold_(?P<fold>\d+)")


@dataclass(frozen=True)
class Model:
    """A model that predicted a slide which it was not trained on.

    Attributes
    ----------
    run, method
        Of which training.
    seed, fold
        None of the final model, which predicts new slides.
    label
        The slide's label, empty when unknown.
    predicted, probabilities
        What it said of the slide.
    graphs, evidence
        Stores that hold the slide; they need not exist.
    """

    run: str
    method: str
    seed: int | None
    fold: int | None
    label: str
    predicted: str
    probabilities: dict[str, float]
    graphs: Path
    evidence: Path | None

    def plain(self) -> dict[str, Any]:
        """Ready for the page, without paths."""
        return {name: value for name, value in vars(self).items() if not isinstance(value, Path) and name != "evidence"}


class ResultsFolder:
    """A results folder; every path is made of names that were found in it, none of what a reader asks for.

    Parameters
    ----------
    outdir
        The ``outdir`` of the workflow.
    sheet
        Sheet of slides that says where they lie; None takes the paths under which the workflow read them.

    Raises
    ------
    ArtefactError
        If there is no tile table and no feature cache in it.
    """

    def __init__(self, outdir: Path, sheet: Path | None = None) -> None:
        self.outdir = outdir
        found = {
            path.stem
            for folder, end in (("tiles", ".parquet"), ("features", ".zarr"))
            for path in self._in(folder, end)
        }
        if not found:
            raise ArtefactError(
                f"{outdir}: expected a results folder with tiles/ or features/ in it, found neither. "
                "Name the `outdir` of the configuration."
            )
        self.slides: tuple[str, ...] = tuple(sorted(found))
        self._sheet = None if sheet is None else {row.slide_id: row.path for row in read_sheet(sheet)}

    def _in(self, folder: str, end: str) -> list[Path]:
        return [path for path in (self.outdir / folder).glob(f"*{end}") if not path.name.startswith(".")]

    def artefact(self, slide_id: str, folder: str, end: str) -> Path | None:
        """A file of a slide; None where it has none.

        Raises
        ------
        KeyError
            If there is no such slide.
        """
        if slide_id not in self.slides:
            raise KeyError(slide_id)
        path = self.outdir / folder / f"{slide_id}{end}"
        return path if path.exists() else None

    def picture(self, slide_id: str) -> Path | None:
        """The slide itself; None where it came without, or lies elsewhere now."""
        if self._sheet is not None:
            return self._sheet.get(slide_id)
        tiles = self.artefact(slide_id, "tiles", ".parquet")
        if tiles is None:
            return None
        upstream = read_table_header(tiles, TILES)["provenance"].get("upstream", {})
        path = self._known.get(upstream.get("slide", ""))
        return path if path is not None and path.exists() else None

    @cached_property
    def _known(self) -> dict[str, Path]:
        """Files that the workflow has read, by fingerprint."""
        return known_paths(self.outdir / CACHE_NAME)

    @cached_property
    def models(self) -> dict[str, list[Model]]:
        """Models by slide: runs and methods in order, those of new slides last.

        Raises
        ------
        ArtefactError
            If a table of predictions cannot be read.
        """
        models: dict[str, list[Model]] = defaultdict(list)
        for table in sorted(self.outdir.glob(f"training/*/*/seed_*/fold_*/{PREDICTIONS}")):
            match = FOLD.fullmatch(table.parent.relative_to(self.outdir).as_posix())
            if match is not None:
                place = (int(match["seed"]), int(match["fold"]))
                stores = (table.parent / "graphs.zarr", table.parent / EVIDENCE)
                _add(models, table, (match["run"], match["method"], *place), stores)
        for table in sorted(self._in("predictions", ".csv")):
            if not table.name.endswith(".excluded.csv"):
                method = _method_of(table)
                _add(models, table, (table.stem, method, None, None), (table.with_suffix(".graphs.zarr"), None))
        return models


def _add(
    models: dict[str, list[Model]],
    table: Path,
    names: tuple[str, str, int | None, int | None],
    stores: tuple[Path, Path | None],
) -> None:
    frame = read_predictions(table)
    columns = {name: frame[f"{PROBABILITY_PREFIX}{name}"].tolist() for name in class_names(frame)}
    said = zip(frame["slide_id"], frame["label"], frame["predicted"], strict=True)
    for place, (slide_id, label, predicted) in enumerate(said):
        probabilities = {name: values[place] for name, values in columns.items()}
        models[slide_id].append(Model(*names, label, predicted, probabilities, *stores))


def _method_of(predictions: Path) -> str:
    """The method of a final model, as the provenance of its predictions tells it."""
    record = predictions.with_suffix(".provenance.json")
    method = json.loads(record.read_text(encoding="utf-8")).get("params", {}).get("method") if record.exists() else None
    name = method.get("name") if isinstance(method, dict) else method
    return str(name or "final model")
