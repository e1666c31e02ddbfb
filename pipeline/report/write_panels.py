"""Panels of all slides of a run: one offline page a slide, beside the report."""

from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from functools import partial
from pathlib import Path

from pipeline import provenance as making
from pipeline.artefacts.atomic import writing
from pipeline.logs import get_logger, progress
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.panels.panel_page import write_panel, write_shared
from pipeline.report.panels.panel_subjects import PanelSubject, panel_subjects
from pipeline.report.params import ReportParams
from pipeline.worker_processes import worker_processes

log = get_logger("report")


def write_panels(
    sources: ReportSources, folder: str | Path, *, params: ReportParams, source: str, threads: int = 1
) -> None:
    """Write ``{slide_id}.html`` for every slide of the sheets into ``folder``, and what the pages share.

    Pages load nothing but files of this folder, also from ``file://``.  The same inputs and
    package versions give the same bytes, whatever the number of threads.

    Parameters
    ----------
    sources
        Files and facts of the run.
    folder
        What was there is replaced.
    params
        What to show.
    source
        Source digest of the panels.
    threads
        Slides at once, each in a process of its own.

    Raises
    ------
    ArtefactError
        If a file of the run is missing, unreadable or contradicts another.
    """
    subjects = panel_subjects(sources)
    with writing(folder) as temporary:
        write_shared(temporary, making.record(params=params, source=source))
        done = _written(subjects, temporary, params, threads)
        sizes = list(progress(done, description="panels", unit="slides", total=len(subjects)))
    log.info("panels of %s: %d slides, %.1f MB", sources.run, len(subjects), sum(sizes) / 1e6)


def _written(subjects: Sequence[PanelSubject], folder: Path, params: ReportParams, threads: int) -> Iterator[int]:
    """Bytes of each panel, as it is written."""
    write = partial(write_panel, folder=folder, params=params)
    if threads == 1 or len(subjects) < 2:
        yield from map(write, subjects)
        return
    with worker_processes(threads) as pool:
        for finished in as_completed([pool.submit(write, subject) for subject in subjects]):
            yield finished.result()
