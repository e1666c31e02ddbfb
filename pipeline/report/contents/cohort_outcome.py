"""What became of every slide of the sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pipeline.artefacts.feature_parts import read_patch_places
from pipeline.artefacts.inside_mask import KEY as INSIDE
from pipeline.artefacts.nuclei import count_nuclei, read_nuclei_header
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_excluded, read_splits
from pipeline.artefacts.tables import HeadedTable
from pipeline.artefacts.tiles import read_tiles
from pipeline.report.contents.report_sources import ReportSources

Status = Literal["in the folds", "excluded", "no label", "new"]
"""Trained and tested on; labelled but in no fold; only predicted; of the sheet of new slides, with a label that nobody
trained on."""


@dataclass(frozen=True)
class StageRecord:
    """Who made one artefact: the stage, its source digest and, for nuclei, the weights."""

    stage: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class SlideSummary:
    """One slide on the page; None marks what was not measured for it.

    Attributes
    ----------
    row
        The slide in the sheet.
    status
        See ``Status``.
    reason
        Why it is excluded or empty, else "".
    width_mm, height_mm
        Size of level 0.
    slide_mpp
        um per level-0 pixel.
    n_tiles, n_kept
        Tiles of the grid, and those kept.
    n_nuclei
        Nuclei found in kept tiles.
    n_patches
        Nodes of the slide's patch graph.
    rim_share
        Share of the image's area beside the grid, right and below, that tiling left out (``edge: skip``).
    sharpness, off_stain
        Means over kept tiles of ``qc_focus`` and ``qc_off_stain``.
    cautions
        What is odd about it, or about nuclei that came with it.
    records
        Provenance of its artefacts.
    """

    row: SlideRow
    status: Status
    reason: str = ""
    width_mm: float | None = None
    height_mm: float | None = None
    slide_mpp: float | None = None
    n_tiles: int | None = None
    n_kept: int | None = None
    n_nuclei: int | None = None
    n_patches: int | None = None
    rim_share: float | None = None
    sharpness: float | None = None
    off_stain: float | None = None
    cautions: tuple[str, ...] = ()
    records: tuple[StageRecord, ...] = ()


def read_cohort(sources: ReportSources) -> tuple[SlideSummary, ...]:
    """Summary of every slide, in the order of the sheet.

    Raises
    ------
    ArtefactError
        If a table, a store, ``splits.csv`` or ``excluded.csv`` cannot be read.
    """
    excluded = read_excluded(sources.excluded)
    reasons = dict(zip(excluded["slide_id"], excluded["reason"], strict=True))
    split = set(read_splits(sources.splits)["slide_id"])
    return tuple(_summary(row, sources, reasons, row.slide_id in split) for row in sources.slides)


def _summary(row: SlideRow, sources: ReportSources, excluded: Mapping[str, str], is_split: bool) -> SlideSummary:
    grid = _grid_facts(sources.tiles.get(row.slide_id))
    nuclei = _nuclei_facts(sources.nuclei.get(row.slide_id))
    graph = _graph_facts(sources.features.get(row.slide_id))
    records = tuple(fact.pop("record") for fact in (grid, nuclei, graph) if "record" in fact)
    reasons = [str(reason) for fact in (grid, nuclei, graph) if (reason := fact.pop("reason", None))]
    cautions = tuple(caution for fact in (grid, nuclei) for caution in fact.pop("cautions", ()))
    status = _status(row, sources, is_split)
    reason = excluded.get(row.slide_id) or (reasons[0] if reasons else "")
    if status == "excluded" and not reason:
        reason = "in neither splits.csv nor excluded.csv"
    return SlideSummary(row, status, reason, **grid, **nuclei, **graph, cautions=cautions, records=records)


def _status(row: SlideRow, sources: ReportSources, is_split: bool) -> Status:
    if row.label is None:
        return "no label"
    if row.slide_id in sources.new_slides:
        return "new"
    return "in the folds" if is_split else "excluded"


def _grid_facts(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    table = read_tiles(path)
    slide_mpp = table.header["slide_mpp"]
    sizes = [None if slide_mpp is None else table.header[side] * slide_mpp / 1000 for side in ("width_l0", "height_l0")]
    return {
        "width_mm": sizes[0],
        "height_mm": sizes[1],
        "slide_mpp": slide_mpp,
        "n_tiles": len(table.frame),
        "n_kept": int(table.frame["kept"].sum()),
        "rim_share": _rim_share(table),
        "sharpness": _mean_of_kept(table.frame, "qc_focus"),
        "off_stain": _mean_of_kept(table.frame, "qc_off_stain"),
        "reason": table.reason,
        # Tables written before cautions were recorded have none.
        "cautions": tuple(table.header.get("cautions", ())),
        "record": StageRecord("tile_slide", str(table.header["provenance"].get("source", ""))),
    }


def _rim_share(table: HeadedTable) -> float | None:
    """Share of the scanned part's area that no tile of the grid covers; None where the grid is not ours to cut."""
    params = table.header["provenance"].get("params", {})
    _, _, width, height = table.header["bounds_l0"]
    if params.get("edge") != "skip" or INSIDE in table.header or not width * height or table.frame.empty:
        return None
    frame = table.frame
    sides = [float((frame[corner] + frame["width_l0"]).max() - frame[corner].min()) for corner in ("x_l0", "y_l0")]
    return max(0.0, 1.0 - sides[0] * sides[1] / float(width * height))


def _mean_of_kept(frame: pd.DataFrame, column: str) -> float | None:
    measured = frame.loc[frame["kept"], column].dropna()
    return float(measured.mean()) if len(measured) else None


def _nuclei_facts(path: Path | None) -> dict[str, Any]:
    """Row count and header alone: the contours of a large slide take long to read."""
    if path is None:
        return {}
    header = read_nuclei_header(path)
    imported = header.get("imported_from")
    weights = f"weights {header['weights']}, SHA-256 {str(header['weights_digest'])[:16]}" if header["weights"] else ""
    source = str(header["provenance"].get("source", ""))
    record = StageRecord("segment_nuclei", source, weights)
    if imported is not None:
        record = StageRecord("import_nuclei", source, f"from {imported}")
    cautions = tuple(header.get("cautions", ()))
    return {"n_nuclei": count_nuclei(path), "reason": header["reason"], "record": record, "cautions": cautions}


def _graph_facts(path: Path | None) -> dict[str, Any]:
    """Places and attributes alone."""
    if path is None:
        return {}
    patches = read_patch_places(path)
    record = StageRecord("cache_features", patches.source)
    return {"n_patches": len(patches.coords), "reason": patches.reason, "record": record}


def labelled(cohort: Sequence[SlideSummary]) -> tuple[SlideSummary, ...]:
    """Slides that were to be trained on, whether or not they are in the folds."""
    return tuple(slide for slide in cohort if slide.status in ("in the folds", "excluded"))


def class_names(slides: Sequence[SlideSummary]) -> tuple[str, ...]:
    """Classes of slides, sorted."""
    return tuple(sorted({slide.row.label for slide in slides if slide.row.label is not None}))


def patients(slides: Sequence[SlideSummary]) -> int:
    """Number of distinct patients; a slide whose patient is not named counts as its own."""
    return len({slide.row.case_id or slide.row.slide_id for slide in slides})


def in_folds(cohort: Sequence[SlideSummary]) -> tuple[SlideSummary, ...]:
    """Slides that were trained and tested on."""
    return tuple(slide for slide in cohort if slide.status == "in the folds")
