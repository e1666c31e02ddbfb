"""Every method on one cohort: folds by patient, several seeds, the best tuned, paired over patients.

    python benchmarks/method_tables.py --cohort breast --out tables/breast
    python benchmarks/method_tables.py --sheet slides.csv --features caches --out tables/mine --methods default logistic

Each method is trained as it comes with each of ``--seeds`` on 5 folds by patient; those of ``--tuned`` also with the
best of 6 settings, searched in each fold's training part (one inner split, ``abignet tune``), with the first seed.
``logistic`` chooses its penalty itself and is tuned as it comes.  Training stops after ``--minutes``.

The command goes on where it stopped, also amid a training, and prints what is there as a table, also into
``OUT/table.md``.  It ends with exit code 1 and says so while runs are missing.  Several of it may work in one ``--out``
at once with different ``--methods``.  Runs made by other versions of the code are kept and counted in the note;
``--fresh`` trains them anew.

AUROC, its SD over runs (folds x seeds) and 95 % interval over patients; cross-entropy in nats an image; AUROC's
difference from ``--reference`` on the same runs with a 95 % interval over patients, drawn alike for both; accuracy, its
difference and p of the paired tests of ``abignet train`` (sign-flip over patients, corrected t over folds), after Holm.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from sklearn.metrics import log_loss
from table_cohorts import NAMES, make_cohort

from pipeline.artefacts.json_files import PROVENANCE, read_json
from pipeline.artefacts.predictions import PREDICTIONS, PROBABILITY_PREFIX, class_names, read_predictions
from pipeline.artefacts.sheet import read_sheet
from pipeline.artefacts.splits import read_splits
from pipeline.commands.cohort import feature_files
from pipeline.commands.train import tuned_params
from pipeline.errors import CohortError, NotApplicableError
from pipeline.provenance import source_digest
from pipeline.training.cohort.cohort_nodes import CohortNodes, load_nodes
from pipeline.training.cohort.roles import Split
from pipeline.training.cross_validation.tune import Search, tune
from pipeline.training.evaluation.bootstrap import paired_differences
from pipeline.training.evaluation.method_comparison import comparison_table
from pipeline.training.fitting.applicability import check_applicable
from pipeline.training.fitting.fitting_task import fitted_by
from pipeline.training.fitting.training_job import TrainingJob
from pipeline.training.methods.packages import usable_methods
from pipeline.training.methods.presets import METHODS, method_spec
from pipeline.training.params import DEFAULT_FITTING, SplitParams, TrainingParams
from pipeline.training.split_cohort import SPLITS, SplitJob, split_cohort
from pipeline.training.train_fold import train_loaded_fold

FOLDS = 5
SETTINGS_TRIED = 6
AS_IT_COMES = TrainingParams()
SLOWEST = ("paper_a", "paper_b")
TUNED = ("default", "logistic", "attention_mil", "wikg")
TITLES = (
    "method",
    "runs",
    "AUROC",
    "95 %",
    "cross-entropy",
    "AUROC minus `{reference}`",
    "accuracy",
    "difference",
    "p patients",
    "p folds",
)
COMPONENTS = ("pipeline.training.train_fold", "pipeline.training.evaluate")


@dataclass(frozen=True)
class Table:
    """What is asked for: a cohort, its methods, and where results lie."""

    out: Path
    rows: list
    files: Mapping[str, Path]
    seeds: tuple[int, ...]
    methods: tuple[str, ...]
    tuned: tuple[str, ...]
    source: str
    fresh: bool
    device: str

    @cached_property
    def splits(self) -> Path:
        """``splits.csv`` of all seeds, those of earlier runs too."""
        path = self.out / SPLITS
        drawn = set(read_splits(path)["seed"].tolist()) if path.exists() else set()
        if missing := set(self.seeds) - drawn:
            seeds = tuple(sorted(drawn | missing))
            split_cohort(self.rows, self.files, self.out, SplitJob(SplitParams(FOLDS), seeds, self.source))
        return path

    @cached_property
    def folds(self) -> list[int]:
        """Those of the sheet, else 5."""
        return sorted(set(read_splits(self.splits)["fold"]))

    def runs(self) -> Iterator[tuple[str, str, Split]]:
        """Title, method and split of every run; the runs of one seed and fold of all methods follow each other."""
        for seed in self.seeds:
            for fold in self.folds:
                yield from ((method, method, Split(seed, fold)) for method in self.methods)
                if seed == self.seeds[0]:
                    yield from ((f"{m} (tuned)", m, Split(seed, fold)) for m in self.tuned if m != "logistic")

    def folder(self, title: str, split: Split) -> Path:
        """Where a run lies."""
        return self.out / title.replace(" (tuned)", "_tuned") / f"seed_{split.seed}" / split.name

    def is_done(self, title: str, method: str, split: Split) -> bool:
        """Whether a run is there, with the settings it has today."""
        folder = self.folder(title, split)
        if not (folder / PREDICTIONS).exists() or not (folder / PROVENANCE).exists():
            return False
        made = read_json(folder / PROVENANCE, "provenance")
        params = self.tuned_settings(method, split) if title != method else AS_IT_COMES
        if params is None or (self.fresh and made["source"] != self.source):
            return False
        asked = plain(fitted_by(method_spec(method, params), params.fitting))
        # A key younger than the run stood at its default.
        told = {**made["params"], "fitting": {**plain(asdict(DEFAULT_FITTING)), **made["params"]["fitting"]}}
        return all(told[key] == value for key, value in asked.items())

    def tuned_settings(self, method: str, split: Split) -> TrainingParams | None:
        """The best settings of a fold, where they were searched."""
        return tuned_params(self.search_folder(method, split)).get(split.fold)

    def search_folder(self, method: str, split: Split) -> Path:
        """Where the search of a fold lies."""
        return self.out / f"{method}_tuned" / "search" / split.name


def plain(params: dict) -> dict:
    """As JSON gives it back."""
    return {key: plain(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
            for key, value in params.items()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cohort = parser.add_mutually_exclusive_group(required=True)
    cohort.add_argument("--cohort", choices=NAMES)
    cohort.add_argument("--sheet", type=Path)
    parser.add_argument("--features", type=Path, help="feature caches of --sheet")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=[m for m in usable_methods()[0] if m not in SLOWEST])
    parser.add_argument("--tuned", nargs="*", default=list(TUNED))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--reference", default="logistic", choices=list(METHODS))
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="after which no other run is begun; 0: table only"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--fresh", action="store_true", help="train anew what other versions of the code made")
    options = parser.parse_args()
    table = table_of(options)
    not_applicable, failed = train_missing(table, time.monotonic() + 60 * options.minutes)
    text, complete = as_text(table, options.reference, not_applicable, failed)
    print(text)
    (options.out / "table.md").write_text(text + "\n")
    sys.exit(0 if complete else 1)


def table_of(options: argparse.Namespace) -> Table:
    sheet, features = options.sheet, options.features
    if options.cohort is not None:
        sheet, features = make_cohort(options.cohort, options.out / "cohort")
    rows = [row for row in read_sheet(sheet) if row.label is not None]
    tuned = tuple(method for method in options.tuned if method in options.methods)
    return Table(
        options.out,
        rows,
        feature_files(rows, features, sheet),
        tuple(options.seeds),
        tuple(options.methods),
        tuned,
        source_digest(*COMPONENTS),
        options.fresh,
        options.device,
    )


def train_missing(table: Table, deadline: float) -> tuple[dict[str, str], dict[str, str]]:
    """Train what is not there yet until ``deadline``; why methods are not applicable, and why runs failed."""
    cohort = load_nodes(table.files, sorted(set(read_splits(table.splits)["slide_id"])))
    not_applicable = {m: why for m in table.methods if (why := reason_against(cohort, m)) is not None}
    failed: dict[str, str] = {}
    for title, method, split in table.runs():
        if time.monotonic() > deadline:
            break
        if method in not_applicable or table.is_done(title, method, split):
            continue
        try:
            train(table, cohort, title, method, split)
        except CohortError as error:
            failed[f"{title}, seed {split.seed}, {split.title}"] = str(error)
    return not_applicable, failed


def reason_against(cohort: CohortNodes, method: str) -> str | None:
    try:
        check_applicable(cohort, cohort.slides, METHODS[method])
    except NotApplicableError as error:
        return str(error)
    return None


def train(table: Table, cohort: CohortNodes, title: str, method: str, split: Split) -> None:
    params = AS_IT_COMES
    if title != method:
        params = table.tuned_settings(method, split) or searched(table, method, split)
    job = TrainingJob(method, split, params, table.device, table.source, table.out / ".partial" / title)
    train_loaded_fold(table.splits, cohort, table.folder(title, split), job)


def searched(table: Table, method: str, split: Split) -> TrainingParams:
    search = Search(
        method,
        split.seed,
        SETTINGS_TRIED,
        SplitParams(FOLDS),
        AS_IT_COMES,
        table.device,
        table.source,
        only_fold=split.fold,
    )
    tune(table.rows, table.files, table.search_folder(method, split), search)
    settings = table.tuned_settings(method, split)
    assert settings is not None, "a search writes the settings of its fold"
    return settings


def as_text(
    table: Table, reference: str, not_applicable: Mapping[str, str], failed: Mapping[str, str]
) -> tuple[str, bool]:
    """The table in Markdown with what is missing, and whether nothing is."""
    frames: dict[str, dict[int, dict[int, pd.DataFrame]]] = {}
    expected: dict[str, int] = {}
    sources = set()
    for title, method, split in table.runs():
        if method in not_applicable:
            continue
        expected[title] = expected.get(title, 0) + 1
        if table.is_done(title, method, split):
            folder = table.folder(title, split)
            frames.setdefault(title, {}).setdefault(split.seed, {})[split.fold] = read_predictions(folder / PREDICTIONS)
            sources.add(read_json(folder / PROVENANCE, "provenance")["source"])
    done = {title: sum(map(len, frames.get(title, {}).values())) for title in expected}
    tests = tests_of(frames, reference)
    rows = [[f"`{title}`", f"{done[title]} of {n}"] for title, n in expected.items()]
    for row, title in zip(rows, expected, strict=True):
        if title in frames:
            difference = "" if title == reference else against(frames[title], frames.get(reference, {}))
            row += [*auroc_of(frames[title]), cross_entropy_of(frames[title]), difference, *tests.get(title, [])]
    rows += [[f"`{method}`", "not applicable"] for method in not_applicable]
    missing, n_runs = sum(expected.values()) - sum(done.values()), sum(expected.values())
    notes = [
        *([f"INCOMPLETE: {missing} of {n_runs} runs are missing; give the command again."] if missing else []),
        *([f"Runs were made by {len(sources)} versions of the code."] if len(sources) > 1 else []),
        *(f"{method}: not applicable: {why}" for method, why in not_applicable.items()),
        *(f"{run}: failed: {why}" for run, why in failed.items()),
    ]
    titles = [cell.format(reference=reference) for cell in TITLES]
    lines = [line_of(titles), "|" + "---|" * len(titles), *map(line_of, rows), "", *notes]
    return "\n".join(lines), not missing


def line_of(cells: list[str]) -> str:
    """A row of the table; cells that are not there are empty."""
    return "| " + " | ".join([*cells, *[""] * (len(TITLES) - len(cells))]) + " |"


def auroc_of(runs: Mapping) -> list[str]:
    """AUROC with its SD, and its interval."""
    own = comparison_table({"own": runs}).iloc[0]
    sd = "" if math.isnan(own["auroc_sd"]) else f" ± {own['auroc_sd']:.3f}"
    return [f"{own['auroc_mean']:.3f}{sd}", f"{own['auroc_ci_low']:.3f} to {own['auroc_ci_high']:.3f}"]


def cross_entropy_of(runs: Mapping) -> str:
    """Mean over runs of what an image loses in nats."""
    frames = [frame for folds in runs.values() for frame in folds.values()]
    columns = [f"{PROBABILITY_PREFIX}{name}" for name in class_names(frames[0])]
    losses = [log_loss(frame["label"], frame[columns], labels=class_names(frame)) for frame in frames]
    return f"{sum(losses) / len(losses):.3f}"


def against(own: Mapping, reference: Mapping) -> str:
    """Difference of AUROC with its interval over the runs that both have."""
    common = [
        (runs[fold], reference[seed][fold])
        for seed, runs in own.items()
        for fold in runs
        if fold in reference.get(seed, {})
    ]
    if not common:
        return ""
    difference, interval = paired_differences([a for a, _ in common], [b for _, b in common])["auroc"]
    low, high = interval or (math.nan, math.nan)
    return f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"


def tests_of(frames: Mapping, reference: str) -> dict[str, list[str]]:
    """The last four cells of each method: accuracy, and how it differs."""
    if reference not in frames:
        return {}
    return {
        str(row["method"]): [
            number(row["accuracy_mean"], ".3f"),
            number(row["accuracy_difference"], "+.3f"),
            number(row["p_holm"], ".2g"),
            number(row["p_folds_holm"], ".2g"),
        ]
        for row in comparison_table(frames, reference=reference).to_dict("records")
    }


def number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


if __name__ == "__main__":
    main()
