"""How the results were made, and how to cite what they rest on."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from pipeline import __version__
from pipeline.artefacts.json_files import PROVENANCE, read_json
from pipeline.provenance import package_versions
from pipeline.report.contents.report_contents import ReportContents
from pipeline.report.contents.stage_costs import read_stage_costs
from pipeline.report.contents.wording import NONE, count, decimal, plural
from pipeline.report.page.page_elements import (
    Block,
    Details,
    FoldedTable,
    Section,
    Table,
    Text,
    number_columns,
    text_columns,
)

PAPER_LINK = '<a href="https://arxiv.org/abs/2510.13188" rel="noreferrer">arXiv:2510.13188</a>'

CITATION = Markup(
    f"The method follows ABiG-Net: Paul, Lund, Jour, Osman and Yener (2025), {PAPER_LINK}. This is an independent "
    "implementation; its numbers are not those of the paper. Cite the paper for the idea, and this software with its "
    "version for the results."
)


def provenance(contents: ReportContents) -> Section:
    """Steps, sources, packages, configuration and citation."""
    trained = _training_record(contents.sources.splits_beside / PROVENANCE)
    blocks: list[Block] = [
        Text(_steps(contents)),
        _made(contents),
        *_costs(contents),
        _stages(contents, trained),
        Text(CITATION),
        _packages(trained),
    ]
    config = yaml.safe_dump(json.loads(json.dumps(dict(contents.sources.config))), sort_keys=False, allow_unicode=True)
    if contents.sources.config:
        blocks.append(Details("Configuration of this run", config))
    else:
        blocks.append(Text("The configuration was not handed to the report."))
    return Section("provenance", "Methods & provenance", blocks)


def _steps(contents: ReportContents) -> str:
    sources = contents.sources
    computed = sum(slide.n_tiles is not None for slide in contents.cohort)
    first = (
        f"{plural(computed, 'slide was', 'slides were')} tiled; nuclei were segmented in kept tiles and joined to "
        "cell graphs, whose features describe a patch. "
        if computed
        else "Patches and their features were imported. "
    )
    return (
        first + f"A method learns from the patches of an image. {plural(len(contents.folds), 'fold')} "
        f"({', '.join(map(str, contents.folds))}) and {plural(len(sources.seeds), 'seed')} "
        f"({', '.join(map(str, sources.seeds))}) were run for every method on the same splits; feature scaling was "
        "fitted on the train part of each fold alone."
    )


def _made(contents: ReportContents) -> Table:
    """Version, dates and command."""
    making = contents.making
    evaluated = [contents.sources.metrics(*run).stat().st_mtime for run in contents.results.metrics]
    rows = [
        ("version", f"abignet {__version__}"),
        ("evaluated", f"{datetime.fromtimestamp(max(evaluated), UTC):%Y-%m-%d %H:%M} UTC"),
        ("this page", f"{making.date} UTC" if making.date else NONE),
        ("command", making.command or NONE),
        ("run", contents.sources.run),
    ]
    return Table(text_columns("what", "value"), rows, "How this page was made.")


def _costs(contents: ReportContents) -> list[Block]:
    costs = read_stage_costs(contents.sources.benchmarks, contents.sources.run)
    if not costs:
        return [Text("Time and memory of stages were not measured: Snakemake does so, single commands do not.")]
    rows = [
        (
            cost.stage,
            count(cost.n_jobs),
            decimal(cost.total_s / 60, 1),
            decimal(cost.longest_s / 60, 1),
            NONE if cost.peak_mb is None else count(round(cost.peak_mb)),
        )
        for cost in costs
    ]
    columns = [
        *text_columns("stage"),
        *number_columns("jobs", "minutes in all", "longest job, minutes", "peak memory, MB"),
    ]
    note = (
        "Time and memory of the jobs that last ran, as Snakemake measured them: wall-clock time of jobs one after the "
        "other (several run at once), and the largest resident memory of one. A batch of small images is one job."
    )
    return [Table(columns, rows, note)]


def _training_record(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    return read_json(path, "provenance")


def _stages(contents: ReportContents, trained: dict[str, Any]) -> Table:
    made = Counter(record for slide in contents.cohort for record in slide.records)
    rows = [
        (record.stage, record.source or NONE, count(number), record.note)
        for record, number in sorted(made.items(), key=lambda item: (item[0].stage, item[0].source))
    ]
    if trained:
        rows.append(("split_cohort", str(trained.get("source") or NONE), "1", ""))
    rows.append(("write_report", contents.making.source or NONE, "1", ""))
    columns = [*text_columns("stage", "source digest"), *number_columns("files"), *text_columns("note")]
    caption = (
        "Digest of the program's source by stage: equal digests mean equal code. A dash marks features made elsewhere."
    )
    return Table(columns, rows, caption)


def _packages(trained: dict[str, Any]) -> FoldedTable:
    here, then = package_versions(), trained.get("packages") or {}
    rows = [(name, str(then.get(name, NONE)), here.get(name, NONE)) for name in sorted({*here, *then})]
    columns = text_columns("package", "at the split", "at this report")
    return FoldedTable("Package versions", Table(columns, rows, "Versions of packages that can change a result."))
