"""What each stage of a run took, as Snakemake measured its jobs."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class StageCost:
    """Jobs of one rule.

    Attributes
    ----------
    n_jobs
        Measured.
    total_s, longest_s
        Wall-clock time of all of them, one after the other, and of the longest.
    peak_mb
        Largest resident memory of one job, MB; None where it was too short to be measured.
    """

    stage: str
    n_jobs: int
    total_s: float
    longest_s: float
    peak_mb: float | None


def read_stage_costs(benchmarks: Path | None, run: str) -> tuple[StageCost, ...]:
    """Costs of each stage in the order of the alphabet; empty without measurements.

    A table that cannot be read is left out: measurements change no result.

    Parameters
    ----------
    benchmarks
        Holds ``{rule}/{job}.tsv`` of slides, ``{rule}/{run}.tsv`` and ``{rule}/{run}/...`` of a run; None has none.
    run
        Jobs of other runs do not count.
    """
    if benchmarks is None or not benchmarks.is_dir():
        return ()
    tables: dict[str, list[pd.DataFrame]] = defaultdict(list)
    runs = _runs(benchmarks)
    for path in sorted(benchmarks.rglob("*.tsv")):
        stage, *rest = path.relative_to(benchmarks).with_suffix("").parts
        if not rest or (rest[0] in runs and rest[0] != run):
            continue
        table = _table(path)
        if table is not None:
            tables[stage].append(table)
    return tuple(_cost(stage, pd.concat(found, ignore_index=True)) for stage, found in sorted(tables.items()))


def _runs(benchmarks: Path) -> set[str]:
    """Names of runs with measurements; every run has its splits."""
    return {path.stem for path in (benchmarks / "split_cohort").glob("*.tsv")}


def _table(path: Path) -> pd.DataFrame | None:
    """Seconds and MB of a job; None where it has none."""
    try:
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        return table[["s", "max_rss"]].astype("float64")
    except (OSError, ValueError, KeyError):
        return None


def _cost(stage: str, jobs: pd.DataFrame) -> StageCost:
    memory = jobs["max_rss"].dropna()
    return StageCost(
        stage,
        len(jobs),
        float(jobs["s"].sum()),
        float(jobs["s"].max()),
        float(memory.max()) if len(memory) else None,
    )
