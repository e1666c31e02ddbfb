"""Slides that were trained on or predicted although their features were made differently, as provenances tell them."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.artefacts.feature_making import MISMATCHES
from pipeline.artefacts.json_files import PROVENANCE, read_json
from pipeline.report.contents.report_sources import ReportSources


@dataclass(frozen=True)
class Mismatches:
    """A sentence a slide: of those trained on together, and of those predicted by a model of others."""

    trained: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()


def read_mismatches(sources: ReportSources) -> Mismatches:
    """What was allowed with ``on_mismatch: warn``.

    Raises
    ------
    ArtefactError
        If a provenance is damaged.
    """
    predictions = sources.predictions
    return Mismatches(
        trained=_told(sources.splits_beside / PROVENANCE),
        predicted=() if predictions is None else _told(predictions.with_suffix(f".{PROVENANCE}")),
    )


def _told(provenance: Path) -> tuple[str, ...]:
    record = read_json(provenance, "a provenance") if provenance.exists() else {}
    return tuple(record.get(MISMATCHES, ()))
