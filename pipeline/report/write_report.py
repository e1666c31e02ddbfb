"""The report of a run: one self-contained page and its figures."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pipeline import provenance as making
from pipeline.artefacts.atomic import writing
from pipeline.logs import get_logger
from pipeline.report.contents.report_contents import Making, ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.figures.figure_style import figure_files
from pipeline.report.page.page import render
from pipeline.report.page.page_elements import Section
from pipeline.report.page.section_calls import calls
from pipeline.report.page.section_cautions import cautions
from pipeline.report.page.section_cohort import cohort
from pipeline.report.page.section_features import features
from pipeline.report.page.section_graphs import graphs
from pipeline.report.page.section_interpretation import interpretation
from pipeline.report.page.section_nuclei import nuclei
from pipeline.report.page.section_predictions import predictions
from pipeline.report.page.section_provenance import provenance
from pipeline.report.page.section_results import results
from pipeline.report.page.section_slides import slides
from pipeline.report.page.section_training import training
from pipeline.report.page.section_verdict import verdict
from pipeline.report.page.section_words import words
from pipeline.report.params import ReportParams

log = get_logger("report")


def write_report(
    sources: ReportSources,
    page_path: str | Path,
    figures_dir: str | Path,
    *,
    params: ReportParams,
    source: str,
    command: str = "",
) -> None:
    """Write the report of a run.

    The same inputs and package versions give the same bytes but for the date.

    Parameters
    ----------
    sources
        Files and facts of the run.
    page_path
        HTML file; holds every figure and loads nothing. Its links lead to ``figures_dir`` and to panels beside it.
    figures_dir
        Folder that receives the figures: plots as SVG, PDF and PNG with what they were drawn from as CSV, pictures as
        PNG; what was there is replaced.
    params
        What to show.
    source
        Source digest of the report.
    command
        Command line that asked for it, shown on the page.

    Raises
    ------
    ArtefactError
        If a file of the run is missing, unreadable or contradicts another.
    """
    contents = read_contents(sources, params, Making(source, command, now()))
    sections = build_sections(contents)
    drawn = [figure for section in sections for figure in section.figures]
    record = making.record(params=params, source=source, upstream=making.digests(_upstream(sources)))
    with writing(figures_dir) as folder:
        folder.mkdir()
        for figure in drawn:
            for name, content in figure_files(figure).items():
                (folder / name).write_bytes(content)
    with writing(page_path) as page:
        page.write_text(render(params.title or sources.run, sources.run, sections, record), encoding="utf-8")
    log.info("report %s: %d sections, %d figures", sources.run, len(sections), len(drawn))


def now() -> str:
    """Date and time in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M}"


SECTIONS: tuple[Callable[[ReportContents], Section], ...] = (
    verdict,
    cautions,
    calls,
    results,
    features,
    graphs,
    interpretation,
    cohort,
    slides,
    nuclei,
    training,
    predictions,
    provenance,
    words,
)
"""Sections in their order. A new one is a module of ``page`` and a line here."""


def build_sections(contents: ReportContents) -> list[Section]:
    """Sections of the page in their order."""
    return [section(contents) for section in SECTIONS]


def _upstream(sources: ReportSources) -> dict[str, Path]:
    """The files of training; those of single slides have their source digests on the page."""
    named = {"splits": sources.splits, "excluded": sources.excluded}
    if sources.comparison.exists():
        named["comparison"] = sources.comparison
    if sources.predictions is not None:
        named["predictions"] = sources.predictions
    return named | {f"metrics/{m}/seed_{s}": sources.metrics(m, s) for m in sources.methods for s in sources.seeds}
