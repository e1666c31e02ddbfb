"""What became of every slide of the sheet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artefacts import features as feature_files
from pipeline.artefacts import nuclei as nucleus_files
from pipeline.artefacts.sheet import SlideRow
from pipeline.artefacts.splits import read_excluded, read_splits
from pipeline.artefacts.tables import HEADER_KEY, check_header
from pipeline.artefacts.tiles import read_tiles
from pipeline.artefacts.zarr_store import open_store, read_array
from pipeline.errors import ArtefactError
from pipeline.report.contents.report_sources import ReportSources

Status = Literal["in the folds", "excluded", "no label"]
"""Trained and tested on; labelled but in no fold; only predicted."""


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
        Nuclei segmented in kept tiles.
    n_patches
        Nodes of the slide's patch graph.
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
    found = [str(fact.pop("reason")) for fact in (grid, nuclei, graph) if fact.get("reason")]
    for fact in (grid, nuclei, graph):
        fact.pop("reason", None)
    status: Status = "no label" if row.label is None else "in the folds" if is_split else "excluded"
    reason = excluded.get(row.slide_id) or (found[0] if found else "")
    if status == "excluded" and not reason:
        reason = "in neither splits.csv nor excluded.csv"
    return SlideSummary(row, status, reason, **grid, **nuclei, **graph, records=records)


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
        "reason": table.reason,
        "record": StageRecord("tile_slide", str(table.header["provenance"].get("source", ""))),
    }


def _nuclei_facts(path: Path | None) -> dict[str, Any]:
    """Row count and header alone: the contours of a large slide take long to read."""
    if path is None:
        return {}
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtefactError(
            f"{path}: expected a table of nuclei; it cannot be read ({error}). Make it again."
        ) from error
    header = json.loads((metadata.metadata or {}).get(HEADER_KEY, b"{}"))
    check_header(header, nucleus_files.KIND, str(path))
    weights = f"weights {header['weights']}, SHA-256 {str(header['weights_digest'])[:16]}" if header["weights"] else ""
    record = StageRecord("segment_nuclei", str(header["provenance"].get("source", "")), weights)
    return {"n_nuclei": metadata.num_rows, "reason": header["reason"], "record": record}


def _graph_facts(path: Path | None) -> dict[str, Any]:
    """Shape and attributes alone."""
    if path is None:
        return {}
    n_patches = len(patch_corners(path)[0])
    if path.suffix == ".h5":
        return {"n_patches": n_patches, "record": StageRecord("imported features", "")}
    attributes = dict(open_store(path, feature_files.KIND).attrs)
    record = StageRecord("cache_features", str(attributes.get("source") or ""))
    return {"n_patches": n_patches, "reason": attributes.get("reason"), "record": record}


def patch_corners(path: Path) -> tuple[npt.NDArray[np.int64], float | None]:
    """Corners of a feature store's patches, int64 (n, 2) level-0 (x, y), and their side in level-0 pixels or None.

    The features themselves stay unread: embeddings of a cohort do not fit a report's memory.

    Raises
    ------
    ArtefactError
        If the store cannot be read.
    """
    if path.suffix == ".h5":
        try:
            with h5py.File(path, "r") as file:
                corners, width = np.asarray(file["coords"], np.int64), file["coords"].attrs.get("patch_size_level0")
        except (OSError, KeyError) as error:
            raise ArtefactError(f"{path}: expected an HDF5 file with 'coords' (N, 2); {error}.") from error
        return corners.reshape(-1, 2), None if width is None else float(width)
    group = open_store(path, feature_files.KIND)
    side = group.attrs.get("tile_width_l0")
    return read_array(group, "coords", path).astype(np.int64), None if side is None else float(side)  # type: ignore[arg-type]


def class_names(cohort: Sequence[SlideSummary]) -> tuple[str, ...]:
    """Classes of the labelled slides, sorted."""
    return tuple(sorted({slide.row.label for slide in cohort if slide.row.label is not None}))


def patients(slides: Sequence[SlideSummary]) -> int:
    """Number of distinct patients; a slide whose patient is not named counts as its own."""
    return len({slide.row.case_id or slide.row.slide_id for slide in slides})


def in_folds(cohort: Sequence[SlideSummary]) -> tuple[SlideSummary, ...]:
    """Slides that were trained and tested on."""
    return tuple(slide for slide in cohort if slide.status == "in the folds")
