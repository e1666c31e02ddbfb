"""Where the interpretation of a method lies, and whether its graphs can be read."""

from pathlib import Path

from pipeline.artefacts.interpretation import INTERPRETATION, read_summary
from pipeline.report.contents.report_sources import ReportSources


def interpretation_folder(sources: ReportSources, method: str) -> Path | None:
    """Beside the seeds of a method (workflow) or its folds (``abignet train``); None of one that was not explained."""
    seed_folder = sources.seed_folder(method, sources.seeds[0])
    places = (seed_folder.parent / INTERPRETATION, seed_folder / INTERPRETATION)
    return next((place for place in places if place.is_dir()), None)


def graph_reading(sources: ReportSources, method: str) -> str:
    """Whether graphs of a method are stable enough to be read, in a sentence; empty where nobody asked.

    Raises
    ------
    ArtefactError
        If the interpretation is damaged.
    """
    folder = interpretation_folder(sources, method)
    return "" if folder is None else str(read_summary(folder)["reading"])
